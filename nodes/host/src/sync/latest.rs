//! The latest-value slot: a triple buffer. The writer never waits; a value that nobody read yet is overwritten. Values are
//! made and freed on the writer's thread, so the reader frees nothing.

use triple_buffer::{Input, Output, TripleBuffer};
use troika_kit::{LatestSource, Sample, Time};

/// The transport thread's end.
pub struct LatestWriter<T: Send> {
    slot: Input<Option<Numbered<T>>>,
    count: u64,
}

/// The node thread's end: what a [`troika_kit::Latest`] port is bound to.
pub struct LatestReader<T: Send>(Output<Option<Numbered<T>>>);

/// A value, and which of all that came it is, from 1.
type Numbered<T> = (Sample<T>, u64);

/// A new, empty slot.
pub fn latest<T: Send>() -> (LatestWriter<T>, LatestReader<T>) {
    let (input, output) = TripleBuffer::<Option<Numbered<T>>>::default().split();
    (LatestWriter { slot: input, count: 0 }, LatestReader(output))
}

impl<T: Send> LatestWriter<T> {
    /// Replaces the value; true if the one before was never read. An older value is freed here.
    pub fn put(&mut self, value: T, received: Time) -> bool {
        self.count += 1;
        *self.slot.input_buffer_mut() = Some((Sample { value, received }, self.count));
        self.slot.publish()
    }

    /// Values put so far.
    pub fn count(&self) -> u64 {
        self.count
    }
}

impl<T: Send> LatestSource<T> for LatestReader<T> {
    fn refresh(&mut self) -> bool {
        self.0.update()
    }

    fn current(&self) -> Option<&Sample<T>> {
        self.0.output_buffer().as_ref().map(|(sample, _)| sample)
    }

    fn count(&self) -> u64 {
        self.0.output_buffer().as_ref().map_or(0, |(_, count)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_slot_has_nothing_and_nothing_new() {
        let (_writer, mut reader) = latest::<u32>();
        assert!(!reader.refresh());
        assert!(reader.current().is_none());
    }

    #[test]
    fn the_newest_wins_and_the_writer_learns_what_was_never_read() {
        let (mut writer, mut reader) = latest();
        assert!(!writer.put(1, Time::from_nanos(10)));
        assert!(writer.put(2, Time::from_nanos(20)));
        assert_eq!((writer.count(), reader.count()), (2, 0), "the reader has not looked yet");
        assert!(reader.refresh());
        assert_eq!(reader.count(), 2);
        assert_eq!(reader.current(), Some(&Sample { value: 2, received: Time::from_nanos(20) }));
        assert!(!reader.refresh(), "nothing newer");
        assert_eq!(reader.current().map(|sample| sample.value), Some(2), "the value stays readable");
    }
}
