//! Driver states and vehicle signals on their way to the real monitor, while a driver falls asleep at 60 km/h. What must come: the alert of sleep in
//! its time, or that monitoring is unavailable; and what was raised stays raised while the eyes are closed or not seen.

use troika_host::{NodeOptions, simulate::Collected};
use troika_kit::{Duration, Time};
use troika_monitor::{Config, MonitorNode};
use troika_msgs::{
    protect::{Protected, Seal, sender},
    std_msgs::Header,
    troika::{DriverAlert, DriverState, VehicleSignals},
};

use crate::{
    class::{Dice, Ground, Off, Verdict},
    damage::{cdr, cut, flipped_under},
    rig::{Rig, SLICE},
};

const STATE: &str = "/cabin/driver_state";
const SIGNALS: &str = "/vehicle/signals";
const FRAME: Duration = Duration::from_nanos(33_333_333);
const SIGNAL: Duration = Duration::from_millis(20);

/// SR-DMS-006: 3.0 s, and three frames of the camera that is simulated.
pub const SLEEP_WITHIN: Duration = Duration::from_millis(3_100);
/// The same where frames are lost or wait: 0.3 s are bridged (SR-DMS-017), when the eyes close and when the limit passes.
pub const SLEEP_BRIDGED: Duration = Duration::from_millis(3_700);
/// Frames in a row that are bridged: 0.27 s.
const BRIDGED: usize = 8;
/// SR-DMS-007: 5 s, after the 0.3 s that are bridged, and three periods of silence.
pub const BLIND_WITHIN: Duration = Duration::from_millis(5_450);
/// The scene ends so long after the eyes closed.
const SCENE: Duration = Duration::from_secs(14);

/// A driver at 60 km/h before the real monitor.
struct Drive {
    rig: Rig,
    alerts: Collected<DriverAlert>,
    /// Arrival, profile, kind and phase of each.
    told: Vec<(Time, String, u8, u8)>,
    mute: bool,
    garbage_clears: bool,
    /// End-to-end checks find nothing.
    blindfold: bool,
    states: Seal<DriverState>,
    speeds: Seal<VehicleSignals>,
    next_frame: Time,
    next_signal: Time,
}

impl Drive {
    fn new(ground: &Ground<'_>) -> anyhow::Result<Drive> {
        let mut rig = Rig::new()?;
        let monitor = MonitorNode::new(&Config::default(), |path| std::fs::read_to_string(path))?;
        rig.spawn(monitor, NodeOptions::new("driver_monitor"))?;
        let alerts = rig.simulation.collect("/cabin/driver_alert")?;
        let now = rig.now();
        Ok(Drive {
            rig,
            alerts,
            told: Vec::new(),
            mute: ground.without(Off::Alerts),
            garbage_clears: ground.without(Off::Latch),
            blindfold: ground.without(Off::EndToEnd),
            states: Seal::new(sender::DRIVER_STATE),
            speeds: Seal::new(sender::SIGNALS),
            next_frame: now,
            next_signal: now,
        })
    }

    /// A frame is due.
    fn frame(&mut self) -> bool {
        let due = self.rig.now() >= self.next_frame;
        if due {
            self.next_frame = self.next_frame + FRAME;
        }
        due
    }

    /// What the detector says, protected as its own.
    fn seen(&mut self, stamp: Time, closed: bool) -> anyhow::Result<DriverState> {
        self.says(seen(stamp, closed))
    }

    fn says(&mut self, mut state: DriverState) -> anyhow::Result<DriverState> {
        self.states.seal(&mut state)?;
        Ok(state)
    }

    /// What another says in its place; with the check switched off, protected as if it were the detector's own.
    fn foreign<T: Protected>(
        &mut self,
        mut message: T,
        own: fn(&mut Drive) -> &mut Seal<T>,
        dice: &mut Dice,
    ) -> anyhow::Result<T> {
        if self.blindfold {
            own(self).seal(&mut message)?;
        } else if dice.coin() {
            Seal::new("/elsewhere").seal(&mut message)?;
        }
        Ok(message)
    }

    fn signal(&mut self) -> anyhow::Result<Option<VehicleSignals>> {
        if self.rig.now() < self.next_signal {
            return Ok(None);
        }
        self.next_signal = self.next_signal + SIGNAL;
        let mut signals = VehicleSignals {
            header: Header::at(self.rig.now()),
            speed_kmh: 60.0,
            gear: 127,
            ignition_on: true,
            ..VehicleSignals::default()
        };
        self.speeds.seal(&mut signals)?;
        Ok(Some(signals))
    }

    fn pass(&mut self) {
        self.rig.pass(SLICE);
        for alert in self.alerts.take().into_iter().filter(|_| !self.mute) {
            let value = alert.value;
            self.told.push((alert.received, value.profile, value.kind, value.phase));
        }
        if self.garbage_clears
            && self.told.last().is_some_and(|(_, _, kind, phase)| closed(*kind) && *phase == 1)
        {
            let mut cleared = self.told[self.told.len() - 1].clone();
            cleared.3 = DriverAlert::CLEARED;
            self.told.push(cleared);
        }
    }

    fn raised(&self, from: Time, kind: u8) -> Option<Duration> {
        let of = |(at, _, is, phase): &&(Time, String, u8, u8)| {
            *at >= from && *is == kind && *phase == DriverAlert::RAISED
        };
        self.told.iter().find(of).map(|(at, ..)| at.since(from))
    }

    /// An alert of closed eyes that was cleared while they were.
    fn cleared(&self) -> Option<String> {
        let cleared =
            |(_, _, kind, phase): &&(Time, String, u8, u8)| closed(*kind) && *phase == DriverAlert::CLEARED;
        let (_, profile, kind, _) = self.told.iter().find(cleared)?;
        Some(format!("alert {kind} of {profile} was cleared while the eyes were closed"))
    }
}

fn closed(kind: u8) -> bool {
    matches!(kind, DriverAlert::MICROSLEEP | DriverAlert::SLEEP | DriverAlert::UNRESPONSIVE)
}

/// What the detector says of open or closed eyes.
pub(crate) fn seen(stamp: Time, closed: bool) -> DriverState {
    let openness = if closed { 0.03 } else { 0.9 };
    DriverState {
        header: Header { stamp: stamp.into(), frame_id: "driver_camera_optical_frame".into() },
        state: if closed { DriverState::EYES_CLOSED } else { DriverState::ATTENTIVE },
        confidence: 0.9,
        face_detected: true,
        face_box: [0.3, 0.2, 0.4, 0.5],
        gaze_zone: DriverState::ZONE_FORWARD,
        eye_openness_left: openness,
        eye_openness_right: openness,
        mouth_opening: 0.05,
        perclos: 0.05,
        model: "faults".into(),
        ..DriverState::default()
    }
}

/// What befalls the states.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Bits,
    Cut,
    Duplicated,
    Reordered,
    Late,
    LostSome,
    Lost,
    Stuck,
    Foreign,
    NoNumbers,
    ClockBack,
    ClockForward,
    SignalBits,
    SignalForeign,
}

impl Fault {
    /// The alert of sleep has to come as if there were no fault.
    fn masked(self) -> bool {
        use Fault::*;
        matches!(
            self,
            Duplicated
                | Reordered
                | LostSome
                | ClockBack
                | ClockForward
                | Bits
                | SignalBits
                | SignalForeign
                | Foreign
        )
    }
}

fn sleeper(fault: Fault, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut drive = Drive::new(ground)?;
    let begin = drive.rig.now();
    let closes = begin + Duration::from_millis(2_000);
    // A fault that must not hide sleep begins before or after the eyes close; one that blinds has its own alert.
    let onset = match fault {
        // Before, during and after: what was raised has to stand, too.
        Fault::ClockBack | Fault::ClockForward => closes + dice.ms(0, 7_000) - dice.ms(0, 1_000),
        _ if fault.masked() => closes - dice.ms(0, 1_000),
        _ => closes + dice.ms(0, 6_000) - dice.ms(0, 1_000),
    };
    let jump = dice.ms(1_500, 90_000);
    let (late_by, mut late) = (dice.ms(1_100, 3_000), Vec::<(Time, DriverState)>::new());
    let (mut group, mut stuck) = (Vec::<DriverState>::new(), None::<DriverState>);
    let mut gap = 0;
    let until = closes + SCENE;
    while drive.rig.now() < until {
        let now = drive.rig.now();
        let on = now >= onset;
        if let Some(signals) = drive.signal()? {
            if on && fault == Fault::SignalBits {
                let resealed = drive.blindfold.then_some(&mut drive.speeds);
                drive.rig.put::<VehicleSignals>(SIGNALS, &flipped_under(&signals, resealed, dice))?;
            } else {
                drive.rig.send(SIGNALS, &signals)?;
            }
            if on && fault == Fault::SignalForeign {
                let zero = VehicleSignals { speed_kmh: 0.0, gear: 0, e2e: Vec::new(), ..signals };
                let zero = drive.foreign(zero, |drive| &mut drive.speeds, dice)?;
                drive.rig.send(SIGNALS, &zero)?;
            }
        }
        if drive.frame() {
            let eyes_closed = now >= closes;
            let state = drive.seen(now, eyes_closed)?;
            match fault {
                _ if !on => drive.rig.send(STATE, &state)?,
                Fault::SignalBits | Fault::SignalForeign => drive.rig.send(STATE, &state)?,
                Fault::Bits => {
                    // One in three; a message of which bits are turned is one that is lost, and more than are bridged begin the closure anew.
                    if gap + 1 >= BRIDGED || dice.below(3) > 0 {
                        gap = 0;
                        drive.rig.send(STATE, &state)?;
                    } else {
                        gap += 1;
                        let resealed = drive.blindfold.then_some(&mut drive.states);
                        drive.rig.put::<DriverState>(STATE, &flipped_under(&state, resealed, dice))?;
                    }
                }
                Fault::Cut => drive.rig.put::<DriverState>(STATE, &cut(&state, dice))?,
                Fault::Duplicated => {
                    for _ in 0..=1 + dice.below(3) {
                        drive.rig.send(STATE, &state)?;
                        drive.rig.pass(Duration::from_millis(1));
                    }
                }
                Fault::Reordered => {
                    group.push(state);
                    if group.len() == 4 {
                        dice.shuffle(&mut group);
                        for state in group.drain(..) {
                            drive.rig.send(STATE, &state)?;
                            drive.rig.pass(Duration::from_millis(1));
                        }
                    }
                }
                Fault::Late => late.push((now + late_by, state)),
                Fault::LostSome => {
                    // Up to 0.23 s in a row.
                    if gap > 0 {
                        gap -= 1;
                    } else {
                        drive.rig.send(STATE, &state)?;
                        gap = dice.below(BRIDGED);
                    }
                }
                Fault::Lost => {}
                Fault::Stuck => {
                    let stuck = stuck.get_or_insert(state);
                    drive.rig.send(STATE, stuck)?;
                }
                Fault::Foreign => {
                    drive.rig.send(STATE, &state)?;
                    drive.rig.pass(Duration::from_millis(1));
                    // Its camera has a time line of its own.
                    let other = seen(drive.rig.now() - jump, false);
                    let other = drive.foreign(other, |drive| &mut drive.states, dice)?;
                    drive.rig.send(STATE, &other)?;
                }
                Fault::NoNumbers => {
                    let nothing = DriverState {
                        confidence: f32::NAN,
                        gaze_yaw_deg: f32::NAN,
                        gaze_pitch_deg: f32::NAN,
                        eye_openness_left: f32::NAN,
                        eye_openness_right: f32::NAN,
                        perclos: f32::NAN,
                        ..seen(now, false)
                    };
                    let nothing = drive.says(nothing)?;
                    drive.rig.send(STATE, &nothing)?;
                }
                Fault::ClockBack | Fault::ClockForward => {
                    let stamp = if fault == Fault::ClockBack { now - jump } else { now + jump };
                    let state = drive.says(seen(stamp, eyes_closed))?;
                    drive.rig.send(STATE, &state)?;
                }
            }
        }
        let (there, rest): (Vec<_>, Vec<_>) = late.into_iter().partition(|(at, _)| *at <= now);
        late = rest;
        for (_, state) in there {
            drive.rig.put::<DriverState>(STATE, &cdr(&state))?;
        }
        drive.pass();
    }
    // A clock that jumps while the eyes are closed begins their time anew.
    let anew = matches!(fault, Fault::ClockBack | Fault::ClockForward) && onset > closes;
    let first = drive.raised(closes, DriverAlert::SLEEP);
    let sleep =
        first.map(|after| if anew && closes + after > onset { (closes + after).since(onset) } else { after });
    let blind = drive.raised(onset, DriverAlert::MONITORING_UNAVAILABLE);
    let noticed = if fault.masked() { sleep } else { blind };
    let told = if fault.masked() || fault == Fault::Late {
        sleep.is_none_or(|after| after > SLEEP_WITHIN + Duration::from_secs(1)) && blind.is_none()
    } else {
        sleep.is_none() && blind.is_none()
    };
    let harm = drive.cleared().or(told.then(|| "the driver slept and nobody was told in time".to_owned()));
    Ok(vec![Verdict::of(noticed, harm)])
}

macro_rules! sleeps {
    ($($name:ident: $fault:ident),+ $(,)?) => {
        $(#[doc = concat!("A driver falls asleep; what befalls the messages: ", stringify!($fault), ".")]
        /// # Errors
        /// What the bench itself cannot do.
        pub fn $name(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
            sleeper(Fault::$fault, ground, dice)
        })+
    };
}

sleeps! {
    bits: Bits,
    truncated: Cut,
    duplicated: Duplicated,
    reordered: Reordered,
    late: Late,
    lost_some: LostSome,
    lost: Lost,
    stuck: Stuck,
    foreign: Foreign,
    no_numbers: NoNumbers,
    clock_back: ClockBack,
    clock_forward: ClockForward,
    signal_bits: SignalBits,
    signal_foreign: SignalForeign,
}
