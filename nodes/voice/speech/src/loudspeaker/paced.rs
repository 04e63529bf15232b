//! A WAV file, or nothing, at the speed of life: a thread that takes 10 ms of samples every 10 ms. So what is broken off is broken off
//! in the file too.

use std::{
    fs::File,
    io::BufWriter,
    path::PathBuf,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
};

use hound::{SampleFormat, WavSpec, WavWriter};
use troika_kit::Duration;

use super::{Feed, Loudspeaker, Open};
use crate::speaker::Clock;

/// As the voice itself has it.
const RATE: u32 = 22_050;
const BLOCK: usize = RATE as usize / 100;
/// Silence that is written behind what is said; what is silent for longer is left out.
const GAP_BLOCKS: u32 = 30;
/// A thread that is behind by more goes on from now.
const BEHIND: Duration = Duration::from_millis(500);

/// A file or nothing.
pub(super) struct Paced {
    path: Option<PathBuf>,
    clock: Clock,
    /// A file that is opened again after trouble is begun anew; once is enough.
    begun: bool,
}

/// Dropping it ends the thread, and the file is whole then.
struct Running {
    stop: Option<Sender<()>>,
    lost: Receiver<String>,
    thread: Option<JoinHandle<()>>,
}

impl Paced {
    pub(super) fn wav(path: PathBuf, clock: Clock) -> Paced {
        Paced { path: Some(path), clock, begun: false }
    }

    pub(super) fn nowhere(clock: Clock) -> Paced {
        Paced { path: None, clock, begun: false }
    }
}

impl Loudspeaker for Paced {
    fn open(&mut self, feed: &dyn Fn(u32) -> Feed) -> Result<Box<dyn Open>, String> {
        let spec =
            WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: SampleFormat::Int };
        let told = |path: &PathBuf, why: hound::Error| format!("{}: {why}", path.display());
        let writer = match &self.path {
            None => None,
            Some(path) if self.begun => Some(WavWriter::append(path).map_err(|why| told(path, why))?),
            Some(path) => Some(WavWriter::create(path, spec).map_err(|why| told(path, why))?),
        };
        self.begun = true;
        let (feed, clock) = (feed(RATE), self.clock.clone());
        let (stop, stopped) = channel();
        let (tell, lost) = channel();
        let run = move || {
            if let Err(why) = play(writer, &feed, &clock, &stopped) {
                let _nobody_asks = tell.send(why.to_string());
            }
        };
        let thread =
            thread::Builder::new().name("speech-play".into()).spawn(run).map_err(|why| why.to_string())?;
        Ok(Box::new(Running { stop: Some(stop), lost, thread: Some(thread) }))
    }
}

fn play(
    mut writer: Option<WavWriter<BufWriter<File>>>,
    feed: &Feed,
    clock: &Clock,
    stopped: &Receiver<()>,
) -> Result<(), hound::Error> {
    let block_long = Duration::from_nanos(BLOCK as u64 * 1_000_000_000 / u64::from(RATE));
    let mut due = clock();
    let mut gap = 0;
    let mut block = [0.0; BLOCK];
    loop {
        let sounds = feed(&mut block, Duration::ZERO);
        if sounds {
            gap = GAP_BLOCKS;
        }
        if gap > 0
            && let Some(writer) = writer.as_mut()
        {
            for sample in block {
                writer.write_sample((sample * 32_767.0) as i16)?;
            }
            // A file of which each reply is whole, even if this process is killed.
            if gap == 1 {
                writer.flush()?;
            }
        }
        if !sounds {
            gap = u32::saturating_sub(gap, 1);
        }
        due = due + block_long;
        let now = clock();
        if now.since(due) > BEHIND {
            due = now;
        }
        if !matches!(stopped.recv_timeout(due.since(now)), Err(RecvTimeoutError::Timeout)) {
            return writer.map_or(Ok(()), WavWriter::finalize);
        }
    }
}

impl Open for Running {
    fn lost(&mut self) -> Option<String> {
        self.lost.try_recv().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}
