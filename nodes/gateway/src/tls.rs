//! What TLS stands on: the gateway's certificate, the fleet's authority and what it has revoked, read from one folder.
//!
//! TLS 1.3 and 1.2. A vehicle without a certificate, with a foreign, an expired or a revoked one gets no further than the handshake. Sessions
//! are not resumed: a resumed one is not held against the list of what is revoked again.

use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, pem::PemObject},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use crate::{door::Witness, identity::serial};

/// Why the folder makes no server.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read.
    #[error("{}: {reason}; `troika-gateway fleet init` makes it", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// One of the files for zenoh's routers.
    #[error("{}: {reason}; `troika-gateway fleet server` makes it, and [mesh] wants it", path.display())]
    Mesh {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A file with something else in it.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Files that do not go together.
    #[error("{}: {reason}", dir.display())]
    Apart {
        /// The folder.
        dir: PathBuf,
        /// What does not fit.
        reason: String,
    },
}

/// The folder's content as bytes: two that are equal make the same server.
#[derive(Clone, PartialEq, Eq)]
pub struct Files {
    dir: PathBuf,
    authority: Vec<u8>,
    list: Vec<u8>,
    certificate: Vec<u8>,
    key: Vec<u8>,
    revoked: Arc<HashSet<Vec<u8>>>,
}

impl Files {
    /// Reads `ca.pem`, `crl.pem`, `server.pem` and `server.key`, and checks that the list is the authority's.
    ///
    /// # Errors
    /// A file that is not there or is not what it should be. A list that the authority has not signed would shut every vehicle out.
    pub fn read(dir: &Path) -> Result<Files, TlsError> {
        let read = |name: &str| {
            let path = dir.join(name);
            fs::read(&path).map_err(|reason| TlsError::Read { path, reason })
        };
        let mut files = Files {
            authority: read("ca.pem")?,
            list: read("crl.pem")?,
            certificate: read("server.pem")?,
            key: read("server.key")?,
            dir: dir.into(),
            revoked: Arc::default(),
        };
        files.revoked = Arc::new(files.read_list()?);
        Ok(files)
    }

    /// The serial numbers that are revoked.
    pub fn revoked(&self) -> &Arc<HashSet<Vec<u8>>> {
        &self.revoked
    }

    fn wrong(&self, name: &str, reason: impl ToString) -> TlsError {
        TlsError::Content { path: self.dir.join(name), reason: reason.to_string() }
    }

    fn authorities(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let all: Vec<_> = CertificateDer::pem_slice_iter(&self.authority)
            .collect::<Result<_, _>>()
            .map_err(|error| self.wrong("ca.pem", error))?;
        if all.is_empty() { Err(self.wrong("ca.pem", "holds no certificate (PEM)")) } else { Ok(all) }
    }

    fn lists(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
        let all: Vec<_> = CertificateRevocationListDer::pem_slice_iter(&self.list)
            .collect::<Result<_, _>>()
            .map_err(|error| self.wrong("crl.pem", error))?;
        if all.is_empty() { Err(self.wrong("crl.pem", "holds no list (PEM)")) } else { Ok(all) }
    }

    fn read_list(&self) -> Result<HashSet<Vec<u8>>, TlsError> {
        let authorities = self.authorities()?;
        let mut revoked = HashSet::new();
        for der in self.lists()? {
            let (_, list) =
                CertificateRevocationList::from_der(&der).map_err(|error| self.wrong("crl.pem", error))?;
            let signed = authorities.iter().any(|one| {
                X509Certificate::from_der(one)
                    .is_ok_and(|(_, authority)| list.verify_signature(authority.public_key()).is_ok())
            });
            troika_safety::fulfils![SR_FLT_005];
            if !signed {
                return Err(self.wrong("crl.pem", "is not signed by the authority in ca.pem"));
            }
            revoked.extend(list.iter_revoked_certificates().map(|one| serial(one.raw_serial())));
        }
        Ok(revoked)
    }

    /// The server's side of TLS.
    ///
    /// # Errors
    /// Where key and certificate do not belong together, or the library refuses one.
    pub fn server(&self) -> Result<ServerConfig, TlsError> {
        troika_safety::fulfils![SR_FLT_001];
        let apart = |reason: String| TlsError::Apart { dir: self.dir.clone(), reason };
        let mut roots = RootCertStore::empty();
        for authority in self.authorities()? {
            roots.add(authority).map_err(|error| self.wrong("ca.pem", error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .with_crls(self.lists()?)
            .build()
            .map_err(|error| self.wrong("crl.pem", error))?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| self.wrong("server.pem", error))?;
        let key =
            PrivateKeyDer::from_pem_slice(&self.key).map_err(|error| self.wrong("server.key", error))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| apart(error.to_string()))?
            .with_client_cert_verifier(Arc::new(Witness::before(verifier)))
            .with_single_cert(chain, key)
            .map_err(|error| apart(format!("server.pem and server.key: {error}")))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}
