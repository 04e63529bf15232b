//! Ports: how messages enter and leave a step. A node declares them with [`ports!`]; the host binds them to wait-free
//! slots, so a step never sees a lock, a transport or an allocation.

use crate::{Message, Qos, Time, TypeInfo};

/// A message with the time of its arrival at this host.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample<T> {
    /// The message.
    pub value: T,
    /// When it reached this host: the release of a step that wakes on it.
    pub received: Time,
}

/// Which way a port points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The newest message only; older ones are overwritten.
    LatestIn,
    /// Every message, up to a bound.
    EventsIn,
    /// Out of the node.
    Out,
}

/// What a port is, without its contents: what `check`, `graph` and the host need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortSpec {
    /// The port's name in the node; remapped to a topic by the system file.
    pub name: &'static str,
    /// The topic used when the system file says nothing, for example `/cabin/driver_state`.
    pub topic: &'static str,
    /// Which way it points.
    pub direction: Direction,
    /// The message type.
    pub ty: TypeInfo,
    /// What is offered or asked for.
    pub qos: Qos,
    /// Messages held: 1 for a latest-value input, the bound of a queue else.
    pub capacity: usize,
}

/// The host's end of a [`Latest`] port. Both calls are wait-free and free of allocation.
pub trait LatestSource<T>: Send {
    /// Moves on to the newest message; true if there was a newer one.
    fn refresh(&mut self) -> bool;
    /// The message that the last refresh moved to.
    fn current(&self) -> Option<&Sample<T>>;
    /// Which of all that came it is, from 1: for recordings. 0 where nobody counts.
    fn count(&self) -> u64 {
        0
    }
}

/// The host's end of an [`Events`] port. Both calls are wait-free and free of allocation.
pub trait EventSource<T>: Send {
    /// The oldest message not taken yet.
    fn pop(&mut self) -> Option<Sample<T>>;
    /// Hands a used message back, to be freed on another thread.
    fn retire(&mut self, used: Sample<T>);
    /// Messages dropped since the start because the queue was full.
    fn dropped(&self) -> u64;
}

/// A latest-value input: for sensors and states, where only the newest matters. When it is full, the old value is
/// overwritten.
pub struct Latest<T> {
    source: Option<Box<dyn LatestSource<T>>>,
    fresh: bool,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Latest { source: None, fresh: false }
    }
}

impl<T: Send + 'static> Latest<T> {
    /// A port that holds `value`, as if it had just arrived at `received`: for tests of a step.
    pub fn holding(value: T, received: Time) -> Self {
        struct Fixed<T>(Sample<T>);
        impl<T: Send> LatestSource<T> for Fixed<T> {
            fn refresh(&mut self) -> bool {
                false
            }
            fn current(&self) -> Option<&Sample<T>> {
                Some(&self.0)
            }
        }
        Latest { source: Some(Box::new(Fixed(Sample { value, received }))), fresh: true }
    }

    /// The newest message there is.
    pub fn get(&self) -> Option<&Sample<T>> {
        self.source.as_ref().and_then(|source| source.current())
    }

    /// The newest message if it arrived since the last step.
    pub fn fresh(&self) -> Option<&Sample<T>> {
        if self.fresh { self.get() } else { None }
    }

    /// The newest message if it is at most `max_age` old at `now`.
    pub fn within(&self, now: Time, max_age: core::time::Duration) -> Option<&T> {
        self.get().filter(|sample| now.since(sample.received) <= max_age).map(|sample| &sample.value)
    }

    /// Host only: which of all the messages that came the newest is, from 1; 0 before the first.
    pub fn count(&self) -> u64 {
        self.source.as_ref().map_or(0, |source| source.count())
    }

    /// Host only: binds the port.
    pub fn bind(&mut self, source: Box<dyn LatestSource<T>>) {
        self.source = Some(source);
    }

    /// Host only: freezes the newest message for the coming step; true if it is new.
    pub fn freeze(&mut self) -> bool {
        self.fresh = self.source.as_mut().is_some_and(|source| source.refresh());
        self.fresh
    }
}

/// A queued input of at most `N` messages between two steps: for commands and events, where each matters. When it is
/// full, the newest is dropped and counted.
pub struct Events<T, const N: usize> {
    source: Option<Box<dyn EventSource<T>>>,
    held: Vec<Sample<T>>,
    taken: u64,
}

impl<T, const N: usize> Default for Events<T, N> {
    fn default() -> Self {
        Events { source: None, held: Vec::with_capacity(N), taken: 0 }
    }
}

impl<T, const N: usize> Events<T, N> {
    /// A port that holds these messages: for tests of a step.
    pub fn holding(messages: impl IntoIterator<Item = Sample<T>>) -> Self {
        Events { source: None, held: messages.into_iter().take(N).collect(), taken: 0 }
    }

    /// The messages that arrived since the last step, oldest first.
    pub fn iter(&self) -> core::slice::Iter<'_, Sample<T>> {
        self.held.iter()
    }

    /// Messages dropped since the start because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.source.as_ref().map_or(0, |source| source.dropped())
    }

    /// Host only: messages taken from the queue since the start, those that the port holds now included.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Host only: binds the port.
    pub fn bind(&mut self, source: Box<dyn EventSource<T>>) {
        self.source = Some(source);
    }

    /// Host only: hands back the messages of the last step and freezes those of the coming one; true if there are any.
    pub fn freeze(&mut self) -> bool {
        if let Some(source) = self.source.as_mut() {
            for used in self.held.drain(..) {
                source.retire(used);
            }
            while self.held.len() < N {
                let Some(sample) = source.pop() else { break };
                self.held.push(sample);
                self.taken += 1;
            }
        }
        !self.held.is_empty()
    }
}

/// An output of at most `N` messages a step. A message over the bound is dropped and counted.
pub struct Out<T, const N: usize = 1> {
    held: Vec<T>,
    dropped: u64,
}

impl<T, const N: usize> Default for Out<T, N> {
    fn default() -> Self {
        Out { held: Vec::with_capacity(N), dropped: 0 }
    }
}

impl<T, const N: usize> Out<T, N> {
    /// Sends when the step returns.
    pub fn send(&mut self, message: T) {
        if self.held.len() < N {
            self.held.push(message);
        } else {
            self.dropped += 1;
        }
    }

    /// What was sent so far: for the host and for tests.
    pub fn sent(&self) -> &[T] {
        &self.held
    }

    /// Messages dropped since the start because a step sent more than `N`.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Host only: forgets what was sent, after publishing it or before a fall-back.
    pub fn clear(&mut self) {
        self.held.clear();
    }
}

/// What the host does with each port of a node, in declaration order.
pub trait PortVisitor {
    /// Meets a latest-value input.
    fn latest<T: Message>(&mut self, spec: &PortSpec, port: &mut Latest<T>);
    /// Meets a queued input.
    fn events<T: Message, const N: usize>(&mut self, spec: &PortSpec, port: &mut Events<T, N>);
    /// Meets an output.
    fn out<T: Message, const N: usize>(&mut self, spec: &PortSpec, port: &mut Out<T, N>);
}

/// One port: what [`ports!`] needs of a field's type.
pub trait Port: Default {
    /// Which way it points.
    const DIRECTION: Direction;
    /// The message type.
    const TYPE: TypeInfo;
    /// What is offered or asked for.
    const QOS: Qos;
    /// Messages held.
    const CAPACITY: usize;
    /// Shows itself to the visitor.
    fn accept<V: PortVisitor>(&mut self, spec: &PortSpec, visitor: &mut V);
}

impl<T: Message> Port for Latest<T> {
    const DIRECTION: Direction = Direction::LatestIn;
    const TYPE: TypeInfo = T::TYPE;
    const QOS: Qos = Qos::SENSOR;
    const CAPACITY: usize = 1;
    fn accept<V: PortVisitor>(&mut self, spec: &PortSpec, visitor: &mut V) {
        visitor.latest(spec, self);
    }
}

impl<T: Message, const N: usize> Port for Events<T, N> {
    const DIRECTION: Direction = Direction::EventsIn;
    const TYPE: TypeInfo = T::TYPE;
    const QOS: Qos = Qos { depth: N as u32, ..Qos::DEFAULT };
    const CAPACITY: usize = N;
    fn accept<V: PortVisitor>(&mut self, spec: &PortSpec, visitor: &mut V) {
        visitor.events(spec, self);
    }
}

impl<T: Message, const N: usize> Port for Out<T, N> {
    const DIRECTION: Direction = Direction::Out;
    const TYPE: TypeInfo = T::TYPE;
    const QOS: Qos = Qos::DEFAULT;
    const CAPACITY: usize = N;
    fn accept<V: PortVisitor>(&mut self, spec: &PortSpec, visitor: &mut V) {
        visitor.out(spec, self);
    }
}

/// All input ports, or all output ports, of a node. Made with [`ports!`].
pub trait Ports: Default + Send + 'static {
    /// What the ports are, in declaration order.
    const SPECS: &'static [PortSpec];
    /// Shows each port to the visitor, in declaration order.
    fn visit<V: PortVisitor>(&mut self, visitor: &mut V);
}

/// Declares the input or the output ports of a node: a struct with a port per field, each with its default topic.
///
/// ```ignore
/// ports! {
///     /// What the node reads.
///     pub struct Inputs {
///         /// Camera frames.
///         image: Latest<Image> = "/cabin/camera/image_raw",
///     }
/// }
/// ```
#[macro_export]
macro_rules! ports {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field:ident : $ty:ty = $topic:literal),* $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Default)]
        $vis struct $name {
            $($(#[$field_meta])* pub $field: $ty,)*
        }

        impl $crate::Ports for $name {
            const SPECS: &'static [$crate::PortSpec] = &[$($crate::PortSpec {
                name: stringify!($field),
                topic: $topic,
                direction: <$ty as $crate::Port>::DIRECTION,
                ty: <$ty as $crate::Port>::TYPE,
                qos: <$ty as $crate::Port>::QOS,
                capacity: <$ty as $crate::Port>::CAPACITY,
            },)*];

            #[allow(unused_mut, unused_variables, unused_assignments)]
            fn visit<V: $crate::PortVisitor>(&mut self, visitor: &mut V) {
                let mut index = 0;
                $(
                    $crate::Port::accept(
                        &mut self.$field,
                        &<Self as $crate::Ports>::SPECS[index],
                        visitor,
                    );
                    index += 1;
                )*
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecodeError, EncodeError};

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
        /// Ports of a node in these tests.
        struct Inputs {
            /// The newest.
            state: Latest<Count> = "/state",
            /// Each.
            commands: Events<Count, 2> = "/commands",
        }
    }

    #[test]
    fn the_macro_lists_ports_in_order() {
        let names: Vec<_> = Inputs::SPECS.iter().map(|spec| (spec.name, spec.topic, spec.capacity)).collect();
        assert_eq!(names, [("state", "/state", 1), ("commands", "/commands", 2)]);
    }

    #[test]
    fn a_held_value_ages() {
        let port = Latest::holding(Count(3), Time::from_nanos(1_000));
        let soon = Time::from_nanos(1_500);
        let later = Time::from_nanos(9_000);
        assert!(port.within(soon, core::time::Duration::from_nanos(600)).is_some());
        assert!(port.within(later, core::time::Duration::from_nanos(600)).is_none());
    }

    #[test]
    fn an_output_over_its_bound_drops_and_counts() {
        let mut out = Out::<Count, 2>::default();
        (0..5).for_each(|n| out.send(Count(n)));
        assert_eq!((out.sent().len(), out.dropped()), (2, 3));
    }
}
