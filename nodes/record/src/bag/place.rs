//! The file below a recording. After each write it is a whole MCAP file: behind what was written stands an end, which the next write
//! takes the place of. So a process that is killed, or a disk that is full, leaves a file that anybody reads.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

use super::format::{Fields, MAGIC, op};

/// A file without a summary ends like this: the end of its data, a footer that names no summary, the magic. A checksum of 0 is none.
pub(super) fn plain_end() -> Vec<u8> {
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
    /// The end that stands there.
    standing: Vec<u8>,
}

impl Place {
    /// A new file; one that is there is replaced.
    pub(super) fn create(path: &Path) -> io::Result<Place> {
        Ok(Place { file: File::create(path)?, written: 0, standing: Vec::new() })
    }

    /// Where the next write begins.
    pub(super) fn position(&self) -> u64 {
        self.written
    }

    /// Whole records, and the end that the file has with them.
    pub(super) fn write(&mut self, mut records: Vec<u8>, end: Vec<u8>) -> io::Result<()> {
        let length = records.len() as u64;
        records.extend(&end);
        if records.len() < self.standing.len() {
            // Nothing of the end that stood there may stand behind this one.
            self.file.set_len(self.written)?;
        }
        self.file.write_all_at(&records, self.written).inspect_err(|_| self.as_it_was())?;
        self.written += length;
        self.standing = end;
        Ok(())
    }

    /// Room for the end that stood there is what is given back here; one without a summary takes less.
    fn as_it_was(&self) {
        for end in [&self.standing, &plain_end()] {
            let _as_good_as_it_gets = self.file.set_len(self.written);
            if self.file.write_all_at(end, self.written).is_ok() {
                return;
            }
        }
    }
}
