//! The file below a recording. After each flush it is a whole MCAP file: behind what was written so far stands an end, which the next
//! write takes the place of. So a process that is killed, or a disk that is full, leaves a file that anybody reads.

use std::{
    fs::File,
    io::{self, Read as _, Seek, SeekFrom, Write},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

use mcap::{MAGIC, records::op};
use troika_host::sync::Flag;

/// A file without a summary ends like this (mcap.dev, specification): the end of its data, a footer that names no summary, the magic.
/// A checksum of 0 is none.
fn end() -> Vec<u8> {
    let mut end = vec![op::DATA_END];
    end.extend(4_u64.to_le_bytes());
    end.extend([0; 4]);
    end.push(op::FOOTER);
    end.extend(20_u64.to_le_bytes());
    end.extend([0; 20]);
    end.extend(MAGIC);
    end
}

/// A recording's file.
pub(super) struct Place {
    file: File,
    /// Whole up to here.
    written: u64,
    waiting: Vec<u8>,
    /// What is flushed next has its own end.
    ends: Arc<Flag>,
}

impl Place {
    /// A new file; one that is there is replaced.
    pub(super) fn create(path: &Path, ends: Arc<Flag>) -> io::Result<Place> {
        Ok(Place { file: File::create(path)?, written: 0, waiting: Vec::new(), ends })
    }

    fn write_out(&mut self) -> io::Result<()> {
        let length = self.waiting.len();
        if !self.ends.get() {
            self.waiting.extend(end());
        }
        let wrote = self.file.write_all_at(&self.waiting, self.written);
        self.waiting.truncate(length);
        wrote
    }
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        match self.write_out() {
            Ok(()) => {
                self.written += self.waiting.len() as u64;
                self.waiting.clear();
                Ok(())
            }
            Err(why) => {
                self.waiting.clear();
                // As it was before: room for the end is what is given back here.
                let _as_good_as_it_gets = self.file.set_len(self.written);
                let _as_good_as_it_gets = self.file.write_all_at(&end(), self.written);
                Err(why)
            }
        }
    }
}

/// For the position alone: nothing is written out of order.
impl Seek for Place {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match to {
            SeekFrom::Current(0) => Ok(self.written + self.waiting.len() as u64),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
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
    let whole = whole_until(&file, length)?;
    let Some(whole) = whole else { return Ok(0) };
    file.set_len(whole)?;
    file.write_all_at(&end(), whole)?;
    Ok(length - whole)
}

/// Where the last whole record of a file's data ends; none for a file that has its end.
fn whole_until(file: &File, length: u64) -> io::Result<Option<u64>> {
    let mut magic = [0; MAGIC.len()];
    let mut read = file;
    read.read_exact(&mut magic)?;
    if magic != *MAGIC {
        return Err(io::Error::other("it is no MCAP file"));
    }
    let mut at = MAGIC.len() as u64;
    loop {
        let mut head = [0; 9];
        if file.read_exact_at(&mut head, at).is_err() {
            return Ok(Some(at));
        }
        let size = head[1..].iter().rev().fold(0_u64, |size, byte| size << 8 | u64::from(*byte));
        let Some(next) = at.checked_add(9).and_then(|at| at.checked_add(size)).filter(|next| *next <= length)
        else {
            return Ok(Some(at));
        };
        match head[0] {
            // A summary that was cut is made anew by nobody; the data before it is whole.
            op::DATA_END => {
                let mut tail = [0; MAGIC.len()];
                let ended = length >= next + tail.len() as u64
                    && file.read_exact_at(&mut tail, length - tail.len() as u64).is_ok()
                    && tail == *MAGIC;
                return Ok((!ended).then_some(at));
            }
            _ => at = next,
        }
    }
}
