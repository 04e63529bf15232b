//! The way to a service: HTTP/1.1 over TLS, connections kept; a request that is dropped closes its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Request, Response, Uri,
    body::Incoming,
    header::{self, HeaderMap, HeaderValue},
};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use troika_dialogue::{
    Fault, TlsFault,
    chat::{retry_after, status_fault},
};
use troika_kit::Duration;

use crate::{config::UpstreamConfig, trace::Trace};

/// Bytes of a refusal that are read for its reason.
const MOST_REFUSAL: usize = 4096;
/// A connection that nobody used is closed after so long.
const IDLE: Duration = Duration::from_secs(60);

/// An upstream that cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// A file.
    #[error("{}: {reason}", path.display())]
    Read {
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
        /// What it should hold.
        reason: String,
    },
    /// An address.
    #[error("{0:?} is no address")]
    Url(String),
    /// The library.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// A service.
pub struct Upstream {
    /// Ours for it.
    pub name: String,
    /// Millionths of a euro for 1,000 tokens.
    pub price: u64,
    chat: Uri,
    models: Uri,
    key: Option<HeaderValue>,
    client: Client,
}

/// A client of such services.
pub type Client = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// That trusts the authorities of a file, or the public ones, and keeps so many connections.
///
/// # Errors
/// An authority that cannot be read.
pub fn client(
    ca_file: Option<&Path>,
    plain: bool,
    connect: Duration,
    kept: usize,
) -> Result<Client, UpstreamError> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let wrong = |reason: String| UpstreamError::Content { path: path.into(), reason };
            for one in CertificateDer::pem_slice_iter(&read(path)?) {
                roots.add(one.map_err(|error| wrong(error.to_string()))?)?;
            }
            if roots.is_empty() {
                return Err(wrong("holds no certificate (PEM)".into()));
            }
        }
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut http = HttpConnector::new();
    http.set_connect_timeout(Some(connect));
    http.set_nodelay(true);
    http.enforce_http(false);
    let schemes = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls);
    let schemes = if plain { schemes.https_or_http() } else { schemes.https_only() };
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(kept)
        .build(schemes.enable_http1().wrap_connector(http)))
}

fn read(path: &Path) -> Result<Vec<u8>, UpstreamError> {
    fs::read(path).map_err(|reason| UpstreamError::Read { path: path.into(), reason })
}

impl Upstream {
    /// As the file says.
    ///
    /// # Errors
    /// A key or an authority that cannot be read.
    pub fn new(config: &UpstreamConfig, connect: Duration) -> Result<Upstream, UpstreamError> {
        let key = config.key_file.as_ref().map(|path| {
            let text = read(path)?;
            let key = [b"Bearer ".as_slice(), text.trim_ascii()].concat();
            let wrong = || UpstreamError::Content { path: path.clone(), reason: "holds no key alone".into() };
            let mut value = HeaderValue::from_bytes(&key).map_err(|_| wrong())?;
            if text.trim_ascii().is_empty() {
                return Err(wrong());
            }
            value.set_sensitive(true);
            Ok(value)
        });
        let uri = |path: &str| {
            let url = format!("{}/{path}", config.url.trim_end_matches('/'));
            url.parse().map_err(|_| UpstreamError::Url(url))
        };
        Ok(Upstream {
            name: config.name.clone(),
            price: config.price,
            chat: uri("chat/completions")?,
            models: uri("models")?,
            key: key.transpose()?,
            client: client(
                config.ca_file.as_deref(),
                config.plain_http,
                connect,
                config.concurrent as usize,
            )?,
        })
    }

    /// What so many tokens cost, millionths of a euro, rounded up.
    pub fn cost(&self, tokens: u64) -> u64 {
        tokens.saturating_mul(self.price).div_ceil(1000)
    }

    /// Asks; the head of a good answer.
    ///
    /// # Errors
    /// Whatever is no good answer, told apart as the vehicle's own client does.
    pub async fn ask(&self, body: Bytes, stream: bool, trace: &Trace) -> Result<Response<Incoming>, Fault> {
        let accept = if stream { "text/event-stream" } else { "application/json" };
        let mut request = Request::post(&self.chat)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, accept)
            .header("traceparent", trace.header());
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, key);
        }
        let request = request.body(Full::new(body)).map_err(|error| Fault::Malformed(error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| fault(&error))?;
        let status = response.status().as_u16();
        if status != 200 {
            return Err(refused(status, response).await);
        }
        let kind = text(response.headers(), header::CONTENT_TYPE);
        if !kind.starts_with(accept) {
            return Err(Fault::Malformed(format!("its type is not {accept}")));
        }
        Ok(response)
    }

    /// Whether it is there and takes our key: asks for its models.
    ///
    /// # Errors
    /// What is wrong with it.
    pub async fn look(&self) -> Result<(), Fault> {
        let mut request = Request::get(&self.models);
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, key);
        }
        let request =
            request.body(Full::new(Bytes::new())).map_err(|error| Fault::Malformed(error.to_string()))?;
        let response = self.client.request(request).await.map_err(|error| fault(&error))?;
        match response.status().as_u16() {
            // Some have no list of models: they are there.
            200 | 404 | 405 => Ok(()),
            status => Err(refused(status, response).await),
        }
    }
}

async fn refused(status: u16, response: Response<Incoming>) -> Fault {
    let (head, body) = response.into_parts();
    let date = text(&head.headers, header::DATE);
    let wait = retry_after(&text(&head.headers, header::RETRY_AFTER), Some(&date));
    // The reason is good to have; the status is what counts. Whoever called has set the time for it.
    let said =
        Limited::new(body, MOST_REFUSAL).collect().await.map(|said| said.to_bytes()).unwrap_or_default();
    status_fault(status, wait, &String::from_utf8_lossy(&said))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned()
}

/// What a failure of the client is.
pub fn fault(error: &legacy::Error) -> Fault {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let (mut io, mut tls) = (None, None);
    while let Some(one) = source {
        tls = tls.or(one.downcast_ref::<rustls::Error>().map(TlsFault::from));
        if let Some(one) = one.downcast_ref::<io::Error>() {
            io = io.or(Some(one.kind()));
            tls = tls.or(one
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
                .map(TlsFault::from));
        }
        source = one.source();
    }
    match (tls, io) {
        (Some(tls), _) => Fault::Tls(tls),
        (None, Some(io::ErrorKind::TimedOut)) => Fault::ConnectTimeout("connection"),
        _ if error.is_connect() => Fault::Connect("no connection to the upstream".into()),
        _ => Fault::Reset("by the upstream".into()),
    }
}

/// What went wrong while a body was read.
pub fn body_fault(error: &hyper::Error) -> Fault {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    let mut early = error.is_incomplete_message();
    while let Some(one) = source {
        early |= one.downcast_ref::<io::Error>().is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof);
        source = one.source();
    }
    if early { Fault::Truncated } else { Fault::Reset("by the upstream".into()) }
}
