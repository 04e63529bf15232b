//! What belongs here: the unit of time, and the lengths that are not limits of a rule.

/// A moment or a length in nanoseconds, on the time line of the trace's own stamps.
pub type Ns = i64;

/// One millisecond.
pub const MS: Ns = 1_000_000;

/// One second.
pub const SECOND: Ns = 1_000 * MS;

/// "Glance timing resolution of the tests: 50 ms" (table, Frames). A return that is shorter may be overlooked.
pub const RESOLUTION: Ns = 50 * MS;

/// Stamps are compared in nanoseconds; 30 frames a second are no whole number of them, and a DMS that computes in seconds may round by this much.
pub const ROUNDING: Ns = 20_000;

/// Seconds with a fraction, for people: 3.512 s.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "traces last minutes: far below 2^53 ns")]
pub fn seconds(t: Ns) -> f64 {
    t as f64 / SECOND as f64
}
