//! The summary at a file's end: its topics, where its chunks are, and how much is in it. Tools that go to a time, and not through all of
//! the file, live by it.

use std::collections::BTreeMap;

use super::format::{Fields, MAGIC, op};

/// What the end of a file will say.
#[derive(Default)]
pub(super) struct Summary {
    schemas: Vec<u8>,
    channels: Vec<u8>,
    chunks: Vec<u8>,
    attachments: Vec<u8>,
    metadata: Vec<u8>,
    counts: Counts,
    messages: BTreeMap<u16, u64>,
    times: Option<(u64, u64)>,
}

#[derive(Default)]
struct Counts {
    schemas: u16,
    channels: u32,
    chunks: u32,
    attachments: u32,
    metadata: u32,
}

/// Times and places in a chunk of each channel's messages.
pub(super) type Index = BTreeMap<u16, Vec<(u64, u64)>>;

/// A chunk in a file.
pub(super) struct ChunkPlace<'a> {
    /// First and last time of its messages.
    pub(super) times: Option<(u64, u64)>,
    /// Where its record begins, and how long that is with its head.
    pub(super) begin: u64,
    pub(super) length: u64,
    /// Where the index of each channel stands behind it, and how long all of them are.
    pub(super) indexes: &'a BTreeMap<u16, u64>,
    pub(super) indexes_length: u64,
    pub(super) compression: &'a str,
    /// Bytes in the file, and unpacked.
    pub(super) packed: u64,
    pub(super) size: u64,
    /// What is in it.
    pub(super) messages: &'a Index,
}

/// The records that stand behind a chunk, which itself ends at `at`: one a channel; and where each is.
pub(super) fn message_indexes(messages: &Index, at: u64, out: &mut Vec<u8>) -> BTreeMap<u16, u64> {
    let before = out.len();
    let mut places = BTreeMap::new();
    for (channel, messages) in messages {
        places.insert(*channel, at + (out.len() - before) as u64);
        let entries = messages.iter().fold(Fields::default(), |all, (at, offset)| all.u64(*at).u64(*offset));
        Fields::default().u16(*channel).short(&entries.0).record(op::MESSAGE_INDEX, out);
    }
    places
}

impl Summary {
    /// A schema's record.
    pub(super) fn schema(&mut self, record: &[u8]) {
        self.schemas.extend(record);
        self.counts.schemas = self.counts.schemas.saturating_add(1);
    }

    /// A channel's record.
    pub(super) fn channel(&mut self, record: &[u8]) {
        self.channels.extend(record);
        self.counts.channels += 1;
    }

    pub(super) fn chunk(&mut self, chunk: &ChunkPlace<'_>) {
        let (first, last) = chunk.times.unwrap_or_default();
        let places =
            chunk.indexes.iter().fold(Fields::default(), |all, (channel, at)| all.u16(*channel).u64(*at));
        let fields = Fields::default().u64(first).u64(last).u64(chunk.begin).u64(chunk.length);
        let fields = fields.short(&places.0).u64(chunk.indexes_length).text(chunk.compression);
        fields.u64(chunk.packed).u64(chunk.size).record(op::CHUNK_INDEX, &mut self.chunks);
        self.counts.chunks += 1;
        for (channel, messages) in chunk.messages {
            *self.messages.entry(*channel).or_default() += messages.len() as u64;
        }
        if chunk.times.is_some() {
            widen(&mut self.times, first);
            widen(&mut self.times, last);
        }
    }

    /// Metadata whose record begins there and is so long.
    pub(super) fn metadata(&mut self, begin: u64, length: u64, name: &str) {
        let index = Fields::default().u64(begin).u64(length).text(name);
        index.record(op::METADATA_INDEX, &mut self.metadata);
        self.counts.metadata += 1;
    }

    /// An attachment whose record begins there and is so long; its two times, and how many bytes it holds.
    pub(super) fn attachment(
        &mut self,
        (begin, length): (u64, u64),
        (logged, made): (u64, u64),
        size: u64,
        (name, media_type): (&str, &str),
    ) {
        let index = Fields::default().u64(begin).u64(length).u64(logged).u64(made);
        let index = index.u64(size).text(name).text(media_type);
        index.record(op::ATTACHMENT_INDEX, &mut self.attachments);
        self.counts.attachments += 1;
    }

    /// How many bytes it takes, roughly.
    pub(super) fn size(&self) -> usize {
        let groups = [&self.schemas, &self.channels, &self.chunks, &self.attachments, &self.metadata];
        groups.iter().map(|group| group.len()).sum::<usize>() + 10 * self.messages.len()
    }

    /// The end of a file whose records end at `at`: the end of its data, this summary, a footer, the magic.
    pub(super) fn end(&self, at: u64) -> Vec<u8> {
        let mut end = Vec::new();
        Fields::default().u32(0).record(op::DATA_END, &mut end);
        let data_end = end.len();
        for group in [&self.schemas, &self.channels, &self.chunks, &self.attachments, &self.metadata] {
            end.extend(group);
        }
        let (first, last) = self.times.unwrap_or_default();
        let Counts { schemas, channels, chunks, attachments, metadata } = self.counts;
        let counts = self.messages.iter();
        let counts = counts.fold(Fields::default(), |all, (channel, count)| all.u16(*channel).u64(*count));
        let fields = Fields::default().u64(self.messages.values().sum()).u16(schemas).u32(channels);
        let fields = fields.u32(attachments).u32(metadata).u32(chunks).u64(first).u64(last);
        fields.short(&counts.0).record(op::STATISTICS, &mut end);
        // The checksum is over the summary and the footer up to it.
        let mut footer = Vec::new();
        Fields::default().u64(at + data_end as u64).u64(0).u32(0).record(op::FOOTER, &mut footer);
        end.extend(&footer[..footer.len() - 4]);
        let crc = crc32fast::hash(&end[data_end..]);
        end.extend(crc.to_le_bytes());
        end.extend(MAGIC);
        end
    }
}

/// A span of times with one more in it.
pub(super) fn widen(times: &mut Option<(u64, u64)>, at: u64) {
    *times = Some(times.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
}
