//! The three files of a vehicle: read before anything is asked.

use std::{fs, path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::MeshError;
use crate::{config::Credentials, wire};

/// The vehicle's id: the common name of its certificate, which routers go by.
pub(super) fn vehicle(path: &Path) -> Result<String, MeshError> {
    let wrong = |why: String| MeshError::File { key: "certificate_file", path: path.into(), why };
    let pem = fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let der = CertificateDer::from_pem_slice(&pem)
        .map_err(|error| wrong(format!("holds no certificate: {error}")))?;
    let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| wrong(error.to_string()))?;
    let mut names = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    match (names.next(), names.next()) {
        (Some(id), None) if wire::whose(&wire::cancel(id)) == Some((id, "cancel")) => Ok(id.to_owned()),
        _ => Err(wrong(
            "its common name is no vehicle's id: is it one of `troika-gateway fleet enrol`?".into(),
        )),
    }
}

/// TLS as zenoh has it, for [`Link::handshake`] and for a look at the files before anything is asked.
pub(super) fn tls(credentials: &Credentials) -> Result<ClientConfig, MeshError> {
    let wrong = |key, path: &Path, error: &dyn std::fmt::Display| MeshError::File {
        key,
        path: path.into(),
        why: error.to_string(),
    };
    let mut roots = RootCertStore::empty();
    let authority = &credentials.authority;
    let found =
        CertificateDer::pem_file_iter(authority).map_err(|error| wrong("ca_file", authority, &error))?;
    for one in found {
        let one = one.map_err(|error| wrong("ca_file", authority, &error))?;
        roots.add(one).map_err(|error| wrong("ca_file", authority, &error))?;
    }
    if roots.is_empty() {
        return Err(wrong("ca_file", authority, &"holds no certificate (PEM)"));
    }
    let file = &credentials.certificate;
    let chain = CertificateDer::pem_file_iter(file)
        .and_then(|all| all.collect::<Result<Vec<_>, _>>())
        .map_err(|error| wrong("certificate_file", file, &error))?;
    let key = PrivateKeyDer::from_pem_file(&credentials.key)
        .map_err(|error| wrong("private_key_file", &credentials.key, &error))?;
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong("ca_file", authority, &error))?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .map_err(|error| wrong("private_key_file", &credentials.key, &error))
}
