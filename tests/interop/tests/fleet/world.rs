//! A fleet in a folder of its own, routers and gateways as processes, and vehicles.

use std::{
    env, fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use tempfile::TempDir;
use troika_dialogue::{
    CloudConfig, Fault, FromCloud, Upstream as _,
    chat::{ChatRequest, Message},
};
use troika_dialogue_mesh::{
    OverZenoh,
    config::{self, Credentials},
    wire::{self, Asked, VERSION},
};
use troika_gateway::fleet::Fleet;
use troika_interop::free_port;
use zenoh::{Session, Wait as _, query::ConsolidationMode, sample::Locality};

use crate::service::Service;

/// How long a test waits for what must come. This machine stands still at times.
pub(crate) const NET: Duration = Duration::from_secs(60);

fn program(variable: &str) -> PathBuf {
    let path = env::var_os(variable);
    path.unwrap_or_else(|| {
        panic!("{variable} names no program; `cargo xtask test interop` builds and names it")
    })
    .into()
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("before the end of time")
}

/// Waits for something that comes.
pub(crate) fn until(what: &str, mut came: impl FnMut() -> bool) {
    let began = Instant::now();
    while !came() {
        assert!(began.elapsed() < NET, "not in time: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A process that ends with the test.
pub(crate) struct Process {
    child: Child,
    pub(crate) lines: Receiver<String>,
}

impl Process {
    fn start(command: &mut Command) -> Process {
        // They see to it themselves.
        let mut child = command.env_remove(config::THREADS).stdout(Stdio::piped()).spawn().expect("runs");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let (tell, lines) = channel();
        thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| drop(tell.send(line))));
        Process { child, lines }
    }

    /// Waits for a line that begins so.
    pub(crate) fn says(&self, begins: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(NET).unwrap_or_else(|_| panic!("'{begins}' is not said"));
            if line.starts_with(begins) {
                return line;
            }
        }
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill").success());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// As a crash does.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    pub(crate) fn ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SIGTERM: a router's keeper is to take its zenohd with it.
        let _ =
            Command::new("kill").args(["-TERM", &self.child.id().to_string()]).stderr(Stdio::null()).status();
        let began = Instant::now();
        while !self.ended() && began.elapsed() < NET {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The fleet's folder.
pub(crate) struct World {
    pub(crate) dir: TempDir,
}

/// A router, and where it listens.
pub(crate) struct Router {
    pub(crate) port: u16,
    pub(crate) process: Process,
}

/// A gateway, and where its admin's side is.
pub(crate) struct Gateway {
    pub(crate) admin: u16,
    pub(crate) process: Process,
}

impl World {
    /// With an authority, and the folder for routers.
    pub(crate) fn new() -> World {
        // Sessions of this process over TLS: see `ONE_THREAD`.
        assert!(
            env::var_os(config::THREADS).is_some(),
            "{} is to be {:?}",
            config::THREADS,
            config::ONE_THREAD
        );
        let dir = tempfile::tempdir().expect("a folder");
        let fleet = Fleet::init(&dir.path().join("fleet"), "test", 30, &[], now()).expect("a fleet");
        fleet.router(&[], 30, now()).expect("a router's folder");
        World { dir }
    }

    pub(crate) fn fleet(&self) -> Fleet {
        Fleet::open(&self.dir.path().join("fleet")).expect("a fleet")
    }

    /// Enrols; the vehicle's folder.
    pub(crate) fn enrol(&self, id: &str) -> PathBuf {
        self.fleet().enrol(id, 7, None, now()).expect("enrolled")
    }

    /// As it is typed.
    pub(crate) fn command(&self, arguments: &[&str]) {
        let fleet = self.dir.path().join("fleet");
        let arguments =
            arguments.iter().map(|one| if *one == "DIR" { fleet.as_os_str() } else { one.as_ref() });
        let output = Command::new(program("TROIKA_GATEWAY")).args(arguments).output().expect("runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// A router on the fleet's folder that listens; with others to connect to.
    pub(crate) fn router(&self, others: &[u16]) -> Router {
        self.router_at(free_port(), others)
    }

    pub(crate) fn router_at(&self, port: u16, others: &[u16]) -> Router {
        let mut command = Command::new(program("TROIKA_GATEWAY"));
        command.args(["fleet", "route", "--settle-s", "0", "--zenohd"]).arg(program("TROIKA_ZENOHD"));
        command.args(["--listen", &format!("tls/127.0.0.1:{port}"), &format!("quic/127.0.0.1:{port}")]);
        if !others.is_empty() {
            command.arg("--connect").args(others.iter().map(|port| format!("tls/localhost:{port}")));
        }
        let process = Process::start(command.arg("--").arg(self.dir.path().join("fleet/router")));
        process.says("router: ");
        Router { port, process }
    }

    /// A gateway at these routers, with this service behind it, that is ready.
    pub(crate) fn gateway(&self, name: &str, routers: &[u16], service: &Service) -> Gateway {
        let admin = free_port();
        let routers: Vec<String> = routers.iter().map(|port| format!("tls/localhost:{port}")).collect();
        let text = format!(
            "listen = \"127.0.0.1:0\"\ntls = \"fleet/gateway\"\nstore = \"store.redb\"\naudit = \"{name}.jsonl\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n[mesh]\nrouters = {routers:?}\n[quota]\nrequests_a_minute = 100000\n[times]\nstall_ms = 100000\n\
             [[upstreams]]\nname = \"{name}\"\nurl = \"{}\"\nplain_http = true\nmodels = [\"m\"]\nconcurrent = 200\n",
            service.url
        );
        let file = self.dir.path().join(format!("{name}.toml"));
        fs::write(&file, text).expect("written");
        let process = Process::start(Command::new(program("TROIKA_GATEWAY")).arg("serve").arg(file));
        let gateway = Gateway { admin, process };
        until("the gateway is ready", || gateway.page("/ready").is_some_and(|page| page.contains("200 OK")));
        gateway
    }

    /// What a vehicle's folder says, for a session of one's own making.
    pub(crate) fn session(&self, folder: &Path, port: u16, more: &[(&str, &str)]) -> zenoh::Result<Session> {
        let credentials = Credentials {
            authority: folder.join("ca.pem"),
            certificate: folder.join("certificate.pem"),
            key: folder.join("key.pem"),
        };
        let routers = [format!("tls/localhost:{port}")];
        let mut config = config::client(&routers, &credentials, Duration::from_secs(10)).expect("a config");
        for (key, value) in more {
            config.insert_json5(key, value).expect("a setting");
        }
        zenoh::open(config).wait()
    }
}

impl Gateway {
    /// A page of its admin's side, head and all; none where nobody listens.
    pub(crate) fn page(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).ok()?;
        stream.set_read_timeout(Some(NET)).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
        let mut all = String::new();
        stream.read_to_string(&mut all).ok()?;
        Some(all)
    }

    /// Waits until the metrics have a line that begins so.
    pub(crate) fn counts(&self, line: &str) {
        until(line, || {
            self.page("/metrics").is_some_and(|page| page.lines().any(|one| one.starts_with(line)))
        });
    }
}

/// A vehicle, as the dialogue has it.
pub(crate) struct Vehicle {
    upstream: OverZenoh,
    said: Receiver<(u64, FromCloud)>,
    next: u64,
}

impl Vehicle {
    /// With the certificate in its folder, at a router.
    pub(crate) fn new(folder: &Path, scheme: &str, port: u16) -> Vehicle {
        Vehicle::patient(folder, scheme, port, NET / 2)
    }

    /// One that waits so long for a router and a gateway.
    pub(crate) fn patient(folder: &Path, scheme: &str, port: u16, patience: Duration) -> Vehicle {
        let cloud = CloudConfig {
            ca_file: Some(folder.join("ca.pem")),
            certificate_file: Some(folder.join("certificate.pem")),
            private_key_file: Some(folder.join("key.pem")),
            connect_ms: u64::try_from(patience.as_millis()).expect("a minute"),
            ..CloudConfig::new(&format!("zenoh+{scheme}://localhost:{port}"), "m")
        };
        let (tell, said) = channel();
        let sink = Arc::new(move |stream, what| drop(tell.send((stream, what))));
        Vehicle { upstream: OverZenoh::new(&cloud, sink, Arc::new(|_, _| {})), said, next: 0 }
    }

    /// Begins a question; its stream's number.
    pub(crate) fn begin(&mut self, text: &str) -> u64 {
        self.next += 1;
        let messages = vec![Message::User(text.into())];
        let request = ChatRequest { model: String::new(), messages, tools: Vec::new(), most_tokens: 50 };
        self.upstream.start(self.next, request);
        self.next
    }

    pub(crate) fn stop(&mut self, stream: u64) {
        self.upstream.stop(stream);
    }

    /// What it is told next.
    pub(crate) fn hears(&self) -> FromCloud {
        let heard = self.said.recv_timeout(NET).expect("something is said in time");
        assert_eq!(heard.0, self.next, "of the last stream");
        heard.1
    }

    /// The rest of the answer.
    pub(crate) fn rest(&self) -> Result<String, Fault> {
        let mut text = String::new();
        loop {
            match self.hears() {
                FromCloud::Text(more) => text.push_str(&more),
                FromCloud::Failed(fault) => return Err(fault),
                _ => return Ok(text),
            }
        }
    }

    /// After the first word: true when the second and the end followed at once, false when the service holds the answer.
    pub(crate) fn goes_on(&self) -> bool {
        assert_eq!(self.hears(), FromCloud::Text("Turn".into()));
        match self.said.recv_timeout(Duration::from_secs(2)) {
            Ok((_, FromCloud::Text(_))) => self.rest().is_ok(),
            Ok(other) => panic!("{other:?}"),
            Err(_) => false,
        }
    }

    /// A question and its whole answer.
    pub(crate) fn ask(&mut self, text: &str) -> Result<String, Fault> {
        self.begin(text);
        self.rest()
    }
}

/// What a question by hand says of itself.
pub(crate) fn asked(session: &Session, request: &str, method: &str) -> Asked {
    Asked {
        version: VERSION,
        request: request.into(),
        session: session.zid().to_string(),
        method: method.into(),
        content_type: Some("application/json".into()),
        traceparent: None,
    }
}

/// The key of a question by hand, to the first gateway that there is; to none that there is where there is none.
pub(crate) fn at(session: &Session, vehicle: &str, path: &str) -> String {
    let found = session.liveliness().get(wire::GATEWAYS).timeout(NET).wait().expect("asked");
    let token = found.recv().ok().and_then(|reply| reply.into_result().ok());
    let gateway =
        token.as_ref().and_then(|one| wire::gateway_of(one.key_expr().as_str())).unwrap_or("00000000");
    wire::question(vehicle, gateway, path)
}

/// An answer by hand: its status and its whole body; none where nobody answers.
pub(crate) fn get(session: &Session, key: &str, asked: &[u8], body: &str) -> Option<(u16, String)> {
    let replies = session
        .get(key)
        .payload(body)
        .attachment(asked)
        .consolidation(ConsolidationMode::None)
        // What a session answers itself crosses no router.
        .allowed_destination(Locality::Remote)
        .timeout(NET)
        .wait()
        .expect("asked");
    let (mut parts, mut status, mut text) = (wire::Parts::default(), None, Vec::new());
    // Until the question is over; it is, after `NET` at the latest.
    while let Ok(reply) = replies.recv() {
        let sample = reply.into_result().expect("a reply");
        let attachment = sample.attachment().expect("an attachment").to_bytes().into_owned();
        let (head, _) = parts.take(&attachment).expect("the next part");
        status = status.or(head.map(|head| head.status));
        text.extend_from_slice(&sample.payload().to_bytes());
    }
    status.map(|status| (status, String::from_utf8(text).expect("text")))
}

/// A question for [`get`].
pub(crate) const QUESTION: &str =
    r#"{"model":"m","messages":[{"role":"user","content":"Where?"}],"max_tokens":50,"stream":true}"#;
