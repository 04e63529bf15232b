//! Reads an MCAP file from its begin to its end, whoever wrote it, one record at a time. A file that ends in the middle, as a killed
//! recorder leaves it, is read up to there.

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{Read as _, Seek as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use mcap::{
    McapError, McapResult, Summary, parse_record, records,
    sans_io::{LinearReadEvent, LinearReader, LinearReaderOptions, SummaryReadEvent, SummaryReader},
};
use troika_kit::Time;

use super::{BagError, HASH_KEY, QOS_KEY};

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
    file: File,
    reader: LinearReader,
    schemas: HashMap<u16, (String, String, String)>,
    channels: HashMap<u16, Arc<ChannelInfo>>,
    profile: String,
    begun: bool,
    cut: Option<String>,
    over: bool,
}

impl BagReader {
    /// Opens a file.
    ///
    /// # Errors
    /// It cannot be read, or is no MCAP file.
    pub fn open(path: &Path) -> Result<BagReader, BagError> {
        let told = |why| BagError::File { file: path.to_owned(), why };
        let file = File::open(path).map_err(told)?;
        let length = file.metadata().map_err(told)?.len();
        let options = LinearReaderOptions::default()
            .with_skip_end_magic(true)
            .with_validate_chunk_crcs(true)
            // A length that a broken file names takes no more memory than the file is long.
            .with_record_length_limit(usize::try_from(length).unwrap_or(usize::MAX).max(1));
        let mut reader = BagReader {
            path: path.to_owned(),
            file,
            reader: LinearReader::new_with_options(options),
            schemas: HashMap::new(),
            channels: HashMap::new(),
            profile: String::new(),
            begun: false,
            cut: None,
            over: false,
        };
        // Up to its header, so that another kind of file is refused here.
        while !reader.begun {
            match reader.step() {
                Ok(Some(_)) | Ok(None) if reader.begun => break,
                Ok(Some(_)) => {}
                Ok(None) => {
                    let why = McapError::UnexpectedEof;
                    return Err(BagError::Mcap { file: path.to_owned(), why });
                }
                Err(why) => return Err(BagError::Mcap { file: path.to_owned(), why }),
            }
        }
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

    /// One step: a record, or nothing yet; `Ok(None)` at the end.
    fn step(&mut self) -> Result<Option<Option<Record>>, McapError> {
        let record = match self.reader.next_event() {
            None => return Ok(None),
            Some(event) => match event? {
                LinearReadEvent::ReadRequest(need) => {
                    let read = loop {
                        match self.file.read(self.reader.insert(need)) {
                            Err(why) if why.kind() == std::io::ErrorKind::Interrupted => {}
                            other => break other?,
                        }
                    };
                    self.reader.notify_read(read);
                    return Ok(Some(None));
                }
                LinearReadEvent::Record { data, opcode } => parse_record(opcode, data)?.into_owned(),
            },
        };
        self.take(record).map(Some)
    }

    fn take(&mut self, record: records::Record<'static>) -> Result<Option<Record>, McapError> {
        use records::Record as Mcap;
        match record {
            Mcap::Header(header) => {
                self.profile = header.profile;
                self.begun = true;
            }
            Mcap::Schema { header, data } => {
                let text = String::from_utf8_lossy(&data).into_owned();
                self.schemas.insert(header.id, (header.name, header.encoding, text));
            }
            Mcap::Channel(channel) => {
                let (type_name, schema_encoding, definition) =
                    self.schemas.get(&channel.schema_id).cloned().unwrap_or_default();
                let info = ChannelInfo {
                    topic: channel.topic,
                    encoding: channel.message_encoding,
                    type_name,
                    schema_encoding,
                    definition,
                    type_hash: channel.metadata.get(HASH_KEY).filter(|hash| !hash.is_empty()).cloned(),
                    qos: channel.metadata.get(QOS_KEY).cloned().unwrap_or_default(),
                };
                // The summary says them again.
                if self.channels.get(&channel.id).is_none_or(|known| **known != info) {
                    self.channels.insert(channel.id, Arc::new(info));
                }
            }
            Mcap::Message { header, data } => {
                let channel = self.channels.get(&header.channel_id).cloned();
                let channel =
                    channel.ok_or(McapError::UnknownChannel(header.sequence, header.channel_id))?;
                return Ok(Some(Record::Message {
                    channel,
                    sequence: header.sequence,
                    log_time: Time::from_nanos(header.log_time),
                    publish_time: Time::from_nanos(header.publish_time),
                    cdr: data.into_owned(),
                }));
            }
            Mcap::Metadata(metadata) => {
                return Ok(Some(Record::Metadata { name: metadata.name, fields: metadata.metadata }));
            }
            Mcap::Attachment { header, data, .. } => {
                return Ok(Some(Record::Attachment { name: header.name, bytes: data.into_owned() }));
            }
            _ => {}
        }
        Ok(None)
    }
}

impl Iterator for BagReader {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        while !self.over {
            match self.step() {
                Ok(Some(Some(record))) => return Some(record),
                Ok(Some(None)) => {}
                Ok(None) => self.over = true,
                Err(why) => {
                    self.cut = Some(why.to_string());
                    self.over = true;
                }
            }
        }
        None
    }
}

/// The topics of a file, by its summary; of one that has none, by reading all of it.
///
/// # Errors
/// See [`BagReader::open`].
pub fn channels(path: &Path) -> Result<Vec<ChannelInfo>, BagError> {
    let mut reader = BagReader::open(path)?;
    if let Ok(Some(summary)) = summary(path)
        && !summary.channels.is_empty()
    {
        let one = |channel: &Arc<mcap::Channel<'static>>| {
            let schema = channel.schema.as_deref();
            let data = schema.map_or(&[][..], |schema| &schema.data);
            ChannelInfo {
                topic: channel.topic.clone(),
                encoding: channel.message_encoding.clone(),
                type_name: schema.map_or_else(String::new, |schema| schema.name.clone()),
                schema_encoding: schema.map_or_else(String::new, |schema| schema.encoding.clone()),
                definition: String::from_utf8_lossy(data).into_owned(),
                type_hash: channel.metadata.get(HASH_KEY).filter(|hash| !hash.is_empty()).cloned(),
                qos: channel.metadata.get(QOS_KEY).cloned().unwrap_or_default(),
            }
        };
        return Ok(summary.channels.values().map(one).collect());
    }
    reader.by_ref().for_each(drop);
    Ok(reader.channels.values().map(|channel| (**channel).clone()).collect())
}

fn summary(path: &Path) -> McapResult<Option<Summary>> {
    let mut file = File::open(path)?;
    let mut reader = SummaryReader::new();
    while let Some(event) = reader.next_event() {
        match event? {
            SummaryReadEvent::ReadRequest(need) => {
                let read = file.read(reader.insert(need))?;
                reader.notify_read(read);
            }
            SummaryReadEvent::SeekRequest(to) => {
                let at = file.seek(to)?;
                reader.notify_seeked(at);
            }
        }
    }
    Ok(reader.finish())
}
