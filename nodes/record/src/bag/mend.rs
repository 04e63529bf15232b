//! Gives a file what its recorder did not come to write: an end behind its last whole record, and the summary of what is in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

use super::{
    format::{FOOTER_AND_MAGIC, HEAD, MAGIC, Read, op},
    place::plain_end,
    read::unpack,
    summary::{ChunkPlace, Index, Summary, message_indexes, widen},
};

/// What a file lacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mended {
    /// Nothing, or nothing that can be made anew.
    Whole,
    /// Its summary: it has one now.
    Summary,
    /// Its end; and so many bytes behind its last whole record are gone.
    End(u64),
}

/// Gives a file that was cut in the middle of a record an end behind its last whole record, and one without a summary a summary, where
/// its messages are in chunks: of others none is known.
///
/// # Errors
/// The file system's reason, or that it is no MCAP file.
pub fn mend(path: &Path) -> io::Result<Mended> {
    let file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let data = data(&file, length)?;
    let scan = if data.has_summary { None } else { scan(&file, data.end)? };
    let (at, end, mended) = match (scan, data.has_end) {
        (Some(scan), has_end) => {
            let mut end = scan.indexes;
            end.extend(scan.summary.end(scan.end + end.len() as u64));
            (scan.end, end, if has_end { Mended::Summary } else { Mended::End(length - data.end) })
        }
        (None, true) => return Ok(Mended::Whole),
        (None, false) => (data.end, plain_end(), Mended::End(length - data.end)),
    };
    file.set_len(at)?;
    file.write_all_at(&end, at)?;
    Ok(mended)
}

/// The data of a file.
struct Data {
    /// Where its last whole record ends.
    end: u64,
    has_end: bool,
    has_summary: bool,
}

fn data(file: &File, length: u64) -> io::Result<Data> {
    let mut magic = [0; MAGIC.len()];
    let mut read = file;
    read.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(io::Error::other("it is no MCAP file"));
    }
    let mut at = MAGIC.len() as u64;
    loop {
        let cut = Data { end: at, has_end: false, has_summary: false };
        let Some((opcode, next)) = head(file, at, length) else { return Ok(cut) };
        if opcode == op::DATA_END {
            let mut tail = [0; FOOTER_AND_MAGIC];
            let begin = length.saturating_sub(FOOTER_AND_MAGIC as u64);
            // A summary that was cut is made anew; the data before it is whole.
            if begin < next || file.read_exact_at(&mut tail, begin).is_err() {
                return Ok(cut);
            }
            let mut fields = Read(&tail);
            let footer = fields.record().ok().filter(|(opcode, _)| *opcode == op::FOOTER);
            let start = footer.and_then(|(_, contents)| Read(contents).u64().ok());
            return Ok(match start.filter(|_| fields.0 == MAGIC) {
                Some(start) => Data { end: at, has_end: true, has_summary: start != 0 },
                None => cut,
            });
        }
        at = next;
    }
}

/// The opcode of the record there, and where that ends; none where it does not end within `length`.
fn head(file: &File, at: u64, length: u64) -> Option<(u8, u64)> {
    let mut head = [0; HEAD];
    file.read_exact_at(&mut head, at).ok()?;
    let size = head[1..].iter().rev().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
    let next = at.checked_add(HEAD as u64)?.checked_add(size)?;
    (next <= length).then_some((head[0], next))
}

/// What is in a file.
struct Scan {
    summary: Summary,
    /// Where the end belongs.
    end: u64,
    /// The indexes of its last chunk, where some are not there.
    indexes: Vec<u8>,
}

/// A chunk whose indexes follow.
struct Chunk {
    begin: u64,
    end: u64,
    times: Option<(u64, u64)>,
    compression: String,
    packed: u64,
    size: u64,
    messages: Index,
    indexes: BTreeMap<u16, u64>,
    indexes_end: u64,
}

#[derive(Default)]
struct Scanner {
    summary: Summary,
    schemas: BTreeSet<u16>,
    channels: BTreeSet<u16>,
    chunk: Option<Chunk>,
}

/// Goes through a file up to there; none where a message is in no chunk, or a chunk cannot be read: a summary would hide these.
fn scan(file: &File, until: u64) -> io::Result<Option<Scan>> {
    let mut scanner = Scanner::default();
    let mut at = MAGIC.len() as u64;
    while let Some((opcode, next)) = head(file, at, until) {
        let mut contents = vec![0; usize::try_from(next - at).map_err(io::Error::other)? - HEAD];
        file.read_exact_at(&mut contents, at + HEAD as u64)?;
        if scanner.take(opcode, &contents, (at, next)).is_err() {
            return Ok(None);
        }
        at = next;
    }
    let Scanner { mut summary, chunk, .. } = scanner;
    let (mut end, mut indexes) = (at, Vec::new());
    if let Some(mut chunk) = chunk {
        // Its recorder may have been killed between the two.
        if chunk.indexes.len() < chunk.messages.len() && chunk.indexes_end == at {
            end = chunk.end;
            chunk.indexes = message_indexes(&chunk.messages, end, &mut indexes);
            chunk.indexes_end = end + indexes.len() as u64;
        }
        chunk.put(&mut summary);
    }
    Ok(Some(Scan { summary, end, indexes }))
}

/// Why there is no summary of it.
struct NoSummary;

impl From<&str> for NoSummary {
    fn from(_: &str) -> NoSummary {
        NoSummary
    }
}

impl Scanner {
    fn take(&mut self, opcode: u8, contents: &[u8], (at, next): (u64, u64)) -> Result<(), NoSummary> {
        let mut fields = Read(contents);
        if opcode == op::MESSAGE_INDEX {
            if let Some(chunk) = &mut self.chunk {
                chunk.indexes.insert(fields.u16()?, at);
                chunk.indexes_end = next;
            }
            return Ok(());
        }
        if let Some(chunk) = self.chunk.take() {
            chunk.put(&mut self.summary);
        }
        match opcode {
            op::SCHEMA | op::CHANNEL => self.known(opcode, contents)?,
            op::MESSAGE => return Err(NoSummary),
            op::METADATA => self.summary.metadata(at, next - at, &fields.text()?),
            op::ATTACHMENT => {
                let times = (fields.u64()?, fields.u64()?);
                let (name, media_type) = (fields.text()?, fields.text()?);
                let size = fields.long()?.len() as u64;
                self.summary.attachment((at, next - at), times, size, (&name, &media_type));
            }
            op::CHUNK => {
                let records = unpack(contents).map_err(|_| NoSummary)?;
                let (_first, _last, size, _crc) =
                    (fields.u64()?, fields.u64()?, fields.u64()?, fields.u32()?);
                let (compression, packed) = (fields.text()?, fields.long()?.len() as u64);
                let (times, messages) = self.inside(&records)?;
                self.chunk = Some(Chunk {
                    begin: at,
                    end: next,
                    times,
                    compression,
                    packed,
                    size,
                    messages,
                    indexes: BTreeMap::new(),
                    indexes_end: next,
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// The records of a chunk: its times, and where its messages are.
    fn inside(&mut self, records: &[u8]) -> Result<(Option<(u64, u64)>, Index), NoSummary> {
        let (mut all, mut times, mut messages) = (Read(records), None, Index::new());
        while !all.0.is_empty() {
            let offset = (records.len() - all.0.len()) as u64;
            let (opcode, contents) = all.record()?;
            match opcode {
                op::SCHEMA | op::CHANNEL => self.known(opcode, contents)?,
                op::MESSAGE => {
                    let mut fields = Read(contents);
                    let (channel, _sequence, at) = (fields.u16()?, fields.u32()?, fields.u64()?);
                    widen(&mut times, at);
                    messages.entry(channel).or_default().push((at, offset));
                }
                _ => {}
            }
        }
        Ok((times, messages))
    }

    /// A schema or a channel; files say them again.
    fn known(&mut self, opcode: u8, contents: &[u8]) -> Result<(), NoSummary> {
        let id = Read(contents).u16()?;
        let mut record = vec![opcode];
        record.extend((contents.len() as u64).to_le_bytes());
        record.extend(contents);
        if opcode == op::SCHEMA && self.schemas.insert(id) {
            self.summary.schema(&record);
        } else if opcode == op::CHANNEL && self.channels.insert(id) {
            self.summary.channel(&record);
        }
        Ok(())
    }
}

impl Chunk {
    fn put(&self, summary: &mut Summary) {
        summary.chunk(&ChunkPlace {
            times: self.times,
            begin: self.begin,
            length: self.end - self.begin,
            indexes: &self.indexes,
            indexes_length: self.indexes_end - self.end,
            compression: &self.compression,
            packed: self.packed,
            size: self.size,
            messages: &self.messages,
        });
    }
}
