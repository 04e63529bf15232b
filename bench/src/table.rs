//! The report for a person.

use crate::plan::Report;

/// As text: a block for each size.
pub fn text(report: &Report) -> String {
    let mut out = String::new();
    let floor = &report.floor_us;
    let kind = if floor.real_time { "FIFO 90" } else { "no real-time priority" };
    out += &format!(
        "{:28} {:>9} {:>9} {:>9} {:>9} {:>8} {:>5}\n",
        "one way, microseconds", "p50", "p99", "p99.9", "max", "samples", "lost"
    );
    out += &format!(
        "{:28} {:9.1} {:9.1} {:9.1} {:9.1} {:8}\n",
        format!("the machine's floor, {kind}"),
        floor.p50,
        floor.p99,
        floor.p999,
        floor.max,
        floor.samples
    );
    let mut bytes = 0;
    for row in &report.rows {
        if row.bytes != bytes {
            bytes = row.bytes;
            out += &match bytes {
                small @ 0..1024 => format!("{small} B\n"),
                medium @ 1024..0x10_0000 => format!("{} KiB\n", medium >> 10),
                large => format!("{} MiB\n", large >> 20),
            };
        }
        let torn = if row.torn > 0 { format!("  {} TORN", row.torn) } else { String::new() };
        out += &format!(
            "  {:26} {:9.1} {:9.1} {:9.1} {:9.1} {:8} {:5}{torn}\n",
            row.transport, row.p50_us, row.p99_us, row.p999_us, row.max_us, row.samples, row.lost
        );
    }
    out
}
