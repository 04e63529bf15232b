//! The slots under two threads that do nothing but use them.

use std::{sync::Arc, thread, time::Duration};

use troika_host::sync::{Counter, StopToken, Vital, VitalsPage, Wake, events, histogram, latest, post};
use troika_kit::{EventSource, LatestSource, Sample, Time};

/// How many messages; `TROIKA_STRESS` sets another number (valgrind is 50 times slower).
fn messages() -> u64 {
    std::env::var("TROIKA_STRESS").ok().and_then(|n| n.parse().ok()).unwrap_or(300_000)
}

/// A value whose halves must agree: a torn read shows.
#[derive(Debug, Clone, PartialEq)]
struct Pair(u64, Box<u64>);

#[test]
fn a_latest_value_slot_never_tears_never_goes_back_and_ends_on_the_last() {
    troika_safety::verifies![SR_TIM_005];
    let messages = messages();
    let (mut writer, mut reader) = latest();
    let overwritten = thread::scope(|scope| {
        let writing = scope.spawn(move || {
            let put = |n| u64::from(writer.put(Pair(n, Box::new(!n)), Time::from_nanos(n)));
            (1..=messages).map(put).sum::<u64>()
        });
        let (mut last, mut seen) = (0, 0);
        while last < messages {
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
        assert_eq!(seen + overwritten, messages, "each value was either seen or overwritten");
        overwritten
    });
    assert!(overwritten < messages, "the last is always read");
}

#[test]
fn an_event_queue_keeps_order_and_every_message_is_read_or_counted_and_freed_once() {
    troika_safety::verifies![SR_TIM_005];
    let messages = messages();
    let (mut writer, mut reader) = events(16);
    let alive = Arc::new(());
    let done = StopToken::new();
    thread::scope(|scope| {
        let writing = scope.spawn({
            let (alive, done) = (alive.clone(), done.clone());
            move || {
                let accepted =
                    (0..messages).filter(|n| writer.put((*n, alive.clone()), Time::from_nanos(*n))).count();
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
        assert_eq!(read + reader.dropped(), messages);
        drop((writer, reader));
    });
    assert_eq!(Arc::strong_count(&alive), 1, "nothing leaked, nothing freed twice");
}

#[test]
fn no_announcement_is_slept_over() {
    // Each side waits without a time-out for the other's announcement: a lost one would hang here.
    let turns_each = (messages() / 15) as u32;
    let (ping, pong) = (Wake::default(), Wake::default());
    let turns = Arc::new(Counter::default());
    thread::scope(|scope| {
        let (ping_there, pong_there, turns_there) = (ping.clone(), pong.clone(), turns.clone());
        scope.spawn(move || {
            for turn in 0..turns_each {
                while ping_there.seen() <= turn {
                    ping_there.wait(turn, None);
                }
                turns_there.add(1);
                pong_there.announce();
            }
        });
        for turn in 0..turns_each {
            ping.announce();
            while pong.seen() <= turn {
                pong.wait(turn, None);
            }
        }
    });
    assert_eq!(turns.get(), u64::from(turns_each));
}

#[test]
fn a_histogram_read_while_it_is_written_loses_nothing() {
    let messages = messages();
    let (mut writer, reader) = histogram();
    thread::scope(|scope| {
        scope.spawn(move || (0..messages).for_each(|n| writer.record(Duration::from_nanos(n))));
        let mut before = 0;
        while before < messages {
            let now = reader.snapshot().count();
            assert!(now >= before);
            before = now;
        }
    });
    assert_eq!(reader.snapshot().count(), messages);
}

#[test]
fn a_courier_takes_everything_in_order_and_ends_with_its_writer() {
    let messages = messages();
    let (mut writer, reader) = post(16);
    thread::scope(|scope| {
        scope.spawn(move || {
            for n in 0..messages {
                while writer.put(Box::new(n)).is_err() {
                    thread::yield_now();
                }
                // Now and then, so that the courier falls asleep in between.
                if n % 3 == 0 {
                    writer.flush();
                }
            }
        });
        let mut next = 0;
        reader.run(|n| {
            assert_eq!(*n, next);
            next += 1;
        });
        assert_eq!(next, messages);
    });
}

#[test]
fn signs_of_life_go_forward_and_agree_across_two_mappings() {
    let messages = messages();
    let watchdog = VitalsPage::create().expect("a page");
    let path = watchdog.path().expect("it was made here");
    let node = Vital::new(Arc::new(VitalsPage::open(&path).expect("the same page")), 0);
    thread::scope(|scope| {
        scope.spawn(move || {
            for n in 1..=messages {
                node.begin(Duration::from_nanos(n));
                node.end();
            }
        });
        let (mut before, last) = (Duration::ZERO, Duration::from_nanos(messages));
        while before < last {
            let reading = watchdog.read(0);
            let awake = reading.awake.unwrap_or_default();
            assert!(awake >= before && reading.began.is_none_or(|began| awake >= began), "{reading:?}");
            before = awake;
        }
    });
}
