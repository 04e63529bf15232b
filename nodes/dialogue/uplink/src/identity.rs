//! Who the gateway takes us for: the common name of our certificate, which is the vehicle's id.

use std::{fs, path::Path};

use x509_parser::pem::parse_x509_pem;

/// The common name in the first certificate of a file (PEM); none: there is no such file, or it holds no certificate with a name.
pub fn of(file: &Path) -> Option<String> {
    name(&fs::read(file).ok()?)
}

fn name(pem: &[u8]) -> Option<String> {
    let (_, pem) = parse_x509_pem(pem).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let name = certificate.subject().iter_common_name().next()?;
    Some(name.as_str().ok()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enrolled_vehicle_is_known_by_its_id_and_no_certificate_is_nobodys() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("fleet");
        let now = 1_800_000_000;
        let mut fleet = troika_gateway::fleet::Fleet::init(&dir, "test", 30, &[], now).unwrap();
        let files = fleet.enrol("anna", 7, None, now).unwrap();
        assert_eq!(of(&files.join("certificate.pem")).as_deref(), Some("anna"));
        assert_eq!(of(&files.join("key.pem")), None);
        assert_eq!(of(&files.join("not-there.pem")), None);
    }
}
