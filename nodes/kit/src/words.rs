//! Numbers as a person reads them.

/// A number and what it counts: `1 topic`, `2 topics`. `what` is the singular of a word whose plural ends in s.
pub fn counted(number: impl TryInto<u64>, what: &str) -> String {
    // No collection holds more than fits.
    let number = number.try_into().unwrap_or(u64::MAX);
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_a_thing_is_no_plural() {
        let told = [0_u64, 1, 2].map(|number| counted(number, "topic"));
        assert_eq!(told, ["0 topics", "1 topic", "2 topics"]);
        assert_eq!(counted([0; 1].len(), "act"), "1 act");
    }
}
