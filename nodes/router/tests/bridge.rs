//! Link and router together, on a virtual clock: what becomes of a conversation on a drive into a tunnel and out of it.

use troika_dialogue::{Planner, Town, Words};
use troika_host::{NodeOptions, simulate::Simulation};
use troika_kit::Duration;
use troika_link::{Bearer, Config as LinkConfig, Coverage, Edge, LinkNode, Probe, Sample, Source};
use troika_msgs::troika::{DialogueReply, DialogueRequest, LinkSample, LinkState, RoutingDecision};
use troika_router::{Config, Policy, RouterNode};

/// An edge without probes: what is known comes of the traffic alone.
struct NoProbes;

impl Edge for NoProbes {
    fn can_probe(&self) -> bool {
        false
    }
    fn start(&mut self, _: u64, _: Probe) {}
    fn take(&mut self) -> Option<(u64, Sample)> {
        None
    }
    fn bearer(&mut self) -> Bearer {
        Bearer::default()
    }
    fn keep(&mut self, _: &Coverage) {}
}

fn planner() -> Planner {
    Planner::new(Words::english(), Town::brellin())
}

fn bridge() -> Simulation {
    let mut simulation = Simulation::new().expect("the nodes start");
    let link = LinkNode::new(&LinkConfig::default(), Coverage::new(8), NoProbes).expect("the nodes start");
    simulation.spawn(link, NodeOptions::new("link")).expect("the nodes start");
    let router = RouterNode::new(&Config::default(), Policy::built_in(), planner());
    simulation.spawn(router, NodeOptions::new("router")).expect("the nodes start");
    simulation
}

fn hard(id: &str) -> DialogueRequest {
    DialogueRequest {
        request_id: id.into(),
        text: "plan a day with two stops and dinner before eight".into(),
        task: DialogueRequest::NAVIGATION,
        privacy: DialogueRequest::PUBLIC,
        complexity: 0.9,
        ..DialogueRequest::default()
    }
}

fn seconds(s: u64) -> Duration {
    Duration::from_secs(s)
}

fn answered() -> LinkSample {
    Sample::round_trip(Source::Passive, Duration::from_millis(80)).to_message()
}

#[test]
fn on_the_way_through_a_tunnel_the_vehicle_answers_and_behind_it_the_cloud_again() {
    let mut simulation = bridge();
    // An answer every two seconds, two failures at 20 s and 21 s, nothing until 60 s, then answers again.
    let fails = |s| (seconds(s), Sample::failed(Source::Passive).to_message());
    let before = (1..10).map(|n| (seconds(2 * n), answered()));
    let after = (30..40).map(|n| (seconds(2 * n), answered()));
    simulation.feed("/link/sample", before.chain([fails(20), fails(21)]).chain(after)).unwrap();
    let asked = [(1, "unseen"), (10, "open road"), (25, "tunnel"), (55, "long tunnel"), (75, "behind it")];
    // A moment after the tick of the link, so that what it says is there.
    let at = |s| seconds(s) + Duration::from_millis(150);
    simulation.feed("/dialogue/request", asked.map(|(s, id)| (at(s), hard(id)))).unwrap();
    let decisions = simulation.collect::<RoutingDecision>("/dialogue/decision").unwrap();
    let states = simulation.collect::<LinkState>("/link/state").unwrap();
    simulation.run_for(seconds(80));

    let said: Vec<_> = decisions
        .take()
        .into_iter()
        .map(|one| (one.value.request_id, one.value.tier, one.value.reason))
        .collect();
    let expected = [
        ("unseen", DialogueReply::ON_VEHICLE, "link_unknown"),
        ("open road", DialogueReply::CLOUD, "cloud_better"),
        ("tunnel", DialogueReply::ON_VEHICLE, "link_down"),
        ("long tunnel", DialogueReply::ON_VEHICLE, "link_unknown"),
        ("behind it", DialogueReply::CLOUD, "cloud_better"),
    ];
    assert_eq!(said, expected.map(|(id, tier, reason)| (id.to_owned(), tier, reason.to_owned())));
    let count = states.take().len();
    assert!((395..=401).contains(&count), "5 Hz for 80 s: {count}");
}

#[test]
fn a_link_node_that_says_nothing_any_more_is_a_link_of_which_nothing_is_known() {
    troika_safety::verifies![SR_RTE_003];
    let mut simulation = Simulation::new().unwrap();
    let router = RouterNode::new(&Config::default(), Policy::built_in(), planner());
    simulation.spawn(router, NodeOptions::new("router")).unwrap();
    let up = LinkState {
        state: LinkState::UP,
        rtt_ms: 80.0,
        rtt_low_ms: 70.0,
        rtt_high_ms: 90.0,
        loss: 0.02,
        loss_high: 0.05,
        ..LinkState::default()
    };
    simulation
        .feed("/link/state", (0..10).map(move |n| (Duration::from_millis(200 * n), up.clone())))
        .unwrap();
    let asked = [(1_900, "while it speaks"), (4_000, "after")];
    let asked = asked.map(|(ms, id)| (Duration::from_millis(ms), hard(id)));
    simulation.feed("/dialogue/request", asked).unwrap();
    let decisions = simulation.collect::<RoutingDecision>("/dialogue/decision").unwrap();
    simulation.run_for(seconds(6));
    let reasons: Vec<_> = decisions.take().into_iter().map(|one| one.value.reason).collect();
    assert_eq!(reasons, ["cloud_better", "link_unknown"]);
}

#[test]
fn what_is_no_message_leaves_both_running() {
    troika_safety::verifies![SR_DAT_001];
    let mut simulation = bridge();
    let broken = |n: u64| (Duration::from_millis(50 * n), vec![0, 1, 0, 0, n as u8, 0xff, 0xff, 0xff, 0xff]);
    simulation.feed_bytes("/link/sample", type_of::<LinkSample>(), (0..40).map(broken)).unwrap();
    simulation.feed_bytes("/dialogue/request", type_of::<DialogueRequest>(), (0..40).map(broken)).unwrap();
    simulation.feed("/dialogue/request", [(seconds(3), hard("after it"))]).unwrap();
    let decisions = simulation.collect::<RoutingDecision>("/dialogue/decision").unwrap();
    simulation.run_for(seconds(4));
    let ids: Vec<_> = decisions.take().into_iter().map(|one| one.value.request_id).collect();
    assert_eq!(ids, ["after it"]);
    let stats = simulation.stats();
    assert!(stats.iter().all(|one| one.faults == 0 && one.steps > 5));
    // The link hears of questions too, as one that is about to be used.
    let undecodable: Vec<_> = stats.iter().map(|one| (one.node.as_str(), one.undecodable)).collect();
    assert_eq!(undecodable, [("/link", 80), ("/router", 40)]);
}

fn type_of<T: troika_kit::Message>() -> troika_kit::TypeInfo {
    T::TYPE
}
