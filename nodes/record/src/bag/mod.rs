//! MCAP files as ROS 2's own recorder writes them (profile `ros2`, CDR, the schema encoding `ros2msg`), written so that a process
//! which is killed leaves a file that is whole up to its last second, and read whoever wrote them.

mod format;
mod mend;
mod place;
mod qos;
mod read;
mod summary;
mod write;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use troika_kit::{Qos, Time, TypeInfo};

pub use mend::{Mended, mend};
pub use qos::{of_text as qos_of_text, text as qos_text};
pub use read::{BagReader, ChannelInfo, Record, channels, last_time};
pub use write::Bag;

/// The MCAP profile, and what its channels are.
const PROFILE: &str = "ros2";
const CDR: &str = "cdr";
const ROS2MSG: &str = "ros2msg";
/// Channel metadata, as rosbag2 names it.
const QOS_KEY: &str = "offered_qos_profiles";
const HASH_KEY: &str = "topic_type_hash";
/// What a library is called that wrote a file.
const LIBRARY: &str = concat!("troika ", env!("CARGO_PKG_VERSION"));

/// Why a recording cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum BagError {
    /// The file system's reason.
    #[error("{}: {why}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// It is no MCAP file, or a broken one.
    #[error("{}: {why}", file.display())]
    Mcap {
        /// The file.
        file: PathBuf,
        /// Why.
        why: String,
    },
    /// It has messages of a type that has no definition.
    #[error("there is no definition of {0}: this build does not know the type")]
    UnknownType(String),
}

/// A topic of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// Its absolute name.
    pub name: String,
    /// Its type.
    pub ty: TypeInfo,
    /// What its publishers offer, as far as it is known.
    pub qos: Qos,
}

/// A message of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its topic.
    pub topic: Arc<Topic>,
    /// Which of the topic's it is, from 0.
    pub index: u32,
    /// When it was recorded.
    pub log_time: Time,
    /// The sender's stamp.
    pub publish_time: Time,
    /// Its bytes.
    pub cdr: Arc<[u8]>,
}

/// What goes into a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A message.
    Message(Message),
    /// Something to know.
    Metadata {
        /// What it is about.
        name: String,
        /// What there is to know.
        fields: BTreeMap<String, String>,
    },
    /// A file.
    Attachment {
        /// Its name.
        name: String,
        /// Its media type.
        media_type: String,
        /// When it was put there.
        time: Time,
        /// Its contents.
        bytes: Vec<u8>,
    },
}

/// Where entries go.
pub trait Store: Send {
    /// Takes one.
    ///
    /// # Errors
    /// See [`BagError`]. After an error of the file nothing more is taken; what is there is whole.
    fn put(&mut self, entry: Entry) -> Result<(), BagError>;
    /// Makes sure that a kill loses nothing of what was put so far. Called a few times a second.
    ///
    /// # Errors
    /// See [`BagError`].
    fn flush(&mut self) -> Result<(), BagError>;
    /// Ends it.
    ///
    /// # Errors
    /// See [`BagError`].
    fn finish(&mut self) -> Result<(), BagError>;
}

#[cfg(test)]
mod tests;
