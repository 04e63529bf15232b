//! What is said: utterances and what the assistant says to them, the dialogue's turns word by word, and who was chosen to answer, and why.
//! The newest first.

use std::collections::VecDeque;

use serde_json::{Value, json};
use troika_kit::Time;
use troika_msgs::troika::{DialogueReply, DialogueRequest, RoutingDecision, Transcript, VoiceReply};

use super::{SHORT, clip, milliseconds, number};
use crate::words;

const MOST_UTTERANCES: usize = 10;
const MOST_TURNS: usize = 8;
const MOST_DECISIONS: usize = 12;
/// Models that a decision weighed.
const MOST_WEIGHED: usize = 8;
/// Characters of an answer, and changes of the speaker in it.
const LONG: usize = 4000;
const MOST_PIECES: usize = 16;
/// Stands where words did not arrive.
const LOST: &str = " … ";

/// What is said.
#[derive(Debug, Default)]
pub(super) struct Talk {
    utterances: VecDeque<Utterance>,
    turns: VecDeque<Turn>,
    decisions: VecDeque<Value>,
}

#[derive(Debug, Default)]
struct Utterance {
    id: String,
    at: Time,
    text: String,
    done: bool,
    reply: Option<(u8, String)>,
}

#[derive(Debug, Default)]
struct Turn {
    id: String,
    at: Time,
    question: String,
    /// Who spoke, and what.
    pieces: Vec<(u8, String)>,
    characters: usize,
    /// The sequence of the next words.
    next: u32,
    end: Option<Value>,
}

/// The one of an id: the one that is there, or a new one in front.
fn of<T>(all: &mut VecDeque<T>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T, most: usize) -> &mut T {
    let at = match all.iter().position(is) {
        Some(at) => at,
        None => {
            all.push_front(new());
            all.truncate(most);
            0
        }
    };
    &mut all[at]
}

impl Talk {
    fn utterance(&mut self, id: &str, now: Time) -> &mut Utterance {
        let id = clip(id, SHORT);
        let new = || Utterance { id: id.clone(), at: now, ..Utterance::default() };
        of(&mut self.utterances, |one| one.id == id, new, MOST_UTTERANCES)
    }

    pub(super) fn heard(&mut self, transcript: &Transcript, now: Time) {
        let utterance = self.utterance(&transcript.utterance_id, now);
        utterance.text = clip(&transcript.text, 2 * SHORT);
        utterance.done = transcript.r#final;
    }

    pub(super) fn replied(&mut self, reply: &VoiceReply, now: Time) {
        let known = self.utterances.iter().any(|one| one.id == reply.utterance_id);
        // What was asked in another way than by voice was never said; its answer is among the turns.
        if known || reply.kind != VoiceReply::DIALOGUE {
            self.utterance(&reply.utterance_id, now).reply = Some((reply.kind, clip(&reply.text, 2 * SHORT)));
        }
    }

    fn turn(&mut self, id: &str, now: Time) -> &mut Turn {
        let id = clip(id, SHORT);
        let new = || Turn { id: id.clone(), at: now, ..Turn::default() };
        of(&mut self.turns, |one| one.id == id, new, MOST_TURNS)
    }

    pub(super) fn asked(&mut self, request: &DialogueRequest, now: Time) {
        self.turn(&request.request_id, now).question = clip(&request.text, 2 * SHORT);
    }

    pub(super) fn answered(&mut self, reply: &DialogueReply, now: Time) {
        let turn = self.turn(&reply.request_id, now);
        if reply.sequence < turn.next {
            return;
        }
        // The first that is heard of an answer may be in its middle: this may have come late.
        let lost = reply.sequence > turn.next && !turn.pieces.is_empty();
        turn.next = reply.sequence.saturating_add(1);
        turn.says(reply.tier, &reply.text, lost);
        if reply.done {
            turn.end = Some(json!({
                "outcome": words::outcome(reply.outcome), "reason": words::reasons(&clip(&reply.reason, SHORT)),
                "model": clip(&reply.model, SHORT), "bytes_sent": reply.bytes_sent,
                "bytes_received": reply.bytes_received, "cost_microeuro": reply.cost_microeuro,
            }));
        }
    }

    pub(super) fn decided(&mut self, decision: &RoutingDecision, now: Time) {
        let weighed: Vec<Value> = (0..decision.models.len().min(MOST_WEIGHED))
            .map(|at| {
                let of = |all: &[f32]| all.get(at).map_or(Value::Null, |one| number(*one, 2));
                json!({
                    "model": clip(&decision.models[at], SHORT),
                    "tier": decision.tiers.get(at).map(|tier| words::tier(*tier)),
                    "chance": of(&decision.chances), "first_words_s": of(&decision.first_words_s),
                    "why_not": decision.reasons.get(at).map(|why| words::reasons(&clip(why, SHORT))),
                })
            })
            .collect();
        let value = json!({
            "at_ms": milliseconds(now), "id": clip(&decision.request_id, SHORT), "tier": words::tier(decision.tier),
            "model": clip(&decision.model, SHORT), "reason": words::reasons(&clip(&decision.reason, SHORT)),
            "task": words::task(decision.task), "privacy": words::privacy(decision.privacy),
            "link": words::link(decision.link_state), "weighed": weighed,
        });
        self.decisions.push_front(value);
        self.decisions.truncate(MOST_DECISIONS);
    }

    pub(super) fn state(&self, state: &mut Value) {
        let heard = self.utterances.iter().map(|one| {
            let reply = one.reply.as_ref();
            json!({"at_ms": milliseconds(one.at), "text": one.text, "done": one.done,
                   "reply": reply.map(|(kind, text)| json!({"kind": words::reply(*kind), "text": text}))})
        });
        let turns = self.turns.iter().map(|turn| {
            let pieces =
                turn.pieces.iter().map(|(who, text)| json!({"who": words::tier(*who), "text": text}));
            json!({"at_ms": milliseconds(turn.at), "id": turn.id, "question": turn.question,
                   "pieces": pieces.collect::<Vec<_>>(), "end": turn.end})
        });
        state["heard"] = heard.collect();
        state["dialogue"] = turns.collect();
        state["decisions"] = json!(self.decisions);
    }
}

impl Turn {
    fn says(&mut self, who: u8, text: &str, lost: bool) {
        if text.is_empty() || self.characters >= LONG {
            return;
        }
        let text = clip(text, LONG - self.characters);
        self.characters += text.chars().count();
        let room = self.pieces.len() < MOST_PIECES;
        match self.pieces.last_mut() {
            Some((last, said)) if *last == who => {
                if lost {
                    said.push_str(LOST);
                } else if !said.ends_with(char::is_whitespace) && !text.starts_with(char::is_whitespace) {
                    // Deltas are sentences: a blank stands between them.
                    said.push(' ');
                }
                said.push_str(&text);
            }
            _ if room => self.pieces.push((who, text)),
            _ => {}
        }
    }
}
