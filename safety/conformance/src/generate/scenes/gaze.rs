//! What belongs here: scenes of glances, for `eu_addw` and `euro_ncap`.

use super::{EDGE_SPEEDS, EXCURSIONS, FRAME, LOSSES, MIRRORS, NON_DRIVING_ZONES, blinks, dwell, script};
use crate::generate::random::Random;
use crate::generate::script::{Look, Script};
use crate::interval::Interval;
use crate::oracle::{
    DRIVING_TASK, EXCURSION, FAST_LIMIT, GAZE_UNRESPONSIVE, NON_DRIVING, NON_NOMINAL_EXTRA, REPEATED,
    ROAD_VIEW, SLOW_LIMIT,
};
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Profile, Zone};

/// A steady speed, on an edge or well inside a band.
fn band_speed(random: &mut Random) -> f32 {
    random.pick([15.0, 19.9, 20.0, 20.1, 35.0, 49.9, 50.0, 50.1, 80.0, 120.0])
}

/// The limit of `eu_addw` at a speed; the looser one where there is none.
fn addw_limit(speed: f32) -> Ns {
    if speed >= 50.0 { FAST_LIMIT } else { SLOW_LIMIT }
}

pub(super) fn addw_plain(random: &mut Random) -> Script {
    let speed = band_speed(random);
    let zone = random.pick([Zone::Area3, Zone::Area3, Zone::Area1]);
    let mut scene = script(&format!("long glance at {zone:?}, {speed} km/h"), random, Profile::EuAddw);
    scene.speeds = vec![(0, speed)];
    for _ in 0..3 {
        let (before, length) = (random.between(SECOND, 3 * SECOND), dwell(random, addw_limit(speed)));
        scene.road(before).look(Look::At(zone), length);
    }
    scene.road(2 * SECOND);
    blinks(&mut scene, random);
    scene
}

pub(super) fn addw_crossing(random: &mut Random) -> Script {
    let pairs = [
        (49.9, 50.0),
        (49.9, 50.1),
        (50.1, 49.9),
        (50.0, 49.9),
        (19.9, 20.0),
        (20.1, 19.9),
        (35.0, 80.0),
        (80.0, 35.0),
        (15.0, 60.0),
        (60.0, 15.0),
        (19.9, 50.1),
    ];
    let (from, to) = random.pick(pairs);
    let mut scene =
        script(&format!("a band crossed mid-glance, {from} to {to} km/h"), random, Profile::EuAddw);
    scene.speeds = vec![(0, from)];
    for _ in 0..2 {
        let before = random.between(SECOND, 3 * SECOND);
        let crossing = random.pick([
            FRAME,
            500 * MS,
            SECOND,
            2 * SECOND,
            2_500 * MS,
            3 * SECOND,
            3_400 * MS,
            5 * SECOND,
        ]);
        let due = [crossing + FAST_LIMIT, SLOW_LIMIT, crossing + SLOW_LIMIT, FAST_LIMIT];
        let due = random.pick(due);
        let length = dwell(random, due).max(crossing + FRAME);
        let start = scene.length() + before;
        scene.speeds.push((start + crossing, to));
        scene.road(before).look(Look::At(Zone::Area3), length).road(SECOND);
        scene.speeds.push((scene.length(), from));
    }
    scene
}

pub(super) fn addw_non_nominal(random: &mut Random) -> Script {
    let speed = random.pick([35.0, 49.9, 50.0, 80.0]);
    let zone = random.pick([Zone::Area3, Zone::Area1]);
    let mut scene = script(&format!("sensing not nominal, {speed} km/h"), random, Profile::EuAddw);
    scene.speeds = vec![(0, speed)];
    let partly = random.chance(25);
    for _ in 0..2 {
        let limit = addw_limit(speed) + NON_NOMINAL_EXTRA;
        let (before, length) = (random.between(SECOND, 3 * SECOND), dwell(random, limit));
        let start = scene.length() + before;
        let from = if partly { start + random.between(0, length) } else { start - 500 * MS };
        scene.poor_sensing.push(Interval::new(from, start + length + 500 * MS));
        scene.road(before).look(Look::At(zone), length);
    }
    scene.road(2 * SECOND);
    scene
}

/// Glances with excursions out, and short looks in between road views that are no glance at all.
pub(super) fn addw_excursion(random: &mut Random) -> Script {
    let speed = random.pick([35.0, 50.0, 80.0]);
    let outside = random.pick([Zone::Forward, Zone::Forward, Zone::Cluster, Zone::Other, Zone::Area1]);
    let mut scene = script(&format!("excursions to {outside:?}, {speed} km/h"), random, Profile::EuAddw);
    scene.speeds = vec![(0, speed)];
    for _ in 0..2 {
        scene.road(random.between(SECOND, 3 * SECOND));
        if random.chance(30) {
            scene.look(Look::At(Zone::Area3), random.pick(EXCURSIONS)).road(random.pick(EXCURSIONS));
        }
        let mut left = dwell(random, addw_limit(speed));
        for _ in 0..random.below(3) {
            let part = random.between(100 * MS, left.max(200 * MS));
            let away = random.pick(EXCURSIONS);
            scene.look(Look::At(Zone::Area3), part).look(Look::At(outside), away);
            left = (left - part - away).max(FRAME);
        }
        scene.look(Look::At(Zone::Area3), left + random.pick([0, EXCURSION, SECOND]));
    }
    scene.road(2 * SECOND);
    scene
}

pub(super) fn addw_unknown(random: &mut Random) -> Script {
    let speed = random.pick([35.0, 50.0, 80.0]);
    let mut scene = script(&format!("unknown in a glance, {speed} km/h"), random, Profile::EuAddw);
    scene.speeds = vec![(0, speed)];
    for _ in 0..2 {
        let gone = random.pick([Look::NoFace, Look::NoEyes]);
        let (part, lost) = (random.between(100 * MS, addw_limit(speed)), random.pick(LOSSES));
        let rest = random.pick([addw_limit(speed), addw_limit(speed) - part - lost]);
        scene.road(2 * SECOND).look(Look::At(Zone::Area3), part).look(gone, lost);
        scene.look(Look::At(Zone::Area3), dwell(random, rest.max(FRAME)));
    }
    scene.road(2 * SECOND);
    scene
}

/// `euro_ncap` distraction is not due in the first minute: a minute of plain driving comes first.
fn warmed_up(name: &str, random: &mut Random) -> Script {
    let mut scene = script(name, random, Profile::EuroNcap);
    scene.speeds = vec![(0, 60.0)];
    scene.road(61 * SECOND);
    scene
}

pub(super) fn ncap_one_glance(random: &mut Random) -> Script {
    let serves = random.chance(50);
    let (zone, limit) = if serves {
        (random.pick(MIRRORS), DRIVING_TASK)
    } else {
        (random.pick(NON_DRIVING_ZONES), NON_DRIVING)
    };
    let speed = random.pick([9.9, 15.0, 19.9, 20.0, 20.1, 50.0, 90.0]);
    let mut scene = warmed_up(&format!("one glance at {zone:?}, {speed} km/h"), random);
    scene.speeds.push((60 * SECOND, speed));
    for _ in 0..3 {
        let (before, length) = (random.between(2_100 * MS, 4 * SECOND), dwell(random, limit));
        scene.road(before).look(Look::At(zone), length);
        if random.chance(20) {
            let lost = random.pick(LOSSES);
            scene.look(Look::NoFace, lost).look(Look::At(zone), dwell(random, limit));
        }
    }
    if random.chance(20) {
        scene.speeds.push((scene.length() - 2 * SECOND, random.pick(EDGE_SPEEDS)));
    }
    scene.road(2_500 * MS);
    blinks(&mut scene, random);
    scene
}

pub(super) fn ncap_mixed(random: &mut Random) -> Script {
    let mut scene = warmed_up("one glance over both kinds of target", random);
    for _ in 0..3 {
        scene.road(random.between(2_100 * MS, 3 * SECOND));
        for _ in 0..2 {
            let (mirror, other) = (random.pick(MIRRORS), random.pick(NON_DRIVING_ZONES));
            scene.look(Look::At(mirror), random.between(200 * MS, 2_500 * MS));
            scene.look(Look::At(other), random.between(200 * MS, 3_400 * MS));
            if random.chance(30) {
                scene.road(random.pick([FRAME, 50 * MS, 100 * MS, 350 * MS]));
            }
        }
    }
    scene.road(2_500 * MS);
    scene
}

pub(super) fn ncap_repeated(random: &mut Random) -> Script {
    let mut scene = warmed_up("repeated glances", random);
    let zones = random.pick([
        [Zone::Area3, Zone::Other],
        [Zone::Other, Zone::Area1],
        [Zone::Area3, Zone::LeftMirror],
    ]);
    let sum = dwell(random, REPEATED);
    let each = random.pick([700 * MS, SECOND, 1_500 * MS, 2 * SECOND, 2_500 * MS]);
    let between = random.pick([500 * MS, SECOND, 1_500 * MS, 1_900 * MS]);
    let mut left = sum;
    while left > 0 {
        let part = each.min(left);
        left -= part;
        scene.look(Look::At(random.pick(zones)), part);
        let reset = random.chance(6);
        scene.road(if reset {
            random.pick([ROAD_VIEW - 50 * MS, ROAD_VIEW, ROAD_VIEW + 50 * MS])
        } else {
            between
        });
    }
    for _ in 0..random.below(4) {
        scene.road(random.pick([100 * MS, ROAD_VIEW - 50 * MS, ROAD_VIEW, ROAD_VIEW + 50 * MS]));
        scene.look(Look::At(random.pick(zones)), random.between(300 * MS, 2 * SECOND));
    }
    scene.road(3 * SECOND);
    blinks(&mut scene, random);
    scene
}

/// A glance in the first minute of driving, where little is due and little forbidden.
pub(super) fn first_minute(random: &mut Random) -> Script {
    let mut scene = script("the first minute", random, Profile::EuroNcap);
    scene.speeds = vec![(0, random.pick([0.0, 15.0])), (3 * SECOND, 50.0)];
    scene.road(random.between(5 * SECOND, 20 * SECOND));
    scene.look(Look::At(random.pick(NON_DRIVING_ZONES)), dwell(random, NON_DRIVING)).road(5 * SECOND);
    scene
}

pub(super) fn unresponsive_gaze(random: &mut Random) -> Script {
    let mut scene = warmed_up("no return of gaze after a warning", random);
    for _ in 0..2 {
        let serves = random.chance(40);
        let (zone, limit) = if serves {
            (random.pick(MIRRORS), DRIVING_TASK)
        } else {
            (random.pick(NON_DRIVING_ZONES), NON_DRIVING)
        };
        scene.road(random.between(2_100 * MS, 4 * SECOND));
        scene.look(Look::At(zone), dwell(random, limit + GAZE_UNRESPONSIVE));
        if random.chance(20) {
            scene.look(random.pick([Look::NoFace, Look::Shut(zone)]), random.between(300 * MS, 4 * SECOND));
        }
        if random.chance(50) {
            scene.acts.push(scene.length() + random.between(-3 * SECOND, 2 * SECOND));
        }
    }
    scene.road(3 * SECOND);
    scene
}
