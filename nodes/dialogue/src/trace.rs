//! A question's number, from when it was asked to the service that answers it, so that one search finds all that was done about it. Pure.
//!
//! Made of the request's id and its stamp, which every node that hears `/dialogue/request` has: nothing has to be carried along, and a record that
//! is read later gives the same number. The vehicle sends its number along (W3C Trace Context's `traceparent`); where it records no steps itself
//! the flag is 0, and whether the trace is recorded is the gateway's choice.

use sha2::{Digest as _, Sha256};

use crate::otlp::At;

/// A W3C trace id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    id: [u8; 16],
    recorded: bool,
}

impl Trace {
    /// Of the question with this id, stamped (end of speech) at so many ns. Two vehicles' differ unless both are the same to the ns.
    pub fn of(request_id: &str, stamp_ns: u64) -> Trace {
        let id = digest(&[b"troika trace", &stamp_ns.to_be_bytes(), request_id.as_bytes()]);
        Trace { id, recorded: false }
    }

    /// The same, whose steps its sender records: whoever goes on with it does so too.
    pub fn recorded(self, recorded: bool) -> Trace {
        Trace { recorded, ..self }
    }

    /// The question as a whole.
    pub fn root(&self) -> At {
        At { trace: self.id, parent: None, span: digest(&[b"troika root", &self.id]) }
    }

    /// One step of it, by its name.
    pub fn step(&self, name: &str) -> At {
        let span = digest(&[b"troika step", &self.id, name.as_bytes()]);
        At { trace: self.id, parent: Some(self.root().span), span }
    }

    /// One request to the service: its streams are steps of their own.
    pub fn stream(&self, stream: u64) -> At {
        let span = digest(&[b"troika span", &self.id, &stream.to_be_bytes()]);
        At { trace: self.id, parent: Some(self.root().span), span }
    }

    /// The header of one request to the service.
    pub fn parent(&self, stream: u64) -> String {
        let At { trace, span, .. } = self.stream(stream);
        format!("00-{}-{}-{:02x}", hex(&trace), hex(&span), u8::from(self.recorded))
    }
}

impl std::fmt::Display for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(&self.id))
    }
}

/// The first bytes of a hash; the last of them is never 0, since an id of zeros is none.
fn digest<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut id = [0; N];
    id.copy_from_slice(&hash.finalize()[..N]);
    id[N - 1] |= u8::from(id == [0; N]);
    id
}

/// As W3C and OTLP write ids.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_has_one_number_and_each_request_of_it_a_step() {
        let trace = Trace::of("ask-1", 1_700_000_000_000_000_000);
        assert_eq!(trace, Trace::of("ask-1", 1_700_000_000_000_000_000));
        assert_ne!(trace, Trace::of("ask-2", 1_700_000_000_000_000_000));
        assert_ne!(trace, Trace::of("ask-1", 1_700_000_000_000_000_001));
        let (one, two) = (trace.parent(1), trace.parent(2));
        assert_ne!(one, two);
        assert_eq!(trace.recorded(true).parent(1), format!("{}-01", one.trim_end_matches("-00")));
        for parent in [one, two] {
            let parts: Vec<&str> = parent.split('-').collect();
            assert_eq!(
                (parts.len(), parts[0], parts[1], parts[3]),
                (4, "00", trace.to_string().as_str(), "00")
            );
            assert!(
                parts[1].len() == 32 && parts[2].len() == 16 && parts[2] != "0000000000000000",
                "{parent}"
            );
        }
    }
}
