//! Talk that is not for the vehicle: passengers, a radio. Who is talking to somebody else goes on to talk to somebody else, and the
//! radio's detective who says "lock the doors" says it amid other sentences.

use troika_kit::Duration;
use troika_msgs::troika::Transcript;

/// Whoever talks on pauses for less than this between two sentences: readers of the news for 0.3 to 0.8 s, people who take turns for
/// less. Who turns to the vehicle pauses for longer, or says its name, or is asked back for once too often.
const BREATH: f64 = 1.2;

/// What was heard last.
#[derive(Debug, Default)]
pub(super) struct Overheard {
    /// When its last word ended, in seconds of the transcripts' own stamps; only if it was not for the vehicle.
    not_ours: Option<f64>,
}

impl Overheard {
    /// Whether this utterance follows within a breath of one that was not for the vehicle. What has
    /// no stamp, or one before the last (a recording that begins anew), follows on nothing.
    pub(super) fn goes_on(&self, heard: &Transcript) -> bool {
        troika_safety::fulfils![SR_VOI_014];
        let pause = self.not_ours.map(|ended| begin(heard) - ended);
        pause.is_some_and(|pause| pause > 0.0 && pause < BREATH)
    }

    /// This was heard, and was for the vehicle or not.
    pub(super) fn heard(&mut self, heard: &Transcript, ours: bool) {
        self.not_ours = (!ours).then(|| end(heard));
    }
}

fn end(heard: &Transcript) -> f64 {
    let stamp = &heard.header.stamp;
    f64::from(stamp.sec) + f64::from(stamp.nanosec) * 1e-9
}

/// Of its first word where that is known, else of its audio, which holds a moment before it.
fn begin(heard: &Transcript) -> f64 {
    let audio = Duration::from(heard.audio_duration.clone()).as_secs_f64();
    let first = heard.word_start_s.iter().copied().find(|start| start.is_finite()).unwrap_or(0.0);
    end(heard) - audio + f64::from(first)
}
