//! What is sent, and what the receiver notes about it.

use troika_host::clock::monotonic_nanos;

/// The sizes that are sent, in bytes: a small message, a state, an audio block or list of points, a camera frame (a 1280x800 grey
/// one).
pub const SIZES: [usize; 4] = [64, 1 << 10, 64 << 10, 1 << 20];

/// The `size` of a message that is not measured.
const WARM_UP: u64 = u64::MAX;

/// A message of one size: stamp, count, size's number in front, the count again at the end.
pub struct Message {
    bytes: Vec<u8>,
    size: u64,
    count: u64,
}

impl Message {
    /// For the size of this number in [`SIZES`].
    pub fn new(size: usize) -> Message {
        Message { bytes: vec![0x5A; SIZES[size]], size: size as u64, count: 0 }
    }

    /// The next message, stamped now.
    pub fn next(&mut self, measured: bool) -> &[u8] {
        self.count += 1;
        let end = self.bytes.len() - 8;
        self.bytes[end..].copy_from_slice(&self.count.to_le_bytes());
        self.bytes[8..16].copy_from_slice(&self.count.to_le_bytes());
        self.bytes[16..24].copy_from_slice(&if measured { self.size } else { WARM_UP }.to_le_bytes());
        // Last, so that nothing of ours lies between the stamp and the contestant's call.
        self.bytes[..8].copy_from_slice(&monotonic_nanos().to_le_bytes());
        &self.bytes
    }
}

/// What a receiver has noted since the last report.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
pub struct Notes {
    /// Messages that were not measured.
    pub warm_up: u64,
    /// Messages whose front and end are not of one message.
    pub torn: u64,
    /// For each size: nanoseconds from stamp to receipt.
    pub nanos: [Vec<u64>; SIZES.len()],
}

impl Notes {
    /// Room for what one report may hold, so that none is made while measuring.
    pub fn new() -> Notes {
        Notes { nanos: std::array::from_fn(|_| Vec::with_capacity(1 << 14)), ..Notes::default() }
    }

    /// Notes a message: its first call reads the clock. `received` bytes lie in the receiver's memory, ready to be read.
    pub fn take(&mut self, received: &[u8]) {
        let now = monotonic_nanos();
        let word = |at: usize| {
            received.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
        };
        let size = word(16);
        if word(8) != word(received.len().saturating_sub(8)) {
            self.torn += 1;
        }
        match usize::try_from(size).ok().and_then(|size| self.nanos.get_mut(size)) {
            Some(nanos) => nanos.push(now.saturating_sub(word(0))),
            None => self.warm_up += 1,
        }
    }
}
