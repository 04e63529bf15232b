//! MCAP files as ROS 2's own recorder writes them (profile `ros2`, CDR, the schema encoding `ros2msg`), written so that a process
//! which is killed leaves a file that is whole up to its last second, and read whoever wrote them.

mod place;
mod qos;
mod read;

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use mcap::{Compression, WriteOptions, records::MessageHeader};
use troika_host::sync::Flag;
use troika_kit::{Qos, Time, TypeInfo};
use troika_msgs::dynamic;

pub use place::mend;
use place::Place;
pub use qos::{of_text as qos_of_text, text as qos_text};
pub use read::{BagReader, ChannelInfo, Record, channels};

/// The MCAP profile, and what its channels are.
const PROFILE: &str = "ros2";
const CDR: &str = "cdr";
const ROS2MSG: &str = "ros2msg";
/// Channel metadata, as rosbag2 names it.
const QOS_KEY: &str = "offered_qos_profiles";
const HASH_KEY: &str = "topic_type_hash";
/// A chunk is closed from this size on, bytes before compression.
const CHUNK: usize = 4 << 20;
/// zstd's fastest: pictures take a tenth of a core at 30 a second.
const LEVEL: u32 = 1;

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
        why: mcap::McapError,
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
    /// Makes sure that a kill loses nothing of what was put so far. Called about once a second.
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

/// A recording that is written.
pub struct Bag {
    path: PathBuf,
    writer: mcap::Writer<Place>,
    /// What is written from now on is the file's own end.
    ends: Arc<Flag>,
    channels: HashMap<(String, &'static str), u16>,
    /// Bytes in the chunk that is open.
    open: usize,
}

impl Bag {
    /// A new file; one that is there is replaced.
    ///
    /// # Errors
    /// See [`BagError`].
    pub fn create(path: &Path) -> Result<Bag, BagError> {
        let ends = Arc::new(Flag::default());
        let place = Place::create(path, ends.clone());
        let place = place.map_err(|why| BagError::File { file: path.to_owned(), why })?;
        let options = WriteOptions::new()
            .profile(PROFILE)
            .library(concat!("troika ", env!("CARGO_PKG_VERSION")))
            .compression(Some(Compression::Zstd))
            .compression_level(LEVEL)
            // On the caller's thread: which it is, and how it is scheduled, is decided there.
            .compression_threads(0)
            // Chunks are closed here, each written in one piece with an end behind it, so that what is on the disk is whole.
            .chunk_size(None)
            .disable_seeking(true);
        let writer =
            options.create(place).map_err(|why| BagError::Mcap { file: path.to_owned(), why })?;
        Ok(Bag { path: path.to_owned(), writer, ends, channels: HashMap::new(), open: 0 })
    }

    fn told(&self) -> impl FnOnce(mcap::McapError) -> BagError + use<> {
        let file = self.path.clone();
        move |why| match why {
            mcap::McapError::Io(why) => BagError::File { file, why },
            why => BagError::Mcap { file, why },
        }
    }

    fn channel(&mut self, topic: &Topic) -> Result<u16, BagError> {
        if let Some(id) = self.channels.get(&(topic.name.clone(), topic.ty.name)) {
            return Ok(*id);
        }
        let definition = dynamic::lookup(topic.ty.name)
            .map(dynamic::TypeEntry::definition)
            .ok_or_else(|| BagError::UnknownType(topic.ty.name.to_owned()))?;
        let told = self.told();
        let metadata = BTreeMap::from([
            (QOS_KEY.to_owned(), qos_text(&topic.qos)),
            (HASH_KEY.to_owned(), topic.ty.hash.to_owned()),
        ]);
        let made = self
            .writer
            .add_schema(topic.ty.name, ROS2MSG, definition.as_bytes())
            .and_then(|schema| self.writer.add_channel(schema, &topic.name, CDR, &metadata));
        let id = made.map_err(told)?;
        self.channels.insert((topic.name.clone(), topic.ty.name), id);
        Ok(id)
    }
}

impl Store for Bag {
    fn put(&mut self, entry: Entry) -> Result<(), BagError> {
        let told = self.told();
        match entry {
            Entry::Message(message) => {
                let header = MessageHeader {
                    channel_id: self.channel(&message.topic)?,
                    sequence: message.index,
                    log_time: message.log_time.as_nanos(),
                    publish_time: message.publish_time.as_nanos(),
                };
                self.writer.write_to_known_channel(&header, &message.cdr).map_err(told)?;
                self.open += message.cdr.len();
                if self.open >= CHUNK { self.flush() } else { Ok(()) }
            }
            Entry::Metadata { name, fields } => {
                let metadata = mcap::records::Metadata { name, metadata: fields };
                self.writer.write_metadata(&metadata).map_err(told)
            }
            Entry::Attachment { name, media_type, time, bytes } => {
                let attachment = mcap::Attachment {
                    log_time: time.as_nanos(),
                    create_time: time.as_nanos(),
                    name,
                    media_type,
                    data: bytes.into(),
                };
                self.writer.attach(&attachment).map_err(told)
            }
        }
    }

    fn flush(&mut self) -> Result<(), BagError> {
        let told = self.told();
        self.open = 0;
        self.writer.flush().map_err(told)
    }

    fn finish(&mut self) -> Result<(), BagError> {
        let told = self.told();
        // What is there first, so that a disk without room for the index still has all messages.
        self.flush()?;
        self.ends.set(true);
        self.writer.finish().map(drop).map_err(told)
    }
}

#[cfg(test)]
mod tests;
