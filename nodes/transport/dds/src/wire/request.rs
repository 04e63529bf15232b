//! rmw_cyclonedds's way to tell requests apart: before the body of a request and of its answer come the client's number (`uint64`,
//! its request writer's instance handle) and its count of requests (`int64`), in the byte order of the rest (its serdata.cpp,
//! `cdds_request_header_t`). They are 16 bytes, so that what follows keeps its alignment.
//!
//! Fast DDS, and so do we between ourselves, gives them beside the message, as DDS-RPC 1.0 says (7.8.2).

/// The bytes of the encapsulation header, and of the client's number and count.
const HEADER: usize = 4;
const ID: usize = 16;

/// Which request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    /// The client's number.
    pub client: u64,
    /// Its count.
    pub sequence: i64,
}

/// The message with the number and count before its body. Bytes that hold no header get one.
pub fn prefixed(cdr: &[u8], id: RequestId) -> Vec<u8> {
    let (header, body) = match cdr {
        [0, 0 | 1, _, _, body @ ..] => (&cdr[..HEADER], body),
        other => (&[0, 1, 0, 0][..], other),
    };
    let mut out = Vec::with_capacity(HEADER + ID + body.len());
    out.extend_from_slice(header);
    if header[1] == 1 {
        out.extend_from_slice(&id.client.to_le_bytes());
        out.extend_from_slice(&id.sequence.to_le_bytes());
    } else {
        out.extend_from_slice(&id.client.to_be_bytes());
        out.extend_from_slice(&id.sequence.to_be_bytes());
    }
    out.extend_from_slice(body);
    out
}

/// The number and count, and the message without them; none when the message is too short for them or no plain CDR.
pub fn unprefixed(bytes: &[u8]) -> Option<(RequestId, Vec<u8>)> {
    let (header, rest) = bytes.split_first_chunk::<HEADER>()?;
    let (client, rest) = rest.split_first_chunk::<8>()?;
    let (sequence, body) = rest.split_first_chunk::<8>()?;
    let id = match header {
        [0, 1, ..] => {
            RequestId { client: u64::from_le_bytes(*client), sequence: i64::from_le_bytes(*sequence) }
        }
        [0, 0, ..] => {
            RequestId { client: u64::from_be_bytes(*client), sequence: i64::from_be_bytes(*sequence) }
        }
        _ => return None,
    };
    Some((id, [&header[..], body].concat()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_bytes_are_rmw_cyclonedds_s() {
        // SetBool { data: true }.
        let id = RequestId { client: 0x0102_0304_0506_0708, sequence: 9 };
        let whole = prefixed(b"\x00\x01\x00\x00\x01", id);
        assert_eq!(
            whole,
            b"\x00\x01\x00\x00\x08\x07\x06\x05\x04\x03\x02\x01\x09\x00\x00\x00\x00\x00\x00\x00\x01"
        );
        let big = prefixed(b"\x00\x00\x00\x00\x01", id);
        assert_eq!(
            big,
            b"\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00\x00\x00\x00\x00\x00\x09\x01"
        );
    }

    #[test]
    fn what_is_too_short_is_none() {
        assert_eq!(unprefixed(b""), None);
        assert_eq!(unprefixed(&[0; 19]), None);
        assert_eq!(unprefixed(&[9; 64]), None);
        assert!(unprefixed(&[0; 20]).is_some_and(|(_, cdr)| cdr == [0; 4]));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(client: u64, sequence: i64, little: bool, body: Vec<u8>) {
            let id = RequestId { client, sequence };
            let cdr = [&[0, u8::from(little), 0, 0][..], &body].concat();
            prop_assert_eq!(unprefixed(&prefixed(&cdr, id)), Some((id, cdr)));
        }

        #[test]
        fn any_bytes_are_read_without_a_word(bytes: Vec<u8>) {
            let _ = unprefixed(&bytes);
        }
    }
}
