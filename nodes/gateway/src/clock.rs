//! The one place that reads a clock. Everything else is told the time.
#![expect(clippy::disallowed_methods, reason = "a server lives in real time: this is its edge")]

use std::{
    sync::OnceLock,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use troika_kit::{Duration, Time};

/// Now: the wall clock's time at the first call, and what has passed since, so that it never goes back while the process runs.
pub fn now() -> Time {
    static BEGAN: OnceLock<(Instant, Time)> = OnceLock::new();
    let (began, then) = BEGAN.get_or_init(|| (Instant::now(), wall()));
    *then + began.elapsed()
}

/// The wall clock: for what is written down and compared over restarts, such as when a certificate ends.
pub fn wall() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Time::from_nanos(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Seconds since 1970.
pub fn seconds(time: Time) -> i64 {
    i64::try_from(time.as_nanos() / 1_000_000_000).unwrap_or(i64::MAX)
}

/// As people and log readers write it: RFC 3339 in UTC.
pub fn text(seconds: i64) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|when| when.format(&time::format_description::well_known::Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}
