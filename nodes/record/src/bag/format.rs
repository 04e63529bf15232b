//! The records of an MCAP file (mcap.dev, specification), as bytes: what is written here, and what is read of anybody's file. All
//! numbers are little endian; a text is its length in bytes and UTF-8; a map is its length in bytes and its entries.

use std::collections::BTreeMap;

/// At a file's begin and at its end.
pub(super) const MAGIC: [u8; 8] = [0x89, b'M', b'C', b'A', b'P', b'0', b'\r', b'\n'];

/// Opcodes.
pub(super) mod op {
    pub(in crate::bag) const HEADER: u8 = 0x01;
    pub(in crate::bag) const FOOTER: u8 = 0x02;
    pub(in crate::bag) const SCHEMA: u8 = 0x03;
    pub(in crate::bag) const CHANNEL: u8 = 0x04;
    pub(in crate::bag) const MESSAGE: u8 = 0x05;
    pub(in crate::bag) const CHUNK: u8 = 0x06;
    pub(in crate::bag) const MESSAGE_INDEX: u8 = 0x07;
    pub(in crate::bag) const CHUNK_INDEX: u8 = 0x08;
    pub(in crate::bag) const ATTACHMENT: u8 = 0x09;
    pub(in crate::bag) const ATTACHMENT_INDEX: u8 = 0x0A;
    pub(in crate::bag) const STATISTICS: u8 = 0x0B;
    pub(in crate::bag) const METADATA: u8 = 0x0C;
    pub(in crate::bag) const METADATA_INDEX: u8 = 0x0D;
    pub(in crate::bag) const DATA_END: u8 = 0x0F;
}

/// An opcode and a length.
pub(super) const HEAD: usize = 9;
/// A footer with its head, and the magic behind it.
pub(super) const FOOTER_AND_MAGIC: usize = HEAD + 20 + MAGIC.len();

/// Writes fields of a record.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) Vec<u8>);

impl Fields {
    pub(super) fn u16(mut self, value: u16) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn u32(mut self, value: u32) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn u64(mut self, value: u64) -> Self {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn text(self, value: &str) -> Self {
        self.short(value.as_bytes())
    }

    /// Bytes behind a length of 32 bits.
    pub(super) fn short(self, bytes: &[u8]) -> Self {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX)).bytes(bytes)
    }

    /// Bytes behind a length of 64 bits.
    pub(super) fn long(self, bytes: &[u8]) -> Self {
        self.u64(bytes.len() as u64).bytes(bytes)
    }

    pub(super) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub(super) fn map(self, map: &BTreeMap<String, String>) -> Self {
        let all = map.iter().fold(Fields::default(), |all, (key, value)| all.text(key).text(value));
        self.short(&all.0)
    }

    /// As a record, behind others.
    pub(super) fn record(self, opcode: u8, into: &mut Vec<u8>) {
        into.push(opcode);
        into.extend((self.0.len() as u64).to_le_bytes());
        into.extend(self.0);
    }
}

/// Reads fields of a record. Nothing is allocated but what is there.
pub(super) struct Read<'a>(pub(super) &'a [u8]);

/// A record that ends before its fields do, or a text that is none.
pub(super) const BROKEN: &str = "a record is broken";

impl<'a> Read<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(BROKEN)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        self.take(N)?.try_into().map_err(|_| BROKEN)
    }

    pub(super) fn u8(&mut self) -> Result<u8, &'static str> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u16(&mut self) -> Result<u16, &'static str> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, &'static str> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, &'static str> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn short(&mut self) -> Result<&'a [u8], &'static str> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    pub(super) fn long(&mut self) -> Result<&'a [u8], &'static str> {
        let length = self.u64()?;
        self.take(usize::try_from(length).map_err(|_| BROKEN)?)
    }

    pub(super) fn text(&mut self) -> Result<String, &'static str> {
        Ok(std::str::from_utf8(self.short()?).map_err(|_| BROKEN)?.to_owned())
    }

    pub(super) fn map(&mut self) -> Result<BTreeMap<String, String>, &'static str> {
        let mut all = Read(self.short()?);
        let mut map = BTreeMap::new();
        while !all.0.is_empty() {
            let key = all.text()?;
            map.insert(key, all.text()?);
        }
        Ok(map)
    }

    /// The next record of several: its opcode and its contents.
    pub(super) fn record(&mut self) -> Result<(u8, &'a [u8]), &'static str> {
        Ok((self.u8()?, self.long()?))
    }
}
