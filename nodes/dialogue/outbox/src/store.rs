//! Where the file is.

use std::path::PathBuf;

use redb::{Database, DatabaseError};

/// Pages that are kept in memory: the queue is small and read seldom.
const CACHE: usize = 1 << 20;

/// Where the outbox's file is, and how it is opened: again after the disk failed, since the store then wants to look at it anew.
pub trait Disk: Send {
    /// Opens it, or makes it.
    ///
    /// # Errors
    /// The store's.
    fn open(&self) -> Result<Database, DatabaseError>;
}

/// A file of the file system.
#[derive(Debug, Clone)]
pub struct FileDisk(pub PathBuf);

impl Disk for FileDisk {
    fn open(&self) -> Result<Database, DatabaseError> {
        Database::builder().set_cache_size(CACHE).create(&self.0)
    }
}
