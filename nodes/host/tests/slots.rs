//! The slots under two threads that do nothing but use them.

use std::{sync::Arc, thread};

use troika_host::sync::{Counter, StopToken, Wake, events, histogram, latest};
use troika_kit::{EventSource, LatestSource, Sample, Time, requirements};

const MESSAGES: u64 = 300_000;

/// A value whose halves must agree: a torn read shows.
#[derive(Debug, Clone, PartialEq)]
struct Pair(u64, Box<u64>);

#[test]
fn a_latest_value_slot_never_tears_never_goes_back_and_ends_on_the_last() {
    let _verifies = requirements::SR_TIM_005;
    let (mut writer, mut reader) = latest();
    let overwritten = thread::scope(|scope| {
        let writing = scope.spawn(move || {
            let put = |n| u64::from(writer.put(Pair(n, Box::new(!n)), Time::from_nanos(n)));
            (1..=MESSAGES).map(put).sum::<u64>()
        });
        let (mut last, mut seen) = (0, 0);
        while last < MESSAGES {
            if reader.refresh() {
                let Sample { value, received } = reader.current().expect("refreshed");
                assert_eq!(value.0, !*value.1, "torn");
                assert_eq!(received.as_nanos(), value.0, "value and arrival belong together");
                assert!(value.0 > last, "went back");
                last = value.0;
                seen += 1;
            }
        }
        let overwritten = writing.join().expect("the writer ends");
        assert_eq!(seen + overwritten, MESSAGES, "each value was either seen or overwritten");
        overwritten
    });
    assert!(overwritten < MESSAGES);
}

#[test]
fn an_event_queue_keeps_order_and_every_message_is_read_or_counted_and_freed_once() {
    let _verifies = requirements::SR_TIM_005;
    let (mut writer, mut reader) = events(16);
    let alive = Arc::new(());
    let done = StopToken::new();
    thread::scope(|scope| {
        let writing = scope.spawn({
            let (alive, done) = (alive.clone(), done.clone());
            move || {
                let accepted =
                    (0..MESSAGES).filter(|n| writer.put((*n, alive.clone()), Time::from_nanos(*n))).count();
                done.stop();
                (accepted as u64, writer)
            }
        });
        let (mut read, mut next) = (0_u64, 0);
        loop {
            let last_look = done.is_stopped();
            // As a step does: take some, use them, hand them back.
            let held: Vec<_> = std::iter::from_fn(|| reader.pop()).take(16).collect();
            for sample in &held {
                assert!(sample.value.0 >= next, "out of order");
                next = sample.value.0 + 1;
            }
            read += held.len() as u64;
            let nothing = held.is_empty();
            held.into_iter().for_each(|sample| reader.retire(sample));
            if last_look && nothing {
                break;
            }
        }
        let (accepted, writer) = writing.join().expect("the writer ends");
        assert_eq!(read, accepted);
        assert_eq!(read + reader.dropped(), MESSAGES);
        drop((writer, reader));
    });
    assert_eq!(Arc::strong_count(&alive), 1, "nothing leaked, nothing freed twice");
}

#[test]
fn no_announcement_is_slept_over() {
    // Each side waits without a time-out for the other's announcement: a lost one would hang here.
    let (ping, pong) = (Wake::default(), Wake::default());
    let turns = Arc::new(Counter::default());
    thread::scope(|scope| {
        let (ping_there, pong_there, turns_there) = (ping.clone(), pong.clone(), turns.clone());
        scope.spawn(move || {
            for turn in 0..20_000 {
                while ping_there.seen() <= turn {
                    ping_there.wait(turn, None);
                }
                turns_there.add(1);
                pong_there.announce();
            }
        });
        for turn in 0..20_000 {
            ping.announce();
            while pong.seen() <= turn {
                pong.wait(turn, None);
            }
        }
    });
    assert_eq!(turns.get(), 20_000);
}

#[test]
fn a_histogram_read_while_it_is_written_loses_nothing() {
    let (mut writer, reader) = histogram();
    thread::scope(|scope| {
        scope.spawn(move || (0..MESSAGES).for_each(|n| writer.record(std::time::Duration::from_nanos(n))));
        let mut before = 0;
        while before < MESSAGES {
            let now = reader.snapshot().count();
            assert!(now >= before);
            before = now;
        }
    });
    assert_eq!(reader.snapshot().count(), MESSAGES);
}
