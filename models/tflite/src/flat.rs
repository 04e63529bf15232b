//! Reads flatbuffer tables and vectors straight from the bytes.
//!
//! Every position is checked against the file before it is read, nothing is copied and nothing is allocated, so a damaged
//! file costs an error and no more. Tables are read field by field by the reader of the file, who follows each offset once;
//! there is no recursion here.

use crate::error::ReadError;

type Result<T> = std::result::Result<T, ReadError>;

/// The file, with checked reads of little-endian numbers.
#[derive(Clone, Copy)]
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

impl<'a> Bytes<'a> {
    fn array<const N: usize>(self, at: usize, what: &'static str) -> Result<[u8; N]> {
        let end = at.checked_add(N).ok_or(ReadError::OutOfBounds { what, at })?;
        let bytes = self.0.get(at..end).ok_or(ReadError::OutOfBounds { what, at })?;
        bytes.try_into().map_err(|_| ReadError::OutOfBounds { what, at })
    }
    fn u16(self, at: usize, what: &'static str) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array(at, what)?))
    }
    fn u32(self, at: usize, what: &'static str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(at, what)?))
    }
    fn i32(self, at: usize, what: &'static str) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array(at, what)?))
    }
    /// Follows the unsigned offset stored at `at`.
    fn follow(self, at: usize, what: &'static str) -> Result<usize> {
        let offset = self.u32(at, what)? as usize;
        at.checked_add(offset).filter(|&p| p < self.0.len()).ok_or(ReadError::OutOfBounds { what, at })
    }
    /// The root table of a file with the identifier `id` at byte 4.
    pub(crate) fn root(self, id: &[u8; 4]) -> Result<Table<'a>> {
        if self.0.get(4..8) != Some(id.as_slice()) {
            return Err(ReadError::NotTflite);
        }
        Table::at(self, self.follow(0, "root table")?, "root table")
    }
}

/// One table: its fields are found through its vtable.
#[derive(Clone, Copy)]
pub(crate) struct Table<'a> {
    bytes: Bytes<'a>,
    at: usize,
    vtable: usize,
    vtable_len: usize,
}

impl<'a> Table<'a> {
    fn at(bytes: Bytes<'a>, at: usize, what: &'static str) -> Result<Self> {
        let back = i64::from(bytes.i32(at, what)?);
        let vtable =
            i64::try_from(at).ok().and_then(|a| a.checked_sub(back)).and_then(|v| usize::try_from(v).ok());
        let vtable = vtable.ok_or(ReadError::OutOfBounds { what, at })?;
        let vtable_len = usize::from(bytes.u16(vtable, what)?);
        Ok(Table { bytes, at, vtable, vtable_len })
    }
    /// Where the field of `slot` (its vtable offset: 4, 6, 8, …) is stored, if it is.
    fn field(&self, slot: usize, what: &'static str) -> Result<Option<usize>> {
        if slot + 2 > self.vtable_len {
            return Ok(None);
        }
        let offset = usize::from(self.bytes.u16(self.vtable + slot, what)?);
        Ok((offset != 0).then_some(self.at + offset))
    }
    pub(crate) fn i8(&self, slot: usize, what: &'static str) -> Result<i8> {
        match self.field(slot, what)? {
            Some(at) => Ok(i8::from_le_bytes(self.bytes.array(at, what)?)),
            None => Ok(0),
        }
    }
    pub(crate) fn bool(&self, slot: usize, what: &'static str) -> Result<bool> {
        Ok(self.i8(slot, what)? != 0)
    }
    pub(crate) fn i32(&self, slot: usize, default: i32, what: &'static str) -> Result<i32> {
        self.field(slot, what)?.map_or(Ok(default), |at| self.bytes.i32(at, what))
    }
    pub(crate) fn u32(&self, slot: usize, what: &'static str) -> Result<u32> {
        self.field(slot, what)?.map_or(Ok(0), |at| self.bytes.u32(at, what))
    }
    pub(crate) fn table(&self, slot: usize, what: &'static str) -> Result<Option<Table<'a>>> {
        match self.field(slot, what)? {
            Some(at) => Ok(Some(Table::at(self.bytes, self.bytes.follow(at, what)?, what)?)),
            None => Ok(None),
        }
    }
    /// A vector of elements of `size` bytes; its whole extent is checked to lie in the file.
    fn vector(&self, slot: usize, size: usize, what: &'static str) -> Result<Option<(usize, usize)>> {
        let Some(at) = self.field(slot, what)? else { return Ok(None) };
        let start = self.bytes.follow(at, what)?;
        let len = self.bytes.u32(start, what)? as usize;
        let first = start + 4;
        let end = len.checked_mul(size).and_then(|n| n.checked_add(first));
        match end {
            Some(end) if end <= self.bytes.0.len() => Ok(Some((first, len))),
            _ => Err(ReadError::OutOfBounds { what, at: start }),
        }
    }
    /// A vector of bytes, or of characters; empty when absent.
    pub(crate) fn byte_vector(&self, slot: usize, what: &'static str) -> Result<&'a [u8]> {
        Ok(self.vector(slot, 1, what)?.map_or(&[], |(first, len)| &self.bytes.0[first..first + len]))
    }
    /// A vector of `i32`, of at most `limit` elements; empty when absent.
    pub(crate) fn i32_vector(&self, slot: usize, limit: usize, what: &'static str) -> Result<Vec<i32>> {
        let Some((first, len)) = self.vector(slot, 4, what)? else { return Ok(Vec::new()) };
        check_limit(what, len, limit)?;
        (0..len).map(|i| self.bytes.i32(first + 4 * i, what)).collect()
    }
    /// A vector of tables, of at most `limit` elements; empty when absent.
    pub(crate) fn tables(&self, slot: usize, limit: usize, what: &'static str) -> Result<Vec<Table<'a>>> {
        let Some((first, len)) = self.vector(slot, 4, what)? else { return Ok(Vec::new()) };
        check_limit(what, len, limit)?;
        (0..len).map(|i| Table::at(self.bytes, self.bytes.follow(first + 4 * i, what)?, what)).collect()
    }
}

pub(crate) fn check_limit(what: &'static str, value: usize, limit: usize) -> Result<()> {
    if value > limit { Err(ReadError::OverLimit { what, value, limit }) } else { Ok(()) }
}
