//! When somebody begins to speak and when that ends: earlier than an utterance is known to have begun, because what is being said
//! by the assistant is to stop then. What turns out to be a click, too short for an utterance, ends at once.

use super::{EndpointSettings, FRAME, Utterance};

/// Frames of speech in a row: 64 ms. With one, a door is a speaker.
const ONSET_FRAMES: u32 = 2;

/// What changed with a frame. Places are samples since the stream's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Somebody speaks.
    Began {
        /// The first sample of the first frame of it.
        at: u64,
    },
    /// And no more.
    Ended {
        /// The last sample of speech.
        at: u64,
    },
}

/// The state machine: beside an [`super::Endpointer`], of which it is told.
#[derive(Debug, Clone)]
pub struct Activity {
    begin: f32,
    position: u64,
    run: u32,
    speaking: bool,
}

impl Activity {
    /// At the start of a stream, with the endpointer's settings.
    pub fn new(settings: &EndpointSettings) -> Activity {
        Activity { begin: settings.begin, position: 0, run: 0, speaking: false }
    }

    /// One frame more: its probability of speech, whether the endpointer is within an utterance after it, and the utterance that
    /// it ended with this frame.
    pub fn push(&mut self, probability: f32, within: bool, ended: Option<&Utterance>) -> Option<Change> {
        self.position += FRAME as u64;
        self.run = if probability >= self.begin { self.run + 1 } else { 0 };
        if !self.speaking {
            if self.run < ONSET_FRAMES && !within {
                return None;
            }
            self.speaking = true;
            let first = u64::from(self.run) * FRAME as u64;
            return Some(Change::Began { at: self.position.saturating_sub(first) });
        }
        let at = match ended {
            Some(utterance) => utterance.end_of_speech,
            None if !within && self.run == 0 => self.position,
            None => return None,
        };
        (self.speaking, self.run) = (false, 0);
        Some(Change::Ended { at })
    }

    /// The stream ends here.
    pub fn finish(&mut self) -> Option<Change> {
        self.run = 0;
        std::mem::take(&mut self.speaking).then_some(Change::Ended { at: self.position })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vad::Endpointer;

    /// The changes in a stream of frames of these probabilities, with the number of frames after which they were noticed.
    fn changes(probabilities: impl IntoIterator<Item = f32>) -> Vec<(usize, Change)> {
        let settings = EndpointSettings::default();
        let (mut endpointer, mut activity) = (Endpointer::new(settings), Activity::new(&settings));
        let mut all = Vec::new();
        for (n, probability) in probabilities.into_iter().enumerate() {
            let ended = endpointer.push(&[0.0; FRAME], probability);
            let change = activity.push(probability, endpointer.speaking(), ended.as_ref());
            all.extend(change.map(|change| (n + 1, change)));
        }
        all
    }

    fn frames(count: u64) -> u64 {
        count * FRAME as u64
    }

    #[test]
    fn speech_is_noticed_after_two_frames_and_ends_with_its_utterance() {
        let told = changes([vec![0.0; 10], vec![0.9; 20], vec![0.0; 30]].concat());
        let expected = [
            (12, Change::Began { at: frames(10) }),
            // The endpointer waits 13 frames for more; the place is where speech ended.
            (43, Change::Ended { at: frames(30) }),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_click_is_over_at_once_and_a_breath_is_no_end() {
        assert_eq!(changes([vec![0.0; 5], vec![0.9; 1], vec![0.0; 30]].concat()), []);
        let click = changes([vec![0.0; 5], vec![0.9; 2], vec![0.0; 30]].concat());
        assert_eq!(click, [(7, Change::Began { at: frames(5) }), (8, Change::Ended { at: frames(8) })]);
        let breath = changes([vec![0.9; 10], vec![0.0; 8], vec![0.9; 10], vec![0.0; 30]].concat());
        assert_eq!(breath.len(), 2, "{breath:?}");
    }

    #[test]
    fn an_endless_speaker_begins_again_where_the_endpointer_cuts() {
        let told = changes(vec![0.9; 800]);
        let began = told.iter().filter(|(_, change)| matches!(change, Change::Began { .. })).count();
        assert_eq!((began, told.len()), (3, 5), "{told:?}");
    }

    #[test]
    fn a_stream_that_ends_in_a_word_ends_it() {
        let mut activity = Activity::new(&EndpointSettings::default());
        assert_eq!(activity.push(0.9, false, None), None);
        assert!(activity.push(0.9, false, None).is_some());
        assert_eq!(activity.finish(), Some(Change::Ended { at: frames(2) }));
        assert_eq!(activity.finish(), None);
    }
}
