//! The client of a service over HTTPS: its address, who we are to it, and the connection that is kept.
//!
//! `ureq` on `rustls` with `ring`: blocking, so that a vehicle needs no async runtime for one stream; kept; and it can be shut down from
//! another thread. A redirect is an error: what is said and the key go to the host that was configured and to no other.

use std::{
    fs,
    io::{self, Read as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rustls::{
    InconsistentKeys,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};
use troika_kit::Duration;
use ureq::{
    Agent, Body, RequestBuilder,
    http::{Response, Uri},
    tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem},
    typestate::WithBody,
    unversioned::{
        resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver},
        transport::{DefaultConnector, NextTimeout},
    },
};

use crate::{
    chat::{retry_after, status_fault},
    cloud::{CloudConfig, CloudConfigError},
    fault::Fault,
    files::Files,
};

/// Bytes of a refusal that are read for its reason.
const MOST_REFUSAL: u64 = 4096;
/// Bytes of an answer that is no stream: a gateway's word on 100 keys of 128 bytes, each escaped, is 80 kB.
const MOST_ANSWER: u64 = 256 << 10;

/// A service. Clones share its connections.
///
/// The files that the parameters name are looked at before each request and read again when they have changed: a certificate is renewed
/// for a client that runs, and the connection that was made with those before is given up at that request. Files that cannot be used (a
/// renewal that is half done) change nothing for who has read others before.
#[derive(Clone)]
pub struct Client {
    config: CloudConfig,
    open: Arc<Mutex<Open>>,
}

struct Open {
    /// As they were when they were last looked at.
    files: Files,
    /// None: they could not be used so far.
    with: Option<With>,
    /// What was there before a renewal: an answer may still be under way on it.
    before: Option<With>,
    /// Why they cannot be used as they are now.
    wrong: Option<String>,
    /// So often was everything ended.
    cuts: u64,
}

/// What the files gave.
#[derive(Clone)]
struct With {
    key: Option<String>,
    config: ureq::config::Config,
    agent: Agent,
}

impl Client {
    /// Reads the files that the parameters name; connects to nothing yet.
    ///
    /// # Errors
    /// What is wrong with the parameters or the files.
    pub fn new(config: &CloudConfig) -> Result<Client, CloudConfigError> {
        let client = Client::closed(config)?;
        client.open().with = Some(With::read(config)?);
        Ok(client)
    }

    /// The same, whatever the files hold: a request says what is wrong with them, until they are there.
    ///
    /// # Errors
    /// What is wrong with the parameters.
    pub fn when_there(config: &CloudConfig) -> Result<Client, CloudConfigError> {
        let client = Client::closed(config)?;
        client.open().read(config);
        Ok(client)
    }

    /// With no file read yet.
    fn closed(config: &CloudConfig) -> Result<Client, CloudConfigError> {
        config.check()?;
        if config.over_zenoh() {
            return Err(CloudConfigError::Url(config.url.clone()));
        }
        let open = Open { files: Files::of(config), with: None, before: None, wrong: None, cuts: 0 };
        Ok(Client { config: config.clone(), open: Arc::new(Mutex::new(open)) })
    }

    /// Asks with JSON and waits for the whole answer. The connection is kept for the next time.
    ///
    /// # Errors
    /// Whatever kept a 2xx from coming.
    pub fn post(&self, path: &str, json: &str) -> Result<String, Fault> {
        // ureq panics where TLS does not take what it was given.
        catch_unwind(AssertUnwindSafe(|| self.posted(path, json))).unwrap_or_else(|_| Err(panicked()))
    }

    fn posted(&self, path: &str, json: &str) -> Result<String, Fault> {
        let mut response = self.request(path, self.cuts())?.send(json).map_err(fault_of)?;
        if !response.status().is_success() {
            return Err(refusal(&mut response));
        }
        let mut said = Vec::new();
        let mut body = response.body_mut().as_reader().take(MOST_ANSWER + 1);
        body.read_to_end(&mut said).map_err(|error| fault_of(error.into()))?;
        if said.len() as u64 > MOST_ANSWER {
            return Err(Fault::TooLarge { what: "one answer", limit: MOST_ANSWER as usize });
        }
        String::from_utf8(said).map_err(|_| Fault::Malformed("an answer that is no text".into()))
    }

    /// Ends what goes on, in whatever thread, and every socket.
    pub fn cut(&self) {
        let mut open = self.open();
        let Open { with, before, cuts, .. } = &mut *open;
        *cuts += 1;
        with.iter_mut().for_each(With::cut);
        if let Some(mut before) = before.take() {
            before.cut();
        }
    }

    /// How often [`Client::cut`] was called.
    pub(crate) fn cuts(&self) -> u64 {
        self.open().cuts
    }

    /// A request, with the files as they are now, for somebody who asked after so many cuts: one that came since has ended it, though the thread
    /// that makes it comes here only now.
    pub(crate) fn request(&self, path: &str, cuts: u64) -> Result<RequestBuilder<WithBody>, Fault> {
        troika_safety::fulfils![SR_RTE_006];
        let mut open = self.open();
        if open.cuts != cuts {
            return Err(Fault::Cancelled);
        }
        // Its answer is over, or this request would not be made by who asks one at a time; what waits in it is closed with it.
        open.before = None;
        if open.files.changed() {
            open.read(&self.config);
        }
        let Some(with) = &open.with else {
            return Err(Fault::Files(open.wrong.clone().unwrap_or_default()));
        };
        let url = format!("{}{path}", self.config.url.trim_end_matches('/'));
        let post = with.agent.post(url).header("Content-Type", "application/json");
        Ok(match &with.key {
            Some(key) => post.header("Authorization", format!("Bearer {key}")),
            None => post,
        })
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn read(&mut self, config: &CloudConfig) {
        match With::read(config) {
            Ok(with) => {
                // An answer under way is not broken for a renewal.
                self.before = self.with.replace(with);
                self.wrong = None;
            }
            Err(why) => self.wrong = Some(why.to_string()),
        }
    }
}

impl With {
    fn read(config: &CloudConfig) -> Result<With, CloudConfigError> {
        let key = match &config.key_file {
            None => None,
            Some(path) => {
                let key = String::from_utf8(read("key_file", path)?).unwrap_or_default().trim().to_owned();
                if key.is_empty() || key.contains(|sign: char| !sign.is_ascii_graphic()) {
                    return Err(CloudConfigError::Content {
                        key: "key_file",
                        path: path.clone(),
                        what: "key in one line",
                    });
                }
                Some(key)
            }
        };
        let mut tls = TlsConfig::builder();
        if let Some(path) = &config.ca_file {
            let roots = certificates("ca_file", path)?;
            tls = tls.root_certs(RootCerts::Specific(Arc::new(roots)));
        }
        if let (Some(chain), Some(key)) = (&config.certificate_file, &config.private_key_file) {
            let certificates = certificates("certificate_file", chain)?;
            let pem = read("private_key_file", key)?;
            let private = PrivateKey::from_pem(&pem).map_err(|_| CloudConfigError::Content {
                key: "private_key_file",
                path: key.clone(),
                what: "private key (PEM)",
            })?;
            if !belong_together(&certificates, &pem) {
                return Err(CloudConfigError::Content {
                    key: "private_key_file",
                    path: key.clone(),
                    what: "key of the certificate in certificate_file",
                });
            }
            tls = tls.client_cert(Some(ClientCert::new_with_certs(&certificates, private)));
        }
        let within = |ms| Some(Duration::from_millis(ms));
        troika_safety::fulfils![SR_RTE_010];
        let config_of_agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .user_agent(concat!("troika/", env!("CARGO_PKG_VERSION")))
            .no_delay(true)
            .max_response_header_size(16 << 10)
            .timeout_resolve(within(config.resolve_ms))
            .timeout_connect(within(config.connect_ms))
            .timeout_send_request(within(config.head_ms))
            .timeout_send_body(within(config.head_ms))
            .timeout_recv_response(within(config.head_ms))
            .timeout_recv_body(within(config.answer_ms))
            .build();
        Ok(With { key, agent: agent(&config_of_agent), config: config_of_agent })
    }

    fn cut(&mut self) {
        // An agent that was shut down makes no more connections.
        std::mem::replace(&mut self.agent, agent(&self.config)).shutdown();
    }
}

/// What a thread that panicked in the client is taken for.
pub(crate) fn panicked() -> Fault {
    Fault::Tls("the client failed; do `certificate_file` and `private_key_file` belong together?".into())
}

/// A header's text.
pub(crate) fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// What a status that is no success says.
pub(crate) fn refusal(response: &mut Response<Body>) -> Fault {
    let status = response.status().as_u16();
    let wait = header(response, "retry-after")
        .and_then(|wait| retry_after(&wait, header(response, "date").as_deref()));
    let mut said = Vec::new();
    // The reason is good to have; the status is what counts.
    let _ = response.body_mut().as_reader().take(MOST_REFUSAL).read_to_end(&mut said);
    status_fault(status, wait, &String::from_utf8_lossy(&said))
}

fn agent(config: &ureq::config::Config) -> Agent {
    Agent::with_parts(config.clone(), DefaultConnector::new(), Names(DefaultResolver::default()))
}

/// The system's resolver, whose failures are told apart from a socket's.
#[derive(Debug)]
struct Names(DefaultResolver);

impl Resolver for Names {
    fn resolve(
        &self,
        uri: &Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        self.0.resolve(uri, config, timeout).map_err(|error| match error {
            ureq::Error::Io(_) => ureq::Error::HostNotFound,
            other => other,
        })
    }
}

pub(crate) fn fault_of(error: ureq::Error) -> Fault {
    use ureq::Timeout;
    match error {
        ureq::Error::HostNotFound => Fault::Dns,
        ureq::Error::Timeout(Timeout::Resolve) => Fault::ConnectTimeout("name"),
        ureq::Error::Timeout(Timeout::Connect) => Fault::ConnectTimeout("connection"),
        ureq::Error::Timeout(Timeout::RecvBody) => Fault::Timeout("the whole answer"),
        ureq::Error::Timeout(_) => Fault::Timeout("the answer's head"),
        ureq::Error::Tls(what) => Fault::Tls(what.into()),
        ureq::Error::Rustls(error) => Fault::Tls((&error).into()),
        ureq::Error::Io(error) => match error.kind() {
            // What rustls says within a read or write: a certificate, an alert, a record that does not check.
            io::ErrorKind::InvalidData => Fault::Tls((&error).into()),
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Fault::Timeout("a read"),
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::AddrNotAvailable => Fault::Connect(error.to_string()),
            io::ErrorKind::UnexpectedEof => Fault::Truncated,
            _ => Fault::Reset(error.to_string()),
        },
        ureq::Error::ConnectionFailed => Fault::Connect("no address answered".into()),
        other => Fault::Malformed(other.to_string()),
    }
}

/// Whether the key is the first certificate's.
fn belong_together(chain: &[Certificate<'static>], key: &[u8]) -> bool {
    let Ok(key) = PrivateKeyDer::from_pem_slice(key) else { return false };
    let chain = chain.iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    let provider = rustls::crypto::ring::default_provider();
    // A key whose half that is shown is not known has nothing to compare.
    match CertifiedKey::from_der(chain, key, &provider) {
        Ok(_) => true,
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => true,
        Err(_) => false,
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, CloudConfigError> {
    fs::read(path).map_err(|reason| CloudConfigError::Read { key, path: path.into(), reason })
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<Certificate<'static>>, CloudConfigError> {
    let found: Vec<_> = parse_pem(&read(key, path)?)
        .filter_map(|item| if let Ok(PemItem::Certificate(one)) = item { Some(one) } else { None })
        .collect();
    if found.is_empty() {
        return Err(CloudConfigError::Content { key, path: path.into(), what: "certificate (PEM)" });
    }
    Ok(found)
}
