//! A Unix stream socket: a length and the bytes. What the kernel alone takes.

use std::{
    io::{Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    sync::PoisonError,
};

use super::{Place, Receiver, Sender};
use crate::{child::Shared, message::SIZES};

struct Socket(UnixStream);

impl super::Send for Socket {
    fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        self.0.write_all(&(bytes.len() as u32).to_le_bytes())?;
        Ok(self.0.write_all(bytes)?)
    }
}

/// The sending end.
pub fn send(place: &Place) -> anyhow::Result<Sender> {
    Ok(Box::new(Socket(UnixStream::connect(place.folder.join("socket"))?)))
}

/// The receiving end.
pub fn receive(place: &Place, notes: Shared) -> anyhow::Result<Receiver> {
    let listener = UnixListener::bind(place.folder.join("socket"))?;
    // Ends with the sender's end, or with the process.
    let thread = std::thread::Builder::new().name("socket".into()).spawn(move || {
        let Ok((mut stream, _)) = listener.accept() else { return };
        let mut buffer = vec![0; SIZES[SIZES.len() - 1]];
        let mut length = [0; 4];
        while stream.read_exact(&mut length).is_ok() {
            let bytes = &mut buffer[..u32::from_le_bytes(length) as usize];
            if stream.read_exact(bytes).is_err() {
                return;
            }
            notes.lock().unwrap_or_else(PoisonError::into_inner).take(bytes);
        }
    })?;
    Ok(Box::new(thread))
}
