//! The recogniser's thread: decodings in the order that they were asked for, one at a time; each can be called off, waiting or running.

use std::{
    collections::VecDeque,
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel},
    thread::{self, JoinHandle},
};

use troika_host::{HostClock, StopToken};
use troika_kit::Duration;
use troika_voice::{turn::MOST_WAITING, words::Heard};

use crate::whisper::{Recogniser, RecogniserError};

/// Finals that wait, a partial or a guess, and as many that were called off before the thread saw them.
const QUEUE: usize = 2 * (MOST_WAITING + 2);

struct Job {
    id: u64,
    samples: Vec<f32>,
    stop: StopToken,
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
    jobs: Option<SyncSender<Job>>,
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
        let (jobs, queue) = sync_channel::<Job>(QUEUE);
        let (done, answers) = sync_channel(QUEUE);
        let run = move || {
            for job in queue {
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
        Ok(Worker { jobs: Some(jobs), answers, asked: VecDeque::new(), thread: Some(thread) })
    }

    /// Asks for the words of these samples; false when the queue is full or the thread is gone.
    pub fn decode(&mut self, id: u64, samples: Vec<f32>) -> bool {
        let stop = StopToken::new();
        let job = Job { id, samples, stop: stop.clone() };
        let taken = self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok());
        if taken {
            self.asked.push_back((id, stop));
        }
        taken
    }

    /// Calls it off, if it was not answered yet.
    pub fn cancel(&mut self, id: u64) {
        self.asked.iter().filter(|(asked, _)| *asked == id).for_each(|(_, stop)| stop.stop());
        self.asked.retain(|(asked, _)| *asked != id);
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
        drop(self.jobs.take());
        // It may wait for a place among the answers: nobody takes them any more.
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            let _ = self.answers.recv_timeout(Duration::from_millis(10));
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
