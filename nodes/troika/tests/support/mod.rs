//! Running the programs, and what they need: scratch folders, a router's port, a damaged copy of the model store.
#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    fmt,
    fs::{self, File},
    net::TcpStream,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use troika_conformance::free_port;
use troika_models::Store;
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};

/// The shipped system.
pub(crate) const CABIN: &str = "launch/systems/cabin.toml";
/// The detectors on the rendered driver, without speech: what most cases run.
pub(crate) const DETECTORS: &str = r#"
[system]
name = "detectors"
[processes.cabin]
lock_memory = true
[nodes.camera]
kind = "sim_driver"
process = "ends"
params = { scenario = "sim/scenarios/demo-30s.toml", drives_vehicle = true, smooth = false }
[nodes.driver_state]
kind = "driver_state"
process = "cabin"
sched = { policy = "fifo", priority = 80 }
[nodes.driver_monitor]
kind = "driver_monitor"
process = "cabin"
sched = { policy = "fifo", priority = 81 }
"#;
/// Whoever takes longer than this hangs.
const HANGS: Duration = Duration::from_secs(300);

/// The top of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `troika` with arguments, in the checkout.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_troika"));
    command.args(arguments).current_dir(root());
    // What the person who runs the tests has set for their own systems.
    for ours in [
        "ROS_DOMAIN_ID",
        "TROIKA_MODEL_KEY",
        "TROIKA_ZENOH_ENDPOINT",
        "TROIKA_ZENOH_SHM",
        "TROIKA_ZENOH_SOCKETS",
    ] {
        command.env_remove(ours);
    }
    command
}

/// Runs `troika` with arguments.
pub(crate) fn troika(arguments: &[&str]) -> Run {
    Run::of(&mut command(arguments))
}

/// The voice program beside `troika`.
pub(crate) fn troika_voice() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_troika")).with_file_name("troika-voice");
    assert!(program.is_file(), "build it first: cargo build --workspace --all-targets");
    program
}

/// The store that was pulled.
pub(crate) fn models() -> Store {
    Store::open_default().expect("a store: troika models pull --set test")
}

/// A report.
pub(crate) fn report(file: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(file).expect("the report was written")).expect("the report is JSON")
}

/// What came of a program.
pub(crate) struct Run {
    /// Exit code; none after a signal.
    pub code: Option<i32>,
    /// What it printed, errors and all.
    pub text: String,
}

impl Run {
    /// Runs a program to its end.
    pub(crate) fn of(command: &mut Command) -> Run {
        start(command).wait()
    }

    /// Asserts that all of this was printed.
    pub(crate) fn says(&self, all: &[&str]) {
        for one in all {
            assert!(self.text.contains(one), "'{one}' was not printed. {self}");
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {:?}; printed:\n{}", self.code, self.text)
    }
}

/// A whole system at a time: each of them fills a small machine.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// A program that runs.
pub(crate) struct Running {
    child: Child,
    printed: tempfile::NamedTempFile,
    _alone: MutexGuard<'static, ()>,
}

/// Starts a program.
pub(crate) fn start(command: &mut Command) -> Running {
    // A test that failed before says so itself.
    let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let printed = tempfile::NamedTempFile::new().unwrap();
    let to = || Stdio::from(File::options().append(true).open(printed.path()).unwrap());
    let child = command.process_group(0).stdin(Stdio::null()).stdout(to()).stderr(to()).spawn().unwrap();
    Running { child, printed, _alone: alone }
}

impl Running {
    /// Whether it has not ended yet.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it has printed all of this; fails when it ends before, or hangs.
    pub(crate) fn until_it_says(&mut self, all: &[&str]) {
        let begin = Instant::now();
        loop {
            // Asked first: what was printed before its end is seen.
            let runs = self.runs();
            let text = fs::read_to_string(self.printed.path()).unwrap();
            let Some(missing) = all.iter().find(|one| !text.contains(**one)) else { return };
            assert!(runs && begin.elapsed() < HANGS, "'{missing}' was not printed:\n{text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends what Ctrl-C sends, to whom the terminal sends it: the whole group.
    pub(crate) fn interrupt(&self) {
        kill_process_group(self.pid(), Signal::INT).unwrap();
    }

    /// Sends what `kill` and service managers send: to the program alone.
    pub(crate) fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap()).unwrap()
    }

    /// Waits for its end; fails when it hangs or when any of its processes panicked.
    pub(crate) fn wait(self) -> Run {
        let run = self.wait_whatever_panics();
        assert!(!run.text.contains("panicked"), "a panic: {run}");
        run
    }

    /// The same where panics are injected.
    pub(crate) fn wait_whatever_panics(mut self) -> Run {
        let begin = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > HANGS {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("it hangs; printed:\n{}", fs::read_to_string(self.printed.path()).unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        Run { code: status.code(), text: fs::read_to_string(self.printed.path()).unwrap() }
    }
}

/// A folder that goes with the test.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    /// An empty one.
    pub(crate) fn new() -> Scratch {
        Scratch(tempfile::tempdir().unwrap())
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file in it; its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// A copy of the model store.
    pub(crate) fn store(&self) -> PathBuf {
        self.store_with_damaged("", |_| {})
    }

    /// A copy of the model store in which one model is damaged.
    pub(crate) fn store_with_damaged(&self, name: &str, damage: impl Fn(&mut Vec<u8>)) -> PathBuf {
        let whole = models();
        let copy = self.path("models");
        fs::create_dir_all(copy.join("sha256")).unwrap();
        for passport in whole.passports() {
            let blob = whole.blob(passport);
            if !blob.is_file() {
                continue;
            }
            let to = copy.join("sha256").join(blob.file_name().unwrap());
            if passport.name == name {
                let mut bytes = fs::read(&blob).unwrap();
                damage(&mut bytes);
                fs::write(&to, bytes).unwrap();
            } else {
                std::os::unix::fs::symlink(&blob, &to).unwrap();
            }
        }
        copy
    }
}

/// A router's place on a port of its own.
pub(crate) struct Router {
    /// `tcp/127.0.0.1:port`.
    pub endpoint: String,
}

impl Router {
    /// A port that is free now.
    pub(crate) fn new() -> Router {
        Router { endpoint: format!("tcp/127.0.0.1:{}", free_port()) }
    }

    /// `troika run`, without a view, for so many seconds.
    pub(crate) fn run(&self, system: &str, seconds: u32) -> Command {
        command(&["run", system, "--headless", "--seconds", &seconds.to_string(), "--router", &self.endpoint])
    }

    /// Whether somebody listens there.
    pub(crate) fn answers(&self) -> bool {
        TcpStream::connect(self.endpoint.trim_start_matches("tcp/")).is_ok()
    }

    /// A session of the test's own.
    pub(crate) fn transport(&self) -> ZenohTransport {
        let options = ZenohOptions { router: self.endpoint.clone(), ..ZenohOptions::default() };
        ZenohTransport::open(options).unwrap()
    }
}
