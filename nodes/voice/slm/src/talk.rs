//! Questions of a dialogue one after another: which is worked on, which wait, and what is told of them. A state machine over [`Speak`],
//! a forward pass at a time, so that a cancel holds to within one; [`serve`] is its edge, lines in and lines out.

use std::{
    collections::VecDeque,
    io::{self, BufRead, Read as _, Write},
    sync::mpsc::{Receiver, sync_channel},
};

use crate::chat::{Ask, Asked, LINE_BYTES, Reason, Told};

/// Questions that wait. Who asks keeps a queue of its own; more than this is somebody who does not read what is told.
const WAITING: usize = 64;
/// Lines between the thread that reads and the one that works.
const LINES: usize = 16;

/// What the model found to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Tokens of it.
    pub prompt_tokens: usize,
    /// Messages for which there was no room.
    pub dropped_messages: usize,
}

/// What one pass gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It still reads.
    Reading,
    /// A token of the answer, with the letters that it makes whole; of some there are none.
    Text(String),
    /// The answer is over; the last token said so and is none of it.
    Over(Reason),
}

/// A model that a dialogue is had with.
#[cfg_attr(test, mockall::automock)]
pub trait Speak {
    /// Begins with a question. Nothing is evaluated yet.
    ///
    /// # Errors
    /// Where it does not fit; in words.
    fn begin(&mut self, ask: &Ask) -> Result<Begun, String>;

    /// One forward pass.
    ///
    /// # Errors
    /// Where the model fails; the answer is over then.
    fn advance(&mut self) -> Result<Said, String>;
}

struct Running {
    id: u64,
    prompt_tokens: usize,
    completion_tokens: usize,
}

/// The questions in hand.
pub struct Talk<S> {
    model: S,
    waiting: VecDeque<Ask>,
    running: Option<Running>,
}

impl<S: Speak> Talk<S> {
    /// None yet.
    pub fn new(model: S) -> Talk<S> {
        Talk { model, waiting: VecDeque::new(), running: None }
    }

    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty()
    }

    /// Takes a line.
    pub fn take(&mut self, asked: Asked) -> Vec<Told> {
        match asked {
            Asked::Cancel(id) => {
                if self.running.as_ref().is_some_and(|running| running.id == id) {
                    return self.end(Reason::Cancelled);
                }
                let before = self.waiting.len();
                self.waiting.retain(|one| one.id != id);
                if self.waiting.len() == before {
                    // Its answer had ended before the cancel came.
                    return Vec::new();
                }
                vec![Told::End { id, reason: Reason::Cancelled, prompt_tokens: 0, completion_tokens: 0 }]
            }
            Asked::Ask(ask) => {
                let refused = |why: String| vec![Told::Refused { id: Some(ask.id), why }];
                if let Err(why) = ask.check() {
                    return refused(why);
                }
                if self.waiting.len() >= WAITING {
                    return refused(format!(
                        "{WAITING} questions wait already; ask again when one has ended"
                    ));
                }
                self.waiting.push_back(ask);
                Vec::new()
            }
        }
    }

    /// Goes on by a forward pass at most.
    pub fn advance(&mut self) -> Vec<Told> {
        let Some(running) = &mut self.running else {
            let Some(ask) = self.waiting.pop_front() else { return Vec::new() };
            let id = ask.id;
            return match self.model.begin(&ask) {
                Ok(Begun { prompt_tokens, dropped_messages }) => {
                    self.running = Some(Running { id, prompt_tokens, completion_tokens: 0 });
                    vec![Told::Begun { id, prompt_tokens, dropped_messages }]
                }
                Err(why) => vec![Told::Refused { id: Some(id), why }],
            };
        };
        let id = running.id;
        match self.model.advance() {
            Ok(Said::Reading) => vec![Told::Read { id }],
            Ok(Said::Text(text)) => {
                running.completion_tokens += 1;
                vec![Told::Text { id, text }]
            }
            Ok(Said::Over(reason)) => self.end(reason),
            Err(why) => {
                self.running = None;
                vec![Told::Failed { id, why }]
            }
        }
    }

    fn end(&mut self, reason: Reason) -> Vec<Told> {
        let ended = self.running.take().map(|Running { id, prompt_tokens, completion_tokens }| Told::End {
            id,
            reason,
            prompt_tokens,
            completion_tokens,
        });
        ended.into_iter().collect()
    }
}

/// Answers lines until there are no more: whoever asked is gone then.
///
/// # Errors
/// What is told cannot be written, or no thread can be had.
pub fn serve(
    model: impl Speak,
    ready: &Told,
    lines: impl io::Read + Send + 'static,
    mut told: impl Write,
) -> io::Result<()> {
    let (sender, inbox) = sync_channel(LINES);
    // It stands in a read at the end of the program, and ends with it.
    std::thread::Builder::new().name("lines".into()).spawn(move || {
        let mut lines = io::BufReader::new(lines);
        while let Some(line) = next_line(&mut lines) {
            if sender.send(line).is_err() {
                return;
            }
        }
    })?;
    let mut talk = Talk::new(model);
    tell(&mut told, std::slice::from_ref(ready))?;
    loop {
        if talk.is_idle() {
            match inbox.recv() {
                Ok(line) => tell(&mut told, &take(&mut talk, line))?,
                Err(_) => return Ok(()),
            }
        }
        // All that came, so that a cancel is not behind the work that it ends.
        loop {
            match all_that_came(&inbox) {
                Came::Line(line) => tell(&mut told, &take(&mut talk, line))?,
                Came::Nothing => break,
                Came::End => return Ok(()),
            }
        }
        tell(&mut told, &talk.advance())?;
    }
}

enum Came {
    Line(Result<Asked, String>),
    Nothing,
    End,
}

fn all_that_came(inbox: &Receiver<Result<Asked, String>>) -> Came {
    match inbox.try_recv() {
        Ok(line) => Came::Line(line),
        Err(std::sync::mpsc::TryRecvError::Empty) => Came::Nothing,
        Err(std::sync::mpsc::TryRecvError::Disconnected) => Came::End,
    }
}

fn take(talk: &mut Talk<impl Speak>, line: Result<Asked, String>) -> Vec<Told> {
    match line {
        Ok(asked) => talk.take(asked),
        Err(why) => vec![Told::Refused { id: None, why }],
    }
}

/// The next line, read; `None` at the end.
fn next_line(lines: &mut impl BufRead) -> Option<Result<Asked, String>> {
    let mut line = Vec::new();
    let most = LINE_BYTES as u64 + 1;
    if lines.by_ref().take(most).read_until(b'\n', &mut line).ok()? == 0 {
        return None;
    }
    if line.len() > LINE_BYTES {
        while line.last() != Some(&b'\n') {
            line.clear();
            if lines.by_ref().take(most).read_until(b'\n', &mut line).ok()? == 0 {
                break;
            }
        }
        return Some(Err(format!("a line of more than {LINE_BYTES} bytes")));
    }
    Some(serde_json::from_slice(&line).map_err(|error| {
        format!("{error}; a line is {{\"ask\": {{\"id\", \"messages\", \"max_tokens\", …}}}} or {{\"cancel\": id}}")
    }))
}

/// Out at once: who reads it waits for each token.
fn tell(to: &mut impl Write, told: &[Told]) -> io::Result<()> {
    for one in told {
        serde_json::to_writer(&mut *to, one)?;
        to.write_all(b"\n")?;
    }
    to.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Message, Role};

    fn ask(id: u64) -> Ask {
        let messages = vec![Message { role: Role::User, content: "Hi".to_owned() }];
        Ask { id, messages, max_tokens: 8, temperature: 0.0, top_p: 1.0, seed: 0 }
    }

    fn speaks(begins: usize) -> MockSpeak {
        let mut model = MockSpeak::new();
        model.expect_begin().times(begins).returning(|_| Ok(Begun { prompt_tokens: 5, dropped_messages: 0 }));
        model
    }

    #[test]
    fn questions_are_answered_one_after_another() {
        let mut model = speaks(2);
        let mut passes = 0;
        model.expect_advance().returning(move || {
            passes += 1;
            Ok([Said::Reading, Said::Text("A".into()), Said::Over(Reason::Stop)][(passes - 1) % 3].clone())
        });
        let mut talk = Talk::new(model);
        assert!(talk.take(Asked::Ask(ask(1))).is_empty() && talk.take(Asked::Ask(ask(2))).is_empty());
        let mut told = Vec::new();
        while !talk.is_idle() {
            told.extend(talk.advance());
        }
        let of = |id| {
            [
                Told::Begun { id, prompt_tokens: 5, dropped_messages: 0 },
                Told::Read { id },
                Told::Text { id, text: "A".into() },
                Told::End { id, reason: Reason::Stop, prompt_tokens: 5, completion_tokens: 1 },
            ]
        };
        assert_eq!(told, [of(1), of(2)].concat());
    }

    #[test]
    fn a_cancel_ends_what_runs_and_what_waits_and_one_that_comes_late_says_nothing() {
        let mut model = speaks(1);
        model.expect_advance().returning(|| Ok(Said::Text("A".into())));
        let mut talk = Talk::new(model);
        for id in 1..=2 {
            talk.take(Asked::Ask(ask(id)));
        }
        talk.advance();
        talk.advance();
        let ended = |told: &[Told]| match told {
            [Told::End { id, reason: Reason::Cancelled, completion_tokens, .. }] => (*id, *completion_tokens),
            told => panic!("{told:?}"),
        };
        assert_eq!(ended(&talk.take(Asked::Cancel(2))), (2, 0));
        assert_eq!(ended(&talk.take(Asked::Cancel(1))), (1, 1));
        assert!(talk.take(Asked::Cancel(1)).is_empty() && talk.is_idle());
    }

    #[test]
    fn what_fails_is_told_and_the_next_one_is_answered() {
        let mut model = speaks(2);
        let mut passes = 0;
        model.expect_advance().times(2).returning(move || {
            passes += 1;
            if passes == 1 { Err("no memory".to_owned()) } else { Ok(Said::Over(Reason::Stop)) }
        });
        let mut talk = Talk::new(model);
        talk.take(Asked::Ask(ask(1)));
        talk.advance();
        assert_eq!(talk.advance(), [Told::Failed { id: 1, why: "no memory".to_owned() }]);
        talk.take(Asked::Ask(ask(2)));
        talk.advance();
        assert!(matches!(talk.advance()[..], [Told::End { id: 2, .. }]));
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut talk = Talk::new(MockSpeak::new());
        let refused =
            (0..=WAITING as u64).map(|id| talk.take(Asked::Ask(ask(id)))).filter(|told| !told.is_empty());
        assert_eq!(refused.count(), 1);
    }

    #[test]
    fn lines_are_read_and_a_bad_or_endless_one_is_told() {
        let mut model = speaks(1);
        model.expect_advance().returning(|| Ok(Said::Over(Reason::Stop)));
        let good = serde_json::to_string(&Asked::Ask(ask(3))).expect("written");
        let text = format!("what?\n{}\n{good}\n", "x".repeat(LINE_BYTES + 5));
        // The lines end only when the answer is out: nobody waits for what is asked last otherwise.
        let (reader, writer) = io::pipe().expect("a pipe");
        let (answers, told) = io::pipe().expect("a pipe");
        let mut writer = writer;
        let served = std::thread::spawn(move || {
            let ready = Told::Ready { model: "m".into(), context_tokens: 10 };
            serve(model, &ready, reader, told)
        });
        let asks = std::thread::spawn(move || {
            writer.write_all(text.as_bytes()).expect("written");
            writer
        });
        let mut lines = io::BufReader::new(answers).lines();
        let mut next =
            || -> Told { serde_json::from_str(&lines.next().expect("a line").expect("read")).expect("JSON") };
        assert!(matches!(next(), Told::Ready { .. }));
        assert!(matches!(next(), Told::Refused { id: None, why } if why.contains("a line is")));
        assert!(matches!(next(), Told::Refused { id: None, why } if why.contains("bytes")));
        assert!(matches!(next(), Told::Begun { id: 3, .. }));
        assert!(matches!(next(), Told::End { id: 3, .. }));
        drop(asks.join().expect("asked"));
        served.join().expect("no panic").expect("it ends with its lines");
    }
}
