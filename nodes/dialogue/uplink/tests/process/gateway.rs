//! A gateway in a process of its own (this test program again), so that it can be killed.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Instant,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use troika_conformance::free_port;
use troika_gateway::{clock, config::Config, fleet::Fleet, gateway::Gateway as Served, page, serve};
use troika_kit::Duration;

/// Whoever takes longer than this hangs.
pub(crate) const HANGS: Duration = Duration::from_secs(90);
/// Where the child finds its file; without it there is no child.
const FILE: &str = "TROIKA_UPLINK_TEST_GATEWAY";

/// A fleet of one vehicle, and its gateway, which runs or does not.
pub(crate) struct Gateway {
    dir: TempDir,
    pub(crate) vehicle: PathBuf,
    pub(crate) port: u16,
    admin: u16,
    child: Option<Child>,
}

impl Gateway {
    /// With the vehicle `anna` in it. It does not run yet.
    pub(crate) fn new() -> Gateway {
        let dir = tempfile::tempdir().expect("a folder");
        let now = clock::seconds(clock::wall());
        let fleet = dir.path().join("fleet");
        Fleet::init(&fleet, "test", 30, &[], now).expect("a fleet");
        let vehicle = Fleet::open(&fleet).expect("there").enrol("anna", 7, None, now).expect("enrolled");
        let (port, admin) = (free_port(), free_port());
        let text = format!(
            "listen = \"127.0.0.1:{port}\"\ntls = \"fleet/gateway\"\nstore = \"store.redb\"\n\
             [admin]\nlisten = \"127.0.0.1:{admin}\"\n\
             [[upstreams]]\nname = \"none\"\nurl = \"http://localhost:9/v1\"\nplain_http = true\nmodels = [\"m\"]\n"
        );
        fs::write(dir.path().join("gateway.toml"), text).expect("written");
        Gateway { dir, vehicle, port, admin, child: None }
    }

    fn fleet(&self) -> Fleet {
        Fleet::open(&self.dir.path().join("fleet")).expect("there")
    }

    /// Takes back what the vehicle has.
    pub(crate) fn revokes(&self) {
        self.fleet().revoke("anna", clock::seconds(clock::wall())).expect("revoked");
    }

    /// A new certificate for the vehicle, in the files that it has.
    pub(crate) fn enrols(&self) {
        let folder = self.fleet().enrol("anna", 7, None, clock::seconds(clock::wall())).expect("enrolled");
        assert_eq!(folder, self.vehicle);
    }

    /// Starts it, and waits until it serves.
    pub(crate) fn start(&mut self) {
        let child = Command::new(env::current_exe().expect("this test"))
            .args(["--exact", "gateway::the_child", "--nocapture", "--test-threads=1"])
            .env(FILE, self.dir.path().join("gateway.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("it starts"));
        let begin = Instant::now();
        while self.admin("/health").is_none() {
            assert!(begin.elapsed() < HANGS, "it does not serve");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("kill -9");
            child.wait().expect("it has ended");
        }
    }

    /// What the admin's side says; of a stream its first event. None: nobody is there, or it broke off.
    pub(crate) fn admin(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).ok()?;
        let head = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        let (mut said, mut buffer) = (Vec::new(), [0; 8192]);
        loop {
            match stream.read(&mut buffer).ok()? {
                0 => break,
                count => said.extend_from_slice(&buffer[..count]),
            }
            if path == "/events" && said.windows(6).any(|at| at == b"data: ") && said.ends_with(b"\n\n\r\n") {
                break;
            }
        }
        let said = String::from_utf8_lossy(&said).into_owned();
        said.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    }

    /// What was delivered: how often each key, of this vehicle.
    pub(crate) fn inbox(&self) -> BTreeMap<String, u32> {
        let (mut all, mut after) = (BTreeMap::new(), 0);
        loop {
            let said = self.admin(&format!("/inbox?after={after}")).expect("it serves");
            let page: Vec<Value> = serde_json::from_str(&said).expect("JSON");
            let Some(last) = page.last() else { return all };
            after = last["number"].as_u64().expect("a number");
            for one in &page {
                assert_eq!(one["item"]["vehicle"], "anna");
                *all.entry(one["item"]["id"].as_str().expect("text").to_owned()).or_default() += 1;
            }
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The child: serves until it is killed.
#[test]
fn the_child() {
    let Ok(file) = env::var(FILE) else { return };
    let config = Config::read(Path::new(&file)).expect("a config");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let vehicles = TcpListener::bind(config.listen).await.expect("the port is free");
        let admin = TcpListener::bind(config.admin.listen).await.expect("the port is free");
        let gateway = Served::start(config).await.expect("it starts");
        let paging = tokio::spawn(page::serve(gateway.clone(), admin));
        serve::serve(gateway, vehicles).await;
        drop(paging);
    });
}
