//! A fleet, a gateway and vehicles, in a folder of their own.

use std::{fmt::Write as _, net::SocketAddr, path::Path, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Request, Response, body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use troika_gateway::{clock, config::Config, fleet::Fleet, gateway::Gateway, page, serve};

use crate::upstream::{NET, Service};

/// All of it.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) serving: JoinHandle<()>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) fn now() -> i64 {
    clock::seconds(clock::wall())
}

impl World {
    /// With these upstreams, all of which have the model `m`, and more lines for the file.
    pub(crate) async fn new(services: &[&Service], more: &str) -> World {
        let dir = tempfile::tempdir().expect("a folder");
        Fleet::init(&dir.path().join("fleet"), "test", 30, &[], now()).expect("a fleet");
        World::again(dir, services, more).await
    }

    /// A gateway on the folder of one that has gone.
    pub(crate) async fn again(dir: TempDir, services: &[&Service], more: &str) -> World {
        let urls: Vec<&str> = services.iter().map(|one| one.url.as_str()).collect();
        let config = config(dir.path(), &urls, more);
        let gateway = Gateway::start(config).await.expect("starts");
        let bind = || async { TcpListener::bind("127.0.0.1:0").await.expect("a free port") };
        let (vehicles, admin) = (bind().await, bind().await);
        let (address, admin_address) =
            (vehicles.local_addr().expect("bound"), admin.local_addr().expect("bound"));
        let serving = tokio::spawn(serve::serve(gateway.clone(), vehicles));
        tokio::spawn(page::serve(gateway.clone(), admin));
        World { dir, gateway, address, admin: admin_address, serving }
    }

    pub(crate) fn fleet(&self) -> Fleet {
        Fleet::open(&self.dir.path().join("fleet")).expect("a fleet")
    }

    /// A vehicle's side of TLS, with a certificate of this fleet.
    pub(crate) fn vehicle(&self, id: &str) -> Arc<ClientConfig> {
        let folder = self.fleet().enrol(id, 7, None, now()).expect("enrolled");
        self.with(Some(&folder))
    }

    /// With the certificate in a folder, or none; this fleet's authority is trusted.
    pub(crate) fn with(&self, folder: Option<&Path>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        let authority = self.dir.path().join("fleet/ca.pem");
        roots.add(CertificateDer::from_pem_file(authority).expect("PEM")).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        Arc::new(match folder {
            None => builder.with_no_client_auth(),
            Some(folder) => {
                let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem")).expect("PEM");
                let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("PEM");
                builder.with_client_auth_cert(vec![certificate], key).expect("they fit")
            }
        })
    }

    /// A connection.
    pub(crate) async fn connect(&self, vehicle: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        timeout(NET, TlsConnector::from(vehicle.clone()).connect(name, stream))
            .await
            .expect("a handshake in time")
    }

    /// A request on a connection of its own; its head, and the connection's task.
    pub(crate) async fn send(
        &self,
        vehicle: &Arc<ClientConfig>,
        request: Request<Full<Bytes>>,
    ) -> Result<(Response<Incoming>, JoinHandle<()>), String> {
        let stream = self.connect(vehicle).await.map_err(|error| error.to_string())?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
        let task = tokio::spawn(async move {
            let _ = connection.await;
        });
        let sent = timeout(NET, sender.send_request(request)).await.expect("an answer in time");
        sent.map(|response| (response, task)).map_err(|error| format!("{error:?}"))
    }

    /// A request and its whole answer.
    pub(crate) async fn ask(&self, vehicle: &Arc<ClientConfig>, request: Request<Full<Bytes>>) -> Answer {
        let (response, _task) = self.send(vehicle, request).await.expect("an answer");
        read(response).await
    }

    /// A page of the admin's side.
    pub(crate) async fn admin(&self, method: &str, path: &str) -> Answer {
        let stream = TcpStream::connect(self.admin).await.expect("it listens");
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("a connection");
        tokio::spawn(connection);
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.body(Full::new(Bytes::new())).expect("a request");
        read(sender.send_request(request).await.expect("an answer")).await
    }

    /// Waits until the metrics have this line.
    pub(crate) async fn counts(&self, line: &str) {
        until(
            || self.gateway.metrics_text().lines().any(|one| one == line),
            || format!("{line} in\n{}", self.gateway.metrics_text()),
        )
        .await;
    }

    /// The record so far.
    pub(crate) fn audited(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("audit.jsonl")).unwrap_or_default()
    }

    /// Waits for the record's line of something that happened at the door.
    pub(crate) async fn event(&self, event: &str, why: &str) -> serde_json::Value {
        let found = || {
            let lines: Vec<serde_json::Value> =
                self.audited().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
            lines.into_iter().find(|line| line["event"] == event && line["why"] == why)
        };
        until(|| found().is_some(), || format!("{event} {why} in\n{}", self.audited())).await;
        found().expect("it is there")
    }

    /// The gateway goes, and leaves its folder.
    pub(crate) async fn end(self) -> TempDir {
        self.gateway.end();
        timeout(NET, self.serving).await.expect("in time").expect("no panic");
        self.gateway.share().await;
        self.dir
    }
}

/// Waits for something that comes.
pub(crate) async fn until(what: impl Fn() -> bool, told: impl Fn() -> String) {
    let waited = timeout(NET, async {
        while !what() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "not in time: {}", told());
}

pub(crate) fn config(dir: &Path, urls: &[&str], more: &str) -> Config {
    let mut text = "listen = \"127.0.0.1:0\"\ntls = \"fleet/gateway\"\nstore = \"store.redb\"\naudit = \"audit.jsonl\"\n".to_owned();
    for (at, url) in urls.iter().enumerate() {
        let _ = write!(
            text,
            "[[upstreams]]\nname = \"u{at}\"\nurl = \"{url}\"\nplain_http = true\nmodels = [\"m\"]\nprice = 1000\nconcurrent = 2\n"
        );
    }
    text.push_str(more);
    let file = dir.join("gateway.toml");
    std::fs::write(&file, text).expect("written");
    Config::read(&file).expect("a config")
}

pub(crate) async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = timeout(NET, body.collect()).await.expect("an end in time").expect("a whole body").to_bytes();
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

/// A question, with more keys.
pub(crate) fn question(more: &str) -> Request<Full<Bytes>> {
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"CANARY where?"}}],"max_tokens":50{more}}}"#
    );
    post("/v1/chat/completions", body)
}

pub(crate) fn post(path: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(path)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .expect("a request")
}

pub(crate) const STREAM: &str = r#","stream":true"#;
