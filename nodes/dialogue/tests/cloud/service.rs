//! A service on loopback over real TLS that answers by script, and misbehaves by it: what the client is tried against.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// What the service does, one after another. One list for each request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// The head of a good stream.
    Head,
    /// The head of something else: status, further header lines, a body; then the answer is over.
    Answer(u16, &'static str, &'static str),
    /// Bytes of the stream, in a chunk.
    Bytes(Vec<u8>),
    /// An event with text.
    Text(String),
    /// Waits.
    Waits(Duration),
    /// The end of the stream, as it should be.
    Ends,
    /// Closes the connection without an end.
    Closes,
    /// Resets the connection (RST).
    Resets,
    /// Says nothing more and waits until the client has closed.
    Holds,
    /// Sends without an end until the client has closed; counts the bytes.
    Floods,
}

/// What the service saw.
#[derive(Debug)]
pub(crate) enum Saw {
    /// A connection.
    Connection,
    /// A request's head and body.
    Request(String, serde_json::Value),
    /// The client closed, then.
    Closed(Instant),
    /// So many bytes were taken by the client's side before it closed.
    Flooded(usize),
    /// The handshake failed.
    NoHandshake,
}

/// The service.
pub(crate) struct Service {
    /// Its address, up to `/v1`.
    pub(crate) url: String,
    /// Its authority's certificate, PEM.
    pub(crate) ca: String,
    /// What it saw.
    pub(crate) saw: mpsc::Receiver<Saw>,
    script: Arc<Mutex<VecDeque<Vec<Does>>>>,
}

impl Service {
    /// At `localhost`, or with a certificate for another name.
    pub(crate) fn new(name: &str) -> Service {
        let (config, ca) = server_config(name);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (tell, saw) = mpsc::channel();
        let script = Arc::new(Mutex::new(VecDeque::new()));
        let queue = script.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, tell, queue) = (config.clone(), tell.clone(), queue.clone());
                thread::spawn(move || {
                    let _ = tell.send(Saw::Connection);
                    if serve(stream, config, &queue, &tell).is_err() {
                        let _ = tell.send(Saw::Closed(Instant::now()));
                    }
                });
            }
        });
        Service { url: format!("https://localhost:{port}/v1"), ca, saw, script }
    }

    /// What it does with the next request.
    pub(crate) fn does(&self, what: Vec<Does>) {
        self.script.lock().expect("not poisoned").push_back(what);
    }

    /// The next thing that it saw and that the caller is interested in.
    pub(crate) fn sees<T>(&self, mut pick: impl FnMut(Saw) -> Option<T>) -> T {
        loop {
            let saw =
                self.saw.recv_timeout(Duration::from_secs(20)).expect("the service sees it within 20 s");
            if let Some(found) = pick(saw) {
                return found;
            }
        }
    }
}

/// A port of this machine that nobody listens at.
pub(crate) fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port")
}

/// One event with text.
pub(crate) fn event(text: &str) -> String {
    format!("data: {}\n\n", serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}

/// One event with a call of a tool.
pub(crate) fn call(id: &str, name: &str, arguments: &str) -> String {
    let (first, second) = arguments.split_at(arguments.len() / 2);
    let piece = |value: serde_json::Value| {
        format!("data: {}\n\n", serde_json::json!({"choices": [{"delta": {"tool_calls": [value]}}]}))
    };
    piece(
        serde_json::json!({"index": 0, "id": id, "type": "function", "function": {"name": name, "arguments": first}}),
    ) + &piece(serde_json::json!({"index": 0, "function": {"arguments": second}}))
}

fn server_config(name: &str) -> (Arc<ServerConfig>, String) {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority =
        CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, &authority).expect("signed");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .expect("the certificate and its key");
    (Arc::new(config), authority.pem())
}

fn serve(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    queue: &Mutex<VecDeque<Vec<Does>>>,
    tell: &mpsc::Sender<Saw>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    let mut tls = StreamOwned::new(connection, stream);
    if let Err(error) = tls.conn.complete_io(&mut tls.sock) {
        let _ = tell.send(Saw::NoHandshake);
        return Err(error);
    }
    loop {
        let (head, body) = request(&mut tls)?;
        // Its own script first: who is told of the request may ask the next one.
        let script = queue.lock().expect("not poisoned").pop_front().expect("a script for every request");
        let _ = tell.send(Saw::Request(head, body));
        for does in script {
            match does {
                Does::Head => {
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
                    tls.write_all(head.as_bytes())?;
                }
                Does::Answer(status, headers, body) => {
                    let head = format!(
                        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n{body}",
                        body.len()
                    );
                    tls.write_all(head.as_bytes())?;
                }
                Does::Bytes(bytes) => chunk(&mut tls, &bytes)?,
                Does::Text(text) => chunk(&mut tls, event(&text).as_bytes())?,
                Does::Waits(long) => thread::sleep(long),
                Does::Ends => {
                    chunk(&mut tls, b"data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")?;
                    tls.write_all(b"0\r\n\r\n")?;
                }
                Does::Closes => return Ok(()),
                Does::Resets => {
                    tls.flush()?;
                    rustix::net::sockopt::set_socket_linger(&tls.sock, Some(Duration::ZERO))?;
                    return Ok(());
                }
                Does::Holds => {
                    tls.flush()?;
                    let mut rest = [0; 256];
                    while matches!(tls.sock.read(&mut rest), Ok(count) if count > 0) {}
                    let _ = tell.send(Saw::Closed(Instant::now()));
                    return Ok(());
                }
                Does::Floods => {
                    let mut sent = 0;
                    let line = [b'x'; 16 << 10];
                    while sent < 10 << 20 && chunk(&mut tls, &line).is_ok() {
                        sent += line.len();
                    }
                    let _ = tell.send(Saw::Flooded(sent));
                    return Ok(());
                }
            }
        }
        tls.flush()?;
    }
}

fn chunk(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    write!(to, "{:x}\r\n", bytes.len())?;
    to.write_all(bytes)?;
    to.write_all(b"\r\n")?;
    to.flush()
}

fn request(from: &mut impl Read) -> io::Result<(String, serde_json::Value)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        from.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok((head, serde_json::from_slice(&body).map_err(io::Error::other)?))
}
