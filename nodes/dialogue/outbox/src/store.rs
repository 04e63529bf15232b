//! Where the file is.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use redb::{Database, DatabaseError, StorageError};

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
        // What waits is somebody's words: nobody else reads them.
        let private = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.0);
        drop(private.map_err(StorageError::from)?);
        Database::builder().set_cache_size(CACHE).create(&self.0)
    }
}
