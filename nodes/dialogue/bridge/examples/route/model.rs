//! The vehicle's model: what the real program says to a request, asked once and kept in a file; and when it would say it, by its rates.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use troika_dialogue::sentences::Sentences;
use troika_msgs::troika::{LanguageReply, LanguageRequest};
use troika_router::simulate::Pace;

/// What was asked, as `troika-slm --lines` takes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Asked {
    text: String,
    context: String,
    so_far: String,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    asked: Asked,
    answer: Option<String>,
}

struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answers.
pub(crate) struct Answers {
    program: PathBuf,
    inner: RefCell<Inner>,
}

struct Inner {
    running: Option<Program>,
    kept: BTreeMap<Asked, Option<String>>,
    file: File,
    asked: usize,
}

impl Answers {
    /// With what is in the file; the program is started when something is not.
    pub(crate) fn open(program: &Path, file: &Path) -> anyhow::Result<Answers> {
        let told = || format!("cannot use {}", file.display());
        let file_text =
            if file.exists() { std::fs::read_to_string(file).with_context(told)? } else { String::new() };
        let mut kept = BTreeMap::new();
        for line in file_text.lines() {
            // A line that was being written when the bench was stopped is made again.
            if let Ok(one) = serde_json::from_str::<Kept>(line) {
                kept.insert(one.asked, one.answer);
            }
        }
        let file = OpenOptions::new().create(true).append(true).open(file).with_context(told)?;
        let inner = Inner { running: None, kept, file, asked: 0 };
        Ok(Answers { program: program.to_owned(), inner: RefCell::new(inner) })
    }

    /// How often the program was asked in this run.
    pub(crate) fn asked(&self) -> usize {
        self.inner.borrow().asked
    }

    /// How many requests there are answers to.
    pub(crate) fn kept(&self) -> usize {
        self.inner.borrow().kept.len()
    }

    /// What the model says; none: it is not sure enough to say anything.
    fn answer(&self, request: &LanguageRequest) -> anyhow::Result<Option<String>> {
        let asked = Asked {
            text: request.text.clone(),
            context: request.context.clone(),
            so_far: request.so_far.clone(),
        };
        let mut inner = self.inner.borrow_mut();
        if let Some(answer) = inner.kept.get(&asked) {
            return Ok(answer.clone());
        }
        if inner.running.is_none() {
            inner.running = Some(start(&self.program)?);
        }
        let Some(running) = &mut inner.running else { unreachable!("it was started") };
        writeln!(running.input, "{}", serde_json::to_string(&asked)?)?;
        running.input.flush()?;
        let mut line = String::new();
        running.output.read_line(&mut line)?;
        anyhow::ensure!(!line.is_empty(), "{} ended; run it with --lines by hand", self.program.display());
        let answer: serde_json::Value = serde_json::from_str(&line)?;
        let answer = answer["answer"].as_str().map(str::to_owned);
        inner.asked += 1;
        let kept = serde_json::to_string(&Kept { asked: asked.clone(), answer: answer.clone() })?;
        writeln!(inner.file, "{kept}")?;
        inner.kept.insert(asked, answer.clone());
        Ok(answer)
    }

    /// Its replies to a request made at `now`, with their times, s. `read`: characters of it that were read along.
    pub(crate) fn replies(
        &self,
        request: &LanguageRequest,
        now: f64,
        pace: Pace,
        read: usize,
    ) -> anyhow::Result<Vec<(f64, LanguageReply)>> {
        let prompt = (request.text.len() + request.context.len() + request.so_far.len()).saturating_sub(read);
        let reads = pace.prompt_tokens_per_s.map_or(0.0, |rate| (prompt as f64 / 4.0 + 30.0) / rate);
        let mut time = now + reads + pace.first_token_s;
        let reply = |status, text: &str, reason: &str| LanguageReply {
            request_id: request.request_id.clone(),
            status,
            text: text.to_owned(),
            reason: reason.to_owned(),
            ..LanguageReply::default()
        };
        let Some(answer) = self.answer(request)? else {
            // What it is not sure of it has said to itself first: a sentence's time.
            let why = "not sure enough";
            return Ok(vec![(time + 12.0 / pace.tokens_per_s, reply(LanguageReply::UNSURE, "", why))]);
        };
        // It is told sentence by sentence.
        let mut replies = Vec::new();
        let mut sentences = Sentences::default();
        sentences.push(&answer);
        let (mut told, mut tokens) = (0, 0.0);
        while let Some(sentence) = sentences.whole() {
            let end = answer[told..]
                .find(sentence.trim())
                .map_or(answer.len(), |at| told + at + sentence.trim().len());
            tokens += (end - told) as f64 / 4.0;
            told = end;
            replies.push((
                time + tokens / pace.tokens_per_s,
                reply(LanguageReply::PARTIAL, &answer[..told], ""),
            ));
        }
        time += answer.len() as f64 / 4.0 / pace.tokens_per_s;
        replies.push((time, reply(LanguageReply::DONE, &answer, "")));
        Ok(replies)
    }
}

fn start(program: &Path) -> anyhow::Result<Program> {
    let mut child = Command::new(program)
        .arg("--lines")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| {
            format!("cannot start {}; `cargo xtask bench route` builds it", program.display())
        })?;
    let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        anyhow::bail!("no pipes to {}", program.display());
    };
    Ok(Program { child, input, output: BufReader::new(output) })
}
