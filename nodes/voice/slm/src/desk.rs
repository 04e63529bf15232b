//! Which request is worked on, until when, and what is told of it: a state machine over an [`Engine`], with time as an argument. It is
//! no `Step`, whose work is bounded: it goes on by one forward pass at a time, and between two the process looks at the clock and at
//! what else came, so a deadline and a cancel hold to within one pass.
//!
//! One request is worked on, and of each task at most one waits: a newer one of the same task takes the place of the older, which is
//! told so. So there are never more than three.

use std::collections::VecDeque;

use troika_kit::{Duration, Time};
use troika_msgs::{
    std_msgs::Header,
    troika::{LanguageReply, LanguageRequest},
};
use troika_vehicle::catalogue::Catalogue;
use troika_voice::{
    eval,
    matcher::{Matcher, Understood},
};

use crate::{
    engine::{Engine, Progress, Prompt, Task},
    prompt::{Holding, Prompts},
};

/// Bytes of a request's text and of its context: a spoken sentence and what was before it have room, a flood has not.
pub const TEXT_BYTES: usize = 512;
/// Of bytes of a request's id.
const ID_BYTES: usize = 128;
/// How long a request without a deadline is worked on. A command is of no use later; an answer may be listened to while it comes.
const DEADLINES: [Duration; 4] = [
    Duration::from_millis(1500),
    Duration::from_millis(1500),
    Duration::from_secs(6),
    Duration::from_secs(12),
];
/// Forward passes that an answer may take: the longest commands (three calls) have 60 tokens.
const MOST_PASSES: u32 = 96;
/// Bytes of what tools told, and of an answer's beginning that is gone on from.
pub const TOLD_BYTES: usize = 2048;
/// Sentences of an answer, and of one that goes on.
const SENTENCES: usize = 2;
const SENTENCES_TO_GO_ON: usize = 3;
/// Passes between two parts of an answer that are told: about a word or two each.
const PART: u32 = 4;
/// A sentence that goes on what somebody else said, and whose words the model is less sure of (their mean), is not told, and ends it: nobody
/// asked this model, and what it makes up would pass for the other's word.
const GO_ON_FROM: f64 = 0.6;

/// The requests in hand.
pub struct Desk {
    prompts: Prompts,
    holding: Holding,
    model: String,
    /// Why there is no model.
    unavailable: Option<String>,
    waiting: VecDeque<Job>,
    running: Option<Running>,
}

/// A request as it is worked on.
#[derive(Debug)]
struct Job {
    id: String,
    task: Task,
    text: String,
    context: String,
    so_far: String,
    /// It is only read: nothing is told of it.
    read_only: bool,
    asked: Time,
    due: Time,
}

impl Job {
    /// What is told of the model's words: of what goes on the space before the next word too.
    fn shown<'a>(&self, text: &'a str) -> &'a str {
        if self.so_far.is_empty() { text.trim() } else { text.trim_end() }
    }
}

/// The request that the model works on.
struct Running {
    job: Job,
    text: String,
    /// The product of the probabilities.
    probability: f64,
    /// The sum of their logarithms, and how many.
    logarithms: (f64, u32),
    passes: u32,
    told: usize,
    /// Of the sentence under way, as `logarithms`.
    sentence: (f64, u32),
}

impl Desk {
    /// A desk for the model of that name.
    pub fn new(prompts: Prompts, holding: Holding, model: &str) -> Desk {
        Desk {
            prompts,
            holding,
            model: model.to_owned(),
            unavailable: None,
            waiting: VecDeque::with_capacity(Task::ALL.len()),
            running: None,
        }
    }

    /// There is no model, for that reason: every request is answered so.
    pub fn without_model(&mut self, now: Time, reason: &str) -> Vec<LanguageReply> {
        self.unavailable = Some(reason.to_owned());
        self.end(now, LanguageReply::UNAVAILABLE, reason)
    }

    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    /// All that is in hand ends, with this status and reason.
    pub fn end(&mut self, now: Time, status: u8, reason: &str) -> Vec<LanguageReply> {
        let running = self.running.take().map(|running| running.job);
        let jobs: Vec<Job> = running.into_iter().chain(self.waiting.drain(..)).collect();
        jobs.iter()
            .filter(|job| !job.read_only)
            .map(|job| self.reply(now, job, status, "", 0.0, reason))
            .collect()
    }

    /// A request came at `now`.
    pub fn receive(&mut self, now: Time, request: &LanguageRequest) -> Vec<LanguageReply> {
        if request.task == LanguageRequest::CANCEL {
            return self.cancel(now, &request.request_id);
        }
        // A stamp that is unset or of the future says nothing.
        let stamp = request.header.time();
        let asked = if stamp == Time::ZERO || stamp > now { now } else { stamp };
        let task = match request.task {
            LanguageRequest::INTERPRET => Some(Task::Interpret),
            LanguageRequest::REWRITE => Some(Task::Rewrite),
            LanguageRequest::ANSWER => Some(Task::Answer),
            LanguageRequest::READ_ALONG | LanguageRequest::CONTINUE => Some(Task::Continue),
            _ => None,
        };
        let limit = match Duration::from(request.deadline.clone()) {
            Duration::ZERO => DEADLINES[task.unwrap_or(Task::Answer) as usize],
            limit => limit,
        };
        let id = request.request_id.chars().take(ID_BYTES).collect();
        let task_or_any = task.unwrap_or(Task::Answer);
        let (text, context) = (request.text.clone(), request.context.clone());
        let read_only = request.task == LanguageRequest::READ_ALONG;
        let so_far = request.so_far.clone();
        let job = Job { id, task: task_or_any, text, context, so_far, read_only, asked, due: asked + limit };
        if let Some(reason) = self.objection(task, &job) {
            return vec![self.reply(now, &job, LanguageReply::UNAVAILABLE, "", 0.0, &reason)];
        }
        if job.read_only && self.goes_on() {
            // The answer is being made already.
            return Vec::new();
        }
        let mut replies = Vec::new();
        let newer = "a newer request for the same task took its place";
        if self.running.as_ref().is_some_and(|running| running.job.task == job.task)
            && let Some(Running { job: old, text, .. }) = self.running.take()
            && !old.read_only
        {
            replies.push(self.reply(now, &old, LanguageReply::CANCELLED, text.trim(), 0.0, newer));
        }
        if let Some(at) = self.waiting.iter().position(|old| old.task == job.task)
            && let Some(old) = self.waiting.remove(at)
            && !old.read_only
        {
            replies.push(self.reply(now, &old, LanguageReply::CANCELLED, "", 0.0, newer));
        }
        // Nobody waits for what is only read; what was read of it stays read.
        if let Some(Running { job: reading, .. }) = self.running.take_if(|running| running.job.read_only) {
            self.waiting.push_back(reading);
        }
        let before = self.waiting.iter().position(|waiting| waiting.read_only);
        match before {
            Some(at) if !job.read_only => self.waiting.insert(at, job),
            _ => self.waiting.push_back(job),
        }
        replies
    }

    /// Why a request is not taken.
    fn objection(&self, task: Option<Task>, job: &Job) -> Option<String> {
        if let Some(reason) = &self.unavailable {
            return Some(reason.clone());
        }
        if task.is_none() {
            return Some("the task is none of INTERPRET, REWRITE, ANSWER and CANCEL".to_owned());
        }
        if job.text.trim().is_empty() {
            return Some("the request has no text".to_owned());
        }
        if job.task == Task::Rewrite && job.context.trim().is_empty() {
            return Some("a follow-up needs its context: what was said and done before".to_owned());
        }
        let context = if job.task == Task::Continue { TOLD_BYTES } else { TEXT_BYTES };
        let too_long =
            job.text.len() > TEXT_BYTES || job.context.len() > context || job.so_far.len() > TOLD_BYTES;
        too_long.then(|| {
            format!("text has at most {TEXT_BYTES} bytes, context {context} and so_far {TOLD_BYTES}")
        })
    }

    /// Whether an answer that goes on is in hand.
    fn goes_on(&self) -> bool {
        let running = self.running.iter().map(|running| &running.job);
        running.chain(&self.waiting).any(|job| job.task == Task::Continue && !job.read_only)
    }

    /// That what somebody listens to while it comes is worked on, or waits for that: an empty part of each.
    pub fn signs(&self, now: Time) -> Vec<LanguageReply> {
        let running = self.running.iter().map(|running| &running.job);
        running
            .chain(&self.waiting)
            .filter(|job| job.task == Task::Continue && !job.read_only)
            .map(|job| self.reply(now, job, LanguageReply::PARTIAL, "", 0.0, ""))
            .collect()
    }

    fn cancel(&mut self, now: Time, id: &str) -> Vec<LanguageReply> {
        let reason = "asked for";
        if self.running.as_ref().is_some_and(|running| running.job.id == id)
            && let Some(Running { job, text, .. }) = self.running.take()
        {
            let silent = job.read_only;
            let told = self.reply(now, &job, LanguageReply::CANCELLED, text.trim(), 0.0, reason);
            return if silent { Vec::new() } else { vec![told] };
        }
        let at = self.waiting.iter().position(|job| job.id == id);
        // One that is not in hand was answered already, and its answer is on the way.
        let Some(job) = at.and_then(|at| self.waiting.remove(at)).filter(|job| !job.read_only) else {
            return Vec::new();
        };
        vec![self.reply(now, &job, LanguageReply::CANCELLED, "", 0.0, reason)]
    }

    /// Goes on by at most one forward pass of the engine.
    pub fn advance(&mut self, now: Time, engine: &mut dyn Engine) -> Vec<LanguageReply> {
        let mut replies = self.too_late(now);
        if self.running.is_none() {
            let Some(job) = self.waiting.pop_front() else { return replies };
            if let Some(text) = self.refused(&job) {
                replies.push(self.reply(now, &job, LanguageReply::DONE, &text, 1.0, "it asks for an act"));
                return replies;
            }
            let prompt = match job.task {
                Task::Continue => Prompt {
                    read_only: job.read_only,
                    ..self.prompts.going_on(&job.text, &job.context, &job.so_far)
                },
                task => {
                    self.prompts.request(Catalogue::built_in(), self.holding, task, &job.text, &job.context)
                }
            };
            if let Err(error) = engine.begin(&prompt) {
                let told = error.to_string();
                replies.push(self.reply(now, &job, LanguageReply::UNAVAILABLE, "", 0.0, &told));
                return replies;
            }
            let (text, logarithms) = (String::new(), (0.0, 0));
            self.running = Some(Running {
                job,
                text,
                probability: 1.0,
                logarithms,
                passes: 0,
                told: 0,
                sentence: (0.0, 0),
            });
        }
        let Some(mut running) = self.running.take() else { return replies };
        match engine.advance() {
            Err(error) => {
                let told = error.to_string();
                replies.push(self.reply(now, &running.job, LanguageReply::UNAVAILABLE, "", 0.0, &told));
                return replies;
            }
            Ok(Progress::End) => {
                if running.job.task != Task::Continue {
                    replies.push(self.finish(now, running));
                } else if !running.job.read_only {
                    replies.push(self.went_on(now, running));
                }
                return replies;
            }
            Ok(Progress::Reading) => {}
            Ok(Progress::Text { text, probability, .. }) => {
                running.text.push_str(&text);
                running.probability *= probability;
                running.logarithms.0 += probability.max(f64::MIN_POSITIVE).ln();
                running.logarithms.1 += 1;
                running.passes += 1;
                running.sentence.0 += probability.max(f64::MIN_POSITIVE).ln();
                running.sentence.1 += 1;
                if running.job.task == Task::Continue {
                    match self.go_on(now, &mut running) {
                        Some(told) if told.status == LanguageReply::PARTIAL => replies.push(told),
                        Some(end) => {
                            replies.push(end);
                            return replies;
                        }
                        None => {}
                    }
                }
                if running.job.task == Task::Answer {
                    troika_safety::fulfils![SR_VOI_016];
                    if self.prompts.claims_an_act(running.text.trim()) {
                        let refusal = self.prompts.refusal();
                        let why = "the answer would have claimed an act";
                        replies.push(self.reply(now, &running.job, LanguageReply::DONE, refusal, 1.0, why));
                        return replies;
                    }
                    if let Some(whole) = whole_sentences(&running.text, SENTENCES) {
                        running.text.truncate(whole);
                        replies.push(self.finish(now, running));
                        return replies;
                    }
                    if running.passes.is_multiple_of(PART) && running.text.trim().len() > running.told {
                        let told = running.text.trim().to_owned();
                        running.told = told.len();
                        replies.push(self.reply(now, &running.job, LanguageReply::PARTIAL, &told, 0.0, ""));
                    }
                }
                if running.passes >= MOST_PASSES {
                    let goes_on = running.job.task == Task::Continue;
                    replies.push(match goes_on {
                        true => self.went_on(now, running),
                        false => self.finish(now, running),
                    });
                    return replies;
                }
            }
        }
        self.running = Some(running);
        replies
    }

    /// What is told of an answer that goes on: its sentences, each when it is whole and sure enough; the last of them ends it.
    fn go_on(&self, now: Time, running: &mut Running) -> Option<LanguageReply> {
        let whole = running.told + whole_sentences(&running.text[running.told..], 1)?;
        let sure = (running.sentence.0 / f64::from(running.sentence.1.max(1))).exp();
        let text = running.text[..whole].to_owned();
        if sure < GO_ON_FROM {
            return Some(self.not_sure(now, running));
        }
        if self.prompts.claims_an_act(text[running.told..].trim()) {
            let (job, told) = (&running.job, running.job.shown(&running.text[..running.told]));
            let why = "the answer would have claimed an act";
            return Some(self.reply(now, job, LanguageReply::UNAVAILABLE, told, 0.0, why));
        }
        running.told = whole;
        running.sentence = (0.0, 0);
        let (shown, job) = (running.job.shown(&text), &running.job);
        let all = whole_sentences(&running.text, SENTENCES_TO_GO_ON).is_some();
        let status = if all { LanguageReply::DONE } else { LanguageReply::PARTIAL };
        Some(self.reply(now, job, status, shown, sure, ""))
    }

    /// The model has ended an answer that goes on.
    fn went_on(&self, now: Time, running: Running) -> LanguageReply {
        let (sum, count) = running.sentence;
        let rest = running.text[running.told..].trim();
        let sure = if count > 0 { (sum / f64::from(count)).exp() } else { 1.0 };
        if !rest.is_empty() && (sure < GO_ON_FROM || self.prompts.claims_an_act(rest)) {
            return self.not_sure(now, &running);
        }
        let Running { job, text, .. } = running;
        let text = job.shown(&text);
        if text.is_empty() && job.so_far.is_empty() {
            return self.reply(now, &job, LanguageReply::UNAVAILABLE, "", 0.0, "the model said nothing");
        }
        self.reply(now, &job, LanguageReply::DONE, text, sure, "")
    }

    fn not_sure(&self, now: Time, running: &Running) -> LanguageReply {
        let told = running.job.shown(&running.text[..running.told]);
        let why = "the model is not sure enough to go on";
        self.reply(now, &running.job, LanguageReply::UNSURE, told, 0.0, why)
    }

    /// Ends what is due.
    fn too_late(&mut self, now: Time) -> Vec<LanguageReply> {
        let reason = "the deadline came first";
        let mut replies = Vec::new();
        if self.running.as_ref().is_some_and(|running| running.job.due <= now)
            && let Some(Running { job, text, told, .. }) = self.running.take()
            && !job.read_only
        {
            // Of what goes on, words that nobody has looked at are not told.
            let shown = if job.task == Task::Continue { job.shown(&text[..told]) } else { text.trim() };
            replies.push(self.reply(now, &job, LanguageReply::LATE, shown, 0.0, reason));
        }
        while let Some(at) = self.waiting.iter().position(|job| job.due <= now) {
            let Some(job) = self.waiting.remove(at) else { break };
            if job.read_only {
                continue;
            }
            replies.push(self.reply(now, &job, LanguageReply::LATE, "", 0.0, reason));
        }
        replies
    }

    /// A request for an act in the place of a question is refused, without the model: it would talk as if it had done it.
    fn refused(&self, job: &Job) -> Option<String> {
        let act = job.task == Task::Answer
            && matches!(
                Matcher::english().understand(&job.text),
                Understood::Commands(_) | Understood::Ask(_)
            );
        act.then(|| self.prompts.refusal().to_owned())
    }

    fn finish(&self, now: Time, running: Running) -> LanguageReply {
        let Running { job, text, probability, logarithms: (sum, count), .. } = running;
        let text = text.trim();
        if job.task == Task::Answer {
            // A product over twenty free words says little: the mean of a word does.
            let confidence = if count > 0 { (sum / f64::from(count)).exp() } else { 0.0 };
            if text.is_empty() {
                return self.reply(now, &job, LanguageReply::UNAVAILABLE, "", 0.0, "the model said nothing");
            }
            return self.reply(now, &job, LanguageReply::DONE, text, confidence, "");
        }
        troika_safety::fulfils![SR_VOI_018];
        // The grammar holds the answer; the catalogue has the last word all the same.
        match eval::meaning(text) {
            Ok(meaning) => {
                let line = eval::told_expected(&meaning);
                self.reply(now, &job, LanguageReply::DONE, &line, probability, "")
            }
            Err(why) => {
                let reason = format!("the model's answer is none: {why}");
                self.reply(now, &job, LanguageReply::UNAVAILABLE, "", 0.0, &reason)
            }
        }
    }

    fn reply(
        &self,
        now: Time,
        job: &Job,
        status: u8,
        text: &str,
        confidence: f64,
        reason: &str,
    ) -> LanguageReply {
        LanguageReply {
            header: Header::at(now),
            request_id: job.id.clone(),
            status,
            text: text.to_owned(),
            confidence: confidence as f32,
            latency: now.since(job.asked).into(),
            model: self.model.clone(),
            reason: reason.to_owned(),
        }
    }
}

/// How many bytes an answer has, once it is complete: so many sentences, a line's end, or when it runs in circles.
fn whole_sentences(text: &str, most: usize) -> Option<usize> {
    let begin = text.len() - text.trim_start().len();
    let mut count = 0;
    let mut letters = text[begin..].char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        let at = begin + at;
        if letter == '\n' {
            return Some(at);
        }
        let followed = letters.peek().is_some_and(|(_, next)| next.is_whitespace());
        // "3.5" goes on, and so does "Dr. Who": a title is short and begins with a capital.
        if matches!(letter, '.' | '!' | '?') && followed && !is_title(&text[..at]) {
            count += 1;
            if count == most {
                return Some(at + letter.len_utf8());
            }
        }
    }
    circles(text)
}

fn is_title(before: &str) -> bool {
    let word = before.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
    matches!(word, "Mr" | "Mrs" | "Ms" | "Dr" | "St" | "Prof") || word.len() == 1 && word != "I"
}

/// Where an answer begins to say the same eight letters or more a third time: a small model runs in circles at times.
fn circles(text: &str) -> Option<usize> {
    let words: Vec<(usize, &str)> =
        text.split_whitespace().map(|word| (word.as_ptr() as usize - text.as_ptr() as usize, word)).collect();
    (2..=8).find_map(|length| {
        let tail = words.len().checked_sub(3 * length)?;
        let run = |n: usize| words[tail + n * length..tail + (n + 1) * length].iter().map(|(_, word)| *word);
        (run(0).eq(run(1)) && run(1).eq(run(2))).then(|| words[tail + length].0)
    })
}

#[cfg(test)]
mod tests;
