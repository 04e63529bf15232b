//! One turn of a dialogue: a question asked of the cloud, of the model on the vehicle, or of both one after the other. Pure: events and the
//! time go in, actions come out; sockets, models and tools are elsewhere.
//!
//! Two times guard the cloud's stream. After the *soft* one the vehicle's model begins a draft, from what was said so far, that nobody
//! hears; when the stream goes on, the draft is dropped and nothing happened. After the *hard* one the stream is given up and the draft
//! is what is said. A reset, or a link that is known to be gone, is that at once. Both wait while there is text that is not spoken yet:
//! a silence is only one when nothing is left to say. However a turn goes, it ends with exactly one [`Action::End`].
//!
//! Every stream has a number. What a stream says that was stopped, or is not known, is not heard.

use troika_kit::{Duration, Time};

use crate::{
    grounded::Facts,
    reply::{Reply, Tier, speaking_seconds},
};

mod terms;

pub use terms::{Action, Ask, End, FromCloud, FromLocal, Pace, Reason, in_words};

#[derive(Debug, Clone)]
struct Stream {
    number: u64,
    started: Time,
    last: Option<Time>,
}

#[derive(Debug, Clone)]
enum Local {
    /// There is none.
    Absent,
    /// It waits, or reads along.
    Idle,
    /// It goes on in silence.
    Draft { number: u64, text: String, done: bool },
    /// Its words are said.
    Speaks { number: u64 },
}

/// The state machine of one turn.
#[derive(Debug, Clone)]
pub struct Turn {
    pace: Pace,
    deadline: Time,
    next: u64,
    cloud: Option<Stream>,
    tools: u32,
    in_tools: bool,
    local: Local,
    reply: Reply,
    spoken_until: Option<Time>,
    began: Time,
    first_words: Option<Duration>,
    silence: Duration,
    handed_over: Option<Reason>,
    drafts_dropped: u32,
    /// The vehicle's model had no beginning of an answer; whether it can finish one is another question.
    draft_failed: bool,
    retried: bool,
    over: bool,
}

impl Turn {
    /// Begins a turn. `first`: the number of its first stream, higher than any of the turn before.
    pub fn begin(now: Time, pace: Pace, ask: Ask, first: u64) -> (Turn, Vec<Action>) {
        let mut turn = Turn {
            pace,
            deadline: ask.deadline,
            next: first,
            cloud: None,
            tools: 0,
            in_tools: false,
            local: if ask.local { Local::Idle } else { Local::Absent },
            reply: Reply::default(),
            spoken_until: None,
            began: now,
            first_words: None,
            silence: Duration::ZERO,
            handed_over: None,
            drafts_dropped: 0,
            draft_failed: false,
            retried: false,
            over: false,
        };
        let mut acts = Vec::new();
        match ask.not_cloud {
            None => turn.start_cloud(now, &mut acts),
            Some(reason) => turn.hand_over(now, reason, &mut acts),
        }
        (turn, acts)
    }

    /// Whether it has ended.
    pub fn over(&self) -> bool {
        self.over
    }

    /// Whether a word of the cloud is waited for.
    pub fn waits_for_cloud(&self) -> bool {
        !self.over && self.cloud.is_some()
    }

    /// Whether this is the cloud's stream that is listened to.
    pub fn hears_cloud(&self, stream: u64) -> bool {
        !self.over && self.cloud.as_ref().is_some_and(|cloud| cloud.number == stream)
    }

    /// The number that the next stream would have.
    pub fn next_stream(&self) -> u64 {
        self.next
    }

    /// When [`Turn::tick`] is wanted next, after `now`.
    pub fn due(&self, now: Time) -> Option<Time> {
        if self.over {
            return None;
        }
        let mut due = self.deadline;
        if let Some(cloud) = &self.cloud {
            due = due.min(self.hard(cloud));
            if matches!(self.local, Local::Idle) {
                due = due.min(self.soft(cloud));
            }
        }
        match self.spoken_until {
            Some(until) if until > now && self.reply.waits() => Some(due.min(until)),
            _ => Some(due),
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Time) -> Vec<Action> {
        let mut acts = Vec::new();
        if self.over {
            return acts;
        }
        if now >= self.deadline {
            self.end(now, Some(Reason::Deadline), &mut acts);
            return acts;
        }
        if let Some(cloud) = self.cloud.clone() {
            if now >= self.hard(&cloud) {
                let reason = if cloud.last.is_some() { Reason::Stalled } else { Reason::FirstTokenLate };
                self.hand_over(now, reason, &mut acts);
            } else if now >= self.soft(&cloud) && matches!(self.local, Local::Idle) {
                let number = self.number();
                self.local = Local::Draft { number, text: String::new(), done: false };
                acts.push(Action::ContinueLocal { stream: number, so_far: self.reply.so_far() });
            }
        }
        self.say(now, &mut acts);
        acts
    }

    /// The cloud's stream says something.
    pub fn cloud(&mut self, now: Time, stream: u64, what: FromCloud) -> Vec<Action> {
        let mut acts = Vec::new();
        match &mut self.cloud {
            Some(cloud) if cloud.number == stream && !self.over => cloud.last = Some(now),
            _ => return acts,
        }
        match what {
            FromCloud::Text(text) => {
                self.drop_draft(&mut acts);
                self.reply.cloud(&text);
                if self.pace.shadow && matches!(self.local, Local::Idle) {
                    acts.push(Action::Shadow { text });
                }
                self.say(now, &mut acts);
            }
            FromCloud::Tools(calls) => {
                self.drop_draft(&mut acts);
                self.cloud = None;
                // What it said before it looks something up is whole, whatever it ends in, and is said meanwhile.
                self.reply.pause();
                self.say(now, &mut acts);
                self.tools += 1;
                if self.tools > self.pace.tool_rounds {
                    self.hand_over(now, Reason::TooManyTools, &mut acts);
                } else {
                    self.in_tools = true;
                    acts.push(Action::CallTools(calls));
                }
            }
            FromCloud::Done | FromCloud::Length => {
                self.drop_draft(&mut acts);
                self.cloud = None;
                let cut = (what == FromCloud::Length).then_some(Reason::Length);
                self.end(now, cut, &mut acts);
            }
            FromCloud::Failed(fault) => {
                self.cloud = None;
                self.hand_over(now, Reason::Fault(fault), &mut acts);
            }
        }
        acts
    }

    /// The tools have been called; what they told is what the vehicle's model may name.
    pub fn tools_done(&mut self, now: Time, facts: Facts) -> Vec<Action> {
        let mut acts = Vec::new();
        if self.in_tools && !self.over {
            self.in_tools = false;
            self.reply.know(facts);
            self.start_cloud(now, &mut acts);
        }
        acts
    }

    /// The vehicle's model says something.
    pub fn local(&mut self, now: Time, stream: u64, what: FromLocal) -> Vec<Action> {
        let mut acts = Vec::new();
        if self.over {
            return acts;
        }
        match (&mut self.local, what) {
            (Local::Draft { number, text, .. }, FromLocal::Text(more)) if *number == stream => {
                text.push_str(&more)
            }
            (Local::Draft { number, done, .. }, FromLocal::Done) if *number == stream => *done = true,
            (Local::Draft { number, .. }, FromLocal::Failed(_) | FromLocal::Busy | FromLocal::Unsure)
                if *number == stream =>
            {
                self.local = Local::Absent;
                self.draft_failed = true;
            }
            (Local::Speaks { number }, FromLocal::Text(more)) if *number == stream => {
                self.reply.local(&more);
                self.say(now, &mut acts);
                self.mind(now, &mut acts);
            }
            (Local::Speaks { number }, FromLocal::Done) if *number == stream => {
                self.local = Local::Idle;
                self.end(now, None, &mut acts);
            }
            (Local::Speaks { number }, FromLocal::Unsure) if *number == stream => {
                self.local = Local::Idle;
                self.reply.doubt();
                self.end(now, Some(Reason::Unsure), &mut acts);
            }
            (Local::Speaks { number }, FromLocal::Busy) if *number == stream => {
                self.local = Local::Absent;
                self.end(now, Some(Reason::ModelBusy), &mut acts);
            }
            (Local::Speaks { number }, FromLocal::Failed(why)) if *number == stream => {
                self.local = Local::Absent;
                self.end(now, Some(Reason::NoModel(why)), &mut acts);
            }
            _ => {}
        }
        acts
    }

    /// The link is known to be gone.
    pub fn link_gone(&mut self, now: Time) -> Vec<Action> {
        let mut acts = Vec::new();
        if !self.over && (self.cloud.is_some() || self.in_tools) {
            self.hand_over(now, Reason::LinkGone, &mut acts);
        }
        acts
    }

    /// The driver speaks, or has enough: nothing more is said, and the socket is closed.
    pub fn cancel(&mut self, now: Time) -> Vec<Action> {
        troika_safety::fulfils![SR_RTE_006];
        let mut acts = Vec::new();
        if !self.over {
            self.end(now, Some(Reason::Cancelled), &mut acts);
        }
        acts
    }

    fn soft(&self, cloud: &Stream) -> Time {
        let Some(last) = cloud.last else { return cloud.started + self.pace.first_token_soft };
        let dry = self.spoken_until.unwrap_or(last);
        (last + self.pace.stall_soft).max(dry - self.pace.draft_lead)
    }

    fn hard(&self, cloud: &Stream) -> Time {
        let Some(last) = cloud.last else {
            // Words before a tool's call may still be being spoken.
            let hard = cloud.started + self.pace.first_token_hard;
            return self.spoken_until.map_or(hard, |dry| hard.max(dry - self.pace.hand_over_lead));
        };
        let dry = self.spoken_until.unwrap_or(last);
        let patient = (last + self.pace.stall_hard).max(dry - self.pace.hand_over_lead);
        patient.min(last + self.pace.stall_most)
    }

    fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    fn start_cloud(&mut self, now: Time, acts: &mut Vec<Action>) {
        let number = self.number();
        self.cloud = Some(Stream { number, started: now, last: None });
        acts.push(Action::StartCloud { stream: number });
    }

    /// The draft is not needed; the model reads along again, beginning with what it missed.
    fn drop_draft(&mut self, acts: &mut Vec<Action>) {
        if let Local::Draft { number, .. } = self.local {
            self.drafts_dropped += 1;
            acts.push(Action::StopLocal { stream: number });
            self.local = Local::Idle;
        }
        // What was too little to begin with may be enough to go on with.
        if std::mem::take(&mut self.draft_failed) && matches!(self.local, Local::Absent) {
            self.local = Local::Idle;
        }
    }

    /// From here on the vehicle's model speaks.
    fn hand_over(&mut self, now: Time, reason: Reason, acts: &mut Vec<Action>) {
        troika_safety::fulfils![SR_RTE_004];
        if let Some(cloud) = self.cloud.take() {
            acts.push(Action::StopCloud { stream: cloud.number });
        }
        self.in_tools = false;
        match std::mem::replace(&mut self.local, Local::Absent) {
            Local::Absent => {
                let nothing = self.reply.said().is_empty() && !self.reply.waits();
                let passing = matches!(&reason, Reason::Fault(fault) if fault.passing());
                if nothing && passing && !self.retried {
                    self.retried = true;
                    self.start_cloud(now, acts);
                } else {
                    self.end(now, Some(reason), acts);
                }
            }
            Local::Idle => {
                let number = self.number();
                acts.push(Action::ContinueLocal { stream: number, so_far: self.reply.so_far() });
                self.local = Local::Speaks { number };
                self.handed_over = Some(reason);
                self.reply.hand_over();
            }
            Local::Draft { number, text, done } => {
                self.local = Local::Speaks { number };
                self.handed_over = Some(reason);
                self.reply.hand_over();
                self.reply.local(&text);
                self.say(now, acts);
                self.mind(now, acts);
                if done && !self.over {
                    self.local = Local::Idle;
                    self.end(now, None, acts);
                }
            }
            speaks @ Local::Speaks { .. } => self.local = speaks,
        }
    }

    /// A model that only repeats itself, or makes things up, is stopped.
    fn mind(&mut self, now: Time, acts: &mut Vec<Action>) {
        let left_out = self.reply.left_out();
        if left_out.in_a_row >= self.pace.left_out_in_a_row.max(1) && self.handed_over.is_some() && !self.over
        {
            // What is left out while it finds its place is no loop: the cloud's last sentences, once more.
            if self.reply.finding() {
                return;
            }
            let made_up = left_out.ungrounded > left_out.repeated;
            self.end(now, Some(if made_up { Reason::Ungrounded } else { Reason::Loops }), acts);
        }
    }

    fn tier(&self) -> Tier {
        if self.handed_over.is_some() { Tier::Local } else { Tier::Cloud }
    }

    fn say(&mut self, now: Time, acts: &mut Vec<Action>) {
        let dry = self.spoken_until.is_none_or(|until| now >= until).then_some(self.pace.least_words);
        for text in self.reply.ready(dry) {
            self.spoken(now, text, acts);
        }
    }

    fn spoken(&mut self, now: Time, text: String, acts: &mut Vec<Action>) {
        if let Some(until) = self.spoken_until {
            self.silence = self.silence.max(now.since(until));
        }
        self.first_words.get_or_insert(now.since(self.began));
        let takes = Duration::from_secs_f32(speaking_seconds(&text, self.pace.words_per_second.max(0.1)));
        self.spoken_until = Some(self.spoken_until.map_or(now, |until| until.max(now)) + takes);
        let tier = self.tier();
        acts.push(Action::Say { text, tier });
    }

    fn end(&mut self, now: Time, cut: Option<Reason>, acts: &mut Vec<Action>) {
        troika_safety::fulfils![SR_RTE_011];
        if let Some(cloud) = self.cloud.take() {
            acts.push(Action::StopCloud { stream: cloud.number });
        }
        if let Local::Draft { number, .. } | Local::Speaks { number } = self.local {
            acts.push(Action::StopLocal { stream: number });
        }
        let quiet = matches!(cut, Some(Reason::Cancelled | Reason::Loops | Reason::Ungrounded));
        if !quiet {
            for text in self.reply.finish(cut.is_some()) {
                self.spoken(now, text, acts);
            }
        }
        self.over = true;
        acts.push(Action::End(End {
            said: self.reply.said().to_owned(),
            tier: self.tier(),
            cut,
            handed_over: self.handed_over.clone(),
            left_out: self.reply.left_out(),
            first_words: self.first_words,
            silence: self.silence,
            drafts_dropped: self.drafts_dropped,
        }));
    }
}

#[cfg(test)]
mod tests;
