//! What makes samples heard: a sound card, a WAV file, or nothing. Each takes its samples itself, when it wants them.

#[cfg(feature = "card")]
mod card;
mod paced;

use std::{path::Path, sync::Arc};

use troika_kit::Duration;

use crate::{config::Sink, speaker::Clock};

/// Fills the slice with what is to be heard next, after so long a time; gives whether that is anything but silence.
pub type Feed = Arc<dyn Fn(&mut [f32], Duration) -> bool + Send + Sync>;

/// A loudspeaker that may be there or not.
pub trait Loudspeaker: Send {
    /// Opens it: it says how many samples a second it wants, and takes them from the feed that it is given for them, until what is
    /// returned is dropped.
    ///
    /// # Errors
    /// Why it is not there, for a person.
    fn open(&mut self, feed: &dyn Fn(u32) -> Feed) -> Result<Box<dyn Open>, String>;
}

/// An open loudspeaker.
pub trait Open {
    /// Why it is gone, if it is.
    fn lost(&mut self) -> Option<String>;
}

/// The one of a configuration; relative paths start from `base`.
pub fn of(sink: &Sink, base: &Path, clock: Clock) -> Box<dyn Loudspeaker> {
    match sink {
        #[cfg(feature = "card")]
        Sink::Card { device } => Box::new(card::Card::new(device.clone())),
        #[cfg(not(feature = "card"))]
        Sink::Card { .. } => Box::new(NoCards),
        Sink::Wav { path } => Box::new(paced::Paced::wav(base.join(path), clock)),
        Sink::None => Box::new(paced::Paced::nowhere(clock)),
    }
}

/// In a build without sound cards.
#[cfg(not(feature = "card"))]
struct NoCards;

#[cfg(not(feature = "card"))]
impl Loudspeaker for NoCards {
    fn open(&mut self, _: &dyn Fn(u32) -> Feed) -> Result<Box<dyn Open>, String> {
        Err("this program was built without the feature `card`; take `sink = { kind = \"wav\", … }`"
            .to_owned())
    }
}
