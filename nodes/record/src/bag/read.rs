//! Reads an MCAP file from its begin to its end, whoever wrote it, one record at a time. A file that ends in the middle, as a killed
//! recorder leaves it, is read up to there.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fs::File,
    io::{BufReader, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::Arc,
};

use troika_kit::Time;

use super::{
    BagError, HASH_KEY, QOS_KEY,
    format::{FOOTER_AND_MAGIC, HEAD, MAGIC, Read, op},
};

/// A topic of a file, as the file has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its topic.
    pub topic: String,
    /// How its messages are encoded: `cdr`.
    pub encoding: String,
    /// `package/msg/Name`.
    pub type_name: String,
    /// How the type is described: `ros2msg`.
    pub schema_encoding: String,
    /// The type's definition.
    pub definition: String,
    /// The type's hash, where the file has it.
    pub type_hash: Option<String>,
    /// What its publishers offered, as rosbag2 keeps it; empty where the file has it not.
    pub qos: String,
}

/// Bytes of a chunk once it is unpacked, at most: 10 kB of zstd may claim gigabytes. Ours have 4 MiB and a message, other recorders' about as much;
/// the largest picture that a camera gives here has 200 MB.
const MOST_CHUNK: u64 = 256 << 20;

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A message.
    Message {
        /// Its topic.
        channel: Arc<ChannelInfo>,
        /// As the recorder counted it.
        sequence: u32,
        /// When it was recorded.
        log_time: Time,
        /// The sender's stamp.
        publish_time: Time,
        /// Its bytes.
        cdr: Vec<u8>,
    },
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
        /// Its contents.
        bytes: Vec<u8>,
    },
}

/// A file that is read.
pub struct BagReader {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes of the file that are not read yet.
    left: u64,
    length: u64,
    known: Known,
    profile: String,
    /// Of the chunk that was read last.
    ready: VecDeque<Record>,
    cut: Option<String>,
    over: bool,
}

/// What records refer to.
#[derive(Default)]
struct Known {
    /// Name, encoding, text.
    schemas: HashMap<u16, [String; 3]>,
    channels: HashMap<u16, Arc<ChannelInfo>>,
}

impl BagReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or is no MCAP file.
    pub fn open(path: &Path) -> Result<BagReader, BagError> {
        let told = |why| BagError::File { file: path.to_owned(), why };
        let none = |why: &str| BagError::Mcap { file: path.to_owned(), why: why.to_owned() };
        let file = File::open(path).map_err(told)?;
        let left = file.metadata().map_err(told)?.len();
        let mut reader = BagReader {
            path: path.to_owned(),
            file: BufReader::new(file),
            left,
            length: left,
            known: Known::default(),
            profile: String::new(),
            ready: VecDeque::new(),
            cut: None,
            over: false,
        };
        if reader.bytes(MAGIC.len() as u64).map_err(none)? != MAGIC {
            return Err(none("it is no MCAP file"));
        }
        let (opcode, header) = reader.record().map_err(none)?;
        if opcode != op::HEADER {
            return Err(none("it begins without a header"));
        }
        reader.profile = Read(&header).text().map_err(none)?;
        Ok(reader)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The profile that it names: `ros2`.
    pub fn profile(&self) -> &str {
        &self.profile
    }

    /// Why it ended before its end, once it was read that far.
    pub fn cut(&self) -> Option<&str> {
        self.cut.as_deref()
    }

    /// Bytes of the file that were read, and all that it has.
    pub fn progress(&self) -> (u64, u64) {
        (self.length - self.left, self.length)
    }

    /// So many bytes, if the file has them: a length that a broken file names takes no more memory than the file is long.
    fn bytes(&mut self, length: u64) -> Result<Vec<u8>, &'static str> {
        const ENDS: &str = "it ends in the middle of a record";
        if length > self.left {
            return Err(ENDS);
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| ENDS)?];
        self.file.read_exact(&mut bytes).map_err(|_| "it cannot be read further")?;
        self.left -= length;
        Ok(bytes)
    }

    fn record(&mut self) -> Result<(u8, Vec<u8>), &'static str> {
        let head = self.bytes(HEAD as u64)?;
        let mut fields = Read(&head);
        let (opcode, length) = (fields.u8()?, fields.u64()?);
        Ok((opcode, self.bytes(length)?))
    }

    /// Reads a record; what it gives is ready then.
    fn step(&mut self) -> Result<(), String> {
        let (opcode, contents) = self.record()?;
        match opcode {
            op::DATA_END => self.over = true,
            op::CHUNK => {
                let records = unpack(&contents)?;
                let mut all = Read(&records);
                while !all.0.is_empty() {
                    let (opcode, contents) = all.record()?;
                    let record = self.known.take(opcode, contents)?;
                    self.ready.extend(record);
                }
            }
            opcode => {
                let record = self.known.take(opcode, &contents)?;
                self.ready.extend(record);
            }
        }
        Ok(())
    }
}

impl Iterator for BagReader {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Some(record);
            }
            if self.over {
                return None;
            }
            if let Err(why) = self.step() {
                self.cut = Some(why);
                self.over = true;
            }
        }
    }
}

impl Known {
    fn take(&mut self, opcode: u8, contents: &[u8]) -> Result<Option<Record>, &'static str> {
        let mut fields = Read(contents);
        Ok(match opcode {
            op::SCHEMA => {
                let id = fields.u16()?;
                let (name, encoding) = (fields.text()?, fields.text()?);
                let text = String::from_utf8_lossy(fields.short()?).into_owned();
                self.schemas.insert(id, [name, encoding, text]);
                None
            }
            op::CHANNEL => {
                let (id, schema) = (fields.u16()?, fields.u16()?);
                let (topic, encoding) = (fields.text()?, fields.text()?);
                let metadata = fields.map()?;
                let [type_name, schema_encoding, definition] =
                    self.schemas.get(&schema).cloned().unwrap_or_default();
                let info = ChannelInfo {
                    topic,
                    encoding,
                    type_name,
                    schema_encoding,
                    definition,
                    type_hash: metadata.get(HASH_KEY).filter(|hash| !hash.is_empty()).cloned(),
                    qos: metadata.get(QOS_KEY).cloned().unwrap_or_default(),
                };
                // Files say them again.
                if self.channels.get(&id).is_none_or(|known| **known != info) {
                    self.channels.insert(id, Arc::new(info));
                }
                None
            }
            op::MESSAGE => {
                let id = fields.u16()?;
                let channel =
                    self.channels.get(&id).cloned().ok_or("a message of a topic that is not there")?;
                let (sequence, log_time, publish_time) = (fields.u32()?, fields.u64()?, fields.u64()?);
                Some(Record::Message {
                    channel,
                    sequence,
                    log_time: Time::from_nanos(log_time),
                    publish_time: Time::from_nanos(publish_time),
                    cdr: fields.0.to_vec(),
                })
            }
            op::METADATA => Some(Record::Metadata { name: fields.text()?, fields: fields.map()? }),
            op::ATTACHMENT => {
                let (_log_time, _create_time) = (fields.u64()?, fields.u64()?);
                let (name, _media_type) = (fields.text()?, fields.text()?);
                let bytes = fields.long()?;
                let covered = contents.len() - fields.0.len();
                let crc = fields.u32()?;
                if crc != 0 && crc != crc32fast::hash(&contents[..covered]) {
                    return Err("an attachment has another checksum than it should");
                }
                Some(Record::Attachment { name, bytes: bytes.to_vec() })
            }
            // Indexes, and records of later versions.
            _ => None,
        })
    }
}

/// The records of a chunk.
pub(super) fn unpack(chunk: &[u8]) -> Result<Vec<u8>, String> {
    let mut fields = Read(chunk);
    let (_first, _last, size, crc) = (fields.u64()?, fields.u64()?, fields.u64()?, fields.u32()?);
    let compression = fields.text()?;
    let packed = fields.long()?;
    if size > MOST_CHUNK {
        return Err(format!("a chunk of {size} bytes; up to {MOST_CHUNK} are read"));
    }
    let mut records = Vec::new();
    // One more than it should be, and no more: a broken chunk does not fill the memory.
    let most = size.saturating_add(1);
    let read = match compression.as_str() {
        "" => packed.take(most).read_to_end(&mut records),
        "zstd" => {
            zstd::stream::read::Decoder::new(packed).and_then(|all| all.take(most).read_to_end(&mut records))
        }
        "lz4" => lz4_flex::frame::FrameDecoder::new(packed).take(most).read_to_end(&mut records),
        other => return Err(format!("a chunk is compressed by '{other}', which is none, zstd or lz4")),
    };
    read.map_err(|why| format!("a chunk cannot be unpacked: {why}"))?;
    if records.len() as u64 != size {
        return Err("a chunk is not as long as it should be".to_owned());
    }
    if crc != 0 && crc != crc32fast::hash(&records) {
        return Err("a chunk has another checksum than it should".to_owned());
    }
    Ok(records)
}

/// The topics of a file, by its summary; of one that has none, by reading all of it.
///
/// # Errors
/// See [`BagReader::open`].
pub fn channels(path: &Path) -> Result<Vec<ChannelInfo>, BagError> {
    let mut reader = BagReader::open(path)?;
    let known = match summary(path) {
        Some(known) if !known.channels.is_empty() => known,
        _ => {
            reader.by_ref().for_each(drop);
            reader.known
        }
    };
    let mut all: Vec<_> = known.channels.into_iter().collect();
    all.sort_by_key(|(id, _)| *id);
    Ok(all.into_iter().map(|(_, channel)| (*channel).clone()).collect())
}

/// When the last message of a file was recorded, by its summary where it has one; none: it has no message.
///
/// # Errors
/// See [`BagReader::open`].
pub fn last_time(path: &Path) -> Result<Option<Time>, BagError> {
    let reader = BagReader::open(path)?;
    if let Some(statistics) = summary_records(path).and_then(|records| statistics(&records)) {
        return Ok(statistics);
    }
    let times = reader.filter_map(|record| match record {
        Record::Message { log_time, .. } => Some(log_time),
        _ => None,
    });
    Ok(times.max())
}

/// Of a summary: the last message's time; none: it has no statistics.
fn statistics(records: &[u8]) -> Option<Option<Time>> {
    let mut all = Read(records);
    while !all.0.is_empty() {
        let (opcode, contents) = all.record().ok()?;
        if opcode == op::STATISTICS {
            // Counts of messages, schemas, channels, attachments, metadata and chunks, and the first message's time, stand before it.
            const LAST: usize = 8 + 2 + 4 * 4 + 8;
            let messages = Read(contents).u64().ok()?;
            let last = Read(contents.get(LAST..)?).u64().ok()?;
            return Some((messages > 0).then(|| Time::from_nanos(last)));
        }
    }
    None
}

fn summary_records(path: &Path) -> Option<Vec<u8>> {
    let mut file = File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    let footer = length.checked_sub(FOOTER_AND_MAGIC as u64)?;
    let mut tail = [0; FOOTER_AND_MAGIC];
    file.seek(SeekFrom::Start(footer)).ok()?;
    file.read_exact(&mut tail).ok()?;
    let mut fields = Read(&tail);
    let (opcode, contents) = fields.record().ok()?;
    let start = Read(contents).u64().ok()?;
    if opcode != op::FOOTER || fields.0 != MAGIC || start == 0 || start > footer {
        return None;
    }
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut records = vec![0; usize::try_from(footer - start).ok()?];
    file.read_exact(&mut records).ok()?;
    Some(records)
}

fn summary(path: &Path) -> Option<Known> {
    let records = summary_records(path)?;
    let (mut all, mut known) = (Read(&records), Known::default());
    while !all.0.is_empty() {
        let (opcode, contents) = all.record().ok()?;
        if matches!(opcode, op::SCHEMA | op::CHANNEL) {
            known.take(opcode, contents).ok()?;
        }
    }
    Some(known)
}
