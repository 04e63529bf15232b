//! From one thread to another that sleeps until something comes: a ring and a wake-up. The writer never waits; the reader ends by
//! itself when the writer is gone, after the last thing that was put.

use rtrb::{Consumer, Producer, RingBuffer};

use super::Wake;

/// The writer's end. Dropping it ends the reader.
pub struct PostWriter<T> {
    queue: Producer<T>,
    /// Below `queue`, since fields are dropped in this order: when the reader is woken for the last time, it finds the queue
    /// abandoned.
    wake: Farewell,
}

/// The reader's end.
pub struct PostReader<T> {
    queue: Consumer<T>,
    wake: Wake,
}

/// A new, empty ring of `capacity` places.
pub fn post<T>(capacity: usize) -> (PostWriter<T>, PostReader<T>) {
    let (queue_in, queue_out) = RingBuffer::new(capacity);
    let wake = Wake::default();
    (PostWriter { queue: queue_in, wake: Farewell(wake.clone()) }, PostReader { queue: queue_out, wake })
}

impl<T> PostWriter<T> {
    /// Adds a thing without waking the reader; gives it back when there is no room.
    ///
    /// # Errors
    /// The ring is full.
    pub fn put(&mut self, thing: T) -> Result<(), T> {
        self.queue.push(thing).map_err(|rtrb::PushError::Full(thing)| thing)
    }

    /// Wakes the reader: one system call, however many things were put.
    pub fn flush(&mut self) {
        self.wake.0.announce();
    }
}

impl<T> PostReader<T> {
    /// Takes what comes, and sleeps in between, until the writer is gone and its last thing is taken.
    pub fn run(mut self, mut take: impl FnMut(T)) {
        loop {
            let seen = self.wake.seen();
            let last = self.queue.is_abandoned(); // before taking, so that its last things are taken
            while let Ok(thing) = self.queue.pop() {
                take(thing);
            }
            if last {
                return;
            }
            self.wake.wait(seen, None); // not at all if the writer left since the first line: leaving announces
        }
    }
}

/// Announces when it is dropped.
struct Farewell(Wake);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.announce();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_before_the_writer_left_is_taken_in_order() {
        let (mut writer, reader) = post(3);
        for n in 0..3 {
            writer.put(n).expect("there is room");
        }
        assert_eq!(writer.put(3), Err(3));
        drop(writer);
        let mut taken = Vec::new();
        reader.run(|n| taken.push(n));
        assert_eq!(taken, [0, 1, 2]);
    }
}
