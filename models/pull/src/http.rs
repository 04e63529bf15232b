//! Plain HTTP with what a weak link needs: time limits, and resuming where a download stopped.
//!
//! Proxies are taken from the usual variables, certificates from the system (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured).

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use thiserror::Error;
use ureq::tls::{RootCerts, TlsConfig};

/// Tries of one download; each goes on where the last one stopped.
const TRIES: u32 = 4;

/// Why an address could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpError {
    /// No answer, or an error answer.
    #[error("{url}: {why}")]
    Request {
        /// The address.
        url: String,
        /// What happened.
        why: String,
    },
    /// The answer ended early or was too long.
    #[error("{url}: {found} bytes arrived, {expected} were announced")]
    Short {
        /// The address.
        url: String,
        /// Arrived.
        found: u64,
        /// Announced.
        expected: u64,
    },
    /// The disk refused, for example because it is full.
    #[error("{path}: {reason}")]
    Disk {
        /// The file.
        path: String,
        /// The reason.
        reason: io::Error,
    },
}

pub(crate) fn agent() -> ureq::Agent {
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .user_agent(concat!("troika-models/", env!("CARGO_PKG_VERSION")))
        .build();
    config.into()
}

fn request(url: &str, why: impl ToString) -> HttpError {
    HttpError::Request { url: url.to_owned(), why: why.to_string() }
}

/// A short text, and whether it is JSON.
pub(crate) fn text(
    agent: &ureq::Agent,
    url: &str,
    accept: &str,
    limit: u64,
) -> Result<(String, bool), HttpError> {
    let mut response = agent.get(url).header("Accept", accept).call().map_err(|e| request(url, e))?;
    let json = response.body().mime_type().is_some_and(|m| m.ends_with("json"));
    let text =
        response.body_mut().with_config().limit(limit).read_to_string().map_err(|e| request(url, e))?;
    Ok((text, json))
}

/// Downloads into `part`, going on from what it already holds. `progress` hears how many bytes there are, and of how many.
pub(crate) fn download(
    agent: &ureq::Agent,
    url: &str,
    part: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<(), HttpError> {
    let mut last = Err(request(url, "never tried"));
    for _ in 0..TRIES {
        last = attempt(agent, url, part, progress);
        match &last {
            // A full disk does not mend itself, and the next try of a refused address is refused too.
            Ok(()) | Err(HttpError::Disk { .. }) => break,
            Err(_) => {}
        }
    }
    last
}

fn attempt(
    agent: &ureq::Agent,
    url: &str,
    part: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>),
) -> Result<(), HttpError> {
    let disk = |reason| HttpError::Disk { path: part.display().to_string(), reason };
    let mut file = OpenOptions::new().append(true).create(true).open(part).map_err(disk)?;
    let mut have = file.metadata().map_err(disk)?.len();
    let mut get = agent.get(url).header("Accept-Encoding", "identity");
    if have > 0 {
        get = get.header("Range", format!("bytes={have}-"));
    }
    let mut response = match get.call() {
        Ok(response) => response,
        // Nothing lies beyond what we have: it is whole, or it is not this file. The hash will say.
        Err(ureq::Error::StatusCode(416)) => return Ok(()),
        Err(e) => return Err(request(url, e)),
    };
    if have > 0 && response.status() != 206 {
        // A server that does not resume sends everything again.
        file = File::create(part).map_err(disk)?;
        have = 0;
    }
    let total = response.body().content_length().map(|left| left + have);
    let mut body = response.body_mut().as_reader();
    let mut buffer = vec![0; 128 << 10];
    progress(have, total);
    loop {
        let n = body.read(&mut buffer).map_err(|e| request(url, e))?;
        if n == 0 {
            break;
        }
        file.write_all(&buffer[..n]).map_err(disk)?;
        have += n as u64;
        progress(have, total);
    }
    match total {
        Some(expected) if expected != have => {
            Err(HttpError::Short { url: url.to_owned(), found: have, expected })
        }
        _ => file.sync_all().map_err(disk),
    }
}
