//! W3C Trace Context: one request's number from the vehicle through here to the upstream. Pure but for its random numbers.
//!
//! Source: W3C Recommendation "Trace Context", 2021: `traceparent` is `00-<32 hex>-<16 hex>-<2 hex>`, lower case, neither id all zeros; of a
//! higher version what is known is read, `ff` is none.

use troika_dialogue::{otlp::At, trace::hex};

/// Where a request stands in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// The whole request's.
    pub trace: [u8; 16],
    /// Who called: the span above.
    pub parent: Option<[u8; 8]>,
    /// Ours.
    pub span: [u8; 8],
    /// Bit 0: it is recorded by who began it.
    pub flags: u8,
}

/// Random bytes of the system, by the library that TLS uses.
///
/// A system without random numbers makes no handshake either: then the bytes are zeros and nothing is served.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let _ = rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes);
    bytes
}

impl Trace {
    /// Goes on with the caller's, or begins one.
    pub fn of(traceparent: Option<&str>, random: [u8; 24]) -> Trace {
        let (mut trace, mut span) = ([0; 16], [0; 8]);
        trace.copy_from_slice(&random[..16]);
        span.copy_from_slice(&random[16..]);
        match traceparent.and_then(read) {
            Some((trace, parent, flags)) => Trace { trace, parent: Some(parent), span, flags },
            None => Trace { trace, parent: None, span, flags: 0 },
        }
    }

    /// What is asked of somebody else on this request's behalf.
    pub fn child(&self, span: [u8; 8]) -> Trace {
        Trace { parent: Some(self.span), span, ..*self }
    }

    /// The header for who is called next.
    pub fn header(&self) -> String {
        format!("00-{}-{}-{:02x}", hex(&self.trace), hex(&self.span), self.flags)
    }

    /// Where the step stands.
    pub fn at(&self) -> At {
        At { trace: self.trace, parent: self.parent, span: self.span }
    }

    /// The trace's id, as logs have it.
    pub fn id(&self) -> String {
        hex(&self.trace)
    }
}

fn read(text: &str) -> Option<([u8; 16], [u8; 8], u8)> {
    let mut parts = text.split('-');
    let version: [u8; 1] = bytes(parts.next()?)?;
    let trace: [u8; 16] = bytes(parts.next()?)?;
    let parent: [u8; 8] = bytes(parts.next()?)?;
    let [flags] = bytes::<1>(parts.next()?)?;
    let further = parts.next().is_some();
    let fine = version[0] != 0xff && (version[0] != 0 || !further) && trace != [0; 16] && parent != [0; 8];
    fine.then_some((trace, parent, flags & 1))
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    let lower = text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if text.len() != 2 * N || !lower {
        return None;
    }
    let mut out = [0; N];
    for (at, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The recommendation's own example.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_is_gone_on_with_under_a_span_of_our_own() {
        let trace = Trace::of(Some(EXAMPLE), [7; 24]);
        assert_eq!(trace.id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(trace.header(), "00-4bf92f3577b34da6a3ce929d0e0e4736-0707070707070707-01");
        assert!(trace.parent.is_some());
    }

    #[test]
    fn what_is_no_trace_begins_one() {
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47é-00f067aa0ba902b7-01",
        ] {
            let trace = Trace::of(Some(wrong), [7; 24]);
            assert_eq!((trace.parent, trace.trace), (None, [7; 16]), "{wrong:?}");
        }
        let later = EXAMPLE.replacen("00-", "01-", 1) + "-more";
        assert!(Trace::of(Some(&later), [7; 24]).parent.is_some());
    }
}
