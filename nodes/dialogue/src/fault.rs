//! Why the cloud did not answer, told apart: what is the link's, what is the service's, what is set up wrongly.

use troika_kit::Duration;

use crate::tls_fault::TlsFault;

/// A stream that ended without an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The host's name was not found.
    #[error("the host's name was not found (DNS): is there a network, and is `url` spelt rightly?")]
    Dns,
    /// No connection: refused, or no way there.
    #[error("no connection: {0}")]
    Connect(String),
    /// The connection was not made in time.
    #[error("the connection was not made in time ({0})")]
    ConnectTimeout(&'static str),
    /// A file that the parameters name cannot be used.
    #[error("{0}")]
    Files(String),
    /// The certificate, or the handshake. Never got over by trying without.
    #[error("TLS: {0}")]
    Tls(TlsFault),
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Reset(String),
    /// Nothing came in time.
    #[error("nothing came in time ({0})")]
    Timeout(&'static str),
    /// The stream ended before its end was said.
    #[error("the stream ended before its end was said")]
    Truncated,
    /// What came is not what the interface says.
    #[error("not a chat stream: {0}")]
    Malformed(String),
    /// More came than is taken.
    #[error("more than {limit} bytes of {what} came")]
    TooLarge {
        /// Of what.
        what: &'static str,
        /// How many are taken.
        limit: usize,
    },
    /// 429.
    #[error("too many requests (429)")]
    RateLimited {
        /// When the service wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// 402.
    #[error("the account has no credit left (402)")]
    PaymentRequired,
    /// 401, 403.
    #[error(
        "the key or certificate is not accepted ({0}): see `key_file`, `certificate_file`; one that was revoked is enrolled again"
    )]
    Unauthorized(u16),
    /// Another 4xx: this request is wrong, the next may be right.
    #[error("the request is refused ({status}): {said}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The service's words, the first 200 bytes.
        said: String,
    },
    /// 5xx, or an error said within the stream.
    #[error("the service failed ({status})")]
    Server {
        /// HTTP status.
        status: u16,
        /// When the service wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// We ended it.
    #[error("ended by us")]
    Cancelled,
}

impl Fault {
    /// A name that can be counted by.
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Dns => "dns",
            Fault::Connect(_) => "connect",
            Fault::ConnectTimeout(_) => "connect_timeout",
            Fault::Files(_) => "files",
            Fault::Tls(_) => "tls",
            Fault::Reset(_) => "reset",
            Fault::Timeout(_) => "timeout",
            Fault::Truncated => "truncated",
            Fault::Malformed(_) => "malformed",
            Fault::TooLarge { .. } => "too_large",
            Fault::RateLimited { .. } => "rate_limited",
            Fault::PaymentRequired => "payment_required",
            Fault::Unauthorized(_) => "unauthorized",
            Fault::Refused { .. } => "refused",
            Fault::Server { .. } => "server",
            Fault::Cancelled => "cancelled",
        }
    }

    /// Whether the same request may do better at once.
    pub fn passing(&self) -> bool {
        matches!(
            self,
            Fault::Connect(_)
                | Fault::ConnectTimeout(_)
                | Fault::Reset(_)
                | Fault::Timeout(_)
                | Fault::Truncated
        )
    }

    /// Whether it says that the link does not carry, and nothing of the service.
    pub fn of_link(&self) -> bool {
        matches!(self, Fault::Dns) || self.passing()
    }

    /// Whether nothing of a request had left when it came.
    pub fn before_sending(&self) -> bool {
        matches!(
            self,
            Fault::Dns | Fault::Connect(_) | Fault::ConnectTimeout(_) | Fault::Files(_) | Fault::Tls(_)
        )
    }

    /// When the service wants to be asked again.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Fault::RateLimited { retry_after } | Fault::Server { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}
