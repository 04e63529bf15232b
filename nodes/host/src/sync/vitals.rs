//! Signs of life in memory that two processes share: each node writes when its step began and when it was last awake, a watchdog
//! reads. A write is two stores; nothing waits for anybody, and a reader that is gone changes nothing.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    ptr::{NonNull, null_mut},
    sync::Arc,
    time::Duration,
};

use rustix::{
    fs::{MemfdFlags, memfd_create},
    mm::{MapFlags, ProtFlags, mmap, munmap},
};

use super::vital_cell::Cell;
pub use super::vital_cell::Reading;

/// Nodes that a page has room for.
pub(super) const NODES: usize = 63;
/// "TRVITAL" and the layout's version: a page of another version is refused.
const MAGIC: u64 = 0x5452_5649_5441_4c01;
/// A cache line for each node, and one for the magic number.
const LENGTH: usize = (NODES + 1) * size_of::<Cell>();

/// The shared memory.
#[derive(Debug)]
pub struct VitalsPage {
    cells: NonNull<Cell>,
    /// Of the one who made it: what the processes that it starts open.
    file: Option<File>,
}

// SAFETY: what is shared is atomics, and the mapping lives as long as the page.
unsafe impl Send for VitalsPage {}
// SAFETY: as above.
unsafe impl Sync for VitalsPage {}

/// One node's place on the page: the writer's end.
#[derive(Debug, Clone)]
pub struct Vital {
    page: Arc<VitalsPage>,
    index: usize,
}

impl VitalsPage {
    /// Makes a page without a name, which goes with the last process that has it, however that ends.
    ///
    /// # Errors
    /// The machine has no memory for it.
    pub fn create() -> io::Result<VitalsPage> {
        // Not closed on exec: processes that are started from here have it under the same number.
        let file = File::from(memfd_create("troika-vitals", MemfdFlags::empty())?);
        file.set_len(LENGTH as u64)?;
        let mut page = VitalsPage::map(&file)?;
        page.file = Some(file);
        page.cell(NODES).mark(MAGIC);
        Ok(page)
    }

    /// Where a process that this one starts finds it; none on a page that was opened.
    pub fn path(&self) -> Option<PathBuf> {
        self.file.as_ref().map(|file| format!("/proc/self/fd/{}", file.as_raw_fd()).into())
    }

    /// Maps the page that is at `path`.
    ///
    /// # Errors
    /// There is none, or it is no page of this version.
    pub fn open(path: &Path) -> io::Result<VitalsPage> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let stranger = || io::Error::new(io::ErrorKind::InvalidData, "no page of vitals of this version");
        // Checked before it is touched: beyond a shorter file's end lies a bus error.
        if file.metadata()?.len() != LENGTH as u64 {
            return Err(stranger());
        }
        let page = VitalsPage::map(&file)?;
        if page.cell(NODES).marked() != MAGIC {
            return Err(stranger());
        }
        Ok(page)
    }

    fn map(file: &File) -> io::Result<VitalsPage> {
        // SAFETY: a new mapping at a place of the kernel's choice touches nobody's memory.
        let at = unsafe {
            mmap(null_mut(), LENGTH, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, file, 0)?
        };
        let cells = NonNull::new(at.cast::<Cell>()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(VitalsPage { cells, file: None })
    }

    fn cell(&self, index: usize) -> &Cell {
        assert!(index <= NODES, "a page has {NODES} nodes");
        // SAFETY: the mapping is `NODES + 1` cells long and page-aligned; atomics of any content are sound.
        unsafe { self.cells.add(index).as_ref() }
    }

    /// What the node at this place last wrote.
    ///
    /// # Panics
    /// `index` is not under 63.
    pub fn read(&self, index: usize) -> Reading {
        self.cell(index).read()
    }

    /// Forgets what the node at this place wrote: its process begins anew.
    ///
    /// # Panics
    /// `index` is not under 63.
    pub fn clear(&self, index: usize) {
        self.cell(index).clear();
    }
}

impl Drop for VitalsPage {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, whole, and nobody borrows from it any more.
        let unmapped = unsafe { munmap(self.cells.as_ptr().cast(), LENGTH) };
        debug_assert!(unmapped.is_ok(), "it was mapped");
    }
}

impl Vital {
    /// The place `index` of the page.
    ///
    /// # Panics
    /// `index` is not under 63.
    pub fn new(page: Arc<VitalsPage>, index: usize) -> Vital {
        assert!(index < NODES, "a page has {NODES} nodes");
        Vital { page, index }
    }

    /// The node looks at its inputs, and its step begins.
    pub fn begin(&self, monotonic: Duration) {
        self.page.cell(self.index).begin(monotonic);
    }

    /// The node's step has ended and its outputs have left.
    pub fn end(&self) {
        self.page.cell(self.index).end();
    }

    /// The node has stopped, as it was told to.
    pub fn rest(&self) {
        self.page.clear(self.index);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_process_writes_another_reads() {
        let watchdog = VitalsPage::create().expect("a page");
        let path = watchdog.path().expect("it was made here");
        let node = Vital::new(Arc::new(VitalsPage::open(&path).expect("the same page")), 3);
        assert_eq!(watchdog.read(3), Reading { began: None, awake: None });
        let at = Duration::from_secs(5);
        node.begin(at);
        assert_eq!(watchdog.read(3), Reading { began: Some(at), awake: Some(at) });
        node.end();
        assert_eq!(watchdog.read(3), Reading { began: None, awake: Some(at) });
        assert_eq!(watchdog.read(2), Reading { began: None, awake: None });
        node.rest();
        assert_eq!(watchdog.read(3), Reading { began: None, awake: None });
        drop(watchdog);
        assert!(VitalsPage::open(&path).is_err(), "nothing of it is left behind");
        node.begin(at); // into memory that nobody reads any more
    }

    #[test]
    fn a_file_that_is_no_page_is_refused() {
        let path = std::env::temp_dir().join(format!("troika-no-vitals-{}", std::process::id()));
        for content in [vec![], vec![0; 100], vec![0; LENGTH], vec![7; LENGTH + 1]] {
            std::fs::write(&path, &content).expect("a file");
            assert!(VitalsPage::open(&path).is_err(), "{} bytes", content.len());
        }
        std::fs::remove_file(&path).expect("it is there");
        assert!(VitalsPage::open(&path).is_err());
    }
}
