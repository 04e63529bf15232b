//! What a run shows: the newest of everything, taken from the topics like any other subscriber would. Pure; the terminal
//! view draws it and the report is made from it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use troika_kit::{Sample, Time};
use troika_msgs::{
    sensor_msgs::Image,
    troika::{
        CommandResult, DriverAlert, DriverState, Heartbeat, LinkState, SafetyState, Transcript,
        Understanding, VehicleCommand, VehicleSignals, VoiceReply,
    },
};

use super::{
    report::{Percentiles, SafetyFigures},
    score::Record,
};

/// How many lines of alerts and of utterances are kept for the view.
const LINES: usize = 32;

/// The one that the topics' threads write to.
pub(super) fn lock(dashboard: &Mutex<Dashboard>) -> MutexGuard<'_, Dashboard> {
    dashboard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One utterance and what became of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Utterance {
    /// Its id.
    pub id: String,
    /// The words.
    pub text: String,
    /// End of speech to transcript, milliseconds.
    pub recognition_ms: f64,
    /// What was understood, as `troika_voice::eval` writes it.
    pub meaning: Option<String>,
    /// The commands that were sent for it.
    pub commands: Vec<VehicleCommand>,
    /// End of speech to the (last) command, milliseconds.
    pub command_ms: Option<f64>,
    /// What became of the commands, newest last.
    pub results: Vec<CommandResult>,
    /// What was replied.
    pub reply: Option<VoiceReply>,
    end_of_speech: Time,
}

/// A small picture for the terminal: rows of grey levels.
#[derive(Debug, Clone, Default)]
pub(super) struct Preview {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Grey levels, row by row.
    pub grey: Vec<u8>,
}

/// Everything that the view shows.
#[derive(Debug, Default)]
pub(super) struct Dashboard {
    /// Truth, answers and alerts, for the score.
    pub record: Record,
    /// The newest driver state.
    pub driver: Option<DriverState>,
    /// Of each frame that was answered: from its stamp to when the answer was heard here, milliseconds.
    ages_ms: Vec<f32>,
    /// The newest signals.
    pub signals: Option<VehicleSignals>,
    /// The newest picture.
    pub preview: Preview,
    /// Frames seen by the view.
    pub frames: u64,
    /// The newest alerts, newest first.
    pub alerts: VecDeque<DriverAlert>,
    /// Every utterance, oldest first.
    pub utterances: Vec<Utterance>,
    /// The newest heartbeat of each node.
    pub nodes: BTreeMap<String, Heartbeat>,
    /// What is known of the link to the cloud.
    pub link: Option<LinkState>,
    /// How long the whole was in which state, as the supervisor says it.
    pub safety: Option<SafetyFigures>,
    /// When it said so last, and what.
    safety_said: Option<(Time, u8)>,
}

/// The preview's size in grey cells; two rows fit one line of text.
const PREVIEW: (usize, usize) = (64, 48);

impl Dashboard {
    /// A camera frame.
    pub(super) fn image(&mut self, image: &Image) {
        self.frames += 1;
        // The view is drawn at a third of the camera's rate; the rest is not worth the time.
        if self.frames.is_multiple_of(3)
            && let Some(preview) = shrink(image)
        {
            self.preview = preview;
        }
    }

    /// A driver state.
    pub(super) fn driver(&mut self, state: Sample<DriverState>) {
        let Sample { value: state, received } = state;
        self.record.answer(&state);
        // Who looked at no frame tells of none.
        if !state.fall_back {
            let taken = Time::from_stamp(state.header.stamp.sec, state.header.stamp.nanosec);
            self.ages_ms.push((received.since(taken).as_secs_f64() * 1e3) as f32);
        }
        self.driver = Some(state);
    }

    /// How old frames were when their state was heard here, milliseconds; none: none was.
    pub(super) fn ages(&self) -> Option<Percentiles> {
        let mut sorted = self.ages_ms.clone();
        sorted.sort_unstable_by(f32::total_cmp);
        let at = |share: f64| {
            let place = (share * sorted.len() as f64).ceil() as usize;
            sorted.get(place.saturating_sub(1)).map(|ms| f64::from(*ms))
        };
        Some(Percentiles { p50: at(0.5)?, p99: at(0.99)?, p999: at(0.999)?, max: at(1.0)? })
    }

    /// What the supervisor says of the whole, ten times a second: each holds until the next.
    pub(super) fn safety(&mut self, state: &SafetyState) {
        /// Behind this it counts as silent (SR-SUP-006).
        const SILENT_S: f64 = 0.5;
        let figures = self.safety.get_or_insert_default();
        let at = Time::from_stamp(state.header.stamp.sec, state.header.stamp.nanosec);
        let before = self.safety_said.replace((at, state.state));
        let Some((since, then)) = before else { return };
        let seconds = at.since(since).as_secs_f64();
        figures.silent_s += (seconds - SILENT_S).max(0.0);
        let held = seconds.min(SILENT_S);
        match then {
            SafetyState::NOMINAL => figures.nominal_s += held,
            SafetyState::DEGRADED => figures.degraded_s += held,
            _ => figures.safe_s += held,
        }
    }

    /// An alert.
    pub(super) fn alert(&mut self, alert: DriverAlert) {
        self.record.alert(alert.clone());
        self.alerts.push_front(alert);
        self.alerts.truncate(LINES);
    }

    /// The words of an utterance; partial ones are not shown.
    pub(super) fn transcript(&mut self, transcript: &Transcript) {
        if !transcript.r#final {
            return;
        }
        let latency = &transcript.latency;
        let stamp = &transcript.header.stamp;
        self.utterance(&transcript.utterance_id, |utterance| {
            utterance.text.clone_from(&transcript.text);
            utterance.recognition_ms = f64::from(latency.sec) * 1e3 + f64::from(latency.nanosec) / 1e6;
            utterance.end_of_speech = Time::from_stamp(stamp.sec, stamp.nanosec);
        });
    }

    /// What an utterance means; the last word on it holds.
    pub(super) fn understanding(&mut self, understanding: Understanding) {
        self.utterance(&understanding.utterance_id, |utterance| {
            utterance.meaning = Some(understanding.meaning)
        });
    }

    /// A reply.
    pub(super) fn reply(&mut self, reply: VoiceReply) {
        let id = reply.utterance_id.clone();
        let known = self.utterances.iter().any(|utterance| utterance.id == id && !utterance.text.is_empty());
        if reply.kind == VoiceReply::DIALOGUE && !known {
            // What was asked in another way than by voice was never said.
            return;
        }
        self.utterance(&id, |utterance| match &mut utterance.reply {
            // An answer comes in sentences.
            Some(before) if before.kind == VoiceReply::DIALOGUE && reply.kind == VoiceReply::DIALOGUE => {
                if !before.text.is_empty() && !reply.text.is_empty() {
                    before.text.push(' ');
                }
                before.text.push_str(&reply.text);
            }
            other => *other = Some(reply),
        });
    }

    /// A command; `id` of a voice command starts with the utterance's id and a slash.
    pub(super) fn command(&mut self, command: VehicleCommand) {
        let utterance_id = utterance_of(&command.id).to_owned();
        let sent = Time::from_stamp(command.header.stamp.sec, command.header.stamp.nanosec);
        self.utterance(&utterance_id, |utterance| {
            if utterance.end_of_speech > Time::ZERO {
                utterance.command_ms = Some(sent.since(utterance.end_of_speech).as_secs_f64() * 1e3);
            }
            utterance.commands.push(command);
        });
    }

    /// What became of a command.
    pub(super) fn result(&mut self, result: CommandResult) {
        let utterance_id = utterance_of(&result.command_id).to_owned();
        self.utterance(&utterance_id, |utterance| utterance.results.push(result));
    }

    fn utterance(&mut self, id: &str, change: impl FnOnce(&mut Utterance)) {
        if let Some(utterance) = self.utterances.iter_mut().rev().find(|utterance| utterance.id == id) {
            change(utterance);
            return;
        }
        let mut utterance = Utterance { id: id.to_owned(), ..Utterance::default() };
        change(&mut utterance);
        self.utterances.push(utterance);
    }
}

/// The utterance that a command id belongs to.
fn utterance_of(command_id: &str) -> &str {
    command_id.rsplit_once('/').map_or(command_id, |(utterance, _)| utterance)
}

/// Nearest-neighbour picture for the terminal. `None` for an encoding without a plain first channel or a malformed image.
fn shrink(image: &Image) -> Option<Preview> {
    let bytes_per_pixel = match image.encoding.as_str() {
        "mono8" | "nv12" => 1,
        "rgb8" | "bgr8" => 3,
        "yuv422_yuy2" => 2,
        _ => return None,
    };
    // Of a coloured pixel the green channel stands for its brightness.
    let offset = if bytes_per_pixel == 3 { 1 } else { 0 };
    let (width, height) = PREVIEW;
    let (image_width, image_height) = (image.width as usize, image.height as usize);
    let mut grey = Vec::with_capacity(width * height);
    for row in 0..height {
        let y = row * image_height / height;
        for column in 0..width {
            let x = column * image_width / width;
            grey.push(*image.data.get(y * image.step as usize + x * bytes_per_pixel + offset)?);
        }
    }
    Some(Preview { width, height, grey })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_supervisor_says_holds_until_the_next_and_its_silence_is_counted_apart() {
        let mut dashboard = Dashboard::default();
        assert_eq!(dashboard.safety, None);
        let mut say = |tenths: u64, state| {
            let mut said = SafetyState { state, ..SafetyState::default() };
            let at = Time::from_nanos(5_000_000_000 + tenths * 100_000_000);
            (said.header.stamp.sec, said.header.stamp.nanosec) = at.to_stamp();
            dashboard.safety(&said);
        };
        (0..10).for_each(|tenths| say(tenths, SafetyState::NOMINAL));
        (10..15).for_each(|tenths| say(tenths, SafetyState::DEGRADED));
        // Two seconds of nothing.
        (34..37).for_each(|tenths| say(tenths, SafetyState::SAFE));
        let figures = dashboard.safety.expect("it said something");
        let told = [figures.nominal_s, figures.degraded_s, figures.safe_s, figures.silent_s];
        assert!(told.iter().zip([1.0, 0.9, 0.2, 1.5]).all(|(a, b)| (a - b).abs() < 1e-6), "{figures:?}");
    }

    #[test]
    fn a_command_finds_its_utterance_by_the_id() {
        let mut dashboard = Dashboard::default();
        dashboard.transcript(&Transcript {
            utterance_id: "u7".to_owned(),
            text: "open the trunk".to_owned(),
            r#final: true,
            ..Transcript::default()
        });
        dashboard.command(VehicleCommand { id: "u7/0".to_owned(), ..VehicleCommand::default() });
        dashboard.result(CommandResult { command_id: "u7/0".to_owned(), ..CommandResult::default() });
        assert_eq!(dashboard.utterances.len(), 1);
        assert_eq!((dashboard.utterances[0].commands.len(), dashboard.utterances[0].results.len()), (1, 1));
    }

    #[test]
    fn an_answer_is_one_line_and_what_nobody_said_is_none() {
        let mut dashboard = Dashboard::default();
        let part = |id: &str, text: &str| VoiceReply {
            utterance_id: id.to_owned(),
            kind: VoiceReply::DIALOGUE,
            text: text.to_owned(),
            ..VoiceReply::default()
        };
        dashboard.reply(part("ask_1", "Nobody said this."));
        assert!(dashboard.utterances.is_empty());
        dashboard.utterance("u1", |one| one.text = "where is a cafe".to_owned());
        ["", "It is near.", "Turn left."].into_iter().for_each(|text| dashboard.reply(part("u1", text)));
        let reply = dashboard.utterances[0].reply.as_ref().unwrap();
        assert_eq!(reply.text, "It is near. Turn left.");
    }

    #[test]
    fn a_malformed_image_gives_no_preview() {
        let image = Image {
            width: 640,
            height: 480,
            step: 640,
            encoding: "mono8".to_owned(),
            data: vec![0; 10],
            ..Image::default()
        };
        assert!(shrink(&image).is_none());
    }
}
