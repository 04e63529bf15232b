//! Seeded mutations of an input: what goes wrong on a wire, on a disk and in a liar's hands.

use fastrand::Rng;

/// Mutations that are laid one over another, at most.
const MOST_AT_ONCE: usize = 6;
/// The longest piece that is repeated, and how often.
const PIECE: usize = 48;
const MOST_TIMES: usize = 2_000;
/// Lengths, counts and indices that liars write.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    3,
    0x7f,
    0x80,
    0xff,
    0x100,
    0x7fff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    u64::MAX,
];
/// The same in text.
const WRITTEN: [&str; 14] = [
    "0",
    "-1",
    "1",
    "255",
    "65536",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "1e308",
    "-1e-320",
    "1e999",
    "nan",
    "inf",
];

/// One more input: `seed` changed, with pieces of `other`, `longest` bytes at most.
pub fn mutated(rng: &mut Rng, seed: &[u8], other: &[u8], longest: usize) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..rng.usize(1..=MOST_AT_ONCE) {
        once(rng, &mut bytes, other, longest);
        bytes.truncate(longest);
    }
    bytes
}

fn once(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8], longest: usize) {
    if bytes.is_empty() {
        bytes.extend_from_slice(other);
        bytes.push(rng.u8(..));
        return;
    }
    let at = rng.usize(..bytes.len());
    match rng.u8(..12) {
        0 => bytes[at] ^= 1 << rng.u8(..8),
        1 => bytes[at] = rng.u8(..),
        2 => bytes.truncate(at),
        3 => {
            bytes.drain(at..at + rng.usize(..=(bytes.len() - at).min(PIECE)));
        }
        4 => {
            let new: Vec<u8> = (0..rng.usize(1..=8)).map(|_| rng.u8(..)).collect();
            bytes.splice(at..at, new);
        }
        // A piece of another input, or its other half.
        5 if !other.is_empty() => {
            let from = rng.usize(..other.len());
            let piece = &other[from..from + rng.usize(..=(other.len() - from).min(4 * PIECE))];
            bytes.splice(at..at, piece.iter().copied());
        }
        6 if !other.is_empty() => {
            bytes.truncate(at);
            bytes.extend_from_slice(&other[rng.usize(..other.len())..]);
        }
        7 | 8 => lie(rng, bytes, at),
        9 => repeat(rng, bytes, at, longest),
        10 => number(rng, bytes, at),
        _ => line(rng, bytes, at),
    }
}

/// A number of 1, 2, 4 or 8 bytes in either order, some of them about the input's own length.
fn lie(rng: &mut Rng, bytes: &mut [u8], at: usize) {
    let length = bytes.len() as u64;
    let number = match rng.u8(..4) {
        0 => length.wrapping_add(u64::from(rng.u8(..5))).wrapping_sub(2),
        1 => rng.u64(..=length),
        _ => NUMBERS[rng.usize(..NUMBERS.len())],
    };
    let width = (1 << rng.u8(..4)).min(bytes.len() - at);
    let (little, big) = (number.to_le_bytes(), number.to_be_bytes());
    let form = if rng.bool() { &little[..width] } else { &big[8 - width..] };
    bytes[at..at + width].copy_from_slice(form);
}

/// The same piece again and again: nesting, floods.
fn repeat(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize, longest: usize) {
    let piece = bytes[at..at + rng.usize(1..=(bytes.len() - at).min(PIECE))].to_vec();
    let room = longest.saturating_sub(bytes.len()) / piece.len();
    // Mostly a few: a flood leaves no other mutation visible.
    let most = if rng.u8(..4) == 0 { MOST_TIMES } else { 4 };
    bytes.splice(at..at, piece.repeat(rng.usize(..=room.min(most))));
}

/// The number that is written there, or next, as another one.
fn number(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    let Some(from) = bytes[at..].iter().position(u8::is_ascii_digit).map(|ahead| at + ahead) else { return };
    let end = bytes[from..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |n| from + n);
    bytes.splice(from..end, WRITTEN[rng.usize(..WRITTEN.len())].bytes());
}

/// A line twice, gone, or before the one above.
fn line(rng: &mut Rng, bytes: &mut Vec<u8>, at: usize) {
    let begin =
        |bytes: &[u8], at: usize| bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |n| n + 1);
    let from = begin(bytes, at);
    let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| at + n + 1);
    let whole = bytes[from..end].to_vec();
    match rng.u8(..3) {
        0 => drop(bytes.splice(from..from, whole)),
        1 => drop(bytes.drain(from..end)),
        _ => {
            bytes.drain(from..end);
            let above = begin(bytes, from.saturating_sub(1));
            bytes.splice(above..above, whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_none_is_too_long() {
        let make = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..2_000)
                .map(|_| mutated(&mut rng, b"rate = 30\nname = \"a\"\n", b"[[x]]\n", 300))
                .collect::<Vec<_>>()
        };
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
        let all = make(1);
        assert!(all.iter().all(|bytes| bytes.len() <= 300));
        assert!(all.iter().collect::<BTreeSet<_>>().len() > 1_000, "most of them differ");
        let some = |what: &[u8]| all.iter().any(|bytes| bytes.windows(what.len()).any(|piece| piece == what));
        assert!(some(b"rate = 18446744073709551616") && some(b"[[x]]") && some(b"aaaa"));
    }

    #[test]
    fn an_empty_input_grows() {
        assert!(!mutated(&mut Rng::with_seed(3), b"", b"", 8).is_empty());
    }
}
