//! The host's slots in every order of events that the memory model allows. Each test can fail: `can_fail.py`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use loom::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    thread,
};
use troika_kit::{EventSource, LatestSource, Time};
use troika_loom::{
    sync::{StopToken, Vital, Wake, events, histogram, latest, post},
    tracked::Tracked,
};

/// Every order with at most this many unforced changes of thread: what finds all but contrived errors, in seconds (CHESS, 2008).
fn bounded(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(model);
}

#[test]
fn a_latest_value_is_whole_never_older_than_one_before_and_freed_while_nobody_reads_it() {
    const VALUES: u64 = 4;
    loom::model(|| {
        let freed = Arc::new(AtomicUsize::new(0));
        let (mut writer, mut reader) = latest();
        let writing = thread::spawn({
            let freed = freed.clone();
            move || {
                let put = |n| u64::from(writer.put(Tracked::new(n, &freed), Time::from_nanos(n)));
                (1..=VALUES).map(put).sum::<u64>()
            }
        });
        let (mut last, mut seen) = (0, 0);
        let mut look = |last: &mut u64| {
            if reader.refresh() {
                seen += 1;
                let sample = reader.current().expect("refreshed");
                let n = sample.value.read();
                assert!(n > *last, "{n} after {last}");
                assert_eq!(sample.received, Time::from_nanos(n), "value and arrival belong together");
                *last = n;
            } else if let Some(sample) = reader.current() {
                assert_eq!(sample.value.read(), *last, "it stays as it was");
            }
        };
        look(&mut last);
        look(&mut last);
        let overwritten = writing.join().expect("the writer ends");
        look(&mut last);
        assert_eq!(last, VALUES, "the newest is there");
        assert_eq!(seen + overwritten, VALUES, "each was read or overwritten");
        drop(reader);
        assert_eq!(freed.load(SeqCst) as u64, VALUES, "each was freed once");
    });
}

#[test]
fn an_event_queue_keeps_order_and_reads_or_counts_and_frees_each_message_once() {
    const MESSAGES: u64 = 4;
    bounded(5, || {
        let freed = Arc::new(AtomicUsize::new(0));
        let (mut writer, mut reader) = events(1);
        let writing = thread::spawn({
            let freed = freed.clone();
            move || {
                let put = |n: &u64| writer.put(Tracked::new(*n, &freed), Time::from_nanos(*n));
                let accepted = (1..=MESSAGES).filter(put).count() as u64;
                (accepted, writer)
            }
        });
        let (mut read, mut last) = (0, 0);
        let mut take = |read: &mut u64| {
            if let Some(sample) = reader.pop() {
                let n = sample.value.read();
                assert!(n > last, "{n} after {last}");
                assert_eq!(sample.received, Time::from_nanos(n));
                last = n;
                *read += 1;
                reader.retire(sample);
            }
        };
        take(&mut read);
        take(&mut read);
        let (accepted, writer) = writing.join().expect("the writer ends");
        take(&mut read);
        assert_eq!(read, accepted);
        assert_eq!(read + reader.dropped(), MESSAGES, "each was read or counted");
        drop((reader, writer));
        assert_eq!(freed.load(SeqCst) as u64, MESSAGES, "each was freed once");
    });
}

#[test]
fn a_used_message_is_not_freed_by_the_one_who_read_it() {
    bounded(3, || {
        let freed = Arc::new(AtomicUsize::new(0));
        let (mut writer, mut reader) = events(1);
        assert!(writer.put(Tracked::new(1, &freed), Time::ZERO));
        let reading = thread::spawn(move || {
            let sample = reader.pop().expect("one waits");
            let n = sample.value.read();
            reader.retire(sample);
            (n, reader)
        });
        // It may come back during either of these, and is then freed here while the reader goes on.
        writer.put(Tracked::new(2, &freed), Time::ZERO);
        writer.put(Tracked::new(3, &freed), Time::ZERO);
        let (n, reader) = reading.join().expect("the reader ends");
        assert_eq!(n, 1);
        drop((writer, reader));
        assert_eq!(freed.load(SeqCst), 3);
    });
}

#[test]
fn a_node_that_waits_for_a_message_is_woken_and_sees_it() {
    loom::model(|| {
        let freed = Arc::new(AtomicUsize::new(0));
        let wake = Wake::default();
        let (mut writer, mut reader) = latest();
        let announcer = thread::spawn({
            let (wake, freed) = (wake.clone(), freed.clone());
            move || {
                for n in 1..=2 {
                    writer.put(Tracked::new(n, &freed), Time::from_nanos(n));
                    wake.announce();
                }
            }
        });
        // As a node's thread does: take the count, look, and sleep only if nothing was there. A lost wake-up is a thread that
        // waits for ever, which loom reports.
        loop {
            let seen = wake.seen();
            if reader.refresh() && reader.current().is_some_and(|sample| sample.value.read() == 2) {
                break;
            }
            wake.wait(seen, None);
        }
        announcer.join().expect("the announcer ends");
    });
}

#[test]
fn what_was_done_before_an_announcement_is_seen_by_whoever_sees_its_count() {
    bounded(3, || {
        let wake = Wake::default();
        let work = Arc::new(AtomicU64::new(0));
        let announcers: Vec<_> = (0..2)
            .map(|bit| {
                let (wake, work) = (wake.clone(), work.clone());
                thread::spawn(move || {
                    work.fetch_add(1 << bit, Relaxed);
                    wake.announce();
                })
            })
            .collect();
        loop {
            let seen = wake.seen();
            let found = work.load(Relaxed);
            assert!(seen < 2 || found == 0b11, "{seen} announcements, but only {found:b} is done");
            if found == 0b11 {
                break;
            }
            wake.wait(seen, None);
        }
        announcers.into_iter().for_each(|one| one.join().expect("it ends"));
    });
}

#[test]
fn a_stop_is_seen_by_all_who_wait_with_what_was_done_before_it() {
    loom::model(|| {
        let stop = StopToken::new();
        let done = Arc::new(AtomicU64::new(0));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let (stop, done) = (stop.clone(), done.clone());
                thread::spawn(move || {
                    stop.wait();
                    assert_eq!(done.load(Relaxed), 7);
                })
            })
            .collect();
        done.store(7, Relaxed);
        stop.stop();
        waiters.into_iter().for_each(|one| one.join().expect("it ends"));
    });
}

#[test]
fn a_courier_takes_all_that_was_put_and_ends_when_the_writer_is_gone() {
    bounded(3, || {
        let freed = Arc::new(AtomicUsize::new(0));
        let (mut writer, reader) = post(1);
        let writing = thread::spawn({
            let freed = freed.clone();
            move || {
                let accepted = (1..=2).filter(|n| {
                    let taken = writer.put(Tracked::new(*n, &freed)).is_ok();
                    writer.flush();
                    taken
                });
                accepted.collect::<Vec<u64>>()
            }
        });
        let mut taken = Vec::new();
        reader.run(|thing| taken.push(thing.read()));
        assert_eq!(taken, writing.join().expect("the writer ends"));
        assert_eq!(freed.load(SeqCst), 2);
    });
}

#[test]
fn a_courier_misses_nothing_that_was_put_just_before_the_writer_left() {
    loom::model(|| {
        let freed = Arc::new(AtomicUsize::new(0));
        let (mut writer, reader) = post(1);
        let thing = Tracked::new(1, &freed);
        let writing = thread::spawn(move || assert!(writer.put(thing).is_ok())); // no flush: leaving is one
        let mut taken = 0;
        reader.run(|thing| taken += thing.read());
        assert_eq!(taken, 1);
        writing.join().expect("the writer ends");
    });
}

#[test]
fn a_sign_of_life_is_never_older_than_the_step_that_was_seen() {
    loom::model(|| {
        let at = Duration::from_nanos;
        let vital = Arc::new(Vital::default());
        let node = thread::spawn({
            let vital = vital.clone();
            move || {
                for n in 1..=2 {
                    vital.begin(at(n));
                    vital.end();
                }
            }
        });
        let mut before = at(0);
        for _ in 0..2 {
            let reading = vital.read();
            let awake = reading.awake.unwrap_or_default();
            assert!(awake >= before, "awake at {awake:?}, after {before:?} was known");
            assert!(reading.began.is_none_or(|began| awake >= began), "{reading:?}");
            before = before.max(awake).max(reading.began.unwrap_or_default());
        }
        node.join().expect("the node ends");
        assert_eq!((vital.read().began, vital.read().awake), (None, Some(at(2))));
    });
}

#[test]
fn a_quantile_read_while_it_is_written_is_of_what_was_recorded() {
    // 704 words are read for a snapshot; two changes of thread reach every place between them.
    bounded(2, || {
        let (mut writer, reader) = histogram();
        let duration = Duration::from_micros(40);
        let writing = thread::spawn(move || writer.record(duration));
        let snapshot = reader.snapshot();
        match snapshot.count() {
            0 => assert_eq!(snapshot.quantile(1.0), Duration::ZERO),
            1 => assert_eq!(snapshot.quantile(1.0), duration, "never too small"),
            more => panic!("{more} recorded"),
        }
        writing.join().expect("the writer ends");
        assert_eq!(reader.snapshot().count(), 1);
    });
}
