//! The mouth: one thread that synthesises, one that keeps the loudspeaker open, and the [`Track`] between them. A loudspeaker that is
//! not there, or goes, is tried again every [`AGAIN`]; until then all goes on as if it were there, and nothing is heard.

use std::{
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use troika_kit::{Duration, Time};
use troika_models::Store;

use crate::{
    config::Config,
    loudspeaker::{self, Feed, Loudspeaker},
    node::Mouth,
    phonemes::sentences,
    track::{Played, Track},
    voices::Voices,
};

/// The host's clock.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// How often a loudspeaker that is not there is tried.
const AGAIN: Duration = Duration::from_secs(2);
/// How often one that is there is asked whether it still is.
const LOOK: Duration = Duration::from_millis(100);
/// What is taken and thrown away at once without a loudspeaker.
const BLOCK: Duration = Duration::from_millis(20);
/// Between two sentences, seconds.
const PAUSE_S: f32 = 0.15;
/// Before a loudspeaker has said what it wants.
const RATE: u32 = 22_050;

/// What the threads and the node share.
struct State {
    track: Track,
    job: Option<(u64, String)>,
    stop: bool,
    no_loudspeaker: Option<String>,
    voice: Option<String>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    clock: Clock,
}

/// The threads. Dropping it ends them.
pub struct Speaker {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Speaker {
    /// Starts them; the voice is loaded by its own thread, and said to be wanting until it has been.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start(
        config: &Config,
        store: Result<Store, String>,
        base: &Path,
        clock: Clock,
    ) -> std::io::Result<Speaker> {
        let loudspeaker = loudspeaker::of(&config.sink, base, clock.clone());
        let config = config.clone();
        Speaker::with(loudspeaker, clock, move |clock| Voices::load(&config, store, clock))
    }

    /// With this loudspeaker, and the voices that `load` makes.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn with(
        loudspeaker: Box<dyn Loudspeaker>,
        clock: Clock,
        load: impl FnOnce(Clock) -> Voices + Send + 'static,
    ) -> std::io::Result<Speaker> {
        let state =
            State { track: Track::new(RATE), job: None, stop: false, no_loudspeaker: None, voice: None };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new(), clock });
        let mut speaker = Speaker { shared: shared.clone(), threads: Vec::new() };
        let synthesis = {
            let shared = shared.clone();
            move || synthesise(&shared, load(shared.clock.clone()))
        };
        let thread = |name: &str| thread::Builder::new().name(name.into());
        speaker.threads.push(thread("speech-voice").spawn(synthesis)?);
        speaker.threads.push(thread("speech-out").spawn(move || keep(&shared, loudspeaker))?);
        Ok(speaker)
    }

    /// The reply that is being played, and when its first sample was heard.
    pub fn first(&self) -> Option<(u64, Time)> {
        self.shared.lock().track.first()
    }

    /// Times that the loudspeaker fell silent within a reply because the synthesis was behind.
    pub fn gaps(&self) -> u64 {
        self.shared.lock().track.gaps()
    }
}

impl Shared {
    /// A panic of the other side leaves plain values behind, which are as good as before.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// What a loudspeaker takes its samples from.
    fn feed(self: &Arc<Self>, rate: u32) -> Feed {
        self.lock().track.set_rate(rate);
        let shared = self.clone();
        Arc::new(move |out, after| {
            let at = (shared.clock)() + after;
            let sounds = shared.lock().track.pull(out, at);
            if sounds {
                // There is room now.
                shared.changed.notify_all();
            }
            sounds
        })
    }
}

impl Mouth for Speaker {
    fn say(&mut self, number: u64, text: &str) {
        let mut state = self.shared.lock();
        state.track.begin(number);
        state.job = Some((number, text.to_owned()));
        self.shared.changed.notify_all();
    }

    fn hush(&mut self) {
        let mut state = self.shared.lock();
        state.track.cut();
        state.job = None;
        self.shared.changed.notify_all();
    }

    fn said(&mut self) -> Option<u64> {
        self.shared.lock().track.said()
    }

    fn played(&mut self) -> Option<(u32, Played)> {
        let mut state = self.shared.lock();
        let rate = state.track.rate();
        state.track.played().map(|played| (rate, played))
    }

    fn trouble(&mut self) -> Option<String> {
        let state = self.shared.lock();
        let all: Vec<&str> =
            [&state.no_loudspeaker, &state.voice].into_iter().flatten().map(String::as_str).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

/// The thread that synthesises.
fn synthesise(shared: &Arc<Shared>, mut voices: Voices) {
    let mut state = shared.lock();
    state.voice = voices.trouble();
    loop {
        if state.stop {
            return;
        }
        let Some((number, text)) = state.job.take() else {
            state = shared.wait(state, AGAIN);
            continue;
        };
        drop(state);
        say(shared, &mut voices, number, &text);
        state = shared.lock();
        state.track.complete(number);
        state.voice = voices.trouble();
    }
}

fn say(shared: &Shared, voices: &mut Voices, number: u64, text: &str) {
    for sentence in sentences(text) {
        let rate = shared.lock().track.rate();
        let mut push = |samples: &[f32]| push(shared, number, samples);
        let spoken = voices.speak(&sentence, rate, &mut push);
        match spoken {
            Ok(true) => {}
            // It is not wanted any more.
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, "not said");
                return;
            }
        }
        let pause = vec![0.0; (PAUSE_S * rate as f32) as usize];
        if !push(&pause) {
            return;
        }
    }
}

/// Onto the track, when there is room; false when the reply is not wanted any more.
fn push(shared: &Shared, number: u64, samples: &[f32]) -> bool {
    let mut state = shared.lock();
    while !state.stop && state.track.wants(number) && !state.track.has_room() {
        state = shared.wait(state, LOOK);
    }
    if state.stop || !state.track.wants(number) {
        return false;
    }
    state.track.push(number, samples);
    true
}

/// The thread that keeps the loudspeaker open.
fn keep(shared: &Arc<Shared>, mut loudspeaker: Box<dyn Loudspeaker>) {
    loop {
        match loudspeaker.open(&|rate| shared.feed(rate)) {
            Ok(mut open) => {
                let mut state = shared.lock();
                if state.no_loudspeaker.take().is_some() {
                    tracing::info!("the loudspeaker is there");
                }
                loop {
                    if state.stop {
                        // Whoever is to be joined takes the lock once more.
                        drop(state);
                        drop(open);
                        return;
                    }
                    state = shared.wait(state, LOOK);
                    if let Some(why) = open.lost() {
                        tell(&mut state, why);
                        break;
                    }
                }
                drop(state);
                drop(open);
            }
            Err(why) => tell(&mut shared.lock(), why),
        }
        if do_without(shared) {
            return;
        }
    }
}

fn tell(state: &mut State, why: String) {
    if state.no_loudspeaker.as_ref() != Some(&why) {
        tracing::warn!(why, "nothing is heard");
        state.no_loudspeaker = Some(why);
    }
}

/// Takes the samples as a loudspeaker would, until it is time to try again; true when it is to stop.
fn do_without(shared: &Arc<Shared>) -> bool {
    let rate = shared.lock().track.rate();
    let mut block = vec![0.0; (BLOCK.as_secs_f32() * rate as f32) as usize];
    let begin = (shared.clock)();
    let mut due = begin;
    loop {
        let now = (shared.clock)();
        let mut state = shared.lock();
        if state.stop {
            return true;
        }
        if now.since(begin) > AGAIN {
            return false;
        }
        if now < due {
            drop(shared.wait(state, due.since(now)));
            continue;
        }
        if state.track.pull(&mut block, now) {
            // Nobody heard it, so nobody hears its echo.
            while state.track.played().is_some() {}
            shared.changed.notify_all();
        }
        due = due + BLOCK;
    }
}

#[cfg(test)]
mod tests;
