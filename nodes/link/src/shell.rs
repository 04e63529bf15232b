//! The edge that touches the machine: a probe over TCP on a thread of its own, what Linux tells of the interface, a file.
#![expect(clippy::disallowed_methods, reason = "a probe measures the time that passes: this is the edge")]

use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{IpAddr, TcpStream, ToSocketAddrs as _},
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{
    bearer::{Bearer, Kind, Metered, default_interface},
    config::Config,
    coverage::Coverage,
    node::Edge,
    probe::{PATIENCE, Probe},
    sample::{Outcome, Sample, Source, Transfer},
};

/// What the system says of the interface is read again after so long.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// No head of an answer is longer.
const LONGEST_HEAD: usize = 8192;

/// A probe's number, and what it has seen.
type Seen = (u64, Sample);

/// Probes over TCP, Linux's word on the bearer, a file for the memory.
pub struct SystemEdge {
    endpoint: String,
    path: String,
    memory: PathBuf,
    samples: (Sender<Seen>, Receiver<Seen>),
    bearer: Option<(Instant, Bearer)>,
}

impl SystemEdge {
    /// For these parameters.
    pub fn new(config: &Config) -> SystemEdge {
        SystemEdge {
            endpoint: config.endpoint.clone(),
            path: config.path.clone(),
            memory: config.memory.clone(),
            samples: channel(),
            bearer: None,
        }
    }
}

impl Edge for SystemEdge {
    fn can_probe(&self) -> bool {
        !self.endpoint.is_empty()
    }

    fn start(&mut self, number: u64, probe: Probe) {
        let (endpoint, path, sender) = (self.endpoint.clone(), self.path.clone(), self.samples.0.clone());
        let look = move || {
            let sample = ask(&endpoint, &path, probe).unwrap_or(Sample::failed(Source::Active));
            // Nobody waits any more where the node is gone.
            let _ = sender.send((number, sample));
        };
        if thread::Builder::new().name("link-probe".into()).spawn(look).is_err() {
            let _ = self.samples.0.send((number, Sample::failed(Source::Active)));
        }
    }

    fn take(&mut self) -> Option<(u64, Sample)> {
        self.samples.1.try_recv().ok()
    }

    fn bearer(&mut self) -> Bearer {
        match self.bearer {
            Some((then, bearer)) if then.elapsed() < LOOK_AGAIN => bearer,
            _ => {
                // What does not leave the machine costs nothing, whatever it is connected by.
                let bearer = if is_loopback(&self.endpoint) {
                    Bearer { kind: Kind::Wired, metered: Metered::No }
                } else {
                    bearer_of(Path::new("/proc/net/route"), Path::new("/sys/class/net"))
                };
                self.bearer = Some((Instant::now(), bearer));
                bearer
            }
        }
    }

    fn keep(&mut self, memory: &Coverage) {
        if self.memory.as_os_str().is_empty() {
            return;
        }
        let (path, text) = (self.memory.clone(), memory.to_text());
        // A disk can take seconds. What is not kept is measured again.
        let write = move || {
            if let Err(why) = replace(&path, &text) {
                // `eprintln!` panics when its reader is gone, and the process would end with it.
                let _nobody_reads = writeln!(
                    io::stderr(),
                    "notice: the memory of the road is not kept in {}: {why}",
                    path.display()
                );
            }
        };
        let _ = thread::Builder::new().name("link-memory".into()).spawn(write);
    }
}

/// The memory that was kept; an empty one where none was, or where it cannot be read: the reason is handed back to be told.
pub fn recall(config: &Config) -> (Coverage, Option<String>) {
    let empty = || Coverage::new(config.segments);
    if config.memory.as_os_str().is_empty() {
        return (empty(), None);
    }
    let told =
        |why: String| format!("{}: {why}; the memory of the road begins anew", config.memory.display());
    match fs::read_to_string(&config.memory) {
        Ok(text) => match Coverage::from_text(&text, config.segments) {
            Ok(memory) => (memory, None),
            Err(why) => (empty(), Some(told(why.to_string()))),
        },
        Err(why) if why.kind() == io::ErrorKind::NotFound => (empty(), None),
        Err(why) => (empty(), Some(told(why.to_string()))),
    }
}

/// One probe. The round trip is the time to connect: one exchange of SYN and SYN-ACK.
fn ask(endpoint: &str, path: &str, probe: Probe) -> io::Result<Sample> {
    let began = Instant::now();
    let left = || {
        let left = PATIENCE.saturating_sub(began.elapsed());
        if left.is_zero() { Err(io::Error::from(io::ErrorKind::TimedOut)) } else { Ok(left) }
    };
    let address = endpoint.to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
    let connecting = Instant::now();
    let mut stream = TcpStream::connect_timeout(&address, left()?)?;
    // Less than a microsecond is a clock that is too coarse.
    let rtt = connecting.elapsed().max(Duration::from_micros(1));
    let sample = Sample::round_trip(Source::Active, rtt);
    if path.is_empty() {
        return Ok(sample);
    }
    let bytes = if probe == Probe::Bulk { Probe::BULK_BODY } else { 0 };
    let path = path.replace("{bytes}", &bytes.to_string());
    stream.set_write_timeout(Some(left()?))?;
    stream.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: {endpoint}\r\nConnection: close\r\n\r\n").as_bytes(),
    )?;

    let mut seen = Vec::with_capacity(LONGEST_HEAD);
    let mut block = [0; 4096];
    // Bytes of body, of which those beyond the first read are the ones that were timed.
    let (mut first, mut last, mut timed) = (None, Instant::now(), 0_usize);
    // A server that sends without an end is not read for ever.
    let most = LONGEST_HEAD + 2 * bytes as usize;
    while seen.len() < most {
        stream.set_read_timeout(Some(left()?))?;
        let count = stream.read(&mut block)?;
        if count == 0 {
            break;
        }
        last = Instant::now();
        if first.is_none() {
            first = Some(last);
        } else {
            timed += count;
        }
        seen.extend_from_slice(&block[..count]);
    }
    if !seen.starts_with(b"HTTP/1.") {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let took = first.map_or(Duration::ZERO, |first| last.duration_since(first));
    let down = Transfer { bytes: u32::try_from(timed).unwrap_or(u32::MAX), took };
    // 16 KiB are gone before a fast link has shown what it can: a lower bound.
    Ok(Sample { outcome: Outcome::Ok, down, limited: true, ..sample })
}

/// Whether an endpoint is this machine's own, by its name or number.
fn is_loopback(endpoint: &str) -> bool {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let number = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || number.is_ok_and(|number| number.is_loopback())
}

/// What Linux tells of the interface of the default route; unknown where it tells nothing.
fn bearer_of(route: &Path, interfaces: &Path) -> Bearer {
    let route = fs::read_to_string(route).unwrap_or_default();
    default_interface(&route).map_or_else(Bearer::default, |name| {
        let folder = interfaces.join(name);
        let uevent = fs::read_to_string(folder.join("uevent")).unwrap_or_default();
        Bearer::of_interface(name, folder.join("wireless").exists(), &uevent)
    })
}

/// Writes beside the file and puts it in its place, so that a power cut leaves the old or the new one.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_stays_on_the_machine_is_told_apart() {
        for own in ["127.0.0.1:8808", "localhost:80", "[::1]:443", "127.9.9.9:1"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in ["gateway.example:443", "10.0.0.1:80", "[fe80::1]:80", ""] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    /// A server of one connection, which reads the request and answers by `answer`.
    fn server(answer: impl FnOnce(&str, &mut TcpStream) + Send + 'static) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let count = stream.read(&mut request).unwrap();
            answer(&String::from_utf8_lossy(&request[..count]), &mut stream);
        });
        address
    }

    #[test]
    fn a_bulk_probe_measures_the_round_trip_and_a_rate() {
        let address = server(|request, stream| {
            assert!(request.starts_with("GET /probe?bytes=16384 HTTP/1.1\r\nHost: 127.0.0.1:"), "{request}");
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 16384\r\n\r\n").unwrap();
            // Far apart: whoever is late for the first does not find the others beside it.
            for _ in 0..4 {
                thread::sleep(Duration::from_millis(200));
                stream.write_all(&[7; 4096]).unwrap();
            }
        });
        let sample = ask(&address, "/probe?bytes={bytes}", Probe::Bulk).unwrap();
        assert_eq!((sample.outcome, sample.source), (Outcome::Ok, Source::Active));
        // 16 KiB in some 0.8 s: 164 kbit/s, and another on a busy machine.
        let kbps = sample.down.kbps().unwrap();
        assert!(sample.down.bytes >= 12_288 && (10.0..1_000.0).contains(&kbps), "{sample:?}");
    }

    #[test]
    fn nobody_there_and_no_http_are_failures() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        assert!(ask(&free, "", Probe::Ping).is_err());
        let babbler = server(|_, stream| stream.write_all(b"SSH-2.0-hello\r\n").unwrap());
        assert!(ask(&babbler, "/", Probe::Ping).is_err());
        assert!(ask("no such host:1", "", Probe::Ping).is_err());
    }

    #[test]
    fn a_server_without_an_end_is_not_read_for_ever() {
        let endless = server(|_, stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
            while stream.write_all(&[0; 4096]).is_ok() {}
        });
        let sample = ask(&endless, "/", Probe::Bulk).unwrap();
        assert!((sample.down.bytes as usize) < LONGEST_HEAD + 3 * Probe::BULK_BODY as usize);
    }

    #[test]
    fn an_edge_hands_over_what_its_probe_saw() {
        let address = server(|_, stream| stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap());
        let config = Config { endpoint: address, path: "/".into(), ..Config::default() };
        let mut edge = SystemEdge::new(&config);
        assert!(edge.can_probe() && edge.take().is_none());
        edge.start(7, Probe::Ping);
        let (number, sample) = edge.samples.1.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(number == 7 && sample.outcome == Outcome::Ok && sample.rtt.is_some());
    }

    #[test]
    fn the_memory_of_the_road_outlives_a_restart_and_a_broken_file_is_told() {
        let folder = std::env::temp_dir().join(format!("troika-link-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let config = Config { memory: folder.join("road.toml"), segments: 8, ..Config::default() };
        assert_eq!(recall(&config), (Coverage::new(8), None));
        let mut link = crate::Estimator::new();
        let now = troika_kit::Time::from_stamp(1_000, 0);
        link.saw(now, &Sample::round_trip(Source::Passive, Duration::from_millis(80)));
        let mut memory = Coverage::new(8);
        memory.saw("E18:41", now, &link.estimate(now));
        replace(&config.memory, &memory.to_text()).unwrap();
        assert_eq!(recall(&config), (memory, None));
        fs::write(&config.memory, "capacity = 'many'").unwrap();
        let (begun_anew, told) = recall(&config);
        assert!(begun_anew.is_empty() && told.is_some_and(|why| why.contains("line 1")));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_machine_that_tells_nothing_has_an_unknown_bearer() {
        assert_eq!(bearer_of(Path::new("/nowhere/route"), Path::new("/nowhere")), Bearer::default());
    }
}
