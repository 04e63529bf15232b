//! Which source the logs are of. `cargo xtask test` writes it as a log's first line, `cargo xtask trace` says which one is there now.

/// What stands before it in a log's first line.
const MARK: &str = "source: ";

/// What is said where there is no git to tell it.
pub const NO_GIT: &str = "no git";

/// What a log says that it is of; none: it is older than that word, or no log of `cargo xtask test`.
pub fn of(log: &str) -> Option<&str> {
    log.lines().next()?.strip_prefix(MARK).map(str::trim).filter(|source| !source.is_empty())
}

/// Holds each log (its name, and what it says) against the source that is there. What is wrong; none: all are of it, or there is no git, so
/// that nobody can tell.
pub fn stale(logs: &[(String, Option<String>)], today: &str) -> Option<String> {
    if today == NO_GIT {
        return None;
    }
    let other = logs.iter().filter(|(_, source)| source.as_deref() != Some(today));
    let each: Vec<String> = other
        .map(|(name, source)| match source {
            Some(source) => format!("\n  {name} is of {source}"),
            None => format!("\n  {name} does not say what it is of"),
        })
        .collect();
    if each.is_empty() {
        return None;
    }
    Some(format!(
        "logs of another source than the one that is here, {today}:{}\nwhat they say shows nothing of this one: run `cargo xtask test` again \
         (or each suite of these logs, then `cargo xtask trace`); a log of a suite that is no more can be deleted",
        each.concat()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_says_in_its_first_line_and_nowhere_else_what_it_is_of() {
        assert_eq!(of("source: c0ffee with changes 12\ntest one ... ok\n"), Some("c0ffee with changes 12"));
        assert_eq!(of("test one ... ok\nsource: c0ffee\n"), None, "a test can print anything");
        assert_eq!((of(""), of("source: \n")), (None, None));
    }

    #[test]
    fn logs_of_another_source_are_refused_by_name_and_with_the_way_out() {
        let logs = |all: &[(&str, Option<&str>)]| -> Vec<(String, Option<String>)> {
            all.iter().map(|(name, source)| ((*name).to_owned(), source.map(str::to_owned))).collect()
        };
        let both = logs(&[("unit.log", Some("c0ffee")), ("loom.log", Some("c0ffee"))]);
        assert_eq!(stale(&both, "c0ffee"), None);
        let told = stale(&both, "c0ffee with changes 12").expect("another source");
        assert!(told.contains("unit.log is of c0ffee") && told.contains("cargo xtask test"), "{told}");
        let mixed = logs(&[("unit.log", Some("c0ffee")), ("loom.log", Some("facade")), ("old.log", None)]);
        let told = stale(&mixed, "c0ffee").expect("two of another");
        assert!(told.contains("loom.log is of facade") && told.contains("old.log does not say"), "{told}");
        assert!(!told.contains("unit.log"));
        assert!(stale(&logs(&[("unit.log", Some(NO_GIT))]), "c0ffee").is_some());
        assert_eq!(stale(&mixed, NO_GIT), None, "a tarball: nobody can tell");
    }
}
