//! The body's door: each command is looked at once, let in or refused, and followed until it has its result.
//!
//! - A command is carried out once: one with an id that was seen (of the last [`REMEMBERED`]) gets the result of then again. Another
//!   command of that id (a sender that was started again and counts from the beginning) is refused: the result of then is none of its.
//! - Catalogue and gates are checked here whatever the sender checked. An act behind a standstill gate is stopped when the
//!   vehicle moves off.
//! - A body that has not answered for 1 s has failed (SR-VOI-004); one that says *running* has [`LONGEST_ACT`].

use std::collections::VecDeque;

use troika_kit::{Duration, Time};

use crate::{
    Body,
    body::{Act, Progress},
    catalogue::{Call, Catalogue, Situation, Source, Verdict},
};

/// SR-VOI-004.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// The slowest thing of a body is a window or a trunk lid: well under ten seconds, twice that when it is cold.
pub(crate) const LONGEST_ACT: Duration = Duration::from_secs(20);
/// Acts under way at once; a command over it is refused.
pub(crate) const ACTS: usize = 32;
/// Ids held to know a command again.
pub(crate) const REMEMBERED: usize = 256;
/// The longest id; a UUID has 36 bytes.
const ID_BYTES: usize = 64;

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Accepted,
    Refused(String),
    Done(String),
    Failed(String),
}

/// A command as it came.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) id: String,
    pub(crate) call: Call,
    pub(crate) source: Source,
    pub(crate) confirmed: bool,
    pub(crate) received: Time,
    /// It came while the whole was in its safe state.
    pub(crate) limited: bool,
    /// It has no end-to-end protection, and has to.
    pub(crate) bare: bool,
    /// It was longer under way than its sender waits for an answer.
    pub(crate) late: bool,
    /// Its end-to-end protection says that it is not what was sent.
    pub(crate) damaged: bool,
}

/// One outcome of one command, to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) id: String,
    pub(crate) function: String,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
struct UnderWay {
    id: String,
    call: Call,
    act: Act,
    situation: Situation,
    accepted: Option<Time>,
    /// The body's last word: at first the command's arrival.
    answered: Time,
}

#[derive(Debug, Default)]
pub(crate) struct Door {
    under_way: Vec<UnderWay>,
    seen: VecDeque<Seen>,
}

/// A command that was let in or refused, with the newest report of it.
#[derive(Debug)]
struct Seen {
    id: String,
    call: Call,
    report: Option<Report>,
}

impl Door {
    /// Asks the body about every act under way.
    pub(crate) fn follow<B: Body>(
        &mut self,
        now: Time,
        speed_kmh: Option<f32>,
        catalogue: &Catalogue,
        body: &mut B,
        out: &mut Vec<Report>,
    ) {
        let first = out.len();
        self.under_way.retain_mut(|act| act.follow(now, speed_kmh, catalogue, body, out));
        for report in &out[first..] {
            remember(&mut self.seen, report);
        }
    }

    /// Takes a command.
    pub(crate) fn knock<B: Body>(
        &mut self,
        now: Time,
        speed_kmh: Option<f32>,
        command: &Command,
        catalogue: &Catalogue,
        body: &mut B,
        out: &mut Vec<Report>,
    ) {
        troika_safety::fulfils![SR_VOI_012];
        if let Some(seen) = self.seen.iter().find(|seen| seen.id == command.id) {
            if seen.call == command.call {
                // Whoever sent it twice may have missed the answer; while there is none, it will come.
                out.extend(seen.report.clone());
            } else {
                let reason = "another command had this id".to_owned();
                out.push(command.report(Outcome::Refused(reason)));
            }
            return;
        }
        if command.id.is_empty() || command.id.len() > ID_BYTES {
            let reason = format!("a command has an id of 1 to {ID_BYTES} bytes");
            out.push(command.report(Outcome::Refused(reason)));
            return;
        }
        if let Some(reason) = command.is_not_its_senders() {
            // Not remembered: it is no word of whose id it has.
            out.push(command.report(Outcome::Refused(reason.to_owned())));
            return;
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(Seen { id: command.id.clone(), call: command.call.clone(), report: None });
        let first = out.len();
        match self.admit(now, speed_kmh, command, catalogue, body) {
            Err(reason) => out.push(command.report(Outcome::Refused(reason))),
            Ok(mut act) => {
                if act.follow(now, speed_kmh, catalogue, body, out) {
                    self.under_way.push(act);
                }
            }
        }
        for report in &out[first..] {
            remember(&mut self.seen, report);
        }
    }

    fn admit<B: Body>(
        &mut self,
        now: Time,
        speed_kmh: Option<f32>,
        command: &Command,
        catalogue: &Catalogue,
        body: &mut B,
    ) -> Result<UnderWay, String> {
        troika_safety::fulfils![SR_VOI_010];
        let call = catalogue.validate(&command.call).map_err(|error| error.to_string())?;
        if command.late {
            return Err("the command is more than 1 s old: its sender has told that it failed".to_owned());
        }
        let situation = Situation { speed_kmh, source: command.source, confirmed: command.confirmed };
        // A gate that is shut for everybody who is not sure of the vehicle's state.
        let unsure = Situation { speed_kmh: None, source: command.source, confirmed: false };
        if command.limited && catalogue.gate(&call, &unsure) != Verdict::Execute {
            return Err(
                "the vehicle is in its safe state: only functions without a gate are carried out".to_owned()
            );
        }
        match catalogue.gate(&call, &situation) {
            Verdict::Execute => {}
            Verdict::Confirm => return Err("the driver has not confirmed it".to_owned()),
            Verdict::Refuse(why) => return Err(why.to_string()),
        }
        if self.under_way.len() == ACTS {
            return Err(format!("{ACTS} commands are under way already"));
        }
        let act = body.begin(now, &call).map_err(|unwilling| unwilling.to_string())?;
        Ok(UnderWay {
            id: command.id.clone(),
            call,
            act,
            situation,
            accepted: None,
            answered: command.received,
        })
    }
}

fn remember(seen: &mut VecDeque<Seen>, report: &Report) {
    if let Some(seen) = seen.iter_mut().rev().find(|seen| seen.id == report.id) {
        seen.report = Some(report.clone());
    }
}

impl Command {
    fn is_not_its_senders(&self) -> Option<&'static str> {
        if self.bare {
            return Some(
                "the command has no end-to-end protection: this vehicle takes those of voice and gesture alone (`protected_only`)",
            );
        }
        self.damaged.then_some("the command is not what its sender sent (end-to-end check)")
    }

    fn report(&self, outcome: Outcome) -> Report {
        // A flood in a field is not handed on.
        let cut = |text: &str| text.chars().take(ID_BYTES).collect();
        Report { id: cut(&self.id), function: cut(&self.call.function), outcome }
    }
}

impl UnderWay {
    /// Whether it is still under way.
    fn follow<B: Body>(
        &mut self,
        now: Time,
        speed_kmh: Option<f32>,
        catalogue: &Catalogue,
        body: &mut B,
        out: &mut Vec<Report>,
    ) -> bool {
        troika_safety::fulfils![SR_VOI_011];
        let situation = Situation { speed_kmh, ..self.situation };
        if let Verdict::Refuse(why) = catalogue.gate(&self.call, &situation) {
            body.stop(now, self.act);
            out.push(self.report(Outcome::Failed(format!("stopped: {why}"))));
            return false;
        }
        troika_safety::fulfils![SR_VOI_019];
        let progress = body.progress(now, self.act);
        if progress == Progress::Unanswered {
            if now.since(self.answered) < ANSWER_WITHIN {
                return true;
            }
            body.stop(now, self.act);
            out.push(self.report(Outcome::Failed("the vehicle did not answer within 1 s".to_owned())));
            return false;
        }
        if let Progress::Failed(reason) = progress {
            out.push(self.report(Outcome::Failed(reason)));
            return false;
        }
        let accepted = *self.accepted.get_or_insert_with(|| {
            out.push(report(&self.id, &self.call, Outcome::Accepted));
            now
        });
        self.answered = now;
        if let Progress::Done(answer) = progress {
            out.push(self.report(Outcome::Done(answer.unwrap_or_default())));
            return false;
        }
        if now.since(accepted) >= LONGEST_ACT {
            body.stop(now, self.act);
            out.push(self.report(Outcome::Failed(format!("not done within {} s", LONGEST_ACT.as_secs()))));
            return false;
        }
        true
    }

    fn report(&self, outcome: Outcome) -> Report {
        report(&self.id, &self.call, outcome)
    }
}

fn report(id: &str, call: &Call, outcome: Outcome) -> Report {
    Report { id: id.to_owned(), function: call.function.clone(), outcome }
}
