//! What the service is told to do wrong, for tests: by a header of the request, or by a file. Pure.

use serde::Deserialize;

/// The header that asks for a fault.
pub const HEADER: &str = "x-expert-fault";

/// A fault. Tokens are counted from the first of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Fault {
    /// Refuses with this status.
    Status {
        /// Of HTTP.
        code: u16,
        /// When it may be asked again, s.
        retry_after_s: Option<u32>,
    },
    /// Resets the connection (RST) after so many tokens.
    Reset(u32),
    /// Says nothing more after so many tokens, and holds the connection.
    Stall(u32),
    /// Sends what is no JSON after so many tokens.
    Garbage(u32),
    /// Ends the answer after so many tokens without saying that it ends.
    Truncate(u32),
}

/// What was asked for is no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no fault; there are: status=429, status=429; retry-after=2, reset=12, stall=12, garbage=12, truncate=12 (the number: after so many tokens)"
)]
pub struct NoFault(String);

impl TryFrom<String> for Fault {
    type Error = NoFault;

    fn try_from(text: String) -> Result<Fault, NoFault> {
        Fault::read(&text)
    }
}

impl Fault {
    /// Reads one: `reset=12`, `status=429; retry-after=2`.
    ///
    /// # Errors
    /// What there is, where this is none.
    pub fn read(text: &str) -> Result<Fault, NoFault> {
        let no = || NoFault(text.chars().take(80).collect());
        let (first, more) = text.split_once(';').map_or((text, None), |(first, more)| (first, Some(more)));
        let pair = |part: &str| -> Option<(String, u32)> {
            let (key, value) = part.split_once('=')?;
            Some((key.trim().to_lowercase(), value.trim().parse().ok()?))
        };
        let (key, value) = pair(first).ok_or_else(no)?;
        let retry_after_s = match more {
            None => None,
            Some(more) => match pair(more) {
                Some((key, value)) if key == "retry-after" => Some(value),
                _ => return Err(no()),
            },
        };
        match (key.as_str(), u16::try_from(value)) {
            ("status", Ok(code @ 400..=599)) => Ok(Fault::Status { code, retry_after_s }),
            _ if retry_after_s.is_some() => Err(no()),
            ("reset", _) => Ok(Fault::Reset(value)),
            ("stall", _) => Ok(Fault::Stall(value)),
            ("garbage", _) => Ok(Fault::Garbage(value)),
            ("truncate", _) => Ok(Fault::Truncate(value)),
            _ => Err(no()),
        }
    }
}

/// Which requests fail, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// The first that fits is the one.
    #[serde(default)]
    fault: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    what: Fault,
    /// These requests, from 1.
    #[serde(default)]
    requests: Vec<u64>,
    /// Every so manieth.
    every: Option<std::num::NonZeroU64>,
}

/// A file of faults that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FaultsError {
    /// Not the format.
    #[error("{0}")]
    Toml(String),
    /// Nothing says when.
    #[error("fault {0} (from 1) says not when: give it `requests = [1, 3]` or `every = 5`")]
    When(usize),
}

impl Faults {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(text: &str) -> Result<Faults, FaultsError> {
        let faults: Faults = toml::from_str(text).map_err(|error| FaultsError::Toml(error.to_string()))?;
        match faults.fault.iter().position(|rule| rule.requests.is_empty() && rule.every.is_none()) {
            Some(at) => Err(FaultsError::When(at + 1)),
            None => Ok(faults),
        }
    }

    /// What happens to this request, from 1.
    pub fn of(&self, request: u64) -> Option<Fault> {
        let fits = |rule: &&Rule| {
            rule.requests.contains(&request)
                || rule.every.is_some_and(|every| request.is_multiple_of(every.get()))
        };
        self.fault.iter().find(fits).map(|rule| rule.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_as_they_are_written() {
        assert_eq!(
            Fault::read("status=429; retry-after=2"),
            Ok(Fault::Status { code: 429, retry_after_s: Some(2) })
        );
        assert_eq!(Fault::read("Status = 402"), Ok(Fault::Status { code: 402, retry_after_s: None }));
        assert_eq!(Fault::read("reset=12"), Ok(Fault::Reset(12)));
        assert_eq!(Fault::read("truncate=0"), Ok(Fault::Truncate(0)));
        for none in [
            "",
            "reset",
            "reset=x",
            "status=200",
            "status=70000",
            "reset=3; retry-after=2",
            "explode=1",
            "status=429; after=1",
        ] {
            let said = Fault::read(none).expect_err(none).to_string();
            assert!(said.contains("there are: status=429"), "{said}");
        }
    }

    #[test]
    fn a_file_says_which_requests_fail() {
        let faults = Faults::read(
            "[[fault]]\nwhat = \"reset=5\"\nrequests = [2, 4]\n[[fault]]\nwhat = \"status=500\"\nevery = 3\n",
        )
        .expect("faults");
        let of: Vec<_> = (1..=6).map(|request| faults.of(request)).collect();
        let refused = Some(Fault::Status { code: 500, retry_after_s: None });
        assert_eq!(of, [None, Some(Fault::Reset(5)), refused, Some(Fault::Reset(5)), None, refused]);
        let said = Faults::read("[[fault]]\nwhat = \"reset=5\"\nevery = 1\n[[fault]]\nwhat = \"rest=5\"\n")
            .expect_err("refused")
            .to_string();
        assert!(said.contains("line 5") && said.contains("rest=5"), "{said}");
        assert_eq!(Faults::read("[[fault]]\nwhat = \"stall=5\"\n"), Err(FaultsError::When(1)));
        assert!(Faults::read("[[fault]]\nwhat = \"stall=5\"\nevery = 0\n").is_err());
    }
}
