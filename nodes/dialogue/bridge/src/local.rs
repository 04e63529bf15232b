//! The language model on the vehicle as the dialogue sees it: requests to its process, and its replies as words of a stream. Pure; the
//! messages are carried by others.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use troika_dialogue::{FromLocal, LocalModel, chat::Message};
use troika_kit::{Duration, Time};
use troika_msgs::troika::{LanguageReply, LanguageRequest};

/// Bytes that the model's process takes of each.
const MOST_TEXT: usize = 512;
const MOST_TOLD: usize = 2_000;
/// So much new text is worth a message to read along; the rest is read with the next.
const READ_EVERY: usize = 48;
/// How long the model may take over an answer.
const WITHIN: Duration = Duration::from_secs(20);
/// A model's process says so soon that it has the question, with an empty part of an answer; one that does not is not there.
pub const TAKEN_WITHIN: Duration = Duration::from_millis(1500);
/// While it works it gives a sign each second; one that gives none for so long has gone, or hangs.
const ALIVE: Duration = Duration::from_secs(4);
/// A process that says that it is not ready yet (a reason beside the empty part) is loading its model.
const LOADS: Duration = Duration::from_secs(25);

/// Somebody's word of the model's process so long ago says that it is there: then it is busy, and not missing.
const HEARD: Duration = Duration::from_secs(60);
/// Where it gives signs of life, five of them missed say that it is not there, whatever it said before.
const BEATS: Duration = Duration::from_secs(5);

/// How what was said before is put to it.
const BEFORE: &str = "You said before: ";

/// What is answered without a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// The rest of the answer.
    Rest(String),
    /// Nothing that is sure, nor would a model know more: what the tools told so far is not known to be what was asked for.
    Unsure,
    /// It is not for the map: a model may know it.
    Nothing,
}

/// Answers without a model, from what the tools tell: what needs no model needs no doubt either.
pub trait Offline: Send {
    /// The rest of the answer to these messages, of which `so_far` was said.
    fn answer(&self, messages: &[Message], so_far: &str, brief: bool) -> Known;

    /// What is said of a question that nobody answers: a part of the answer, told as one. None: nothing of it is known.
    fn part(&self, _question: &str) -> Option<String> {
        None
    }

    /// That a question cannot be answered, and which can.
    fn help(&self) -> Option<String> {
        None
    }
}

/// The model's side of the messages. Clones share it.
#[derive(Clone)]
pub struct OnVehicle {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    name: String,
    model: bool,
    brief: bool,
    offline: Option<Box<dyn Offline>>,
    /// What the cloud said so far of the answer that is read along, and how much of it was sent.
    along: String,
    sent: usize,
    running: Option<Running>,
    /// When its process last answered anybody.
    heard: Option<Time>,
    /// When it last gave a sign of life.
    beat: Option<Time>,
    requests: VecDeque<LanguageRequest>,
    said: VecDeque<(u64, FromLocal)>,
}

struct Running {
    stream: u64,
    /// When something was last heard of it; none: not sent yet.
    since: Option<Time>,
    /// How long it may be silent from then on.
    patience: Duration,
    id: String,
    /// Bytes of the reply that were passed on.
    told: usize,
    /// What it was told that was said before, plain.
    before: String,
    /// What was said ends in a space, so the reply needs none before its first word.
    spaced: bool,
}

impl OnVehicle {
    /// The requests of the node of that name. `model`: whether a language model listens at all.
    pub fn new(name: &str, model: bool, offline: Option<Box<dyn Offline>>) -> OnVehicle {
        let inner = Inner {
            name: name.to_owned(),
            model,
            brief: false,
            offline,
            along: String::new(),
            sent: 0,
            running: None,
            heard: None,
            beat: None,
            requests: VecDeque::new(),
            said: VecDeque::new(),
        };
        OnVehicle { inner: Arc::new(Mutex::new(inner)) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known without a model of a question that nobody answers.
    pub fn part(&self, question: &str) -> Option<String> {
        self.inner().offline.as_ref()?.part(question)
    }

    /// Which questions can be answered without a model.
    pub fn help(&self) -> Option<String> {
        self.inner().offline.as_ref()?.help()
    }

    /// A new answer begins; it is to be brief, or not.
    pub fn begin(&self, brief: bool) {
        let mut inner = self.inner();
        inner.brief = brief;
        inner.along.clear();
        inner.sent = 0;
    }

    /// What is to be sent to the model's process.
    pub fn requests(&self) -> Vec<LanguageRequest> {
        self.inner().requests.drain(..).collect()
    }

    /// What was said without the model's process.
    pub fn said(&self) -> Vec<(u64, FromLocal)> {
        self.inner().said.drain(..).collect()
    }

    /// Time has passed: what is running has not been taken, or hangs.
    pub fn tick(&self, now: Time) -> Option<(u64, FromLocal)> {
        let mut inner = self.inner();
        let running = inner.running.as_mut()?;
        let since = *running.since.get_or_insert(now);
        if now.since(since) < running.patience {
            return None;
        }
        let taken = running.patience != TAKEN_WITHIN;
        let stream = running.stream;
        inner.running = None;
        let there = match (inner.beat, inner.heard) {
            (Some(beat), _) => now.since(beat) < BEATS,
            (None, heard) => heard.is_some_and(|heard| now.since(heard) < HEARD),
        };
        Some((
            stream,
            match (taken, there) {
                (false, true) => FromLocal::Busy,
                (false, false) => FromLocal::Failed("no language model listens".to_owned()),
                (true, _) => FromLocal::Failed("the language model has gone, or hangs".to_owned()),
            },
        ))
    }

    /// Its process gave a sign of life: it is there, whether it answers or not.
    pub fn alive(&self, now: Time) {
        self.inner().beat = Some(now);
    }

    /// When [`OnVehicle::tick`] is wanted.
    pub fn due(&self, now: Time) -> Option<Time> {
        let inner = self.inner();
        let running = inner.running.as_ref()?;
        Some(running.since.map_or(now, |since| since + running.patience))
    }

    /// What a reply of the model's process says, and of which stream.
    pub fn hear(&self, now: Time, reply: &LanguageReply) -> Option<(u64, Vec<FromLocal>)> {
        let mut inner = self.inner();
        if reply.status != LanguageReply::UNAVAILABLE {
            inner.heard = Some(now);
        }
        let running = inner.running.as_mut().filter(|running| running.id == reply.request_id)?;
        let stream = running.stream;
        let said: String = plain(&reply.text).chars().take(REPEATS).collect();
        let repeats = said.chars().count() == REPEATS && running.before.contains(&said);
        if repeats || reply.text.trim_start().starts_with(BEFORE.trim_end()) {
            // It repeats what it was told, and that is no answer.
            let cancel = LanguageRequest {
                request_id: reply.request_id.clone(),
                task: LanguageRequest::CANCEL,
                ..LanguageRequest::default()
            };
            inner.running = None;
            inner.requests.push_back(cancel);
            return Some((stream, vec![FromLocal::Unsure]));
        }
        running.since = Some(now);
        running.patience = if reply.reason.is_empty() { ALIVE } else { LOADS };
        let more = reply.text.get(running.told..).unwrap_or_default();
        let more = if running.told == 0 && running.spaced { more.trim_start() } else { more };
        let mut words = Vec::new();
        if !more.is_empty() {
            words.push(FromLocal::Text(more.to_owned()));
        }
        running.told = running.told.max(reply.text.len());
        let end = match reply.status {
            LanguageReply::PARTIAL => return Some((stream, words)),
            // What came in time is said; the sentence that is not whole is the turn's matter.
            LanguageReply::DONE | LanguageReply::LATE => FromLocal::Done,
            LanguageReply::UNSURE => FromLocal::Unsure,
            // Nobody here asked for that: somebody else's question took its place.
            LanguageReply::CANCELLED => FromLocal::Busy,
            _ => FromLocal::Failed(reply.reason.clone()),
        };
        words.push(end);
        inner.running = None;
        Some((stream, words))
    }
}

impl Inner {
    fn ask(&self, task: u8, id: &str, messages: &[Message], so_far: &str) -> LanguageRequest {
        LanguageRequest {
            request_id: id.to_owned(),
            task,
            text: end_of(asked(messages).unwrap_or_default(), MOST_TEXT).to_owned(),
            context: told(messages, self.brief),
            so_far: end_of(so_far, MOST_TOLD).to_owned(),
            deadline: WITHIN.into(),
            ..LanguageRequest::default()
        }
    }
}

/// The question of these messages: what was said to us last.
pub(crate) fn asked(messages: &[Message]) -> Option<&str> {
    messages.iter().rev().find_map(|message| match message {
        Message::User(text) => Some(text.as_str()),
        _ => None,
    })
}

/// What the model is told besides the question: results of tools; without any, the exchange before.
fn told(messages: &[Message], brief: bool) -> String {
    let results: Vec<&str> = messages
        .iter()
        .filter_map(|message| match message {
            Message::Tool { result, .. } => Some(result.as_str()),
            _ => None,
        })
        .collect();
    let mut told = results.join(" ");
    if told.is_empty() && asked(messages).is_some_and(goes_back) {
        let before = messages.iter().rev().find_map(|message| match message {
            Message::Assistant(text) => Some(text.as_str()),
            _ => None,
        });
        told = before.map_or(String::new(), |before| format!("{BEFORE}{before}"));
    }
    if brief {
        told.push_str(" Be brief.");
    }
    begin_of(&told, MOST_TOLD).to_owned()
}

/// Whether a question can only be understood by what was said before. A small model that is told of it without need repeats it.
fn goes_back(question: &str) -> bool {
    // "Why" alone asks of the world as often as of what was said: "why do we have seasons".
    const WORDS: [&str; 15] = [
        "they", "them", "those", "these", "this", "again", "else", "instead", "same", "ones", "he", "she",
        "also", "that", "its",
    ];
    // In a short question alone: "is it far", "and there"; "what time is it" goes back to nothing, and is rather not told.
    const IN_SHORT: [&str; 5] = ["it", "there", "more", "one", "why"];
    const SHORT: usize = 3;
    const BEGINNINGS: [&str; 5] = ["and ", "or ", "what about ", "how about ", "but "];
    let question = question.to_lowercase();
    let words: Vec<&str> =
        question.split(|sign: char| !sign.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let has = |known: &[&str]| words.iter().any(|word| known.contains(word));
    let begins = BEGINNINGS.iter().any(|begin| question.starts_with(begin));
    begins || has(&WORDS) || (words.len() <= SHORT && has(&IN_SHORT))
}

/// Letters of a reply that are held against what was said before; fewer are anybody's.
const REPEATS: usize = 24;

/// As texts are held against each other.
fn plain(text: &str) -> String {
    text.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn begin_of(text: &str, most: usize) -> &str {
    let end = (0..=text.len().min(most)).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    &text[..end]
}

/// The end of a text, from a word's beginning on where there is one.
fn end_of(text: &str, most: usize) -> &str {
    if text.len() <= most {
        return text;
    }
    let from = (text.len() - most..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let tail = &text[from..];
    tail.find(' ').map_or(tail, |space| &tail[space + 1..])
}

impl LocalModel for OnVehicle {
    fn shadow(&mut self, messages: &[Message], text: &str) {
        let mut inner = self.inner();
        inner.along.push_str(text);
        if !inner.model || inner.along.len() < inner.sent + READ_EVERY {
            return;
        }
        inner.sent = inner.along.len();
        // To the end of a word, as it is gone on from.
        let whole = inner.along.rfind(' ').map_or(0, |space| space + 1);
        let id = format!("{}-along", inner.name);
        let request = inner.ask(LanguageRequest::READ_ALONG, &id, messages, &inner.along[..whole]);
        // A newer one says all of an older one.
        inner.requests.retain(|waiting| waiting.task != LanguageRequest::READ_ALONG);
        inner.requests.push_back(request);
    }

    fn go_on(&mut self, stream: u64, messages: &[Message], so_far: &str) {
        let mut inner = self.inner();
        let offline = inner.offline.as_ref();
        match offline.map_or(Known::Nothing, |offline| offline.answer(messages, so_far, inner.brief)) {
            Known::Rest(text) => {
                inner.said.extend([(stream, FromLocal::Text(text)), (stream, FromLocal::Done)]);
                return;
            }
            Known::Unsure => return inner.said.push_back((stream, FromLocal::Unsure)),
            Known::Nothing => {}
        }
        if !inner.model {
            let why = "there is no language model on the vehicle".to_owned();
            inner.said.push_back((stream, FromLocal::Failed(why)));
            return;
        }
        let id = format!("{}-{stream}", inner.name);
        let request = inner.ask(LanguageRequest::CONTINUE, &id, messages, so_far);
        let spaced = so_far.is_empty() || so_far.ends_with(char::is_whitespace);
        inner.requests.retain(|waiting| waiting.task != LanguageRequest::READ_ALONG);
        let before = request.context.strip_prefix(BEFORE).map(plain).unwrap_or_default();
        inner.requests.push_back(request);
        inner.running =
            Some(Running { stream, since: None, patience: TAKEN_WITHIN, id, told: 0, before, spaced });
    }

    fn stop(&mut self, stream: u64) {
        let mut inner = self.inner();
        inner.said.retain(|(of, _)| *of != stream);
        if let Some(running) = inner.running.take_if(|running| running.stream == stream) {
            inner.requests.push_back(LanguageRequest {
                request_id: running.id,
                task: LanguageRequest::CANCEL,
                ..LanguageRequest::default()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question() -> Vec<Message> {
        vec![
            Message::System("short".into()),
            Message::User("Where is a cafe?".into()),
            Message::Tool { id: "1".into(), result: "{\"name\":\"Old Mill\"}".into() },
        ]
    }

    fn at(ms: u64) -> Time {
        Time::from_stamp(9, 0) + Duration::from_millis(ms)
    }

    fn reply(id: &str, status: u8, text: &str) -> LanguageReply {
        LanguageReply { request_id: id.into(), status, text: text.into(), ..LanguageReply::default() }
    }

    #[test]
    fn replies_grow_and_are_passed_on_piece_by_piece() {
        let mut model = OnVehicle::new("bridge", true, None);
        model.go_on(7, &question(), "The Old ");
        let requests = model.requests();
        assert_eq!((requests[0].task, requests[0].so_far.as_str()), (LanguageRequest::CONTINUE, "The Old "));
        assert!(requests[0].context.contains("Old Mill") && requests[0].text == "Where is a cafe?");
        assert_eq!(model.hear(at(0), &reply("another", LanguageReply::DONE, "no")), None);
        let id = requests[0].request_id.clone();
        let heard = |status, text: &str| model.hear(at(0), &reply(&id, status, text));
        assert_eq!(heard(LanguageReply::PARTIAL, " Mill"), Some((7, vec![FromLocal::Text("Mill".into())])));
        assert_eq!(heard(LanguageReply::PARTIAL, " Mill is"), Some((7, vec![FromLocal::Text(" is".into())])));
        let end = vec![FromLocal::Text(" near.".into()), FromLocal::Done];
        assert_eq!(heard(LanguageReply::DONE, " Mill is near."), Some((7, end)));
        assert_eq!(heard(LanguageReply::DONE, " Mill is near."), None, "it is over");
    }

    #[test]
    fn a_model_that_does_not_take_the_question_is_not_waited_for_and_one_that_does_is() {
        let mut model = OnVehicle::new("bridge", true, None);
        assert_eq!((model.tick(at(0)), model.due(at(0))), (None, None));
        model.go_on(1, &question(), "");
        assert_eq!((model.tick(at(0)), model.due(at(0))), (None, Some(at(1_500))));
        assert_eq!(model.tick(at(1_499)), None);
        assert!(
            matches!(model.tick(at(1_500)), Some((1, FromLocal::Failed(why))) if why.contains("listens"))
        );
        assert_eq!(model.tick(at(9_000)), None, "once");
        model.go_on(2, &question(), "");
        assert_eq!(model.tick(at(10_000)), None);
        let id = model.requests().last().unwrap().request_id.clone();
        assert_eq!(model.hear(at(11_000), &reply(&id, LanguageReply::PARTIAL, "")), Some((2, vec![])));
        assert_eq!(model.tick(at(14_900)), None, "it works on it");
        assert!(matches!(model.tick(at(15_000)), Some((2, FromLocal::Failed(_)))), "it has gone");
        model.go_on(3, &question(), "");
        model.tick(at(20_000));
        let id = model.requests().last().unwrap().request_id.clone();
        let loads = LanguageReply { reason: "loading".into(), ..reply(&id, LanguageReply::PARTIAL, "") };
        model.hear(at(20_000), &loads);
        assert_eq!(model.tick(at(44_900)), None, "its model is loaded");
    }

    #[test]
    fn a_model_that_answers_others_is_busy_and_not_missing() {
        let mut model = OnVehicle::new("bridge", true, None);
        model.hear(at(0), &reply("somebody's", LanguageReply::PARTIAL, "It"));
        model.go_on(1, &question(), "");
        model.tick(at(100));
        assert_eq!(model.tick(at(1_600)), Some((1, FromLocal::Busy)));
        model.go_on(2, &question(), "");
        let id = model.requests().last().unwrap().request_id.clone();
        let newer = reply(&id, LanguageReply::CANCELLED, "");
        assert_eq!(model.hear(at(2_000), &newer), Some((2, vec![FromLocal::Busy])));
        model.go_on(3, &question(), "");
        model.tick(at(70_000));
        assert!(matches!(model.tick(at(71_500)), Some((3, FromLocal::Failed(_)))), "not heard for a minute");
    }

    #[test]
    fn what_was_said_before_is_told_where_the_question_goes_back_to_it_and_is_no_answer() {
        let mut model = OnVehicle::new("bridge", true, None);
        let dialogue = |question: &str| {
            vec![
                Message::User("Why is the sky blue?".into()),
                Message::Assistant("Air scatters blue light.".into()),
                Message::User(question.into()),
            ]
        };
        model.go_on(1, &dialogue("Tell me a story"), "");
        model.go_on(2, &dialogue("And why is it red at night?"), "");
        let requests = model.requests();
        assert_eq!(requests[0].context, "");
        assert_eq!(requests[1].context, "You said before: Air scatters blue light.");
        let echo = reply(&requests[1].request_id, LanguageReply::PARTIAL, " You said before: Air");
        assert_eq!(model.hear(at(0), &echo), Some((2, vec![FromLocal::Unsure])));
        assert_eq!(model.requests()[0].task, LanguageRequest::CANCEL);
    }

    #[test]
    fn what_is_read_along_grows_to_the_end_of_a_word_and_a_stop_is_a_cancel() {
        let mut model = OnVehicle::new("bridge", true, None);
        model.begin(false);
        let text = "The Old Mill Cafe is one and a half kilometres away, on Harbour Str";
        text.split_inclusive(' ').for_each(|word| model.shadow(&question(), word));
        let requests = model.requests();
        assert_eq!(requests.len(), 1, "the newest alone");
        assert!(requests[0].so_far.ends_with(' ') && text.starts_with(&requests[0].so_far));
        model.go_on(2, &question(), "The Old Mill Cafe is ");
        model.stop(2);
        let tasks: Vec<u8> = model.requests().iter().map(|request| request.task).collect();
        assert_eq!(tasks, [LanguageRequest::CONTINUE, LanguageRequest::CANCEL]);
    }

    #[test]
    fn without_a_model_what_needs_none_is_answered_and_the_rest_fails_with_the_reason() {
        struct Knows;
        impl Offline for Knows {
            fn answer(&self, _: &[Message], so_far: &str, _: bool) -> Known {
                match so_far {
                    "" => Known::Rest("The Old Mill is near.".to_owned()),
                    _ => Known::Nothing,
                }
            }
        }
        let mut model = OnVehicle::new("bridge", false, Some(Box::new(Knows)));
        model.go_on(1, &question(), "");
        let said = model.said();
        assert_eq!(said, [(1, FromLocal::Text("The Old Mill is near.".into())), (1, FromLocal::Done)]);
        model.go_on(2, &question(), "The Old ");
        assert!(
            matches!(&model.said()[..], [(2, FromLocal::Failed(why))] if why.contains("no language model"))
        );
        assert!(model.requests().is_empty());
    }
}
