//! The 33 bytes beside every message: sequence, source time, publisher.

/// A publisher's global id: XXH3-128 of its liveliness key, low lane first.
pub type Gid = [u8; 16];

/// What rmw_zenoh attaches to each put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// The publisher's count of messages on this topic.
    pub sequence: i64,
    /// The publisher's stamp, nanoseconds since the epoch on its own clock.
    pub source_time_ns: i64,
    /// The publisher.
    pub gid: Gid,
}

/// Bytes that are no attachment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentError {
    /// Not as long as an attachment is.
    #[error("an attachment is 33 bytes long, this one {0}")]
    Length(usize),
    /// The byte that tells the id's length is not 16.
    #[error("the attachment's id is {0} bytes long instead of 16")]
    GidLength(u8),
}

impl Attachment {
    /// Two little-endian i64, the id's length as one byte, the id.
    pub const LEN: usize = 8 + 8 + 1 + 16;

    /// The bytes.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..8].copy_from_slice(&self.sequence.to_le_bytes());
        out[8..16].copy_from_slice(&self.source_time_ns.to_le_bytes());
        out[16] = 16;
        out[17..].copy_from_slice(&self.gid);
        out
    }

    /// Reads the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Attachment, AttachmentError> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().map_err(|_| AttachmentError::Length(bytes.len()))?;
        if bytes[16] != 16 {
            return Err(AttachmentError::GidLength(bytes[16]));
        }
        let mut sequence = [0; 8];
        sequence.copy_from_slice(&bytes[..8]);
        let mut time = [0; 8];
        time.copy_from_slice(&bytes[8..16]);
        let mut gid = [0; 16];
        gid.copy_from_slice(&bytes[17..]);
        Ok(Attachment {
            sequence: i64::from_le_bytes(sequence),
            source_time_ns: i64::from_le_bytes(time),
            gid,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From a pyzeros 0.1.0 publisher, its second message.
    const CAPTURED: [u8; 33] = [
        0x01, 0, 0, 0, 0, 0, 0, 0, // sequence 1
        0x67, 0xe7, 0x79, 0x47, 0x09, 0x0c, 0xea, 0x18, // time
        0x10, // length of the id
        0xb7, 0x1a, 0xad, 0xed, 0x8f, 0xa1, 0x13, 0x86, 0x87, 0x01, 0x4b, 0x24, 0xaa, 0x85, 0xba, 0xf2,
    ];

    #[test]
    fn a_captured_attachment_reads_and_writes_back() {
        let read = Attachment::decode(&CAPTURED).expect("captured");
        assert_eq!(read.sequence, 1);
        assert_eq!(read.source_time_ns, 0x18ea_0c09_4779_e767);
        assert_eq!(read.gid[..4], [0xb7, 0x1a, 0xad, 0xed]);
        assert_eq!(read.encode(), CAPTURED);
    }

    #[test]
    fn another_length_of_the_id_is_refused() {
        let mut bytes = CAPTURED;
        bytes[16] = 24;
        assert_eq!(Attachment::decode(&bytes), Err(AttachmentError::GidLength(24)));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(sequence: i64, source_time_ns: i64, gid: [u8; 16]) {
            let a = Attachment { sequence, source_time_ns, gid };
            prop_assert_eq!(Attachment::decode(&a.encode()), Ok(a));
        }

        #[test]
        fn garbage_is_an_error_or_reads_back_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            match Attachment::decode(&bytes) {
                Ok(a) => prop_assert_eq!(a.encode().to_vec(), bytes),
                Err(AttachmentError::Length(n)) => prop_assert_eq!(n, bytes.len()),
                Err(AttachmentError::GidLength(n)) => prop_assert_eq!(n, bytes[16]),
            }
        }
    }
}
