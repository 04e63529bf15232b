//! The file below a recording. After each write it is a whole MCAP file: behind what was written stands an end, which the next write
//! takes the place of. So a process that is killed, or a disk that is full, leaves a file that anybody reads.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::Path,
};

use super::format::{Fields, HEAD, MAGIC, op};

/// A file without a summary ends like this: the end of its data, a footer that names no summary, the magic. A checksum of 0 is none.
fn end() -> Vec<u8> {
    let mut end = Vec::new();
    Fields::default().u32(0).record(op::DATA_END, &mut end);
    Fields::default().u64(0).u64(0).u32(0).record(op::FOOTER, &mut end);
    end.extend(MAGIC);
    end
}

/// A recording's file.
pub(super) struct Place {
    file: File,
    /// Whole up to here.
    written: u64,
}

impl Place {
    /// A new file; one that is there is replaced.
    pub(super) fn create(path: &Path) -> io::Result<Place> {
        Ok(Place { file: File::create(path)?, written: 0 })
    }

    /// Where the next write begins.
    pub(super) fn position(&self) -> u64 {
        self.written
    }

    /// Whole records.
    pub(super) fn write(&mut self, mut records: Vec<u8>) -> io::Result<()> {
        let length = records.len() as u64;
        records.extend(end());
        self.put(&records)?;
        self.written += length;
        Ok(())
    }

    /// The file's own end.
    pub(super) fn finish(&mut self, end: &[u8]) -> io::Result<()> {
        self.put(end)?;
        self.written += end.len() as u64;
        // Nothing of the end that stood there, which may have been longer.
        self.file.set_len(self.written)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.written).inspect_err(|_| {
            // As it was before: room for the end is what is given back here.
            let _as_good_as_it_gets = self.file.set_len(self.written);
            let _as_good_as_it_gets = self.file.write_all_at(&end(), self.written);
        })
    }
}

/// Gives a file that was cut in the middle of a record (by others; ours is whole) an end behind its last whole record. Bytes that it
/// lost; none where it was whole.
///
/// # Errors
/// The file system's reason, or that it is no MCAP file.
pub fn mend(path: &Path) -> io::Result<u64> {
    let file = File::options().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    let Some(whole) = whole_until(&file, length)? else { return Ok(0) };
    file.set_len(whole)?;
    file.write_all_at(&end(), whole)?;
    Ok(length - whole)
}

/// Where the last whole record of a file's data ends; none for a file that has its end.
fn whole_until(file: &File, length: u64) -> io::Result<Option<u64>> {
    let mut magic = [0; MAGIC.len()];
    let mut read = file;
    read.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(io::Error::other("it is no MCAP file"));
    }
    let mut at = MAGIC.len() as u64;
    loop {
        let mut head = [0; HEAD];
        if file.read_exact_at(&mut head, at).is_err() {
            return Ok(Some(at));
        }
        let size = head[1..].iter().rev().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
        let next = at.checked_add(HEAD as u64).and_then(|at| at.checked_add(size));
        let Some(next) = next.filter(|next| *next <= length) else { return Ok(Some(at)) };
        if head[0] == op::DATA_END {
            let ended = length >= next + MAGIC.len() as u64
                && file.read_exact_at(&mut magic, length - MAGIC.len() as u64).is_ok()
                && magic == MAGIC;
            // A summary that was cut is made anew by nobody; the data before it is whole.
            return Ok((!ended).then_some(at));
        }
        at = next;
    }
}
