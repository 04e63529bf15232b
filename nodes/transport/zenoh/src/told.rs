//! Errors of zenoh, as a person is told them.

use std::fmt::Display;

/// Without the line of zenoh's source that each error of zenoh carries (` at /…/endpoint.rs:615.`): that is for who mends zenoh, and a
/// path of the machine that built this.
pub(crate) fn reason(error: &impl Display) -> String {
    let text = error.to_string();
    let (mut kept, mut rest) = (String::new(), text.as_str());
    while let Some(begin) = rest.find(" at /") {
        let Some(end) = rest[begin..].find(".rs:").map(|end| begin + end + ".rs:".len()) else { break };
        if rest[begin + " at ".len()..end].contains(' ') {
            // Another path; the place, if there is one, comes later.
            let (other, later) = rest.split_at(begin + " at /".len());
            kept += other;
            rest = later;
            continue;
        }
        kept += &rest[..begin];
        rest = rest[end..].trim_start_matches(|digit: char| digit.is_ascii_digit());
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    kept + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_zenohs_source_is_left_out_and_all_else_is_told() {
        let told = [
            ("it is none: bogus at /root/r/zenoh-1.10.2/src/endpoint.rs:615.", "it is none: bogus"),
            ("no link at /a/lib.rs:1. - Caused by no udp at /b/c.rs:22.", "no link - Caused by no udp"),
            ("no file at /etc/zenoh.json5", "no file at /etc/zenoh.json5"),
            ("no file at /etc/z and more: x at /b/c.rs:22", "no file at /etc/z and more: x"),
            ("plain", "plain"),
        ];
        for (error, wanted) in told {
            assert_eq!(reason(&error), wanted);
        }
    }
}
