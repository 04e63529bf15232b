//! Header, checksum and counter of a protected message.
//!
//! | profile | header | checksum | counter | data id |
//! |---|---|---|---|---|
//! | 4 | 12 bytes, big-endian: length (2), counter (2), id (4), checksum (4) | CRC-32/AUTOSAR | 16 bits | 32 bits, in the header |
//! | 5 | 3 bytes, little-endian: checksum (2), counter (1) | CRC-16/IBM-3740 | 8 bits | 16 bits, in the checksum alone |
//! | 6 | 5 bytes, big-endian: checksum (2), length (2), counter (1) | CRC-16/IBM-3740 | 8 bits | 16 bits, in the checksum alone |
//! | 7 | 20 bytes, big-endian: checksum (8), length (4), counter (4), id (4) | CRC-64/XZ | 32 bits | 32 bits, in the header |

use crc::{CRC_16_IBM_3740, CRC_32_AUTOSAR, CRC_64_XZ, Crc, Table};

static CRC16: Crc<u16, Table<1>> = Crc::<u16, Table<1>>::new(&CRC_16_IBM_3740);
static CRC32: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_AUTOSAR);
static CRC64: Crc<u64, Table<1>> = Crc::<u64, Table<1>>::new(&CRC_64_XZ);

/// One of AUTOSAR's profiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Long messages of varying length.
    P04,
    /// Short messages of one length.
    P05,
    /// Short messages of varying length.
    P06,
    /// Long messages of varying length, with a checksum of 64 bits.
    P07,
}

impl Profile {
    /// Bytes of its header.
    pub const fn header(self) -> usize {
        match self {
            Profile::P04 => 12,
            Profile::P05 => 3,
            Profile::P06 => 5,
            Profile::P07 => 20,
        }
    }

    /// The longest message, header and all, bytes.
    pub const fn longest(self) -> usize {
        match self {
            Profile::P04 | Profile::P05 | Profile::P06 => 4096,
            Profile::P07 => 4 << 20,
        }
    }

    /// The largest counter; after it comes 0.
    pub const fn last_counter(self) -> u32 {
        match self {
            Profile::P04 => 0xffff,
            Profile::P05 | Profile::P06 => 0xff,
            Profile::P07 => u32::MAX,
        }
    }

    /// The largest data id.
    pub const fn last_id(self) -> u32 {
        match self {
            Profile::P04 | Profile::P07 => u32::MAX,
            Profile::P05 | Profile::P06 => 0xffff,
        }
    }
}

/// What protects no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProtectionError {
    /// The profile has no room for the id.
    #[error("data id {id:#x}: {profile:?} has ids up to {last:#x}", last = .profile.last_id())]
    Id {
        /// It.
        id: u32,
        /// Of which.
        profile: Profile,
    },
    /// How many may be lost between two messages is not within the counter.
    #[error("max_delta {given}: 1 to {most} is", most = .profile.last_counter() / 2)]
    MaxDelta {
        /// It.
        given: u32,
        /// Of which.
        profile: Profile,
    },
    /// The message has no room for the header, or is longer than the profile protects.
    #[error("a message of {length} bytes: {least} to {most} are protected")]
    Length {
        /// Of the message.
        length: usize,
        /// Header and what is before it.
        least: usize,
        /// The profile's.
        most: usize,
    },
}

/// How messages of one channel are protected: the same on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protection {
    profile: Profile,
    data_id: u32,
    offset: usize,
    max_delta: u32,
}

impl Protection {
    /// `data_id` is the channel's own: a message of another is found out by it. `offset`: bytes before the header. `max_delta`: how far the
    /// counter may go from one message to the next, so that one less may be lost.
    ///
    /// # Errors
    /// An id or a difference that the profile cannot hold.
    pub const fn new(
        profile: Profile,
        data_id: u32,
        offset: usize,
        max_delta: u32,
    ) -> Result<Protection, ProtectionError> {
        if data_id > profile.last_id() {
            return Err(ProtectionError::Id { id: data_id, profile });
        }
        // Beyond half of the counter a repetition could not be told from a loss.
        if max_delta == 0 || max_delta > profile.last_counter() / 2 {
            return Err(ProtectionError::MaxDelta { given: max_delta, profile });
        }
        Ok(Protection { profile, data_id, offset, max_delta })
    }

    /// The profile.
    pub const fn profile(&self) -> Profile {
        self.profile
    }

    /// The fewest bytes of a message: the header, and what is before it.
    pub const fn least(&self) -> usize {
        self.offset + self.profile.header()
    }

    fn fits(&self, length: usize) -> Result<(), ProtectionError> {
        let (least, most) = (self.least(), self.profile.longest());
        if (least..=most).contains(&length) {
            return Ok(());
        }
        Err(ProtectionError::Length { length, least, most })
    }

    /// Where in the message the checksum lies.
    fn sum_at(&self) -> core::ops::Range<usize> {
        let (begin, bytes) = match self.profile {
            Profile::P04 => (8, 4),
            Profile::P05 | Profile::P06 => (0, 2),
            Profile::P07 => (0, 8),
        };
        self.offset + begin..self.offset + begin + bytes
    }

    /// The checksum of all bytes but its own, as it lies in the message: the first [`Self::sum_at`] bytes of what is returned.
    fn sum(&self, data: &[u8]) -> [u8; 8] {
        let at = self.sum_at();
        let (before, after) = (&data[..at.start], &data[at.end..]);
        let mut bytes = [0; 8];
        match self.profile {
            Profile::P04 => {
                let mut digest = CRC32.digest();
                digest.update(before);
                digest.update(after);
                bytes[..4].copy_from_slice(&digest.finalize().to_be_bytes());
            }
            Profile::P05 | Profile::P06 => {
                let id = self.data_id as u16;
                let mut digest = CRC16.digest();
                digest.update(before);
                digest.update(after);
                let sum = if self.profile == Profile::P05 {
                    digest.update(&id.to_le_bytes());
                    digest.finalize().to_le_bytes()
                } else {
                    digest.update(&id.to_be_bytes());
                    digest.finalize().to_be_bytes()
                };
                bytes[..2].copy_from_slice(&sum);
            }
            Profile::P07 => {
                let mut digest = CRC64.digest();
                digest.update(before);
                digest.update(after);
                bytes.copy_from_slice(&digest.finalize().to_be_bytes());
            }
        }
        bytes
    }

    /// Writes length, counter and id.
    fn write(&self, data: &mut [u8], counter: u32) {
        let length = data.len() as u32;
        let header = &mut data[self.offset..];
        match self.profile {
            Profile::P04 => {
                header[..2].copy_from_slice(&(length as u16).to_be_bytes());
                header[2..4].copy_from_slice(&(counter as u16).to_be_bytes());
                header[4..8].copy_from_slice(&self.data_id.to_be_bytes());
            }
            Profile::P05 => header[2] = counter as u8,
            Profile::P06 => {
                header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
                header[4] = counter as u8;
            }
            Profile::P07 => {
                header[8..12].copy_from_slice(&length.to_be_bytes());
                header[12..16].copy_from_slice(&counter.to_be_bytes());
                header[16..20].copy_from_slice(&self.data_id.to_be_bytes());
            }
        }
    }

    /// Length, counter and id as they are written; a profile that writes no length or id has the right one.
    fn read(&self, data: &[u8]) -> (u32, u32, u32) {
        let header = &data[self.offset..];
        let two = |at: usize| u32::from(u16::from_be_bytes([header[at], header[at + 1]]));
        let four = |at: usize| two(at) << 16 | two(at + 2);
        match self.profile {
            Profile::P04 => (two(0), two(2), four(4)),
            Profile::P05 => (data.len() as u32, header[2].into(), self.data_id),
            Profile::P06 => (two(2), header[4].into(), self.data_id),
            Profile::P07 => (four(8), four(12), four(16)),
        }
    }
}

/// The sending side.
#[derive(Debug, Clone)]
pub struct Protector {
    protection: Protection,
    counter: u32,
}

impl Protector {
    /// Begins at counter 0.
    pub const fn new(protection: Protection) -> Protector {
        Protector { protection, counter: 0 }
    }

    /// Writes the header into the message; what stood in its place is lost.
    ///
    /// # Errors
    /// A length that is not protected; nothing was written or counted.
    pub fn protect(&mut self, data: &mut [u8]) -> Result<(), ProtectionError> {
        self.protection.fits(data.len())?;
        self.protection.write(data, self.counter);
        let sum = self.protection.sum(data);
        let at = self.protection.sum_at();
        let bytes = at.len();
        data[at].copy_from_slice(&sum[..bytes]);
        let last = self.protection.profile.last_counter();
        self.counter = if self.counter == last { 0 } else { self.counter + 1 };
        Ok(())
    }
}

/// What makes a message no message of the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wrong {
    /// Too short for the header, or longer than the profile protects.
    Size,
    /// The checksum is not that of the bytes (and, in profiles 5 and 6, of the id).
    Checksum,
    /// It is of another channel.
    Id,
    /// It says another length than it has.
    Length,
}

/// What one check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The next message.
    Ok,
    /// A later one: no more were lost than may be.
    OkSomeLost,
    /// The same as before.
    Repeated,
    /// Too many were lost, or it is an older one.
    WrongSequence,
    /// No message of the channel.
    Error(Wrong),
    /// Nothing came.
    NoNewData,
}

/// The receiving side.
#[derive(Debug, Clone)]
pub struct Checker {
    protection: Protection,
    counter: u32,
}

impl Checker {
    /// Expects the first message of a [`Protector`] that begins too; one that comes later is [`Status::WrongSequence`] once, as the
    /// specification has it.
    pub const fn new(protection: Protection) -> Checker {
        Checker { protection, counter: protection.profile.last_counter() }
    }

    /// Checks what came in this period, if something did.
    pub fn check(&mut self, data: Option<&[u8]>) -> Status {
        let Some(data) = data else { return Status::NoNewData };
        let protection = &self.protection;
        if protection.fits(data.len()).is_err() {
            return Status::Error(Wrong::Size);
        }
        let at = protection.sum_at();
        if data[at.clone()] != protection.sum(data)[..at.len()] {
            return Status::Error(Wrong::Checksum);
        }
        let (length, counter, id) = protection.read(data);
        if id != protection.data_id {
            return Status::Error(Wrong::Id);
        }
        if length as usize != data.len() {
            return Status::Error(Wrong::Length);
        }
        // The counters are all of the type's width, or all of a smaller one's.
        let delta = counter.wrapping_sub(self.counter) & protection.profile.last_counter();
        self.counter = counter;
        match delta {
            0 => Status::Repeated,
            1 => Status::Ok,
            delta if delta <= protection.max_delta => Status::OkSomeLost,
            _ => Status::WrongSequence,
        }
    }
}

#[cfg(test)]
mod tests;
