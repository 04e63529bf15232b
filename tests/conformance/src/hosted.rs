//! What a node of the host is to others over a transport, one function each: its parameters and its life cycle. `suite!` names them
//! all.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use troika_host::{
    Clock, Edge, Host, HostClock, HostOptions, LevelPlan, NodeOptions,
    edge::TypedSubscription,
    lifecycle::State,
    parameters::{Declared, bool_value, double_value, not_set, string_value},
};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Events, Fault, Liveliness, Message as _, Out, Ports as _, Qos,
    Service, Step, Tick, Time, Wake, ports,
};
use troika_msgs::{
    lifecycle_msgs::{
        ChangeState, ChangeStateRequest, GetAvailableStates, GetAvailableStatesRequest,
        GetAvailableTransitions, GetAvailableTransitionsRequest, GetState, GetStateRequest,
        Transition as Wanted, TransitionDescription, TransitionEvent,
    },
    rcl_interfaces::{
        DescribeParameters, DescribeParametersRequest, GetParameters, GetParametersRequest, ListParameters,
        ListParametersRequest, Log, Parameter, ParameterEvent, SetParameters, SetParametersRequest,
    },
    rosgraph_msgs, std_msgs,
    troika::Heartbeat,
};
use troika_transport::Transport;

use crate::{Network, PATIENCE, STRING, until, until_endpoint};

ports! {
    /// In.
    pub struct Inputs {
        /// Wakes it.
        word: Events<std_msgs::String, 8> = "/word",
    }
}

ports! {
    /// Out.
    pub struct Outputs {
        /// Each word, with how often it was made and how many words it heard since.
        echo: Out<std_msgs::String, 8> = "/echo",
    }
}

/// Says words again.
struct Echo {
    life: u32,
    heard: u32,
}

impl Step for Echo {
    type Inputs = Inputs;
    type Outputs = Outputs;
    const CONTRACT: Contract = Contract::new(ContractSpec {
        node: "echo",
        wake: Wake::Input("word"),
        period: Duration::from_millis(10),
        deadline: Duration::from_millis(8),
        budget: Duration::from_millis(2),
        class: Class::Best,
        requirements: &[],
    });
    const LEVELS: &'static [&'static str] = &["full", "lite"];
    fn step(&mut self, _: &Tick, inputs: &Inputs, outputs: &mut Outputs) -> Result<Done, Fault> {
        for word in inputs.word.iter() {
            self.heard += 1;
            let data = format!("{}.{} {}", self.life, self.heard, word.value.data);
            outputs.echo.send(std_msgs::String { data });
        }
        Ok(Done::Worked)
    }
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Outputs) {}
}

/// A host with the node on one participant, and who asks it on another.
struct Bench {
    host: Option<Host>,
    peer: Edge,
    there: Box<dyn Transport>,
}

impl Bench {
    /// The node `/car/echo`, which cannot be made the first `failures` times.
    fn new(network: &Network, autostart: bool, failures: u32) -> Bench {
        Bench::with_qos(network, autostart, failures, Inputs::SPECS[0].qos)
    }

    /// The same with this QoS of its input.
    fn with_qos(network: &Network, autostart: bool, failures: u32, word: Qos) -> Bench {
        Bench::whole(network, autostart, failures, word, false)
    }

    fn whole(network: &Network, autostart: bool, failures: u32, word: Qos, use_sim_time: bool) -> Bench {
        let here: Arc<dyn Transport> = Arc::from(network());
        let there = network();
        let mut host = Host::new(HostOptions { mlock: false, use_sim_time, ..HostOptions::default() }, here);
        let mut options = NodeOptions::new("echo");
        options.namespace = "/car".into();
        options.autostart = autostart;
        options.level = LevelPlan::Governed;
        options.qos.insert("word".into(), word);
        options.parameters = vec![Declared::fixed("gain", "How much.", double_value(1.5))];
        let mut life = 0;
        let make = move || {
            life += 1;
            if life <= failures { Err("no model".to_owned()) } else { Ok(Echo { life, heard: 0 }) }
        };
        host.manage(make, options).expect("the node");
        host.start();
        let peer = Edge::new(&*there, Clock::Host(HostClock::start()), "/", "peer").expect("peer");
        Bench { host: Some(host), peer, there }
    }

    fn ask<S: Service>(&self, service: &str, request: &S::Request) -> S::Response {
        let mut client = self.peer.client::<S>(&format!("/car/echo/{service}")).expect("client");
        until("the service", || client.is_served().expect("a look"));
        client.ask(request, PATIENCE).expect("an answer")
    }

    fn change(&self, id: u8, label: &str) -> bool {
        let transition = Wanted { id, label: label.to_owned() };
        self.ask::<ChangeState>("change_state", &ChangeStateRequest { transition }).success
    }

    fn state(&self) -> (u8, String) {
        let state = self.ask::<GetState>("get_state", &GetStateRequest::default()).current_state;
        (state.id, state.label)
    }

    fn transitions(&self, service: &str) -> Vec<TransitionDescription> {
        let request = GetAvailableTransitionsRequest::default();
        self.ask::<GetAvailableTransitions>(service, &request).available_transitions
    }

    /// What comes on a topic, once its publisher is there.
    fn hear<T: troika_kit::Message>(&self, topic: &str, qos: Qos) -> (Receiver<T>, TypedSubscription) {
        let (sender, heard): (Sender<T>, _) = channel();
        let subscription = self.peer.subscribe(topic, qos, move |sample| {
            let _ = sender.send(sample.value);
        });
        until_endpoint(&*self.there, topic, true);
        (heard, subscription.expect("a subscription"))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(host) = self.host.take() {
            let report = host.stop();
            assert!(report.died.is_empty(), "{report:?}");
        }
    }
}

/// Listed, read, described and set by the services that every ROS 2 node has; a change is told to all.
pub fn a_hosted_node_has_parameters(network: &Network) {
    let bench = Bench::new(network, true, 0);
    let (events, _subscription) =
        bench.hear::<ParameterEvent>("/parameter_events", Qos { depth: 100, ..Qos::DEFAULT });
    let listed = bench.ask::<ListParameters>("list_parameters", &ListParametersRequest::default()).result;
    assert!(listed.names.iter().any(|name| name == "gain"), "{listed:?}");
    let names = ["gain", "nothing", "troika.level"].map(str::to_owned).to_vec();
    let got = bench.ask::<GetParameters>("get_parameters", &GetParametersRequest { names: names.clone() });
    assert_eq!(got.values, [double_value(1.5), not_set(), string_value("governed")]);
    let told = bench.ask::<DescribeParameters>("describe_parameters", &DescribeParametersRequest { names });
    assert!(told.descriptors[0].read_only && told.descriptors[0].description == "How much.", "{told:?}");
    let parameters = [("gain", double_value(2.0)), ("troika.level", string_value("lite"))]
        .map(|(name, value)| Parameter { name: name.to_owned(), value })
        .to_vec();
    let set = bench.ask::<SetParameters>("set_parameters", &SetParametersRequest { parameters });
    let [gain, level] = &set.results[..] else { panic!("{set:?}") };
    assert!(!gain.successful && !gain.reason.is_empty() && level.successful, "{set:?}");
    let changed = loop {
        let event = events.recv_timeout(PATIENCE).expect("the event");
        if event.node == "/car/echo" && !event.changed_parameters.is_empty() {
            break event.changed_parameters;
        }
    };
    assert_eq!(changed, [Parameter { name: "troika.level".into(), value: string_value("lite") }]);
}

/// From unconfigured to finalized, by number and by label: it hears and speaks only while it is active, each configuring makes it
/// anew, what cannot be is refused, and each step is told.
pub fn a_hosted_node_obeys_its_life_cycle(network: &Network) {
    let bench = Bench::new(network, false, 1);
    let (events, _of_events) = bench.hear::<TransitionEvent>("/car/echo/transition_event", Qos::DEFAULT);
    let (log, _of_log) = bench.hear::<Log>("/rosout", Qos { depth: 1000, ..Qos::DEFAULT });
    let state = |id: u8, label: &str| (id, label.to_owned());
    let states =
        bench.ask::<GetAvailableStates>("get_available_states", &GetAvailableStatesRequest::default());
    assert_eq!(states.available_states.len(), 11);
    assert_eq!(bench.transitions("get_transition_graph").len(), 25);
    let from_here: Vec<String> =
        bench.transitions("get_available_transitions").into_iter().map(|one| one.transition.label).collect();
    assert_eq!(
        (bench.state(), from_here),
        (state(1, "unconfigured"), vec!["configure".into(), "shutdown".into()])
    );
    assert!(!bench.change(3, ""), "not from unconfigured");
    assert!(!bench.change(1, ""), "it cannot be made the first time");
    assert_eq!(bench.state(), state(1, "unconfigured"));
    loop {
        let line = log.recv_timeout(PATIENCE).expect("why, in the log");
        if line.level == Log::ERROR && line.name == "car.echo" && line.msg.contains("no model") {
            break;
        }
    }
    assert!(bench.change(0, "configure"));
    assert_eq!(bench.state(), state(2, "inactive"));
    until_endpoint(&*bench.there, "/word", false);

    let mut word = bench.peer.publisher::<std_msgs::String>("/word", Qos::DEFAULT).expect("publisher");
    let (echo, _of_echo) = bench.hear::<std_msgs::String>("/echo", Qos::DEFAULT);
    let mut say = |text: &str| word.send(&std_msgs::String { data: text.to_owned() }).expect("put");
    let mut until_said = |wanted: &str| {
        until(wanted, || {
            say("again");
            echo.recv_timeout(Duration::from_millis(50)).is_ok_and(|heard| {
                assert!(!heard.data.contains("unheard"), "{heard:?}");
                heard.data.starts_with(wanted)
            })
        });
    };
    // The words before come first, so that the last one shows that they have come and gone.
    let mut quiet = bench.peer.publisher::<std_msgs::String>("/word", Qos::DEFAULT).expect("publisher");
    let mut unheard = || {
        for _ in 0..20 {
            quiet.send(&std_msgs::String { data: "unheard".to_owned() }).expect("put");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    unheard();
    assert!(bench.change(3, ""));
    assert_eq!(bench.state(), state(3, "active"));
    until_said("2.");
    assert!(bench.change(4, ""));
    assert_eq!(bench.state(), state(2, "inactive"));
    unheard();
    assert!(bench.change(0, "activate"), "with what it knew before");
    until_said("2.");
    assert!(bench.change(0, "deactivate") && bench.change(0, "cleanup"));
    until("its ports' end", || {
        let graph = bench.there.graph().expect("graph");
        graph.nodes.iter().any(|node| node == "/car/echo")
            && graph.endpoints.iter().all(|end| end.node != "/car/echo" || end.topic != "/echo")
    });
    assert!(bench.change(1, "") && bench.change(3, ""));
    until_said("3.");
    assert!(bench.change(0, "shutdown"));
    assert_eq!(bench.state(), state(4, "finalized"));
    assert!(!bench.change(1, ""), "it is over");

    let mut seen = Vec::new();
    while seen.last() != Some(&(12, 4)) {
        let event = events.recv_timeout(PATIENCE).expect("each transition");
        assert!(!event.transition.label.is_empty() && event.timestamp > 0, "{event:?}");
        seen.push((event.start_state.id, event.goal_state.id));
    }
    let expected = [
        [(1, 10), (10, 1)],
        [(1, 10), (10, 2)],
        [(2, 13), (13, 3)],
        [(3, 14), (14, 2)],
        [(2, 13), (13, 3)],
        [(3, 14), (14, 2)],
        [(2, 11), (11, 1)],
        [(1, 10), (10, 2)],
        [(2, 13), (13, 3)],
        [(3, 12), (12, 4)],
    ];
    assert_eq!(seen, expected.concat());
}

/// A deadline that passes and a publisher that goes are counted and told in the log.
pub fn a_hosted_node_minds_deadline_and_liveliness(network: &Network) {
    minds(network, false);
}

/// A capability: so is a message that is too old. Its stamp says so.
pub fn a_hosted_node_minds_lifespan(network: &Network) {
    minds(network, true);
}

fn minds(network: &Network, stamps: bool) {
    let word = Qos {
        deadline: Some(Duration::from_millis(100)),
        // Far over what a busy machine takes.
        lifespan: Some(PATIENCE),
        lease: Some(Duration::from_secs(1)),
        ..Inputs::SPECS[0].qos
    };
    let bench = Bench::with_qos(network, true, 0, word);
    let (log, _of_log) = bench.hear::<Log>("/rosout", Qos { depth: 1000, ..Qos::DEFAULT });
    let (echo, _of_echo) = bench.hear::<std_msgs::String>("/echo", Qos::DEFAULT);
    let qos = || bench.host.as_ref().map(|host| host.stats()[0].qos[0].clone()).expect("watched");
    assert_eq!((qos().alive, qos().deadline_missed), (0, 0), "from the first message on");
    let offered = Qos { deadline: word.deadline, lease: word.lease, ..Qos::DEFAULT };
    let node = bench.there.node("/", "speaker").expect("node");
    let mut speaker = node.publisher("/word", std_msgs::String::TYPE, offered).expect("publisher");
    until("the speaker to be alive", || qos().alive == 1);
    let cdr = |text: &str| {
        let mut cdr = Vec::new();
        std_msgs::String { data: text.to_owned() }.encode(&mut cdr).expect("CDR");
        cdr
    };
    let now = || bench.peer.now();
    until("a word", || {
        speaker.put(&cdr("young"), now()).expect("put");
        echo.recv_timeout(Duration::from_millis(50)).is_ok()
    });
    until("the deadline to pass", || qos().deadline_missed > 1);
    if stamps {
        let long_ago = Time::from_nanos(now().as_nanos() - (PATIENCE * 10).as_nanos() as u64);
        speaker.put(&cdr("old"), long_ago).expect("put");
        until("the old one", || qos().expired == 1);
    }
    speaker.put(&cdr("last"), now()).expect("put");
    loop {
        let heard = echo.recv_timeout(PATIENCE).expect("the last one").data;
        assert!(!heard.contains("old"), "{heard}");
        if heard.contains("last") {
            break;
        }
    }
    drop(speaker);
    until("the speaker's end", || qos().alive == 0 && qos().liveliness_lost == 1);
    let mut missing = vec!["no message within the deadline", "not alive any more"];
    missing.extend(stamps.then_some("too old"));
    while !missing.is_empty() {
        let line = log.recv_timeout(PATIENCE).expect("all of it in the log");
        if line.level == Log::WARN && line.name == "car.echo" {
            missing.retain(|told| !line.msg.contains(told));
        }
    }
}

/// One that says nothing for its lease, though its process lives.
pub fn a_hosted_node_misses_a_publisher_that_asserts_itself(network: &Network) {
    let word = Qos {
        liveliness: Liveliness::ManualByTopic,
        lease: Some(Duration::from_millis(200)),
        ..Inputs::SPECS[0].qos
    };
    let bench = Bench::with_qos(network, true, 0, word);
    let qos = || bench.host.as_ref().map(|host| host.stats()[0].qos[0].clone()).expect("watched");
    let node = bench.there.node("/", "speaker").expect("node");
    let offered = Qos { liveliness: word.liveliness, lease: word.lease, ..Qos::DEFAULT };
    let mut speaker = node.publisher("/word", STRING, offered).expect("publisher");
    for lives in 1..=2 {
        until("the speaker", || {
            speaker.put(&[0, 1, 0, 0, 1, 0, 0, 0, 0], bench.peer.now()).expect("put");
            qos().alive == 1
        });
        until("its silence", || qos().alive == 0);
        assert!(qos().liveliness_lost >= lives, "{:?}", qos());
    }
}

/// Its heartbeat has the time of /clock and its silence is counted in it; it stands while that stands, and begins anew when it goes
/// back.
pub fn a_hosted_node_follows_the_clock_of_a_simulation(network: &Network) {
    let bench = Bench::whole(network, true, 0, Inputs::SPECS[0].qos, true);
    let names = vec!["use_sim_time".to_owned()];
    let got = bench.ask::<GetParameters>("get_parameters", &GetParametersRequest { names });
    assert_eq!(got.values, [bool_value(true)]);
    until_endpoint(&*bench.there, "/clock", false);
    let mut clock = bench.peer.publisher::<rosgraph_msgs::Clock>("/clock", Qos::DEFAULT).expect("publisher");
    let mut word = bench.peer.publisher::<std_msgs::String>("/word", Qos::DEFAULT).expect("publisher");
    let (beats, _of_beats) = bench.hear::<Heartbeat>("/troika/heartbeat", Qos::DEFAULT);
    let (echo, _of_echo) = bench.hear::<std_msgs::String>("/echo", Qos::DEFAULT);
    let steps = || bench.host.as_ref().map(|host| host.stats()[0].steps).expect("a node");
    let mut tell = |millis: u64| {
        let time = Time::from_nanos(5_000_000_000 + millis * 1_000_000);
        clock.send(&rosgraph_msgs::Clock { clock: time.into() }).expect("put");
        time
    };
    let now = tell(0);
    until("its time", || {
        tell(0);
        beats.try_iter().any(|beat| Time::from(beat.header.stamp) == now)
    });
    // Silent for three of its periods of 10 ms; then nothing, while time stands.
    let before = steps();
    until("a step at silence", || {
        tell(31);
        steps() > before
    });
    let before = steps();
    std::thread::sleep(Duration::from_millis(200));
    assert!(steps() <= before + 1, "time stands: {} steps, {before} before", steps());
    for (life, millis) in [("1.", 31), ("2.1 ", 20)] {
        until(life, || {
            tell(millis);
            word.send(&std_msgs::String { data: "word".to_owned() }).expect("put");
            echo.recv_timeout(Duration::from_millis(50)).is_ok_and(|heard| heard.data.starts_with(life))
        });
    }
    let before = steps();
    until("a step at silence after the jump", || {
        tell(60);
        steps() > before
    });
}

/// Without being asked.
pub fn a_hosted_node_starts_by_itself(network: &Network) {
    let bench = Bench::new(network, true, 0);
    until("the active state", || bench.state() == (State::Active as u8, "active".to_owned()));
    assert!(bench.change(0, "deactivate"));
    assert_eq!(bench.state(), (State::Inactive as u8, "inactive".to_owned()));
}
