//! What belongs here: scenes of closed, lost and tired eyes.

use super::{FRAME, LOSSES, blinks, dwell, script};
use crate::generate::random::Random;
use crate::generate::script::{Look, Script};
use crate::oracle::{EVALUATION, EYES_UNRESPONSIVE, MICROSLEEP, PERCLOS_WINDOW, SLEEP, UNAVAILABLE};
use crate::time::{MS, Ns, SECOND};
use crate::trace::{Profile, Zone};

pub(super) fn closed_eyes(random: &mut Random) -> Script {
    let limit = random.pick([MICROSLEEP, SLEEP, EYES_UNRESPONSIVE]);
    let speed = random.pick([0.0, 5.0, 19.9, 50.0, 90.0]);
    let mut scene = script(&format!("eyes closed, {speed} km/h"), random, Profile::EuroNcap);
    scene.speeds = vec![(0, speed)];
    for _ in 0..3 {
        let under = random.pick([Zone::Forward, Zone::Forward, Zone::Area3]);
        scene.road(random.between(1_500 * MS, 3 * SECOND)).look(Look::Shut(under), dwell(random, limit));
        if random.chance(20) {
            let gone = random.pick([Look::NoFace, Look::NoEyes, Look::At(Zone::Forward)]);
            scene.look(gone, random.pick(LOSSES)).look(Look::Shut(Zone::Forward), dwell(random, limit));
        }
        if random.chance(40) {
            scene.acts.push(scene.length() + random.between(-2 * SECOND, 1_500 * MS));
        }
    }
    if random.chance(20) {
        scene.speeds.push((random.between(SECOND, scene.length()), random.pick([0.0, 50.0])));
    }
    scene.road(3 * SECOND);
    scene
}

pub(super) fn face_lost(random: &mut Random) -> Script {
    let speed = random.pick([0.0, 30.0, 90.0]);
    let mut scene = script("face lost, eyes covered", random, Profile::EuroNcap);
    scene.speeds = vec![(0, speed)];
    for _ in 0..2 {
        let gone = random.pick([Look::NoFace, Look::NoEyes]);
        scene.road(random.between(SECOND, 3 * SECOND)).look(gone, dwell(random, UNAVAILABLE));
        if random.chance(25) {
            scene
                .road(random.pick([FRAME, 100 * MS, 250 * MS, 400 * MS]))
                .look(gone, dwell(random, UNAVAILABLE));
        }
    }
    scene.road(2 * SECOND);
    scene
}

pub(super) fn perclos(random: &mut Random) -> Script {
    let mut scene = script("PERCLOS around its limits", random, Profile::Perclos);
    scene.speeds = vec![(0, random.pick([0.0, 30.0, 90.0, 90.0]))];
    let mut t = 0;
    scene.perclos.push((0, random.pick([f32::NAN, 0.04])));
    for _ in 0..5 {
        t += random.between(2 * SECOND, 6 * SECOND);
        scene
            .perclos
            .push((t, random.pick([0.04, 0.09, 0.099, 0.101, 0.12, 0.149, 0.151, 0.16, 0.3, f32::NAN])));
    }
    if random.chance(20) {
        scene.perclos = vec![(0, 0.06), (3 * SECOND, 0.149), (8 * SECOND, random.pick([0.151, 0.145, 0.08]))];
    }
    scene.road(t.max(9 * SECOND) + 4 * SECOND);
    blinks(&mut scene, random);
    scene
}

pub(super) fn ddaw(random: &mut Random) -> Script {
    let mut scene = script("a drowsy driver on the motorway", random, Profile::EuDdaw);
    let (speed, value) = (random.pick([69.9, 70.0, 70.1, 120.0, 120.0]), random.pick([0.05, 0.12, 0.2, 0.2]));
    scene.speeds = vec![(0, speed)];
    scene.perclos = vec![(0, 0.05), (5 * SECOND, value)];
    scene.road(random.pick([20 * SECOND, 64 * SECOND, 66 * SECOND, 75 * SECOND]));
    if random.chance(50) {
        scene.look(Look::Shut(Zone::Forward), random.between(450 * MS, 900 * MS)).road(6 * SECOND);
    }
    blinks(&mut scene, random);
    scene
}

/// Closures whose share of a minute ends just under, at, just over its limit, or far over it; then, now and then, a driver who is awake again.
pub(super) fn tired_lids(random: &mut Random) -> Script {
    let on_the_motorway = random.chance(35);
    let profile = if on_the_motorway { Profile::EuDdaw } else { Profile::Perclos };
    let mut scene = script("PERCLOS of the lids", random, profile);
    let motorway = random.pick([70.0, 70.1, 120.0, 120.0]);
    scene.speeds = vec![(0, if on_the_motorway { motorway } else { random.pick([0.0, 30.0, 90.0, 90.0]) })];
    // What comes with the frames says nothing: who reads it has nothing to raise.
    scene.perclos = vec![(0, f32::NAN)];
    // The longer a closure, the less its ends leave open.
    let closed = random.between(1_200 * MS, 5_500 * MS);
    let permille: Ns = if on_the_motorway {
        random.pick([120, 250, 300])
    } else {
        random.pick([70, 110, 130, 135, 140, 145, 150, 155, 160, 165, 170, 180, 250])
    };
    let until =
        if on_the_motorway { PERCLOS_WINDOW + EVALUATION + 6 * SECOND } else { PERCLOS_WINDOW + 8 * SECOND };
    let until = until + random.between(0, 8 * SECOND);
    while scene.length() < until {
        scene.road(closed * 1_000 / permille - closed).look(Look::Shut(Zone::Forward), closed);
    }
    if !on_the_motorway && random.chance(60) {
        scene.road(random.between(20 * SECOND, 50 * SECOND));
    }
    scene.road(2 * SECOND);
    if random.chance(25) {
        blinks(&mut scene, random);
    }
    scene
}
