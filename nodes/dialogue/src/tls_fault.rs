//! Why TLS failed, and what to do about it: the service's certificate, ours, or neither.

use std::fmt;

use rustls::{AlertDescription, CertificateError, Error};

/// Who has to mend what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The service's certificate is of an authority that is not trusted.
    UnknownIssuer,
    /// It is for other names.
    OtherName,
    /// It has ended.
    Ended,
    /// It does not hold yet.
    NotYet,
    /// It is revoked.
    Revoked,
    /// Ours is revoked.
    OursRevoked,
    /// Ours has ended.
    OursEnded,
    /// The service does not know the authority of ours.
    OursUnknown,
    /// The service takes nobody without a certificate.
    OursMissing,
    /// The service does not take ours, and says no more.
    OursRefused,
    /// Something else.
    Other,
}

impl Cause {
    /// All of them.
    pub const ALL: [Cause; 11] = [
        Cause::UnknownIssuer,
        Cause::OtherName,
        Cause::Ended,
        Cause::NotYet,
        Cause::Revoked,
        Cause::OursRevoked,
        Cause::OursEnded,
        Cause::OursUnknown,
        Cause::OursMissing,
        Cause::OursRefused,
        Cause::Other,
    ];

    fn of(error: &Error) -> Cause {
        match error {
            Error::InvalidCertificate(why) => match why {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Cause::UnknownIssuer,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Cause::OtherName
                }
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => Cause::Ended,
                CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Cause::NotYet,
                CertificateError::Revoked => Cause::Revoked,
                _ => Cause::Other,
            },
            // What the other side says, it says of us.
            Error::AlertReceived(alert) => match alert {
                AlertDescription::CertificateRevoked => Cause::OursRevoked,
                AlertDescription::CertificateExpired => Cause::OursEnded,
                // The second: an authority of the same name and another key (a fleet that was begun anew).
                AlertDescription::UnknownCA | AlertDescription::DecryptError => Cause::OursUnknown,
                AlertDescription::CertificateRequired => Cause::OursMissing,
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateUnknown
                | AlertDescription::AccessDenied => Cause::OursRefused,
                _ => Cause::Other,
            },
            _ => Cause::Other,
        }
    }

    /// What to do; none: the fault says all that is known.
    pub fn way_out(self) -> Option<&'static str> {
        Some(match self {
            Cause::UnknownIssuer => {
                "the service's certificate is of no authority that is trusted: let `ca_file` name its own (`ca.pem` beside the \
                 vehicle's certificate); without `ca_file` the public ones are"
            }
            Cause::OtherName => {
                "the service's certificate is for other names; let `url` say one of them, or renew it with this one (`troika fleet \
                 server --server-name`)"
            }
            Cause::Ended => {
                "the service's certificate has ended: it is to be renewed there (`troika fleet server`), if this machine's clock is right"
            }
            Cause::NotYet => "the service's certificate does not hold yet: is this machine's clock right?",
            Cause::Revoked => {
                "the service's certificate is revoked: it is to be renewed there (`troika fleet server`)"
            }
            Cause::OursRevoked => {
                "our certificate is revoked: nothing is taken from this vehicle until it is enrolled again (`troika fleet enrol`)"
            }
            Cause::OursEnded => {
                "our certificate has ended: enrol this vehicle again (`troika fleet enrol`), if this machine's clock is right"
            }
            Cause::OursUnknown => {
                "the service does not know the authority of our certificate: is `certificate_file` of this service's fleet as it is now, or \
                 was that begun anew (`troika fleet enrol`)?"
            }
            Cause::OursMissing => {
                "the service takes nobody without a certificate: set `certificate_file` and `private_key_file`"
            }
            Cause::OursRefused => {
                "the service does not take our certificate: is `certificate_file` a vehicle's of its fleet (`troika fleet enrol`)?"
            }
            Cause::Other => return None,
        })
    }
}

/// A handshake that failed, or a record that does not check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFault {
    /// Who has to mend what.
    pub cause: Cause,
    told: String,
}

impl From<&Error> for TlsFault {
    fn from(error: &Error) -> Self {
        TlsFault { cause: Cause::of(error), told: error.to_string() }
    }
}

impl From<&std::io::Error> for TlsFault {
    fn from(error: &std::io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        inner.map_or_else(|| TlsFault::from(error.to_string()), TlsFault::from)
    }
}

/// Of which no more is known than its words.
impl From<String> for TlsFault {
    fn from(told: String) -> Self {
        TlsFault { cause: Cause::Other, told }
    }
}

impl From<&str> for TlsFault {
    fn from(told: &str) -> Self {
        told.to_owned().into()
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told)?;
        self.cause.way_out().map_or(Ok(()), |way_out| write!(f, "; {way_out}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_has_its_own_way_out_and_only_an_unknown_authority_asks_for_one() {
        use AlertDescription as Alert;
        let theirs = |why| Error::InvalidCertificate(why);
        let all = [
            (theirs(CertificateError::UnknownIssuer), Cause::UnknownIssuer, "let `ca_file` name"),
            (theirs(CertificateError::NotValidForName), Cause::OtherName, "--server-name"),
            (theirs(CertificateError::Expired), Cause::Ended, "`troika fleet server`"),
            (theirs(CertificateError::NotValidYet), Cause::NotYet, "clock"),
            (theirs(CertificateError::Revoked), Cause::Revoked, "service's certificate is revoked"),
            (
                Error::AlertReceived(Alert::CertificateRevoked),
                Cause::OursRevoked,
                "our certificate is revoked",
            ),
            (Error::AlertReceived(Alert::CertificateExpired), Cause::OursEnded, "our certificate has ended"),
            (Error::AlertReceived(Alert::UnknownCA), Cause::OursUnknown, "authority of our certificate"),
            (Error::AlertReceived(Alert::DecryptError), Cause::OursUnknown, "begun anew"),
            (Error::AlertReceived(Alert::CertificateRequired), Cause::OursMissing, "`private_key_file`"),
            (Error::AlertReceived(Alert::BadCertificate), Cause::OursRefused, "`troika fleet enrol`"),
        ];
        for (error, cause, way_out) in &all {
            // As it comes from a read or a write, and by itself.
            let read = std::io::Error::new(std::io::ErrorKind::InvalidData, error.clone());
            for fault in [TlsFault::from(error), TlsFault::from(&read)] {
                let told = fault.to_string();
                assert_eq!(fault.cause, *cause, "{told}");
                assert!(told.contains(way_out), "{told}");
                assert_eq!(told.contains("ca_file"), *cause == Cause::UnknownIssuer, "{told}");
            }
        }
        let other = TlsFault::from(&Error::DecryptError);
        assert_eq!((other.cause, other.cause.way_out()), (Cause::Other, None));
        let mut outs: Vec<_> = Cause::ALL.iter().filter_map(|cause| cause.way_out()).collect();
        outs.sort_unstable();
        outs.dedup();
        assert_eq!(outs.len(), Cause::ALL.len() - 1, "each has its own, but for the unknown one");
    }
}
