//! A small language model in the place of a cloud's: `troika-slm --chat` as a process beside this one, since llama.cpp is not for every
//! program that wants a stand-in. One question is worked on at a time, some wait, the next is sent away. A process that dies is started
//! again; the answer that it was in ends with an error.

pub(crate) mod wire;

use std::{path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use self::wire::{Ask, Asked, Reason, Told};

/// The model is there within: it is read from the disk and hashed.
const READY: Duration = Duration::from_secs(120);
/// It says something within, since it does so after each 32 tokens that it reads; else it hangs.
const SILENT: Duration = Duration::from_secs(60);
/// A process that ended is gone, and what it said is read, within.
const GONE: Duration = Duration::from_secs(2);
/// Before one that died of itself is started again: what dies at once is not to be all that this machine does.
const AGAIN: Duration = Duration::from_secs(1);
/// When whoever was sent away may come again, s: an answer of ordinary length is over by then.
pub(crate) const RETRY_AFTER_S: u32 = 5;

/// The model's program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Where `troika-slm` is.
    pub path: PathBuf,
    /// What it is told beside `--chat`.
    pub arguments: Vec<String>,
    /// Questions that may wait beside the one that is worked on.
    pub waiting: usize,
}

impl Program {
    /// As it is where nothing else is said: eight may wait.
    pub fn new(path: PathBuf) -> Program {
        Program { path, arguments: Vec::new(), waiting: 8 }
    }
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Not to be run.
    #[error("{path}: {error}; build it with `cargo build -p troika-slm`, or name it with --slm")]
    Program {
        /// The program.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// It ended, or said something else.
    #[error("the language model does not start: {0}")]
    Ended(String),
}

/// What is heard of an answer. After `Begun` comes text, then one of the others; nothing more at all: the service is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    Begun,
    Text(String),
    End { finish: &'static str, prompt_tokens: usize, completion_tokens: usize },
    Refused(String),
    Failed(String),
}

/// An answer that comes; nobody wants it any more when it is dropped.
#[derive(Debug)]
pub(crate) struct Answering {
    heard: mpsc::UnboundedReceiver<Heard>,
    _place: OwnedSemaphorePermit,
}

impl Answering {
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        self.heard.recv().await
    }
}

struct Job {
    ask: Ask,
    /// Unbounded, since an answer is: one who reads slowly is not to hold up the next.
    heard: mpsc::UnboundedSender<Heard>,
}

/// The model, to be asked.
#[derive(Debug)]
pub(crate) struct Embedded {
    /// What it is called: `smollm2-135m-instruct`.
    pub(crate) name: String,
    places: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
    process: watch::Receiver<Option<u32>>,
    over: watch::Sender<bool>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// There is no place to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

impl Embedded {
    /// Starts it, and waits until it is ready.
    pub(crate) async fn start(program: Program) -> Result<Embedded, StartError> {
        let (process, name) = Process::start(&program).await?;
        let places = Arc::new(Semaphore::new(program.waiting + 1));
        // Who has gone away leaves a question behind until its turn: room for some of those too.
        let (jobs, waiting) = mpsc::channel(4 * (program.waiting + 1));
        let (told, watched) = watch::channel(process.child.id());
        let mut keeper = Keeper { program, process: Some(process), number: 0, told };
        let (over, mut ends) = watch::channel(false);
        let keeper = tokio::spawn(async move {
            tokio::select! {
                // With the last of those who ask.
                () = keeper.work(waiting) => {}
                _ = ends.wait_for(|over| *over) => {}
            }
            if let Some(process) = &mut keeper.process {
                // Waited for as well: a runtime that ends would leave the dead one in the process table.
                let _killed = timeout(GONE, process.child.kill()).await;
            }
        });
        Ok(Embedded { name, places, jobs, process: watched, over, keeper: Mutex::new(Some(keeper)) })
    }

    /// A question's answer, when its turn comes.
    pub(crate) fn ask(&self, ask: Ask) -> Result<Answering, Full> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| Full)?;
        let (sender, heard) = mpsc::unbounded_channel();
        self.jobs.try_send(Job { ask, heard: sender }).map_err(|_| Full)?;
        Ok(Answering { heard, _place: place })
    }

    /// Ends the process, whatever it does.
    pub(crate) async fn end(&self) {
        self.over.send_replace(true);
        if let Some(keeper) = self.keeper.lock().await.take() {
            // A panic of it has been told.
            let _ended = keeper.await;
        }
    }

    /// The process's id, while there is one.
    pub(crate) fn process(&self) -> watch::Receiver<Option<u32>> {
        self.process.clone()
    }
}

/// A process that is ready. Dropping it kills it.
struct Process {
    child: Child,
    asks: ChildStdin,
    tells: Lines<BufReader<ChildStdout>>,
    /// The last line that it told people.
    last_words: JoinHandle<String>,
}

impl Process {
    async fn start(program: &Program) -> Result<(Process, String), StartError> {
        let failed = |error| StartError::Program { path: program.path.display().to_string(), error };
        let missing = || failed(std::io::Error::other("it has no standard input and output"));
        let mut child = Command::new(&program.path)
            .arg("--chat")
            .args(&program.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C at a terminal is this program's affair; the other one ends with its input.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let asks = child.stdin.take().ok_or_else(missing)?;
        let tells = BufReader::new(child.stdout.take().ok_or_else(missing)?).lines();
        let mut people = BufReader::new(child.stderr.take().ok_or_else(missing)?).lines();
        let last_words = tokio::spawn(async move {
            let mut last = String::new();
            while let Ok(Some(line)) = people.next_line().await {
                eprintln!("{line}");
                last = line;
            }
            last
        });
        let mut process = Process { child, asks, tells, last_words };
        match timeout(READY, process.next()).await {
            Ok(Ok(Told::Ready { model, context_tokens })) => {
                let id = process.child.id().map(|id| id.to_string()).unwrap_or_default();
                eprintln!(
                    "troika-expert: {model} runs as process {id}, with {context_tokens} tokens of a dialogue"
                );
                Ok((process, model))
            }
            Ok(Ok(other)) => Err(StartError::Ended(format!("it said {other:?} before it was ready"))),
            Ok(Err(why)) => Err(StartError::Ended(why)),
            Err(_) => Err(StartError::Ended(format!("nothing within {} s", READY.as_secs()))),
        }
    }

    /// The next thing that it tells.
    async fn next(&mut self) -> Result<Told, String> {
        match self.tells.next_line().await {
            Ok(Some(line)) => serde_json::from_str(&line)
                .map_err(|error| format!("its process said what is none of the lines of --chat: {error}")),
            Ok(None) | Err(_) => Err(self.ended().await),
        }
    }

    /// How it ended, and what it said last.
    async fn ended(&mut self) -> String {
        let status = match timeout(GONE, self.child.wait()).await {
            Ok(Ok(status)) => status.to_string(),
            _ => "it closed its output".into(),
        };
        match timeout(GONE, &mut self.last_words).await {
            Ok(Ok(said)) if !said.is_empty() => format!("its process ended ({status}): {said}"),
            _ => format!("its process ended ({status})"),
        }
    }

    async fn tell(&mut self, asked: &Asked<'_>) -> Result<(), String> {
        match timeout(SILENT, self.asks.write_all(&wire::line(asked))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(self.ended().await),
            Err(_) => Err(hangs()),
        }
    }

    /// One question to its end.
    async fn answer(&mut self, job: &Job) -> Result<(), String> {
        let id = job.ask.id;
        self.tell(&Asked::Ask(&job.ask)).await?;
        let mut wanted = true;
        loop {
            let told = tokio::select! {
                told = timeout(SILENT, self.next()) => told.map_err(|_| hangs())??,
                () = job.heard.closed(), if wanted => {
                    wanted = false;
                    self.tell(&Asked::Cancel(id)).await?;
                    continue;
                }
            };
            let (heard, over) = match told {
                Told::Begun { id: of, dropped_messages, .. } if of == id => {
                    if dropped_messages > 0 {
                        eprintln!(
                            "troika-expert: question {id}: no room for the oldest {dropped_messages} messages"
                        );
                    }
                    (Heard::Begun, false)
                }
                Told::Read { id: of } if of == id => continue,
                Told::Text { id: of, text } if of == id => (Heard::Text(text), false),
                Told::End { id: of, reason, prompt_tokens, completion_tokens } if of == id => {
                    let finish = match reason {
                        Reason::Stop | Reason::Cancelled => "stop",
                        Reason::Length => "length",
                    };
                    (Heard::End { finish, prompt_tokens, completion_tokens }, true)
                }
                Told::Refused { id: of, why } if of == Some(id) => (Heard::Refused(why), true),
                Told::Failed { id: of, why } if of == id => (Heard::Failed(why), true),
                other => return Err(format!("its process said {other:?}, which was not asked")),
            };
            // Who has gone away is told nothing.
            let _ = job.heard.send(heard);
            if over {
                return Ok(());
            }
        }
    }
}

fn hangs() -> String {
    format!("its process said nothing for {} s", SILENT.as_secs())
}

/// Who keeps the process, and works off the questions.
struct Keeper {
    program: Program,
    process: Option<Process>,
    number: u64,
    told: watch::Sender<Option<u32>>,
}

impl Keeper {
    async fn work(&mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            let job = match &mut self.process {
                // One that dies while nobody asks is seen at once, not by the next who does.
                Some(process) => tokio::select! {
                    job = jobs.recv() => job,
                    status = process.child.wait() => {
                        let status = status.map(|status| status.to_string()).unwrap_or_default();
                        self.again(&format!("its process ended ({status})"), AGAIN).await;
                        continue;
                    }
                },
                None => jobs.recv().await,
            };
            let Some(mut job) = job else { return };
            if job.heard.is_closed() {
                continue;
            }
            self.number += 1;
            job.ask.id = self.number;
            if self.process.is_none() {
                self.again("there is none", Duration::ZERO).await;
            }
            let why = match &mut self.process {
                Some(process) => process.answer(&job).await.err(),
                None => Some("it cannot be started again; see the service's own words".into()),
            };
            if let Some(why) = why {
                // Who has gone away is told nothing.
                let _ = job.heard.send(Heard::Failed(format!("the language model failed: {why}")));
                if self.process.is_some() {
                    self.again(&why, Duration::ZERO).await;
                }
            }
        }
    }

    /// Another process in its place. Where there is none to be had the next question tries again.
    async fn again(&mut self, why: &str, after: Duration) {
        eprintln!("troika-expert: the language model is started again: {why}");
        self.process = None;
        self.told.send_replace(None);
        sleep(after).await;
        match Process::start(&self.program).await {
            Ok((process, _)) => {
                self.told.send_replace(process.child.id());
                self.process = Some(process);
            }
            Err(error) => eprintln!("troika-expert: {error}"),
        }
    }
}
