//! Words and sound on their way to the real command node, with the real vehicle behind it; and the real watch over a microphone.

use troika_host::{NodeOptions, simulate::Collected};
use troika_kit::{Duration, Time};
use troika_msgs::{
    protect::{Seal, sender},
    std_msgs::Header,
    troika::{Transcript, VehicleCommand, VehicleSignals, VoiceReply},
};
use troika_vehicle::{SignalsFrom, SimulatedBody, VehicleNode, simulated::Drive};
use troika_voice::{audio::Watch, command::CommandNode};

use crate::{
    class::{Dice, Ground, Off, Verdict},
    rig::{Rig, SLICE, due},
};

/// SR-VOI-004: 1 s, and two steps.
pub const TOLD_WITHIN: Duration = Duration::from_millis(1_050);
/// A step of the node, and a slice of the bench's.
pub const ANSWERED_WITHIN: Duration = Duration::from_millis(60);

/// A driver who speaks.
struct Cabin {
    rig: Rig,
    commands: Collected<VehicleCommand>,
    replies: Collected<VoiceReply>,
    speed: Option<f32>,
    speeds: Seal<VehicleSignals>,
    number: u32,
    off: Option<Off>,
}

impl Cabin {
    /// `deaf`: no command reaches the vehicle.
    fn new(ground: &Ground<'_>, deaf: bool) -> anyhow::Result<Cabin> {
        let mut rig = Rig::new()?;
        rig.spawn(CommandNode::default(), NodeOptions::new("voice"))?;
        let body = SimulatedBody::new(Drive::default());
        let options = NodeOptions::new("vehicle");
        let options = if deaf { options.remap("command", "/lost") } else { options };
        rig.spawn(VehicleNode::with_body(body, SignalsFrom::External), options)?;
        let commands = rig.simulation.collect("/voice/command")?;
        let replies = rig.simulation.collect("/voice/reply")?;
        let mut cabin = Cabin {
            rig,
            commands,
            replies,
            speed: Some(0.0),
            speeds: Seal::new(sender::SIGNALS),
            number: 0,
            off: ground.off,
        };
        cabin.pass(Duration::from_millis(100))?;
        Ok(cabin)
    }

    fn pass(&mut self, time: Duration) -> anyhow::Result<()> {
        let until = self.rig.now() + time;
        while self.rig.now() < until {
            if let Some(kmh) = self.speed.filter(|_| due(self.rig.since_start(), Duration::from_millis(20))) {
                let speed_kmh = if self.off == Some(Off::Gates) { 0.0 } else { kmh };
                let header = Header::at(self.rig.now());
                let mut signals =
                    VehicleSignals { header, speed_kmh, ignition_on: true, ..VehicleSignals::default() };
                self.speeds.seal(&mut signals)?;
                self.rig.send("/vehicle/signals", &signals)?;
            }
            self.rig.pass(SLICE);
        }
        Ok(())
    }

    fn says(&mut self, text: &str, confidence: f32) -> anyhow::Result<()> {
        self.number += 1;
        let confidence = if self.off == Some(Off::Confidence) { 0.95 } else { confidence };
        let heard = Transcript {
            header: Header::at(self.rig.now()),
            utterance_id: format!("u{}", self.number),
            text: text.to_owned(),
            r#final: true,
            confidence,
            audio_duration: Duration::from_millis(1_200).into(),
            model: "faults".into(),
            ..Transcript::default()
        };
        self.rig.send("/voice/transcript", &heard)
    }

    /// The first reply of that kind since then; with nobody to tell, none.
    fn told(&self, kinds: &[u8], from: Time) -> Option<Duration> {
        let mut replies = self.replies.take().into_iter();
        let found = replies.find(|reply| kinds.contains(&reply.value.kind))?;
        (self.off != Some(Off::NoResult)).then(|| found.received.since(from))
    }
}

/// The command is lost on its way, or the body's answer.
///
/// # Errors
/// What the bench itself cannot do.
pub fn command_lost(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut cabin = Cabin::new(ground, true)?;
    let mut verdicts = Vec::new();
    for _ in 0..6 {
        let words = *dice.one_of(&["open the window", "turn the volume up", "turn on the cabin light"]);
        cabin.commands.take();
        cabin.replies.take();
        cabin.says(words, 0.95)?;
        let mut sent = None;
        let mut told = None;
        for _ in 0..160 {
            cabin.pass(SLICE)?;
            sent = sent.or(cabin.commands.take().first().map(|command| command.received));
            if let Some(sent) = sent
                && told.is_none()
            {
                told = cabin.told(&[VoiceReply::REFUSED], sent);
            }
        }
        anyhow::ensure!(sent.is_some(), "no command of {words:?}");
        let harm = told.is_none().then(|| "an act that did not happen passes for one that did".to_owned());
        verdicts.push(Verdict::of(told, harm));
        cabin.pass(Duration::from_secs(10))?;
    }
    Ok(verdicts)
}

/// A recogniser in a circle: thirty commands within a few seconds.
///
/// # Errors
/// What the bench itself cannot do.
pub fn flood(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut cabin = Cabin::new(ground, false)?;
    let (mut times, mut told): (Vec<Time>, Option<Duration>) = (Vec::new(), None);
    let apart = dice.ms(40, 250);
    for _ in 0..30 {
        if ground.without(Off::Rate) && times.len() >= 12 {
            // What a node without the count would do.
            cabin.rig.send("/voice/command", &VehicleCommand::default())?;
        }
        cabin.says("open the window", 0.95)?;
        cabin.pass(apart)?;
        let sent = cabin.commands.take();
        times.extend(sent.iter().map(|command| command.received));
        if times.len() >= 12 && told.is_none() {
            let thirteenth = times[11];
            told = cabin.told(&[VoiceReply::REFUSED], thirteenth);
        } else {
            cabin.replies.take();
        }
    }
    let within = |from: Time, at: Time| at >= from && at.since(from) <= Duration::from_secs(10);
    let count = |from: &Time| times.iter().filter(|at| within(*from, **at)).count();
    let most = times.iter().map(count).max().unwrap_or_default();
    let harm = (most > 12).then(|| format!("{most} commands within 10 s"));
    Ok(vec![Verdict::of(told, harm)])
}

/// Words that the recogniser is not sure of, or says no number of.
///
/// # Errors
/// What the bench itself cannot do.
pub fn unsure(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut cabin = Cabin::new(ground, false)?;
    let mut verdicts = Vec::new();
    for _ in 0..10 {
        let doubt = if dice.coin() { f32::NAN } else { dice.between(0.0, 0.69) };
        let words = *dice.one_of(&["open the window", "open the trunk", "turn on the cabin light"]);
        cabin.commands.take();
        cabin.replies.take();
        let from = cabin.rig.now();
        cabin.says(words, doubt)?;
        cabin.pass(ANSWERED_WITHIN)?;
        let told = cabin.told(&[VoiceReply::REJECTED], from);
        let harm = (!cabin.commands.take().is_empty()).then(|| format!("{words:?} was acted upon"));
        verdicts.push(Verdict::of(told, harm));
        cabin.pass(Duration::from_millis(300))?;
    }
    Ok(verdicts)
}

/// What is behind a gate is said while the vehicle moves, or while nobody knows whether it does.
///
/// # Errors
/// What the bench itself cannot do.
pub fn gated(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut cabin = Cabin::new(ground, false)?;
    let mut verdicts = Vec::new();
    for _ in 0..10 {
        let unknown = !ground.without(Off::Gates) && dice.coin();
        cabin.speed = if unknown { None } else { Some(dice.between(0.5, 150.0)) };
        cabin.pass(Duration::from_millis(600))?;
        let words = *dice.one_of(&["open the trunk", "unlock the doors", "set the cruise control to 120"]);
        cabin.commands.take();
        cabin.replies.take();
        let from = cabin.rig.now();
        cabin.says(words, 0.95)?;
        cabin.pass(ANSWERED_WITHIN)?;
        let told = cabin.told(&[VoiceReply::REFUSED], from);
        let harm = (!cabin.commands.take().is_empty()).then(|| format!("{words:?} was sent"));
        verdicts.push(Verdict::of(told, harm));
    }
    Ok(verdicts)
}

/// What a microphone gives.
#[derive(Clone, Copy, PartialEq)]
enum Sound {
    Nothing,
    Zeros,
    Roar,
    Stuck,
}

const CHUNK: Duration = Duration::from_millis(20);

fn microphone(sound: Sound, ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
    let mut now = Time::from_stamp(1_735_689_600, 0);
    let mut watch = Watch::new(now);
    let room = |dice: &mut Dice| (0..320).map(|_| dice.between(-0.05, 0.05)).collect::<Vec<f32>>();
    for _ in 0..dice.below(200) {
        now = now + CHUNK;
        let chunk = room(dice);
        watch.heard(now, &chunk);
        anyhow::ensure!(watch.trouble(now).is_none(), "a room is no trouble");
    }
    let last = now;
    let stuck = room(dice);
    let share = dice.between(0.05, 0.9);
    let mut noticed = None;
    while now < last + Duration::from_secs(10) {
        now = now + CHUNK;
        let chunk = match sound {
            _ if ground.without(Off::Microphone) => Some(room(dice)),
            Sound::Nothing => None,
            Sound::Zeros => Some(vec![0.0; 320]),
            Sound::Roar => Some(
                (0..320)
                    .map(|_| {
                        let full = if dice.coin() { 1.0 } else { -1.0 };
                        if dice.between(0.0, 1.0) < share { full } else { dice.between(-0.9, 0.9) }
                    })
                    .collect(),
            ),
            Sound::Stuck => Some(stuck.clone()),
        };
        if let Some(chunk) = chunk {
            watch.heard(now, &chunk);
        }
        if watch.trouble(now).is_some() {
            noticed = noticed.or(Some(now.since(last)));
        }
    }
    Ok(vec![Verdict::of(noticed, None)])
}

macro_rules! microphones {
    ($($name:ident: $sound:ident),+ $(,)?) => {
        $(#[doc = concat!("A microphone gives: ", stringify!($sound), ".")]
        /// # Errors
        /// A good room that is told as trouble.
        pub fn $name(ground: &Ground<'_>, dice: &mut Dice) -> anyhow::Result<Vec<Verdict>> {
            microphone(Sound::$sound, ground, dice)
        })+
    };
}

microphones! {
    microphone_dead: Nothing,
    microphone_mute: Zeros,
    microphone_roars: Roar,
    microphone_stuck: Stuck,
}
