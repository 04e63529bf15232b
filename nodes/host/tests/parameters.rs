//! A node's parameters, as a peer on the transport sees them.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::{Arc, Mutex};

use troika_host::{
    Clock, Edge, Host, HostClock, HostOptions, LevelPlan, NodeOptions, StopToken,
    parameters::{Declared, double_value, integer_value, not_set, string_value},
    service::AskError,
};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Duration, Fault, Out, Qos, Service, Step, Tick, Wake, ports,
};
use troika_msgs::{
    rcl_interfaces::{
        DescribeParameters, DescribeParametersRequest, GetParameters, GetParametersRequest, ListParameters,
        ListParametersRequest, Parameter, ParameterEvent, ParameterValue, SetParameters,
        SetParametersRequest,
    },
    std_msgs,
};
use troika_transport_mem::MemTransport;

/// Longer than any machine stands still.
const LONG: Duration = Duration::from_secs(60);

ports! {
    /// None.
    pub struct Inputs {}
}

ports! {
    /// Out.
    pub struct Outputs {
        /// The level.
        level: Out<std_msgs::String> = "/level",
    }
}

/// Tells its level.
struct Teller;

impl Step for Teller {
    type Inputs = Inputs;
    type Outputs = Outputs;
    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "teller",
        wake: Wake::Period,
        period: Duration::from_millis(10),
        deadline: Duration::from_millis(8),
        budget: Duration::from_millis(2),
        class: Class::Best,
        requirements: &[],
    });
    const LEVELS: &'static [&'static str] = &["full", "lite", "least"];
    fn step(&mut self, tick: &Tick, _: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        outputs.level.send(std_msgs::String { data: Self::LEVELS[tick.level].to_owned() });
        Ok(Done::Worked)
    }
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}

struct Bench {
    host: Option<Host>,
    peer: Edge,
}

impl Bench {
    fn new(level: LevelPlan) -> Bench {
        let mem = Arc::new(MemTransport::new());
        let mut host = Host::new(HostOptions { mlock: false, ..HostOptions::default() }, mem.clone());
        let peer = Edge::new(&*mem, Clock::Host(HostClock::start()), "/", "peer").unwrap();
        let mut options = NodeOptions::new("teller");
        options.namespace = "/car".into();
        options.level = level;
        options.parameters = vec![Declared::fixed("camera.gain", "How much.", double_value(1.5))];
        host.spawn(Teller, options).unwrap();
        host.start();
        Bench { host: Some(host), peer }
    }

    fn ask<S: Service>(&self, service: &str, request: &S::Request) -> S::Response {
        self.peer.client::<S>(&format!("/car/teller/{service}")).unwrap().ask(request, LONG).unwrap()
    }

    fn set(&self, name: &str, value: ParameterValue) -> (bool, String) {
        let parameters = vec![Parameter { name: name.to_owned(), value }];
        let answer = self.ask::<SetParameters>("set_parameters", &SetParametersRequest { parameters });
        (answer.results[0].successful, answer.results[0].reason.clone())
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.host.take().unwrap().stop();
    }
}

#[test]
fn a_node_lists_tells_and_describes_its_parameters() {
    let bench = Bench::new(LevelPlan::Governed);
    let listed = bench.ask::<ListParameters>("list_parameters", &ListParametersRequest::default()).result;
    let expected = [
        "camera.gain",
        "troika.budget_ms",
        "troika.class",
        "troika.deadline_ms",
        "troika.level",
        "troika.period_ms",
        "troika.policy",
        "use_sim_time",
    ];
    assert_eq!(listed.names, expected);
    let names = ["troika.deadline_ms", "camera.gain", "nothing", "troika.level"].map(str::to_owned).to_vec();
    let got = bench.ask::<GetParameters>("get_parameters", &GetParametersRequest { names: names.clone() });
    assert_eq!(got.values, [double_value(8.0), double_value(1.5), not_set(), string_value("governed")]);
    let described =
        bench.ask::<DescribeParameters>("describe_parameters", &DescribeParametersRequest { names });
    let [deadline, gain, _, level] = &described.descriptors[..] else { panic!("{described:?}") };
    assert!(deadline.read_only && gain.read_only && !level.read_only);
    assert_eq!(gain.description, "How much.");
    assert_eq!(level.additional_constraints, "governed, full, lite, least");
}

#[test]
fn the_level_is_set_while_the_node_runs_and_told_as_an_event() {
    let bench = Bench::new(LevelPlan::Fixed(0));
    let levels = Arc::<Mutex<Vec<String>>>::default();
    let events = Arc::<Mutex<Vec<ParameterEvent>>>::default();
    let (into_levels, into_events) = (levels.clone(), events.clone());
    let _levels = bench
        .peer
        .subscribe::<std_msgs::String>("/level", Qos::DEFAULT, move |sample| {
            into_levels.lock().unwrap().push(sample.value.data);
        })
        .unwrap();
    let _events = bench
        .peer
        .subscribe::<ParameterEvent>("/parameter_events", Qos::DEFAULT, move |sample| {
            into_events.lock().unwrap().push(sample.value);
        })
        .unwrap();
    let until_level = |wanted: &str| {
        while levels.lock().unwrap().last().is_none_or(|last| last != wanted) {
            StopToken::new().wait_for(Duration::from_millis(1));
        }
    };
    until_level("full");
    let plans = ["least", "lite", "governed", "full"];
    for wanted in plans {
        assert_eq!(bench.set("troika.level", string_value(wanted)), (true, String::new()));
        until_level(if wanted == "governed" { "full" } else { wanted });
    }
    let events = events.lock().unwrap();
    assert!(events.iter().all(|event| event.node == "/car/teller"), "{events:?}");
    let changed = events.iter().flat_map(|event| &event.changed_parameters);
    assert_eq!(changed.map(|one| one.value.string_value.as_str()).collect::<Vec<_>>(), plans);
}

#[test]
fn what_cannot_be_set_is_refused_with_a_reason() {
    let bench = Bench::new(LevelPlan::Governed);
    for (name, value, why) in [
        ("troika.level", string_value("ful"), "there is no level `ful`: governed, full, lite, least"),
        ("troika.level", integer_value(1), "`troika.level` is string, and no integer"),
        ("camera.gain", double_value(2.0), "is fixed while the node runs"),
        ("nothing", double_value(2.0), "there is no parameter `nothing`"),
    ] {
        let (set, reason) = bench.set(name, value);
        assert!(!set && reason.contains(why), "{name}: {reason}");
    }
}

#[test]
fn a_service_that_is_not_there_is_told() {
    let bench = Bench::new(LevelPlan::Governed);
    let mut nowhere = bench.peer.client::<ListParameters>("/car/stranger/list_parameters").unwrap();
    let told = nowhere.ask(&ListParametersRequest::default(), LONG).unwrap_err();
    assert!(matches!(told, AskError::Call(_)) && told.to_string() == "nobody answers", "{told}");
}
