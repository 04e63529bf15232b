//! Writes an MCAP file: chunks, each with the index of its messages, and at the end a summary by which others find them.
//!
//! Own code, and not the crate `mcap`: that one stands on `binrw`, whose features have every derived type of the workspace built
//! anew, and a file that is whole after each chunk would have to go around it. What it would save is these 200 lines; they are held
//! against two independent readers (`tests/interop`).

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
};

use troika_msgs::dynamic;

use super::{
    BagError, CDR, Entry, HASH_KEY, LIBRARY, Message, PROFILE, QOS_KEY, ROS2MSG, Store, Topic,
    format::{Fields, MAGIC, op},
    place::{Place, plain_end},
    qos_text,
    summary::{ChunkPlace, Index, Summary, message_indexes, widen},
};

/// A chunk is closed from this size on, bytes before compression.
const CHUNK: usize = 4 << 20;
/// zstd's fastest.
const LEVEL: i32 = 1;
const ZSTD: &str = "zstd";
/// That of an hour with few topics; to write so much a second is nothing to a disk.
const SMALL: usize = 256 << 10;

/// A recording that is written.
pub struct Bag {
    path: PathBuf,
    place: Place,
    schemas: HashMap<&'static str, u16>,
    channels: HashMap<(String, &'static str), u16>,
    chunk: Chunk,
    summary: Summary,
    /// A summary up to this size, bytes, stands behind every chunk.
    pub(super) small: usize,
    /// Bytes since the last end with a summary.
    since_summary: usize,
    /// A write failed: the file is as it was before.
    failed: bool,
}

#[derive(Default)]
struct Chunk {
    records: Vec<u8>,
    /// First and last time.
    times: Option<(u64, u64)>,
    /// Of each channel: times, and where in the chunk.
    index: Index,
}

impl Bag {
    /// A new file; one that is there is replaced.
    ///
    /// # Errors
    /// See [`BagError`].
    pub fn create(path: &Path) -> Result<Bag, BagError> {
        let told = |why| BagError::File { file: path.to_owned(), why };
        let mut place = Place::create(path).map_err(told)?;
        let mut begin = MAGIC.to_vec();
        Fields::default().text(PROFILE).text(LIBRARY).record(op::HEADER, &mut begin);
        place.write(begin, plain_end()).map_err(told)?;
        Ok(Bag {
            path: path.to_owned(),
            place,
            schemas: HashMap::new(),
            channels: HashMap::new(),
            chunk: Chunk::default(),
            summary: Summary::default(),
            small: SMALL,
            since_summary: 0,
            failed: false,
        })
    }

    /// Writes records that the summary knows of already.
    fn write(&mut self, records: Vec<u8>) -> Result<(), BagError> {
        self.since_summary += records.len();
        // So that all ends of a long recording together take no more than its data does.
        let brief = self.summary.size() <= self.small || self.since_summary >= self.summary.size();
        let end = match brief {
            true => self.summary.end(self.place.position() + records.len() as u64),
            false => plain_end(),
        };
        let told = |why| BagError::File { file: self.path.clone(), why };
        self.place.write(records, end).map_err(told).inspect_err(|_| self.failed = true)?;
        if brief {
            self.since_summary = 0;
        }
        Ok(())
    }

    /// A channel's number; its record goes into the chunk where it is new.
    fn channel(&mut self, topic: &Topic) -> Result<u16, BagError> {
        if let Some(id) = self.channels.get(&(topic.name.clone(), topic.ty.name)) {
            return Ok(*id);
        }
        let too_many =
            || BagError::Mcap { file: self.path.clone(), why: "more than 65535 topics".to_owned() };
        let schema = match self.schemas.get(topic.ty.name) {
            Some(id) => *id,
            None => {
                let definition = dynamic::lookup(topic.ty.name)
                    .map(dynamic::TypeEntry::definition)
                    .ok_or_else(|| BagError::UnknownType(topic.ty.name.to_owned()))?;
                let id = u16::try_from(self.schemas.len() + 1).map_err(|_| too_many())?;
                let mut record = Vec::new();
                let fields = Fields::default().u16(id).text(topic.ty.name).text(ROS2MSG);
                fields.short(definition.as_bytes()).record(op::SCHEMA, &mut record);
                self.chunk.records.extend(&record);
                self.summary.schema(&record);
                self.schemas.insert(topic.ty.name, id);
                id
            }
        };
        let metadata = BTreeMap::from([
            (QOS_KEY.to_owned(), qos_text(&topic.qos)),
            (HASH_KEY.to_owned(), topic.ty.hash.to_owned()),
        ]);
        let id = u16::try_from(self.channels.len() + 1).map_err(|_| too_many())?;
        let mut record = Vec::new();
        let fields = Fields::default().u16(id).u16(schema).text(&topic.name).text(CDR);
        fields.map(&metadata).record(op::CHANNEL, &mut record);
        self.chunk.records.extend(&record);
        self.summary.channel(&record);
        self.channels.insert((topic.name.clone(), topic.ty.name), id);
        Ok(id)
    }

    fn message(&mut self, message: &Message) -> Result<(), BagError> {
        let channel = self.channel(&message.topic)?;
        let at = message.log_time.as_nanos();
        widen(&mut self.chunk.times, at);
        let offset = self.chunk.records.len() as u64;
        self.chunk.index.entry(channel).or_default().push((at, offset));
        let fields = Fields::default().u16(channel).u32(message.index).u64(at);
        let fields = fields.u64(message.publish_time.as_nanos());
        fields.bytes(&message.cdr).record(op::MESSAGE, &mut self.chunk.records);
        if self.chunk.records.len() >= CHUNK { self.close_chunk() } else { Ok(()) }
    }

    fn close_chunk(&mut self) -> Result<(), BagError> {
        if self.chunk.records.is_empty() {
            return Ok(());
        }
        let Chunk { records, times, index } = std::mem::take(&mut self.chunk);
        let (first, last) = times.unwrap_or_default();
        let packed = zstd::bulk::compress(&records, LEVEL)
            .map_err(|why| BagError::File { file: self.path.clone(), why })?;
        let size = records.len() as u64;
        let begin = self.place.position();
        let mut out = Vec::with_capacity(packed.len() + 128);
        let fields = Fields::default().u64(first).u64(last).u64(size).u32(crc32fast::hash(&records));
        fields.text(ZSTD).long(&packed).record(op::CHUNK, &mut out);
        let length = out.len() as u64;
        let indexes = message_indexes(&index, begin + length, &mut out);
        self.summary.chunk(&ChunkPlace {
            times,
            begin,
            length,
            indexes: &indexes,
            indexes_length: out.len() as u64 - length,
            compression: ZSTD,
            packed: packed.len() as u64,
            size,
            messages: &index,
        });
        self.write(out)
    }
}

impl Store for Bag {
    fn put(&mut self, entry: Entry) -> Result<(), BagError> {
        match entry {
            Entry::Message(message) => self.message(&message),
            Entry::Metadata { name, fields } => {
                self.close_chunk()?;
                let (begin, mut record) = (self.place.position(), Vec::new());
                Fields::default().text(&name).map(&fields).record(op::METADATA, &mut record);
                self.summary.metadata(begin, record.len() as u64, &name);
                self.write(record)
            }
            Entry::Attachment { name, media_type, time, bytes } => {
                self.close_chunk()?;
                let (begin, at, mut record) = (self.place.position(), time.as_nanos(), Vec::new());
                let fields = Fields::default().u64(at).u64(at).text(&name).text(&media_type).long(&bytes);
                let crc = crc32fast::hash(&fields.0);
                fields.u32(crc).record(op::ATTACHMENT, &mut record);
                let place = (begin, record.len() as u64);
                self.summary.attachment(place, (at, at), bytes.len() as u64, (&name, &media_type));
                self.write(record)
            }
        }
    }

    fn flush(&mut self) -> Result<(), BagError> {
        self.close_chunk()
    }

    fn finish(&mut self) -> Result<(), BagError> {
        // What is there first, so that a disk without room for the summary still has all messages.
        self.close_chunk()?;
        if self.failed {
            return Ok(());
        }
        let end = self.summary.end(self.place.position());
        self.place.write(Vec::new(), end).map_err(|why| BagError::File { file: self.path.clone(), why })
    }
}
