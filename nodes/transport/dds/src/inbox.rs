//! From CycloneDDS's threads to one of ours: CycloneDDS calls with its locks held, so what it tells is only put down there, and the
//! owner's callbacks run on the thread of a [`Dispatcher`], one a session, one callback at a time.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread::{self, JoinHandle, ThreadId},
};

use crate::ffi::{Listen, Reading, Sample};

/// The dispatcher's thread is called so.
pub(crate) const THREAD: &str = "dds-in";

/// Messages that one inbox may take in a turn before the next inbox has its own.
const TURN: usize = 16;

/// A reliable, volatile subscription may hold more than its depth while all it holds is smaller than this: a burst of small messages
/// is not lost to a thread that is late by a moment. Bytes.
const SLACK: usize = 4 << 20;

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something to do on the dispatcher's thread.
enum Job {
    Inbox(Arc<Inbox>),
    Once(Box<dyn FnOnce() + Send>),
}

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    closed: bool,
}

/// What is to be done.
#[derive(Default)]
pub(crate) struct Queue {
    jobs: Mutex<Jobs>,
    wake: Condvar,
}

impl Queue {
    fn push(&self, job: Job) {
        lock(&self.jobs).waiting.push_back(job);
        self.wake.notify_one();
    }

    /// Does it on the dispatcher's thread, behind all that waits there.
    pub(crate) fn once(&self, job: impl FnOnce() + Send + 'static) {
        self.push(Job::Once(Box::new(job)));
    }

    fn run(&self) {
        loop {
            let mut jobs = lock(&self.jobs);
            let job = loop {
                if let Some(job) = jobs.waiting.pop_front() {
                    break job;
                }
                if jobs.closed {
                    return;
                }
                jobs = self.wake.wait(jobs).unwrap_or_else(PoisonError::into_inner);
            };
            drop(jobs);
            match job {
                Job::Inbox(inbox) => inbox.turn(),
                Job::Once(job) => drop(catch_unwind(AssertUnwindSafe(job))),
            }
        }
    }
}

/// The thread that does it. Dropping it lets it do what waits, and waits for that.
pub(crate) struct Dispatcher {
    pub(crate) queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
}

impl Dispatcher {
    pub(crate) fn start() -> std::io::Result<Dispatcher> {
        let queue = Arc::new(Queue::default());
        let here = queue.clone();
        let thread = thread::Builder::new().name(THREAD.to_owned()).spawn(move || here.run())?;
        Ok(Dispatcher { queue, thread: Some(thread) })
    }
}

impl Drop for Dispatcher {
    fn drop(&mut self) {
        lock(&self.queue.jobs).closed = true;
        self.queue.wake.notify_one();
        // The last owner of a session may be a callback.
        if let Some(thread) =
            self.thread.take().filter(|thread| thread.thread().id() != thread::current().id())
        {
            drop(thread.join());
        }
    }
}

/// What is told to an inbox's owner.
pub(crate) enum Event<'a> {
    /// A message.
    Message(&'a Sample),
    /// Who is matched has changed; told behind the messages that came before.
    Matched,
}

/// Called on the dispatcher's thread.
pub(crate) type Handler = Box<dyn FnMut(Event<'_>) + Send>;

/// How much waits at most; the oldest goes first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// So many are always kept.
    pub(crate) depth: usize,
    /// More than that while they are small together.
    pub(crate) slack: bool,
}

#[derive(Default)]
struct Waiting {
    samples: VecDeque<Sample>,
    bytes: usize,
    matched: bool,
    /// It is in the dispatcher's queue.
    queued: bool,
    closed: bool,
    /// The dispatcher's thread, while it is inside the handler.
    inside: Option<ThreadId>,
}

/// What CycloneDDS told and its owner was not told yet.
pub(crate) struct Inbox {
    here: Weak<Inbox>,
    queue: Arc<Queue>,
    bound: Bound,
    waiting: Mutex<Waiting>,
    handler: Mutex<Option<Handler>>,
}

impl Inbox {
    pub(crate) fn new(queue: &Arc<Queue>, bound: Bound, handler: Handler) -> Arc<Inbox> {
        Arc::new_cyclic(|here| Inbox {
            here: here.clone(),
            queue: queue.clone(),
            bound,
            waiting: Mutex::default(),
            handler: Mutex::new(Some(handler)),
        })
    }

    /// Tells the owner that it should look, as if who is matched had changed.
    pub(crate) fn poke(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.matched = true;
        self.enqueue(&mut waiting);
    }

    fn enqueue(&self, waiting: &mut Waiting) {
        if !waiting.queued
            && !waiting.closed
            && let Some(here) = self.here.upgrade()
        {
            waiting.queued = true;
            self.queue.push(Job::Inbox(here));
        }
    }

    /// Puts one down, and gives what has no room any more.
    fn put(&self, sample: Sample) -> Vec<Sample> {
        let mut gone = Vec::new();
        let mut waiting = lock(&self.waiting);
        waiting.bytes += sample.bytes().len();
        waiting.samples.push_back(sample);
        let fits = |waiting: &Waiting| {
            waiting.samples.len() <= self.bound.depth || (self.bound.slack && waiting.bytes <= SLACK)
        };
        while !fits(&waiting)
            && let Some(oldest) = waiting.samples.pop_front()
        {
            waiting.bytes -= oldest.bytes().len();
            gone.push(oldest);
        }
        self.enqueue(&mut waiting);
        gone
    }

    /// On the dispatcher's thread.
    fn turn(self: Arc<Self>) {
        let mut handler = lock(&self.handler);
        for _ in 0..TURN {
            let mut waiting = lock(&self.waiting);
            let sample = waiting.samples.pop_front();
            if let Some(sample) = &sample {
                waiting.bytes -= sample.bytes().len();
            } else if !std::mem::take(&mut waiting.matched) {
                waiting.queued = false;
                break;
            }
            if waiting.closed {
                break;
            }
            waiting.inside = Some(thread::current().id());
            drop(waiting);
            if let Some(handler) = handler.as_mut() {
                let event = sample.as_ref().map_or(Event::Matched, Event::Message);
                if catch_unwind(AssertUnwindSafe(|| handler(event))).is_err() {
                    tracing::error!("a callback on a DDS message has panicked");
                }
            }
            lock(&self.waiting).inside = None;
        }
        let waiting = lock(&self.waiting);
        if waiting.closed {
            // It was dropped inside its own call.
            drop(waiting);
            *handler = None;
            return;
        }
        if waiting.queued {
            drop(waiting);
            drop(handler);
            let queue = self.queue.clone();
            queue.push(Job::Inbox(self));
        }
    }

    /// No call comes any more when this returns; but for the call that it is made in, if it is.
    pub(crate) fn close(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.closed = true;
        let gone = std::mem::take(&mut waiting.samples);
        let inside_here = waiting.inside == Some(thread::current().id());
        drop(waiting);
        drop(gone);
        if !inside_here {
            let handler = lock(&self.handler).take();
            drop(handler);
        }
    }
}

impl Listen for Inbox {
    fn on_data(&self, reader: Reading) {
        loop {
            match reader.take() {
                Ok(Some(sample)) => drop(self.put(sample)),
                Ok(None) => return,
                Err(error) => {
                    tracing::debug!(%error, "taking a DDS sample");
                    return;
                }
            }
        }
    }

    fn on_match(&self) {
        self.poke();
    }
}
