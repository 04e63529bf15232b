//! The tables of the file, and what is done with one item in them, within the caller's transaction.

use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};
use troika_kit::{Duration, Time};

use sha2::{Digest as _, Sha256};

use crate::{Limits, New, Spent, item::Head};

/// Heads, by id.
pub(crate) const HEADS: TableDefinition<u64, &[u8]> = TableDefinition::new("heads");
/// Payloads, by id: apart, so that looking for what is next reads no payload.
pub(crate) const PAYLOADS: TableDefinition<u64, &[u8]> = TableDefinition::new("payloads");
/// What goes first: by rank, then by age.
pub(crate) const ORDER: TableDefinition<(u8, u64), ()> = TableDefinition::new("order");
/// Key to id, of what waits and of what was delivered.
pub(crate) const KEYS: TableDefinition<&str, u64> = TableDefinition::new("keys");
/// Id to key of what was delivered.
pub(crate) const DELIVERED: TableDefinition<u64, &str> = TableDefinition::new("delivered");
/// Id to what the words of a key were, as long as the key is known.
pub(crate) const WORDS: TableDefinition<u64, u64> = TableDefinition::new("words");
/// Next id, bytes that wait, the day and what it spent, the day of a clock that was ahead.
pub(crate) const NUMBERS: TableDefinition<&str, u64> = TableDefinition::new("numbers");

pub(crate) const DAY: u64 = 86_400_000_000_000;

/// It has arrived: out of the queue, and its key is remembered, as the last so many.
pub(crate) fn done(write: &WriteTransaction, id: u64, remembered: u64) -> Result<bool, redb::Error> {
    let Some(head) = remove(write, id)? else { return Ok(false) };
    let mut delivered = write.open_table(DELIVERED)?;
    delivered.insert(id, head.key.as_str())?;
    while delivered.len()? > remembered {
        let oldest = delivered.pop_first()?.map(|(id, key)| (id.value(), key.value().to_owned()));
        let Some((id, key)) = oldest else { break };
        write.open_table(KEYS)?.remove(key.as_str())?;
        write.open_table(WORDS)?.remove(id)?;
    }
    Ok(true)
}

/// It is tried again later.
pub(crate) fn postpone(
    write: &WriteTransaction,
    now: Time,
    id: u64,
    retry_after: Option<Duration>,
    limits: &Limits,
) -> Result<bool, redb::Error> {
    let mut heads = write.open_table(HEADS)?;
    let Some(mut head) = heads.get(id)?.map(|head| decode(head.value())).transpose()? else {
        return Ok(false);
    };
    let doubled = limits.retry_first_ms.saturating_mul(1 << head.tries.saturating_sub(1).min(30));
    // Whatever the other end asks for: it is one page of a balancer that says a day, and a restart would keep to it.
    let wait = retry_after.unwrap_or_default().max(Duration::from_millis(doubled));
    head.not_before_ns = (now + wait.min(Duration::from_millis(limits.retry_longest_ms))).as_nanos();
    heads.insert(id, encode(&head)?.as_slice())?;
    Ok(true)
}

/// Takes an item out of the queue, and its key.
pub(crate) fn forget(write: &WriteTransaction, id: u64) -> Result<Option<Head>, redb::Error> {
    let head = remove(write, id)?;
    if let Some(head) = &head {
        write.open_table(KEYS)?.remove(head.key.as_str())?;
        write.open_table(WORDS)?.remove(id)?;
    }
    Ok(head)
}

/// Takes an item out of the queue, all but its key.
pub(crate) fn remove(write: &WriteTransaction, id: u64) -> Result<Option<Head>, redb::Error> {
    let head = write.open_table(HEADS)?.remove(id)?.map(|head| decode(head.value())).transpose()?;
    if let Some(head) = &head {
        write.open_table(PAYLOADS)?.remove(id)?;
        write.open_table(ORDER)?.remove((head.priority.rank(), id))?;
        let mut numbers = write.open_table(NUMBERS)?;
        let waiting = number(&numbers, "bytes")?;
        numbers.insert("bytes", waiting.saturating_sub(head.bytes))?;
    }
    Ok(head)
}

pub(crate) fn number(
    numbers: &impl ReadableTable<&'static str, u64>,
    name: &str,
) -> Result<u64, redb::Error> {
    Ok(numbers.get(name)?.map_or(0, |value| value.value()))
}

/// The day that the budgets are of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Day {
    /// Days since 1970.
    pub(crate) day: u64,
    /// One that a clock had that was ahead of this one, or that is right where this one is behind.
    pub(crate) ahead: u64,
    /// What it has spent.
    pub(crate) spent: Spent,
}

pub(crate) fn day(numbers: &impl ReadableTable<&'static str, u64>, now: Time) -> Result<Day, redb::Error> {
    troika_safety::fulfils![SR_OUT_006];
    let (today, day, ahead) = (now.as_nanos() / DAY, number(numbers, "day")?, number(numbers, "ahead")?);
    let spent = Spent { bytes: number(numbers, "spent_bytes")?, cost: number(numbers, "spent_cost")? };
    Ok(if day > today + 1 {
        // One of the two clocks was wrong. What was spent counts, and a day from now on begins anew: of a clock that was years ahead the
        // budget would be spent for years.
        Day { day: today, ahead: day, spent }
    } else if today > day && today != ahead {
        Day { day: today, ahead, spent: Spent::default() }
    } else {
        // A clock that goes back to the day before does not get that day's budget again, nor one that was behind and is right again.
        Day { day: day.max(today), ahead, spent }
    })
}

/// What is said, for telling whether a key stands for the same: the beginning of its SHA-256.
pub(crate) fn words(new: &New) -> u64 {
    let mut all = Sha256::new();
    // The length parts the kind from what follows it.
    all.update((new.kind.len() as u64).to_le_bytes());
    all.update(&new.kind);
    all.update(&new.payload);
    all.finalize().iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

pub(crate) fn encode(head: &Head) -> Result<Vec<u8>, redb::Error> {
    serde_json::to_vec(head).map_err(|error| redb::Error::Corrupted(error.to_string()))
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Head, redb::Error> {
    serde_json::from_slice(bytes).map_err(|error| redb::Error::Corrupted(error.to_string()))
}
