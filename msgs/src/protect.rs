//! The canonical byte form of a message: what an end-to-end check covers.
//!
//! The check cannot cover the CDR: its endianness and its padding bytes are the middleware's own (Fast CDR leaves padding
//! uninitialised), so a message that was recorded, bridged or decoded and encoded again would fail it. It covers this form,
//! which depends on the decoded values alone:
//!
//! - every field but the message's own `e2e`, in the order of the .msg file, nested messages in place;
//! - numbers little endian, without padding; `bool` as one byte, 0 or 1;
//! - floats by their IEEE 754 bits; every NaN as the one quiet NaN (`7fc00000`, `7ff8000000000000`); -0 stays -0;
//! - `string` as a 32-bit length in bytes and its UTF-8, without a NUL;
//! - a sequence as a 32-bit count and its elements; a fixed array as its elements alone.
//!
//! No two values of one type share a form, NaNs apart. Which type or topic it is, is no part of the form: that is the data
//! id of the check itself.

use troika_kit::{EncodeError, Message};

use crate::cdr::Writer;

/// A message of a safety topic: it has `uint32 sequence` and `uint8[] e2e`. Implemented by the build for each such .msg.
pub trait Protected: Message {
    /// The publisher's count of messages on the topic; it wraps.
    fn sequence(&self) -> u32;

    /// Sets the count.
    fn set_sequence(&mut self, sequence: u32);

    /// The protection that came along; empty when there is none.
    fn e2e(&self) -> &[u8];

    /// The protection, to be filled.
    fn e2e_mut(&mut self) -> &mut Vec<u8>;

    /// Appends every field but `e2e`; [`Protected::canonical`] is what users call.
    #[doc(hidden)]
    fn write_covered(&self, w: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// Replaces `out` with the canonical form. Allocates only when `out` is too small; fails as encoding does.
    fn canonical(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        self.write_covered(&mut Writer::canonical(out))
    }
}
