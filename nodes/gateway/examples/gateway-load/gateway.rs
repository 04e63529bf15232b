//! The program under load, as a process of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;
use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use troika_gateway::{clock, fleet::Fleet};

/// A fleet of so many; each vehicle's folder.
pub(crate) fn fleet(dir: &Path, vehicles: usize) -> anyhow::Result<Vec<PathBuf>> {
    let now = clock::seconds(clock::wall());
    let mut fleet = Fleet::init(&dir.join("fleet"), "load", 30, &[], now)?;
    let enrol = |at| Ok(fleet.enrol(&format!("vehicle-{at:05}"), 1, None, now)?);
    (0..vehicles).map(enrol).collect()
}

/// It runs.
pub(crate) struct Running {
    child: Child,
    id: u32,
    /// Where vehicles come in.
    pub(crate) address: SocketAddr,
    /// The fleet's authority.
    pub(crate) authority: PathBuf,
    admin: SocketAddr,
}

impl Running {
    /// Starts it, with so much room at the upstream.
    pub(crate) async fn start(
        program: &Path,
        dir: &Path,
        upstream: SocketAddr,
        room: u32,
        vehicles: usize,
    ) -> anyhow::Result<Running> {
        let config = dir.join("gateway.toml");
        fs::write(
            &config,
            format!(
                "listen = \"127.0.0.1:0\"\ntls = \"fleet/gateway\"\nstore = \"store.redb\"\naudit = \"audit.jsonl\"\n\
                 [admin]\nlisten = \"127.0.0.1:0\"\n\
                 [quota]\nrequests_a_minute = 100000\ntokens_a_day = 1000000000\n\
                 [queue]\ntotal = 64\n\
                 [limits]\nconnections = {}\nconnections_a_vehicle = 200\n\
                 [[upstreams]]\nname = \"load\"\nurl = \"http://127.0.0.1:{}/v1\"\nplain_http = true\nmodels = [\"m\"]\nconcurrent = {room}\n",
                2 * vehicles + 1000,
                upstream.port()
            ),
        )?;
        let mut child =
            Command::new(program).arg("serve").arg(&config).stdout(Stdio::piped()).spawn().with_context(
                || format!("{}; build it with: cargo build -p troika-gateway", program.display()),
            )?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let address = |after: &str| -> anyhow::Result<SocketAddr> {
            let text = line.split_once(after).and_then(|(_, rest)| rest.split_whitespace().next());
            Ok(text.with_context(|| format!("it said {line:?}"))?.parse()?)
        };
        let (vehicles, admin) = (address("https://")?, address("http://")?);
        let id = child.id();
        Ok(Running { child, id, address: vehicles, authority: dir.join("fleet/ca.pem"), admin })
    }

    fn status(&self, key: &str) -> anyhow::Result<u64> {
        let text = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)).context("no such line")?;
        Ok(line.trim_matches(|letter: char| !letter.is_ascii_digit()).parse()?)
    }

    /// Resident memory.
    pub(crate) fn memory_kib(&self) -> anyhow::Result<u64> {
        self.status("VmRSS:")
    }

    /// Threads.
    pub(crate) fn threads(&self) -> anyhow::Result<u64> {
        self.status("Threads:")
    }

    /// Time on a core so far.
    pub(crate) fn cpu_s(&self) -> anyhow::Result<f64> {
        cpu_s(&self.id.to_string())
    }

    /// Requests that wait and that run, once everything has been answered.
    pub(crate) async fn left(&self) -> anyhow::Result<(i64, i64)> {
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(TcpStream::connect(self.admin).await?)).await?;
        tokio::spawn(connection);
        let request =
            Request::get("/metrics").header("host", "localhost").body(Empty::<bytes::Bytes>::new())?;
        let body = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&body);
        let value = |name: &str| -> anyhow::Result<i64> {
            let line = text.lines().find(|line| line.starts_with(name)).with_context(|| name.to_owned())?;
            Ok(line.rsplit(' ').next().unwrap_or("").parse()?)
        };
        Ok((value("gateway_waiting ")?, value("gateway_upstream_running{")?))
    }

    /// Ends it as it is ended: it says that all is well, or that is an error.
    pub(crate) async fn end(mut self) -> anyhow::Result<()> {
        Command::new("kill").args(["-TERM", &self.id.to_string()]).status()?;
        let status = self.child.wait()?;
        anyhow::ensure!(status.success(), "the gateway ended with {status}");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Time on a core of a process, s: Linux counts it in hundredths.
pub(crate) fn cpu_s(process: &str) -> anyhow::Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let after = text.rsplit_once(')').context("no stat")?.1;
    let ticks: Vec<u64> =
        after.split_whitespace().skip(11).take(2).map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<u64>() as f64 / 100.0)
}
