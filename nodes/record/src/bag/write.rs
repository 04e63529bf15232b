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
    place::Place,
    qos_text,
};

/// A chunk is closed from this size on, bytes before compression.
const CHUNK: usize = 4 << 20;
/// zstd's fastest.
const LEVEL: i32 = 1;
const ZSTD: &str = "zstd";

/// A recording that is written.
pub struct Bag {
    path: PathBuf,
    place: Place,
    schemas: HashMap<&'static str, u16>,
    channels: HashMap<(String, &'static str), u16>,
    chunk: Chunk,
    summary: Summary,
}

#[derive(Default)]
struct Chunk {
    records: Vec<u8>,
    /// First and last time.
    times: Option<(u64, u64)>,
    /// Of each channel: times, and where in the chunk.
    index: BTreeMap<u16, Vec<(u64, u64)>>,
}

/// What the end of the file will say.
#[derive(Default)]
struct Summary {
    schemas: Vec<u8>,
    channels: Vec<u8>,
    chunks: Vec<u8>,
    attachments: Vec<u8>,
    metadata: Vec<u8>,
    counts: [u32; 3],
    messages: BTreeMap<u16, u64>,
    times: Option<(u64, u64)>,
}

/// Of [`Summary::counts`].
const CHUNKS: usize = 0;
const ATTACHMENTS: usize = 1;
const METADATA: usize = 2;

fn widen(times: &mut Option<(u64, u64)>, at: u64) {
    *times = Some(times.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
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
        place.write(begin).map_err(told)?;
        Ok(Bag {
            path: path.to_owned(),
            place,
            schemas: HashMap::new(),
            channels: HashMap::new(),
            chunk: Chunk::default(),
            summary: Summary::default(),
        })
    }

    fn write(&mut self, records: Vec<u8>) -> Result<(), BagError> {
        self.place.write(records).map_err(|why| BagError::File { file: self.path.clone(), why })
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
                self.summary.schemas.extend(record);
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
        self.summary.channels.extend(record);
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
        let chunk_length = out.len() as u64;
        let mut places = Fields::default();
        for (channel, messages) in &index {
            places = places.u16(*channel).u64(begin + out.len() as u64);
            let entries =
                messages.iter().fold(Fields::default(), |all, (at, offset)| all.u64(*at).u64(*offset));
            Fields::default().u16(*channel).short(&entries.0).record(op::MESSAGE_INDEX, &mut out);
        }
        let index_length = out.len() as u64 - chunk_length;
        self.write(out)?;
        let summary = &mut self.summary;
        let fields = Fields::default().u64(first).u64(last).u64(begin).u64(chunk_length).short(&places.0);
        let fields = fields.u64(index_length).text(ZSTD).u64(packed.len() as u64).u64(size);
        fields.record(op::CHUNK_INDEX, &mut summary.chunks);
        summary.counts[CHUNKS] += 1;
        for (channel, messages) in &index {
            *summary.messages.entry(*channel).or_default() += messages.len() as u64;
        }
        if times.is_some() {
            widen(&mut summary.times, first);
            widen(&mut summary.times, last);
        }
        Ok(())
    }

    fn end(&self) -> Vec<u8> {
        let summary = &self.summary;
        let mut end = Vec::new();
        Fields::default().u32(0).record(op::DATA_END, &mut end);
        let data_end = end.len();
        for group in
            [&summary.schemas, &summary.channels, &summary.chunks, &summary.attachments, &summary.metadata]
        {
            end.extend(group);
        }
        let (first, last) = summary.times.unwrap_or_default();
        let [chunks, attachments, metadata] = summary.counts;
        let counts = summary.messages.iter();
        let counts = counts.fold(Fields::default(), |all, (channel, count)| all.u16(*channel).u64(*count));
        let fields = Fields::default().u64(summary.messages.values().sum());
        let fields = fields.u16(self.schemas.len() as u16).u32(self.channels.len() as u32);
        let fields = fields.u32(attachments).u32(metadata).u32(chunks).u64(first).u64(last);
        fields.short(&counts.0).record(op::STATISTICS, &mut end);
        // The checksum is over the summary and the footer up to it.
        let start = self.place.position() + data_end as u64;
        let mut footer = Vec::new();
        Fields::default().u64(start).u64(0).u32(0).record(op::FOOTER, &mut footer);
        end.extend(&footer[..footer.len() - 4]);
        let crc = crc32fast::hash(&end[data_end..]);
        end.extend(crc.to_le_bytes());
        end.extend(MAGIC);
        end
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
                let length = record.len() as u64;
                self.write(record)?;
                let index = Fields::default().u64(begin).u64(length).text(&name);
                index.record(op::METADATA_INDEX, &mut self.summary.metadata);
                self.summary.counts[METADATA] += 1;
                Ok(())
            }
            Entry::Attachment { name, media_type, time, bytes } => {
                self.close_chunk()?;
                let (begin, at, mut record) = (self.place.position(), time.as_nanos(), Vec::new());
                let fields = Fields::default().u64(at).u64(at).text(&name).text(&media_type).long(&bytes);
                let crc = crc32fast::hash(&fields.0);
                fields.u32(crc).record(op::ATTACHMENT, &mut record);
                let length = record.len() as u64;
                self.write(record)?;
                let index = Fields::default().u64(begin).u64(length).u64(at).u64(at);
                let index = index.u64(bytes.len() as u64).text(&name).text(&media_type);
                index.record(op::ATTACHMENT_INDEX, &mut self.summary.attachments);
                self.summary.counts[ATTACHMENTS] += 1;
                Ok(())
            }
        }
    }

    fn flush(&mut self) -> Result<(), BagError> {
        self.close_chunk()
    }

    fn finish(&mut self) -> Result<(), BagError> {
        // What is there first, so that a disk without room for the summary still has all messages.
        self.close_chunk()?;
        let end = self.end();
        self.place.finish(&end).map_err(|why| BagError::File { file: self.path.clone(), why })
    }
}
