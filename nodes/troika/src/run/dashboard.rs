//! What a run shows: the newest of everything, taken from the topics like any other subscriber would. Pure; the terminal
//! view draws it and the report is made from it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
};

use troika_host::sync::{Histogram, HistogramWriter, histogram};
use troika_kit::{Sample, Time};
use troika_msgs::{
    sensor_msgs::Image,
    troika::{
        CommandResult, DriverAlert, DriverState, Heartbeat, LinkState, SafetyState, Transcript,
        Understanding, VehicleCommand, VehicleSignals, VoiceReply,
    },
};

use super::{
    process::percentiles,
    report::{Percentiles, SafetyFigures},
    score::Record,
};

/// How many lines of alerts and of utterances are kept for the view.
const LINES: usize = 32;
/// How many utterances are kept: a system runs for weeks, and what is longer ago is counted alone.
pub(super) const UTTERANCES: usize = 4096;
/// How many commands and results are kept of one. Those of all gestures count as of one.
const OF_ONE: usize = 64;

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
    /// Of the frames that were answered: from the stamp to when the answer was heard here.
    ages: Option<(HistogramWriter, Histogram)>,
    /// The newest signals.
    pub signals: Option<VehicleSignals>,
    /// The newest picture.
    pub preview: Preview,
    /// Frames seen by the view.
    pub frames: u64,
    /// The newest alerts, newest first.
    pub alerts: VecDeque<DriverAlert>,
    /// The newest utterances, oldest first.
    pub utterances: VecDeque<Utterance>,
    /// Those before them, which are kept no more.
    pub forgotten: u64,
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
            self.ages.get_or_insert_with(histogram).0.record(received.since(taken));
        }
        self.driver = Some(state);
    }

    /// How old frames were when their state was heard here, milliseconds, to within 3 %; none: none was.
    pub(super) fn ages(&self) -> Option<Percentiles> {
        self.ages.as_ref().map(|(_, ages)| percentiles(&ages.snapshot(), 1e3))
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
            push_bounded(&mut utterance.commands, command);
        });
    }

    /// What became of a command.
    pub(super) fn result(&mut self, result: CommandResult) {
        let utterance_id = utterance_of(&result.command_id).to_owned();
        self.utterance(&utterance_id, |utterance| push_bounded(&mut utterance.results, result));
    }

    fn utterance(&mut self, id: &str, change: impl FnOnce(&mut Utterance)) {
        if let Some(utterance) = self.utterances.iter_mut().rev().find(|utterance| utterance.id == id) {
            change(utterance);
            return;
        }
        let mut utterance = Utterance { id: id.to_owned(), ..Utterance::default() };
        change(&mut utterance);
        self.utterances.push_back(utterance);
        if self.utterances.len() > UTTERANCES {
            self.utterances.pop_front();
            self.forgotten += 1;
        }
    }
}

/// The oldest goes where there are too many.
fn push_bounded<T>(all: &mut Vec<T>, one: T) {
    if all.len() >= OF_ONE {
        all.remove(0);
    }
    all.push(one);
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
    fn the_ages_of_frames_are_told_to_within_three_hundredths() {
        let mut dashboard = Dashboard::default();
        assert_eq!(dashboard.ages(), None);
        for ms in 1..=1000_u64 {
            let taken = Time::from_nanos(5_000_000_000 + ms * 33_000_000);
            let mut state = DriverState::default();
            (state.header.stamp.sec, state.header.stamp.nanosec) = taken.to_stamp();
            let received = taken + std::time::Duration::from_millis(ms);
            dashboard.driver(Sample { value: state, received });
        }
        let ages = dashboard.ages().expect("there were some");
        for (told, is) in [(ages.p50, 500.0), (ages.p99, 990.0), (ages.p999, 999.0), (ages.max, 1000.0)] {
            assert!((told / is - 1.0).abs() < 0.035, "{ages:?}");
        }
    }

    #[test]
    fn what_is_said_for_weeks_takes_no_more_memory_than_what_is_said_for_hours() {
        let mut dashboard = Dashboard::default();
        for n in 0..UTTERANCES + 10 {
            dashboard.utterance(&format!("u{n}"), |one| one.text = "where is a cafe".to_owned());
        }
        assert_eq!((dashboard.utterances.len(), dashboard.forgotten), (UTTERANCES, 10));
        assert_eq!(dashboard.utterances[0].id, "u10");
        for n in 0..1000 {
            let id = format!("gesture/{n}");
            dashboard.command(VehicleCommand { id: id.clone(), ..VehicleCommand::default() });
            dashboard.result(CommandResult { command_id: id, ..CommandResult::default() });
        }
        let all = dashboard.utterances.back().expect("the gestures'");
        assert_eq!((all.id.as_str(), all.commands.len(), all.results.len()), ("gesture", OF_ONE, OF_ONE));
        assert_eq!(all.commands.last().map(|one| one.id.as_str()), Some("gesture/999"));
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
