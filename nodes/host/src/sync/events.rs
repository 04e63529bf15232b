//! The event queue: one writer, one reader, at most `capacity` messages; when it is full the newest is dropped and
//! counted. Used messages travel back in a second ring and are freed on the writer's thread, so the reader frees nothing.

use std::sync::Arc;

use rtrb::{Consumer, Producer, RingBuffer};
use troika_kit::{EventSource, Sample, Time};

use super::Counter;

/// The transport thread's end.
pub struct EventWriter<T> {
    queue: Producer<Sample<T>>,
    used: Consumer<Sample<T>>,
    /// Messages that are in the queue, held by the step or on their way back.
    out: usize,
    /// Bound of `out`: what the way back can hold, so that it never overflows.
    most: usize,
    /// Messages that found room.
    taken_in: u64,
    dropped: Arc<Counter>,
}

/// The node thread's end: what a [`troika_kit::Events`] port is bound to.
pub struct EventReader<T> {
    queue: Consumer<Sample<T>>,
    used: Producer<Sample<T>>,
    dropped: Arc<Counter>,
}

/// A new, empty queue of at most `capacity` messages.
pub fn events<T>(capacity: usize) -> (EventWriter<T>, EventReader<T>) {
    // One share waits in the queue, one is held by the step, one is on its way back.
    let most = 3 * capacity;
    let (queue_in, queue_out) = RingBuffer::new(capacity);
    let (used_in, used_out) = RingBuffer::new(most);
    let dropped = Arc::new(Counter::default());
    (
        EventWriter { queue: queue_in, used: used_out, out: 0, most, taken_in: 0, dropped: dropped.clone() },
        EventReader { queue: queue_out, used: used_in, dropped },
    )
}

impl<T> EventWriter<T> {
    /// Adds a message; false if the queue was full and the message was dropped. Used messages are freed here.
    pub fn put(&mut self, value: T, received: Time) -> bool {
        troika_kit::requirements::fulfils![SR_TIM_019];
        while let Ok(used) = self.used.pop() {
            drop(used);
            self.out -= 1;
        }
        if self.out < self.most && self.queue.push(Sample { value, received }).is_ok() {
            self.out += 1;
            self.taken_in += 1;
            true
        } else {
            self.dropped.add(1);
            false
        }
    }

    /// Messages that found room so far.
    pub fn taken_in(&self) -> u64 {
        self.taken_in
    }
}

impl<T: Send> EventSource<T> for EventReader<T> {
    fn pop(&mut self) -> Option<Sample<T>> {
        self.queue.pop().ok()
    }

    fn retire(&mut self, used: Sample<T>) {
        // Cannot be full: the writer lets out no more than this ring holds. Were it full, `used` would be freed here.
        let full = self.used.push(used).is_err();
        debug_assert!(!full, "the way back holds every message that is out");
    }

    fn dropped(&self) -> u64 {
        self.dropped.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::from_nanos(1);

    #[test]
    fn a_full_queue_drops_the_newest_and_counts_it() {
        troika_safety::verifies![SR_TIM_019];
        let (mut writer, mut reader) = events(2);
        assert!(writer.put(1, NOW) && writer.put(2, NOW));
        assert!(!writer.put(3, NOW));
        assert_eq!(writer.taken_in(), 2);
        let taken: Vec<_> = std::iter::from_fn(|| reader.pop()).map(|sample| sample.value).collect();
        assert_eq!((taken, reader.dropped()), (vec![1, 2], 1));
    }

    #[test]
    fn a_used_message_is_freed_by_the_writer_and_not_before() {
        let value = Arc::new(());
        let (mut writer, mut reader) = events(1);
        assert!(writer.put(value.clone(), NOW));
        let used = reader.pop().expect("one message waits");
        reader.retire(used);
        assert_eq!(Arc::strong_count(&value), 2, "still on its way back");
        assert!(writer.put(Arc::new(()), NOW));
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn the_way_back_holds_everything_even_when_the_writer_is_silent() {
        let (mut writer, mut reader) = events(2);
        for round in 0..100 {
            while writer.put(round, NOW) {}
            while let Some(used) = reader.pop() {
                reader.retire(used);
            }
        }
        assert_eq!(reader.dropped(), 100, "one refusal a round ended each fill");
    }
}
