//! Who is there: a vehicle's id, as its certificate says it. Pure. Nothing that a vehicle sends can change it.

use std::{fmt, sync::Arc};

use troika_kit::{Duration, Time};
use x509_parser::{extensions::GeneralName, prelude::*};

/// The SAN URI of a vehicle's certificate is this and its id.
pub const URI: &str = "troika:vehicle:";
/// Bytes of an id, at most: a VIN has 17, a UUID 36; with the prefix it fits a common name (64, RFC 5280 upper bounds).
pub const LONGEST_ID: usize = 64;

/// A vehicle's id: 1 to 64 of `A-Z a-z 0-9 . _ -`, the first a letter or a digit. It can be a file's name, a key and a label.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VehicleId(Arc<str>);

/// Text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no vehicle id: it has 1 to 64 of A-Z a-z 0-9 . _ - and begins with a letter or a digit")]
pub struct NoVehicleId(String);

impl VehicleId {
    /// From text.
    ///
    /// # Errors
    /// What is no id; of a long one the beginning is told.
    pub fn new(text: &str) -> Result<VehicleId, NoVehicleId> {
        let fine = (1..=LONGEST_ID).contains(&text.len())
            && text.starts_with(|first: char| first.is_ascii_alphanumeric())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if fine { Ok(VehicleId(text.into())) } else { Err(NoVehicleId(text.chars().take(80).collect())) }
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VehicleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl serde::Serialize for VehicleId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// What a verified certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is.
    pub vehicle: VehicleId,
    /// Its serial number, big-endian, without leading zeros.
    pub serial: Vec<u8>,
    /// It ends then (wall clock).
    pub expires: Time,
}

/// A certificate that names no vehicle, although the fleet's authority signed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAVehicle {
    /// No certificate at all.
    #[error("no certificate was shown")]
    None,
    /// Bytes that are none.
    #[error("the certificate cannot be read")]
    Unreadable,
    /// No `troika:vehicle:` among its names, or several.
    #[error("the certificate has not exactly one name of the form troika:vehicle:ID")]
    Name,
    /// The two places where the id is written differ.
    #[error("the certificate's common name is not the id in its troika:vehicle name")]
    Differs,
}

impl Identity {
    /// Reads a certificate (DER) whose chain, dates and revocation the handshake has checked.
    ///
    /// # Errors
    /// Where it names no vehicle, or two.
    pub fn of(der: &[u8]) -> Result<Identity, NotAVehicle> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|_| NotAVehicle::Unreadable)?;
        let names = certificate.subject_alternative_name().map_err(|_| NotAVehicle::Unreadable)?;
        let mut ids =
            names.iter().flat_map(|names| &names.value.general_names).filter_map(|name| match name {
                GeneralName::URI(uri) => uri.strip_prefix(URI),
                _ => None,
            });
        let (Some(id), None) = (ids.next(), ids.next()) else { return Err(NotAVehicle::Name) };
        let vehicle = VehicleId::new(id).map_err(|_| NotAVehicle::Name)?;
        let mut common = certificate.subject().iter_common_name();
        match (common.next().map(|name| name.as_str()), common.next()) {
            (Some(Ok(name)), None) if name == id => {}
            _ => return Err(NotAVehicle::Differs),
        }
        let expires = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
        Ok(Identity {
            vehicle,
            serial: serial(certificate.raw_serial()),
            expires: Time::ZERO + Duration::from_secs(expires),
        })
    }
}

/// A serial number as it is compared: DER puts a zero before a first bit that is set.
pub fn serial(raw: &[u8]) -> Vec<u8> {
    let zeros = raw.iter().take_while(|byte| **byte == 0).count();
    raw[zeros..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_that_files_keys_and_labels_can_have() {
        for fine in ["a", "WVWZZZ1JZXW000001", "anna-2.left_rear", &"x".repeat(64)] {
            assert_eq!(VehicleId::new(fine).map(|id| id.to_string()), Ok(fine.to_owned()));
        }
        for wrong in ["", "-a", ".", "..", "a/b", "a b", "a\n", "ä", "<b>", &"x".repeat(65)] {
            assert!(VehicleId::new(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_are_nobody() {
        assert_eq!(Identity::of(b"nonsense"), Err(NotAVehicle::Unreadable));
    }
}
