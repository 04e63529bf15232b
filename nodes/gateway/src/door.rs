//! Who comes to the door and is not let in: what their certificate says, and how many lines of the record they may fill.
//!
//! A handshake that fails leaves nothing of the certificate that was shown; a verifier before the fleet's own sees it on its way.

use std::{cell::RefCell, fmt::Write as _, future::Future, sync::Arc};

use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};
use troika_kit::{Duration, Time};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::identity::{Identity, serial};

/// Refusals that are of somebody's identity, and have a line in the record.
pub const IDENTITIES: [&str; 6] =
    ["no_certificate", "revoked", "expired", "foreign", "certificate", "no_vehicle"];
/// Lines that refusals may fill in a minute: strangers are not to fill the disk.
const LINES: u64 = 60;
const MINUTE: Duration = Duration::from_secs(60);

/// What a certificate said that was shown. Nobody has vouched for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Whose it is.
    pub claims: Option<String>,
    /// Its serial number, hexadecimal.
    pub serial: Option<String>,
}

impl Shown {
    fn of(der: &[u8]) -> Shown {
        let serial =
            X509Certificate::from_der(der).ok().map(|(_, one)| hexadecimal(&serial(one.raw_serial())));
        Shown { claims: Identity::of(der).ok().map(|identity| identity.vehicle.to_string()), serial }
    }
}

/// Bytes as a fleet's list has serial numbers.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

tokio::task_local! {
    /// Of the handshake under way in this task.
    static SHOWN: RefCell<Option<Shown>>;
}

/// Does a handshake, and tells which certificate was shown in it.
pub async fn watched<T>(handshake: impl Future<Output = T>) -> (T, Option<Shown>) {
    SHOWN
        .scope(RefCell::new(None), async {
            let done = handshake.await;
            (done, SHOWN.with(RefCell::take))
        })
        .await
}

/// Sees certificates on their way to the verifier that judges them.
#[derive(Debug)]
pub struct Witness(Arc<dyn ClientCertVerifier>);

impl Witness {
    /// Before this one.
    pub fn before(verifier: Arc<dyn ClientCertVerifier>) -> Witness {
        Witness(verifier)
    }
}

impl ClientCertVerifier for Witness {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let judged = self.0.verify_client_cert(certificate, between, now);
        if judged.is_err() {
            // Outside `watched` nobody asks.
            let _ = SHOWN.try_with(|shown| shown.replace(Some(Shown::of(certificate))));
        }
        judged
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// How many lines of the record refusals may still fill. Pure.
#[derive(Debug, Default)]
pub struct Scarce {
    since: Time,
    lines: u64,
    left_out: u64,
}

impl Scarce {
    /// Whether this one has a line; then how many had none since the last line.
    pub fn line(&mut self, now: Time) -> Option<u64> {
        if now.since(self.since) >= MINUTE {
            (self.since, self.lines) = (now, 0);
        }
        if self.lines >= LINES {
            self.left_out += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_fill_so_many_lines_a_minute_and_those_left_out_are_counted() {
        let at = |s: u64| Time::ZERO + Duration::from_secs(1_000 + s);
        let mut scarce = Scarce::default();
        assert!((0..LINES).all(|_| scarce.line(at(0)) == Some(0)));
        assert!((0..5).all(|_| scarce.line(at(59)).is_none()));
        assert_eq!(scarce.line(at(60)), Some(5));
        assert_eq!(scarce.line(at(61)), Some(0));
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        assert_eq!(Shown::of(b"nonsense"), Shown::default());
        assert_eq!(hexadecimal(&[0, 0xab]), "00ab");
    }
}
