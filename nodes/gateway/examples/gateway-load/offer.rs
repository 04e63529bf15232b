//! Vehicles that ask by the clock.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_util::rt::TokioIo;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
};
use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::TlsConnector;

use crate::gateway::Running;

/// What was not answered after so long is stuck.
const STUCK: Duration = Duration::from_secs(60);

type Sender = SendRequest<Full<Bytes>>;

/// One who asks: a vehicle, or the direct way.
struct Asker {
    tls: Option<TlsConnector>,
    address: SocketAddr,
    free: Mutex<Vec<Sender>>,
}

/// What became of a request.
pub(crate) struct Outcome {
    /// Through the gateway.
    pub(crate) through: bool,
    /// By the vehicle that asks more than its share.
    pub(crate) greedy: bool,
    /// Answered to its end, all tokens there.
    pub(crate) fine: bool,
    /// HTTP status; 0 where there was none.
    pub(crate) status: u16,
    /// From when it was due to the first byte of the answer's body.
    pub(crate) first_ms: f64,
}

/// All who ask.
pub(crate) struct Offer {
    vehicles: Vec<Arc<Asker>>,
    direct: Option<Arc<Asker>>,
}

impl Asker {
    async fn connect(&self) -> anyhow::Result<Sender> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let sender = match &self.tls {
            None => {
                let (sender, connection) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                sender
            }
            Some(tls) => {
                let stream = tls.connect(ServerName::try_from("localhost")?, stream).await?;
                let (sender, connection) = handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                sender
            }
        };
        Ok(sender)
    }

    fn take(&self) -> Option<Sender> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give(&self, sender: Sender) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    }

    /// Asks; the status, when the first byte came, how many events there were.
    async fn ask(&self) -> anyhow::Result<(u16, Instant, usize)> {
        let mut sender = match self.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        sender.ready().await?;
        let body = r#"{"model":"m","stream":true,"max_tokens":100,"messages":[{"role":"user","content":"Is there a cafe near the station?"}]}"#;
        let request = Request::post("/v1/chat/completions")
            .header("host", "localhost")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(body.as_bytes())))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let (mut first, mut events) = (None, 0);
        while let Some(frame) = body.frame().await {
            first = first.or(Some(Instant::now()));
            if let Ok(data) = frame?.into_data() {
                events += data.windows(6).filter(|six| six == b"data: ").count();
            }
        }
        self.give(sender);
        Ok((status, first.context("an empty answer")?, events))
    }
}

impl Offer {
    /// Connects every vehicle, and the direct way where it is wanted.
    pub(crate) async fn connect(
        running: &Running,
        upstream: SocketAddr,
        keys: &[PathBuf],
        direct: bool,
    ) -> anyhow::Result<Offer> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&running.authority)?)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut vehicles = Vec::new();
        for folder in keys {
            let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem"))?;
            let key = PrivateKeyDer::from_pem_file(folder.join("key.pem"))?;
            let config = ClientConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots.clone())
                .with_client_auth_cert(vec![certificate], key)?;
            let tls = Some(TlsConnector::from(Arc::new(config)));
            let vehicle = Arc::new(Asker { tls, address: running.address, free: Mutex::default() });
            vehicle.give(vehicle.connect().await?);
            vehicles.push(vehicle);
        }
        let direct = direct.then(|| Arc::new(Asker { tls: None, address: upstream, free: Mutex::default() }));
        // What is kept open beforehand costs a direct request no connection either.
        if let Some(direct) = &direct {
            for _ in 0..vehicles.len().min(200) {
                direct.give(direct.connect().await?);
            }
        }
        Ok(Offer { vehicles, direct })
    }

    /// So many a second, of which the first vehicle sends a share. Until all are answered; how long that took, s.
    pub(crate) async fn run(&self, rate: f64, seconds: f64, tokens: u32, greedy: f64) -> (Vec<Outcome>, f64) {
        let count = (rate * seconds) as usize;
        let began = Instant::now() + Duration::from_millis(100);
        let (mut tasks, mut other, mut owed) = (JoinSet::new(), 0, 0.0);
        for at in 0..count {
            owed += greedy;
            let by_greedy = owed >= 1.0;
            let (asker, through) = match &self.direct {
                Some(direct) if at % 2 == 1 => (direct.clone(), false),
                _ if by_greedy => (self.vehicles[0].clone(), true),
                _ => {
                    other += 1;
                    (self.vehicles[1 + other % (self.vehicles.len() - 1)].clone(), true)
                }
            };
            owed -= f64::from(u8::from(by_greedy));
            let due = began + Duration::from_secs_f64(at as f64 / rate);
            sleep_until(due).await;
            tasks.spawn(async move {
                let answer = timeout(STUCK, asker.ask()).await;
                let (status, first, events) = match answer {
                    Ok(Ok(answer)) => answer,
                    _ => (0, Instant::now(), 0),
                };
                let first_ms = first.duration_since(due).as_secs_f64() * 1000.0;
                let fine = status == 200 && events == tokens as usize + 1;
                Outcome { through, greedy: by_greedy, fine, status, first_ms }
            });
        }
        let mut outcomes = Vec::with_capacity(count);
        while let Some(done) = tasks.join_next().await {
            outcomes.extend(done.ok());
        }
        (outcomes, began.elapsed().as_secs_f64())
    }
}

/// The value that a share of the others is not above; nearest rank. 0 of none.
pub(crate) fn percentile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}
