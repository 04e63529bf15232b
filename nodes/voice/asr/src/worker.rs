//! The recogniser's thread: decodings in the order that they were asked for, one at a time; each can be called off, waiting or running.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel},
    },
    thread::{self, JoinHandle},
};

use troika_host::{HostClock, StopToken};
use troika_kit::Duration;
use troika_voice::{turn::MOST_WAITING, words::Heard};

use crate::whisper::{Recogniser, RecogniserError};

/// Finals that wait, a partial and a guess; what is called off waits no longer.
const QUEUE: usize = MOST_WAITING + 2;

struct Job {
    id: u64,
    samples: Vec<f32>,
    stop: StopToken,
}

/// What waits for the thread. On a starved machine partials are asked for and called off by the dozen while one decoding goes on, so
/// those that were called off are taken out.
#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// Nothing more comes.
    closed: bool,
}

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job, waited for; none when the queue is closed.
    fn next(&self) -> Option<Job> {
        let waits = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.closed;
        let mut waiting =
            self.changed.wait_while(self.waiting(), waits).unwrap_or_else(PoisonError::into_inner);
        if waiting.closed { None } else { waiting.jobs.pop_front() }
    }
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// As it was asked for.
    pub id: u64,
    /// The words, or what broke.
    pub heard: Result<Heard, RecogniserError>,
    /// How long the decoder worked on it.
    pub took: Duration,
}

/// The thread; dropping it breaks off what runs and waits for its end.
pub struct Worker {
    queue: Arc<Queue>,
    answers: Receiver<Answered>,
    asked: VecDeque<(u64, StopToken)>,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub fn start(mut recogniser: Recogniser, clock: HostClock) -> std::io::Result<Worker> {
        let queue = Arc::new(Queue::default());
        let (done, answers) = sync_channel(QUEUE);
        let jobs = queue.clone();
        let run = move || {
            while let Some(job) = jobs.next() {
                let begin = clock.now();
                let heard = match recogniser.recognise_until(&job.samples, &job.stop) {
                    Ok(Some(heard)) => Ok(heard),
                    Ok(None) => continue,
                    Err(error) => Err(error),
                };
                if done.send(Answered { id: job.id, heard, took: clock.now().since(begin) }).is_err() {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("voice-words".into()).spawn(run)?;
        Ok(Worker { queue, answers, asked: VecDeque::new(), thread: Some(thread) })
    }

    /// Asks for the words of these samples; false when the queue is full or the thread is gone.
    pub fn decode(&mut self, id: u64, samples: Vec<f32>) -> bool {
        let mut waiting = self.queue.waiting();
        let gone = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
        if gone || waiting.jobs.len() >= QUEUE {
            return false;
        }
        let stop = StopToken::new();
        waiting.jobs.push_back(Job { id, samples, stop: stop.clone() });
        self.queue.changed.notify_one();
        self.asked.push_back((id, stop));
        true
    }

    /// Calls it off, if it was not answered yet.
    pub fn cancel(&mut self, id: u64) {
        self.asked.iter().filter(|(asked, _)| *asked == id).for_each(|(_, stop)| stop.stop());
        self.asked.retain(|(asked, _)| *asked != id);
        self.queue.waiting().jobs.retain(|job| job.id != id);
    }

    /// The next answer, if there is one.
    pub fn answer(&mut self) -> Option<Answered> {
        match self.answers.try_recv() {
            Ok(answered) => Some(self.answered(answered)),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }

    /// The next answer, waited for.
    pub fn wait(&mut self, limit: Duration) -> Option<Answered> {
        match self.answers.recv_timeout(limit) {
            Ok(answered) => Some(self.answered(answered)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Whether answers are still to come.
    pub fn busy(&self) -> bool {
        !self.asked.is_empty()
    }

    fn answered(&mut self, answered: Answered) -> Answered {
        self.asked.retain(|(id, _)| *id != answered.id);
        answered
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.asked.iter().for_each(|(_, stop)| stop.stop());
        self.queue.waiting().closed = true;
        self.queue.changed.notify_one();
        // It may wait for a place among the answers: nobody takes them any more.
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            let _ = self.answers.recv_timeout(Duration::from_millis(10));
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
