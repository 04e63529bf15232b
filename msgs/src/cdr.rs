//! Plain CDR (XCDR version 1), as every ROS 2 middleware writes it: a 4-byte encapsulation header, then the fields in
//! order, each number aligned to its own size counted from after the header.
//!
//! Reading takes both endiannesses and any padding bytes. Whatever the bytes are, it gives a value or a [`DecodeError`],
//! never panics, and allocates at most a small multiple of what it was given: a length is believed only as far as the
//! bytes behind it could hold that many of the smallest element. Writing is little endian with padding of zeros, and
//! allocates only when the buffer is too small.

use troika_kit::{DecodeError, EncodeError};

/// The encapsulation header that we write: plain CDR, little endian, no options.
pub const LITTLE_ENDIAN: [u8; 4] = [0, 1, 0, 0];

/// DDS middlewares pad a message's end to 4 bytes; more than that left over is no value of the type.
const MOST_PADDING: usize = 3;
/// Stock ROS 2 (Fast CDR) sizes its buffer with the alignment of each sequence's elements, also where there are none, and does not
/// cut it: so much more may be left over for each empty sequence of 8-byte numbers. Seen: 8 bytes behind a `ParameterValue`.
const OF_EMPTY: usize = 8;

/// What has a CDR form: the numbers, `bool`, `String`, arrays, vectors and every message.
pub trait Cdr: Sized + Default {
    /// The least bytes that a value takes on the wire, padding aside. Never 0: it bounds what a length may claim.
    const MIN_SIZE: usize;
    /// It is a number of 8 bytes.
    const IS_WIDE: bool = false;

    /// Appends the value.
    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError>;

    /// Reads a value.
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Appends the values one after another, without a length. Numbers go as a block.
    fn write_all(values: &[Self], w: &mut Writer<'_>) -> Result<(), EncodeError> {
        values.iter().try_for_each(|v| v.write(w))
    }

    /// Reads as many values as `into` holds.
    fn read_all(into: &mut [Self], r: &mut Reader<'_>) -> Result<(), DecodeError> {
        into.iter_mut().try_for_each(|v| {
            *v = Self::read(r)?;
            Ok(())
        })
    }

    /// Reads `count` values. The caller has checked that the bytes left can hold them.
    fn read_vec(count: usize, r: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(Self::read(r)?);
        }
        Ok(values)
    }
}

/// Replaces `out` with the value's CDR, encapsulation header first.
pub fn encode<T: Cdr>(value: &T, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    out.clear();
    out.extend_from_slice(&LITTLE_ENDIAN);
    value.write(&mut Writer { out, form: Form::Cdr })
}

/// Reads a value from CDR with its encapsulation header.
pub fn decode<T: Cdr>(cdr: &[u8]) -> Result<T, DecodeError> {
    let (header, body) = cdr.split_first_chunk::<4>().ok_or(DecodeError::Truncated)?;
    // The last two bytes are options: some middlewares count the padding at the end there. They change nothing.
    let big_endian = match [header[0], header[1]] {
        [0, 0] => true,
        [0, 1] => false,
        _ => return Err(DecodeError::Encapsulation),
    };
    let mut reader = Reader { body, at: 0, big_endian, spare: MOST_PADDING };
    let value = T::read(&mut reader)?;
    if reader.left() > reader.spare { Err(DecodeError::Invalid) } else { Ok(value) }
}

/// `Err` when a bounded field holds more than its bound.
#[allow(dead_code, reason = "made for .msg files that have a bound")]
pub(crate) fn within(len: usize, bound: u32) -> Result<(), EncodeError> {
    if len > bound as usize { Err(EncodeError) } else { Ok(()) }
}

/// Two forms from one walk over the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Aligned, strings end in NUL, floats bit for bit.
    Cdr,
    /// See [`crate::protect`]: packed, no NUL, one NaN.
    Canonical,
}

/// Where a value is written.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    form: Form,
}

impl<'a> Writer<'a> {
    /// A writer of the canonical form, which replaces `out`.
    pub(crate) fn canonical(out: &'a mut Vec<u8>) -> Writer<'a> {
        out.clear();
        Writer::canonical_behind(out)
    }

    /// Behind what is there.
    pub(crate) fn canonical_behind(out: &'a mut Vec<u8>) -> Writer<'a> {
        Writer { out, form: Form::Canonical }
    }

    fn align(&mut self, size: usize) {
        if self.form == Form::Cdr {
            let at = self.out.len() - LITTLE_ENDIAN.len();
            self.out.resize(self.out.len() + at.next_multiple_of(size) - at, 0);
        }
    }

    fn length(&mut self, len: usize) -> Result<(), EncodeError> {
        u32::try_from(len).map_err(|_| EncodeError)?.write(self)
    }
}

/// Where a value is read.
#[derive(Debug)]
pub struct Reader<'a> {
    body: &'a [u8],
    at: usize,
    big_endian: bool,
    /// Bytes that may be left over at the end.
    spare: usize,
}

impl<'a> Reader<'a> {
    fn left(&self) -> usize {
        self.body.len() - self.at
    }

    fn align(&mut self, size: usize) -> Result<(), DecodeError> {
        let at = self.at.next_multiple_of(size);
        if at > self.body.len() {
            return Err(DecodeError::Truncated);
        }
        self.at = at;
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let bytes = self.body[self.at..].get(..count).ok_or(DecodeError::Truncated)?;
        self.at += count;
        Ok(bytes)
    }

    /// A length that its elements could still follow, and that keeps to its bound.
    fn length(&mut self, bound: u32, min_size: usize) -> Result<usize, DecodeError> {
        troika_safety::fulfils![SR_DAT_005];
        let len = u32::read(self)?;
        if len > bound || len as usize > self.left() / min_size {
            return Err(DecodeError::Oversized);
        }
        Ok(len as usize)
    }

    /// A sequence of at most `bound` elements.
    pub(crate) fn sequence<T: Cdr>(&mut self, bound: u32) -> Result<Vec<T>, DecodeError> {
        let len = self.length(bound, T::MIN_SIZE)?;
        if T::IS_WIDE && len == 0 {
            self.spare += OF_EMPTY;
        }
        T::read_vec(len, self)
    }

    /// A string of at most `bound` bytes.
    pub(crate) fn string(&mut self, bound: u32) -> Result<String, DecodeError> {
        let len = self.length(u32::MAX, 1)?;
        // Its NUL is counted. Some writers send an empty string as length 0, without one.
        let Some((nul, text)) = self.take(len)?.split_last() else { return Ok(String::new()) };
        if text.len() > bound as usize {
            return Err(DecodeError::Oversized);
        }
        if *nul != 0 || text.contains(&0) {
            return Err(DecodeError::Invalid);
        }
        core::str::from_utf8(text).map(str::to_owned).map_err(|_| DecodeError::Invalid)
    }

    /// An array of strings of at most `bound` bytes each.
    #[allow(dead_code, reason = "made for .msg files that have one")]
    pub(crate) fn bounded_strings<const N: usize>(&mut self, bound: u32) -> Result<[String; N], DecodeError> {
        let mut strings = [const { String::new() }; N];
        for s in &mut strings {
            *s = self.string(bound)?;
        }
        Ok(strings)
    }

    /// A sequence of at most `bound` strings of at most `each` bytes.
    #[allow(dead_code, reason = "made for .msg files that have one")]
    pub(crate) fn bounded_string_sequence(
        &mut self,
        bound: u32,
        each: u32,
    ) -> Result<Vec<String>, DecodeError> {
        let len = self.length(bound, String::MIN_SIZE)?;
        (0..len).map(|_| self.string(each)).collect()
    }
}

macro_rules! number {
    ($($t:ident: $canonical:expr;)*) => { $(
        impl Cdr for $t {
            const MIN_SIZE: usize = size_of::<$t>();
            const IS_WIDE: bool = size_of::<$t>() == 8;

            #[inline]
            fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
                w.align(Self::MIN_SIZE);
                let canonical: fn($t) -> $t = $canonical;
                let value = if w.form == Form::Canonical { canonical(*self) } else { *self };
                w.out.extend_from_slice(&value.to_le_bytes());
                Ok(())
            }

            #[inline]
            fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
                let mut value = [<$t>::default()];
                Self::read_all(&mut value, r)?;
                Ok(value[0])
            }

            fn write_all(values: &[Self], w: &mut Writer<'_>) -> Result<(), EncodeError> {
                if values.is_empty() {
                    return Ok(()); // no element, no alignment
                }
                w.align(Self::MIN_SIZE);
                let canonical: fn($t) -> $t = $canonical;
                let start = w.out.len();
                w.out.resize(start + size_of_val(values), 0);
                let (slots, _) = w.out[start..].as_chunks_mut::<{ size_of::<$t>() }>();
                if w.form == Form::Canonical {
                    slots.iter_mut().zip(values).for_each(|(slot, v)| *slot = canonical(*v).to_le_bytes());
                } else {
                    slots.iter_mut().zip(values).for_each(|(slot, v)| *slot = v.to_le_bytes());
                }
                Ok(())
            }

            #[inline]
            fn read_all(into: &mut [Self], r: &mut Reader<'_>) -> Result<(), DecodeError> {
                if into.is_empty() {
                    return Ok(());
                }
                r.align(Self::MIN_SIZE)?;
                let (slots, _) = r.take(size_of_val(into))?.as_chunks::<{ size_of::<$t>() }>();
                if r.big_endian {
                    into.iter_mut().zip(slots).for_each(|(v, slot)| *v = <$t>::from_be_bytes(*slot));
                } else {
                    into.iter_mut().zip(slots).for_each(|(v, slot)| *v = <$t>::from_le_bytes(*slot));
                }
                Ok(())
            }

            fn read_vec(count: usize, r: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
                let mut values = vec![<$t>::default(); count];
                Self::read_all(&mut values, r)?;
                Ok(values)
            }
        }
    )* };
}

number! {
    i8: |v| v;
    i16: |v| v;
    u16: |v| v;
    i32: |v| v;
    u32: |v| v;
    i64: |v| v;
    u64: |v| v;
    f32: |v| if v.is_nan() { f32::from_bits(0x7fc0_0000) } else { v };
    f64: |v| if v.is_nan() { f64::from_bits(0x7ff8_0000_0000_0000) } else { v };
}

/// Apart from the other numbers because pictures are sequences of it: blocks are copied as they are.
impl Cdr for u8 {
    const MIN_SIZE: usize = 1;

    #[inline]
    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.out.push(*self);
        Ok(())
    }

    #[inline]
    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.take(1).map(|b| b[0])
    }

    fn write_all(values: &[Self], w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.out.extend_from_slice(values);
        Ok(())
    }

    fn read_all(into: &mut [Self], r: &mut Reader<'_>) -> Result<(), DecodeError> {
        into.copy_from_slice(r.take(into.len())?);
        Ok(())
    }

    fn read_vec(count: usize, r: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        r.take(count).map(<[u8]>::to_vec)
    }
}

impl Cdr for bool {
    const MIN_SIZE: usize = 1;

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        u8::from(*self).write(w)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::read(r)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::Invalid),
        }
    }
}

impl Cdr for String {
    const MIN_SIZE: usize = 4;

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        if self.as_bytes().contains(&0) {
            return Err(EncodeError); // NUL ends a CDR string, so one within has no form
        }
        if w.form == Form::Canonical {
            w.length(self.len())?;
            w.out.extend_from_slice(self.as_bytes());
        } else {
            w.length(self.len() + 1)?;
            w.out.extend_from_slice(self.as_bytes());
            w.out.push(0);
        }
        Ok(())
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.string(u32::MAX)
    }
}

impl<T: Cdr> Cdr for Vec<T> {
    const MIN_SIZE: usize = 4;

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.length(self.len())?;
        T::write_all(self, w)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.sequence(u32::MAX)
    }
}

impl<T: Cdr, const N: usize> Cdr for [T; N]
where
    [T; N]: Default,
{
    const MIN_SIZE: usize = T::MIN_SIZE * N;

    fn write(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        T::write_all(self, w)
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut array = Self::default();
        T::read_all(&mut array, r)?;
        Ok(array)
    }
}
