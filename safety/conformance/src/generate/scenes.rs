//! What belongs here: the scenes, each aimed at one rule, and the random mix.

mod eyes;
mod gaze;

use super::random::Random;
use super::script::{Cadence, Look, Script, ordinary_blinks};
use crate::interval::Interval;
use crate::oracle::{
    DRIVING_TASK, EXCURSION, EYES_UNRESPONSIVE, FAST_LIMIT, MICROSLEEP, NON_DRIVING, SLEEP, SLOW_LIMIT,
    UNAVAILABLE,
};
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Profile, Zone};

const FRAME: Ns = 33_333_333;
const MIRRORS: [Zone; 4] = [Zone::LeftMirror, Zone::RightMirror, Zone::RearMirror, Zone::Cluster];
const NON_DRIVING_ZONES: [Zone; 3] = [Zone::Area3, Zone::Area1, Zone::Other];
/// On both sides of every speed that a rule names.
const EDGE_SPEEDS: [f32; 9] = [9.9, 19.9, 20.0, 20.1, 49.9, 50.0, 50.1, 70.0, 70.1];
/// Excursions on both sides of 0.3 s.
const EXCURSIONS: [Ns; 5] = [100 * MS, 250 * MS, 300 * MS, 350 * MS, 450 * MS];
const LOSSES: [Ns; 4] = [100 * MS, 300 * MS, 500 * MS, 2 * SECOND];

/// One scene of a random kind, aimed at a limit.
pub(super) fn boundary(random: &mut Random) -> Script {
    let scenes: [fn(&mut Random) -> Script; 19] = [
        gaze::addw_plain,
        gaze::addw_plain,
        gaze::addw_crossing,
        gaze::addw_non_nominal,
        gaze::addw_excursion,
        gaze::addw_unknown,
        gaze::ncap_one_glance,
        gaze::ncap_one_glance,
        gaze::ncap_mixed,
        gaze::ncap_repeated,
        gaze::ncap_repeated,
        eyes::closed_eyes,
        eyes::closed_eyes,
        gaze::unresponsive_gaze,
        eyes::face_lost,
        eyes::perclos,
        eyes::ddaw,
        eyes::tired_lids,
        gaze::first_minute,
    ];
    let scene = random.pick(scenes);
    scene(random)
}

/// Just under, at, just over a limit; now and then far from it. The second is out of the reach of a bridged excursion.
fn dwell(random: &mut Random, limit: Ns) -> Ns {
    let steps = [
        -SECOND,
        -EXCURSION - 2 * FRAME,
        -100 * MS,
        -50 * MS,
        -FRAME,
        0,
        FRAME,
        50 * MS,
        2 * FRAME,
        80 * MS,
        3 * FRAME,
        EXCURSION,
        SECOND,
    ];
    (limit + random.pick(steps)).max(FRAME)
}

fn cadence(random: &mut Random) -> Cadence {
    Cadence {
        frame: random.pick([FRAME, FRAME, FRAME + 1, 33_366_700]),
        jitter: random.pick([0, 0, MS, 4 * MS, 8 * MS]),
        losses_permille: random.pick([0, 0, 0, 3, 10, 40]),
        signal: random.pick([50 * MS, 100 * MS]),
    }
}

fn script(name: &str, random: &mut Random, profile: Profile) -> Script {
    let all = vec![Profile::EuAddw, Profile::EuroNcap, Profile::EuDdaw, Profile::Perclos];
    Script {
        name: name.to_owned(),
        profiles: if random.chance(30) { all } else { vec![profile] },
        looks: Vec::new(),
        speeds: Vec::new(),
        perclos: Vec::new(),
        blinks: Vec::new(),
        blinks_hide_zone: random.chance(20),
        poor_sensing: Vec::new(),
        acts: Vec::new(),
        cadence: cadence(random),
        // Steady clocks begin near 0; wall clocks are at a length where 64-bit seconds no longer hold a microsecond.
        begins: if random.chance(10) { 1_700_000_000 * SECOND } else { random.between(SECOND, 500 * SECOND) },
    }
}

fn blinks(script: &mut Script, random: &mut Random) {
    if random.chance(40) {
        script.blinks = ordinary_blinks(script.length(), random);
    }
}

/// Anything after anything.
pub(super) fn mix(random: &mut Random) -> Script {
    let mut scene = script("a mix", random, Profile::EuroNcap);
    if random.chance(80) {
        scene.profiles = vec![Profile::EuAddw, Profile::EuroNcap, Profile::EuDdaw, Profile::Perclos];
    }
    scene.speeds = vec![(0, random.pick([30.0, 60.0, 110.0]))];
    if random.chance(40) {
        scene.road(61 * SECOND);
    }
    let begins = scene.length();
    let ends = begins + random.between(10 * SECOND, 80 * SECOND);
    while scene.length() < ends {
        one_look(&mut scene, random);
    }
    let mut t = begins;
    while random.chance(70) && t < ends {
        t += random.between(500 * MS, 15 * SECOND);
        let speed = if random.chance(50) {
            random.pick(EDGE_SPEEDS)
        } else {
            random.pick([0.0, 15.0, 30.0, 60.0, 110.0])
        };
        scene.speeds.push((t, speed));
    }
    if random.chance(30) {
        scene.perclos =
            vec![(0, 0.05), (random.between(0, ends), random.pick([0.099, 0.12, 0.151, 0.2, f32::NAN]))];
    }
    if random.chance(20) {
        let from = random.between(begins, ends);
        scene.poor_sensing = vec![Interval::new(from, from + random.between(SECOND, 20 * SECOND))];
    }
    for _ in 0..random.below(3) {
        scene.acts.push(random.between(begins, ends));
    }
    scene.road(SECOND);
    blinks(&mut scene, random);
    scene
}

fn one_look(scene: &mut Script, random: &mut Random) {
    let last = scene.looks.last().map_or(Zone::Forward, |(_, look)| match look {
        Look::At(zone) => *zone,
        _ => Zone::Forward,
    });
    match random.below(20) {
        0..=6 => scene.road(random.between(200 * MS, 5 * SECOND)),
        7..=9 => scene.look(Look::At(random.pick(MIRRORS)), random.between(600 * MS, 1_100 * MS)),
        10 => scene.look(Look::At(random.pick(MIRRORS)), dwell(random, DRIVING_TASK)),
        11..=12 => scene.look(Look::At(random.pick(NON_DRIVING_ZONES)), random.between(100 * MS, 4 * SECOND)),
        13 => scene.look(Look::At(random.pick(NON_DRIVING_ZONES)), dwell(random, NON_DRIVING)),
        14..=15 => {
            let limit = random.pick([FAST_LIMIT, SLOW_LIMIT]);
            scene.look(Look::At(random.pick([Zone::Area3, Zone::Area1])), dwell(random, limit))
        }
        16 => scene.look(Look::At(last), random.pick(EXCURSIONS)),
        17 => {
            let limit = random.pick([MICROSLEEP, SLEEP, EYES_UNRESPONSIVE]);
            scene.look(Look::Shut(last), dwell(random, limit))
        }
        18 => scene.look(random.pick([Look::NoFace, Look::NoEyes]), random.pick(LOSSES)),
        _ => scene.look(random.pick([Look::NoFace, Look::NoEyes]), dwell(random, UNAVAILABLE)),
    };
}
