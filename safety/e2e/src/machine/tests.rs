use std::collections::{HashSet, VecDeque};

use super::*;
use crate::profile::Wrong;

const ALL: [Status; 6] = [
    Status::Ok,
    Status::OkSomeLost,
    Status::Repeated,
    Status::WrongSequence,
    Status::Error(Wrong::Checksum),
    Status::NoNewData,
];

fn windows(clear_to_invalid: bool) -> Windows {
    Windows {
        init: Window { size: 3, least_ok: 2, most_errors: 1 },
        valid: Window { size: 4, least_ok: 1, most_errors: 2 },
        invalid: Window { size: 5, least_ok: 3, most_errors: 0 },
        clear_to_invalid,
    }
}

/// The same by the specification's words, on a list.
fn oracle(windows: &Windows, trust: Trust, seen: &mut VecDeque<Status>, status: Status) -> Trust {
    seen.push_front(status);
    seen.truncate(32);
    let of = |window: &Window| {
        let last = || seen.iter().take(window.size as usize);
        let right = last().filter(|one| matches!(one, Status::Ok | Status::OkSomeLost)).count() as u32;
        let wrong = last().filter(|one| matches!(one, Status::Error(_))).count() as u32;
        (right >= window.least_ok, wrong <= window.most_errors)
    };
    let next = match trust {
        Trust::NoData => match status {
            Status::Error(_) | Status::NoNewData => Trust::NoData,
            _ => Trust::Init,
        },
        Trust::Init => match of(&windows.init) {
            (true, true) => Trust::Valid,
            (false, true) => Trust::Init,
            (_, false) => Trust::Invalid,
        },
        Trust::Valid => match of(&windows.valid) {
            (true, true) => Trust::Valid,
            _ => Trust::Invalid,
        },
        Trust::Invalid => match of(&windows.invalid) {
            (true, true) => Trust::Valid,
            _ => Trust::Invalid,
        },
    };
    if next == Trust::Invalid && trust != Trust::Invalid && windows.clear_to_invalid {
        seen.clear();
    }
    next
}

/// Every machine that can be come to, by its last five checks, and every check on it.
#[test]
fn every_state_and_every_check_go_where_the_specification_says() {
    for clear in [false, true] {
        let windows = windows(clear);
        let first = (Machine::new(windows).expect("windows"), VecDeque::new());
        let key = |machine: &Machine, seen: &VecDeque<Status>| {
            (machine.trust(), seen.iter().take(5).copied().collect::<Vec<_>>())
        };
        let mut known = HashSet::from([key(&first.0, &first.1)]);
        let (mut ahead, mut arrived, mut checks) = (vec![first], HashSet::new(), 0);
        while let Some((machine, seen)) = ahead.pop() {
            for status in ALL {
                let (mut machine, mut seen) = (machine.clone(), seen.clone());
                let from = machine.trust();
                let expected = oracle(&windows, from, &mut seen, status);
                assert_eq!(machine.add(status), expected, "{from:?} on {status:?} after {seen:?}");
                arrived.insert((from, expected));
                checks += 1;
                if known.insert(key(&machine, &seen)) {
                    ahead.push((machine, seen));
                }
            }
        }
        assert!(known.len() > 10_000, "{} machines", known.len());
        assert_eq!(checks, known.len() * ALL.len());
        let all = [
            (Trust::NoData, Trust::NoData),
            (Trust::NoData, Trust::Init),
            (Trust::Init, Trust::Init),
            (Trust::Init, Trust::Valid),
            (Trust::Init, Trust::Invalid),
            (Trust::Valid, Trust::Valid),
            (Trust::Valid, Trust::Invalid),
            (Trust::Invalid, Trust::Invalid),
            (Trust::Invalid, Trust::Valid),
        ];
        assert_eq!(arrived, HashSet::from(all), "all of these ways, and no other");
    }
}

#[test]
fn nothing_makes_a_silent_channel_valid() {
    let mut machine = Machine::new(windows(false)).expect("windows");
    for status in [Status::Ok, Status::Ok, Status::Ok] {
        machine.add(status);
    }
    assert_eq!(machine.trust(), Trust::Valid);
    for _ in 0..4 {
        machine.add(Status::NoNewData);
    }
    assert_eq!(machine.trust(), Trust::Invalid, "none of the last four is a right one");
    for _ in 0..100 {
        for status in [Status::NoNewData, Status::Repeated, Status::WrongSequence] {
            assert_eq!(machine.add(status), Trust::Invalid);
        }
    }
}

#[test]
fn windows_that_can_never_be_enough_are_refused() {
    let with = |size, least_ok| {
        let init = Window { size, least_ok, most_errors: 0 };
        Machine::new(Windows { init, ..windows(false) }).map(drop)
    };
    assert_eq!(with(0, 1), Err(WindowError::Size(0)));
    assert_eq!(with(33, 1), Err(WindowError::Size(33)));
    assert_eq!(with(3, 4), Err(WindowError::LeastOk { least_ok: 4, size: 3 }));
    assert_eq!(with(3, 0), Err(WindowError::LeastOk { least_ok: 0, size: 3 }));
    assert_eq!(with(32, 32), Ok(()));
}
