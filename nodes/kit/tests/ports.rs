//! Ports as a host uses them: what is frozen for a step, what goes back, what is counted, and who meets which port.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use troika_kit::{
    DecodeError, Direction, EncodeError, EventSource, Events, Latest, LatestSource, Message, Out, PortSpec,
    PortVisitor, Ports, Qos, Sample, Time, TypeInfo, ports,
};

#[derive(Debug, Clone, Default, PartialEq)]
struct Count(u8);

impl Message for Count {
    const TYPE: TypeInfo = TypeInfo { name: "test_msgs/msg/Count", hash: "RIHS01_00" };
    fn encode(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.clear();
        out.push(self.0);
        Ok(())
    }
    fn decode(cdr: &[u8]) -> Result<Self, DecodeError> {
        cdr.first().map(|byte| Count(*byte)).ok_or(DecodeError::Truncated)
    }
}

ports! {
    /// All kinds.
    struct All {
        /// The newest.
        state: Latest<Count> = "/state",
        /// Each.
        commands: Events<Count, 3> = "/commands",
        /// What is said.
        said: Out<Count, 2> = "/said",
    }
}

fn sample(number: u8) -> Sample<Count> {
    Sample { value: Count(number), received: Time::from_nanos(u64::from(number)) }
}

/// What has come and was not frozen yet, what went back, and what the host says was dropped.
#[derive(Default)]
struct Waiting {
    come: VecDeque<Sample<Count>>,
    back: Vec<u8>,
    dropped: u64,
}

/// A queue or a slot that the test fills.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Waiting>>);

impl Slot {
    fn inside(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().expect("one thread")
    }

    fn put(&self, numbers: impl IntoIterator<Item = u8>) {
        self.inside().come.extend(numbers.into_iter().map(sample));
    }
}

impl EventSource<Count> for Slot {
    fn pop(&mut self) -> Option<Sample<Count>> {
        self.inside().come.pop_front()
    }
    fn retire(&mut self, used: Sample<Count>) {
        self.inside().back.push(used.value.0);
    }
    fn dropped(&self) -> u64 {
        self.inside().dropped
    }
}

struct Newest {
    slot: Slot,
    current: Option<Sample<Count>>,
    count: u64,
}

impl LatestSource<Count> for Newest {
    fn refresh(&mut self) -> bool {
        let come = std::mem::take(&mut self.slot.inside().come);
        self.count += come.len() as u64;
        let newest = come.into_iter().last();
        let is_new = newest.is_some();
        self.current = newest.or(self.current.take());
        is_new
    }
    fn current(&self) -> Option<&Sample<Count>> {
        self.current.as_ref()
    }
    fn count(&self) -> u64 {
        self.count
    }
}

fn numbers<const N: usize>(port: &Events<Count, N>) -> Vec<u8> {
    port.iter().map(|sample| sample.value.0).collect()
}

#[test]
fn a_latest_port_shows_what_was_there_when_it_was_frozen_and_whether_that_is_new() {
    let (mut port, slot) = (Latest::<Count>::default(), Slot::default());
    assert!(!port.freeze() && port.get().is_none() && port.fresh().is_none(), "nobody is bound");
    assert_eq!(port.count(), 0);
    port.bind(Box::new(Newest { slot: slot.clone(), current: None, count: 0 }));
    assert!(!port.freeze() && port.get().is_none());
    slot.put([1, 2]);
    assert!(port.get().is_none(), "it is frozen");
    assert!(port.freeze());
    assert_eq!((port.get(), port.fresh(), port.count()), (Some(&sample(2)), Some(&sample(2)), 2));
    assert!(!port.freeze());
    assert_eq!(
        (port.get(), port.fresh(), port.count()),
        (Some(&sample(2)), None, 2),
        "it is there, and not new"
    );
}

#[test]
fn a_latest_value_is_used_up_to_its_greatest_age() {
    let port = Latest::holding(Count(7), Time::from_nanos(1_000));
    assert_eq!(port.get().map(|sample| sample.received), Some(Time::from_nanos(1_000)));
    assert_eq!(port.fresh(), port.get());
    let within = |now: u64| port.within(Time::from_nanos(now), Duration::from_nanos(500)).cloned();
    assert_eq!([1_500, 1_501].map(within), [Some(Count(7)), None]);
    let mut held = port;
    assert!(!held.freeze() && held.fresh().is_none(), "it comes once");
    assert_eq!((held.get().map(|sample| &sample.value), held.count()), (Some(&Count(7)), 0));
}

#[test]
fn an_events_port_takes_what_came_up_to_its_bound_in_order_and_hands_it_back_once() {
    let (mut port, slot) = (Events::<Count, 3>::default(), Slot::default());
    assert!(!port.freeze(), "nobody is bound");
    assert_eq!((port.dropped(), port.taken()), (0, 0));
    port.bind(Box::new(slot.clone()));
    slot.put(1..=5);
    slot.inside().dropped = 4;
    assert!(port.freeze());
    assert_eq!((numbers(&port), port.taken(), port.dropped()), (vec![1, 2, 3], 3, 4));
    assert_eq!(slot.inside().back, [0; 0]);
    assert!(port.freeze());
    assert_eq!((numbers(&port), port.taken()), (vec![4, 5], 5));
    assert_eq!(slot.inside().back, [1, 2, 3]);
    assert!(!port.freeze());
    assert_eq!((numbers(&port), port.taken()), (vec![], 5));
    assert_eq!(slot.inside().back, [1, 2, 3, 4, 5]);
}

#[test]
fn events_that_a_test_holds_are_those_that_fit() {
    let mut port = Events::<Count, 2>::holding((1..=3).map(sample));
    assert_eq!(numbers(&port), [1, 2]);
    assert!(port.freeze(), "without a host they stay");
    assert_eq!((numbers(&port), port.taken(), port.dropped()), (vec![1, 2], 0, 0));
}

#[test]
fn an_output_keeps_the_first_that_fit_until_it_is_cleared_and_counts_the_others() {
    let mut out = Out::<Count, 2>::default();
    assert_eq!((out.sent(), out.dropped()), (&[][..], 0));
    (1..=4).for_each(|number| out.send(Count(number)));
    assert_eq!((out.sent(), out.dropped()), (&[Count(1), Count(2)][..], 2));
    out.clear();
    assert_eq!((out.sent(), out.dropped()), (&[][..], 2), "what was dropped stays counted");
    out.send(Count(5));
    assert_eq!((out.sent(), out.dropped()), (&[Count(5)][..], 2));
}

#[test]
fn a_visitor_meets_every_port_itself_in_order_with_what_it_is() {
    struct Meets(Vec<(&'static str, Direction, usize)>);
    impl PortVisitor for Meets {
        fn latest<T: Message>(&mut self, spec: &PortSpec, _: &mut Latest<T>) {
            self.0.push((spec.name, spec.direction, spec.capacity));
        }
        fn events<T: Message, const N: usize>(&mut self, spec: &PortSpec, port: &mut Events<T, N>) {
            self.0.push((spec.name, spec.direction, N));
            assert_eq!(port.iter().count(), 1, "the port itself");
        }
        fn out<T: Message, const N: usize>(&mut self, spec: &PortSpec, port: &mut Out<T, N>) {
            self.0.push((spec.name, spec.direction, N));
            port.clear();
        }
    }
    let mut all = All { commands: Events::holding([sample(1)]), ..All::default() };
    all.said.send(Count(1));
    let mut visitor = Meets(Vec::new());
    all.visit(&mut visitor);
    assert_eq!(
        visitor.0,
        [
            ("state", Direction::LatestIn, 1),
            ("commands", Direction::EventsIn, 3),
            ("said", Direction::Out, 2)
        ]
    );
    assert_eq!(all.said.sent(), &[][..], "what the visitor did was done to the port");
}

#[test]
fn each_kind_of_port_asks_for_the_qos_that_it_needs() {
    let qos: Vec<Qos> = All::SPECS.iter().map(|spec| spec.qos).collect();
    let [state, commands, said] = qos[..] else { panic!("three") };
    // As rmw_qos_profiles.h has them: sensor data, and the default.
    assert_eq!((state.reliable, state.transient_local, state.depth), (false, false, 5));
    assert_eq!((commands.reliable, commands.depth), (true, 3), "each counts, up to the port's bound");
    assert_eq!((said.reliable, said.transient_local, said.depth), (true, false, 10));
}
