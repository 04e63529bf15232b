//! What belongs here: a real browser for the tests of pages. Headless Chromium, told what to do over its DevTools pipe (each message JSON,
//! a zero behind it).
//!
//! Debian's `chromium-headless-shell` (or `chromium`). Where there is none, tests that open one fail and say so.

use std::{
    cell::RefCell,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::unix::pipe,
    time::{sleep, timeout},
};

/// Longer than any answer takes on a busy machine: what takes longer hangs.
const HANGS: Duration = Duration::from_secs(30);

/// One, with one page. It ends with the value.
pub struct Browser {
    child: RefCell<Child>,
    says: BufReader<pipe::Receiver>,
    hears: pipe::Sender,
    session: Option<String>,
    last: u64,
    _profile: TempDir,
}

impl Browser {
    /// One with a page of this size open at this address.
    pub async fn open(address: &str, width: u32, height: u32) -> Browser {
        let profile = tempfile::tempdir().expect("a folder");
        let program = ["chromium-headless-shell", "chromium"]
            .into_iter()
            .find(|name| {
                std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
                    .any(|dir| dir.join(name).is_file())
            })
            .expect("no chromium here: apt-get install --no-install-recommends chromium-headless-shell");
        // The pipe is descriptors 3 and 4 of the browser; its own 0 and 1 are of no use here.
        let pipe =
            format!("exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>{}/log", profile.path().display());
        let mut child = Command::new("sh")
            .args([
                "-c",
                &pipe,
                program,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args(["--no-first-run", "--hide-scrollbars", "--lang=en", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("sh");
        let says: OwnedFd = child.stdout.take().expect("piped").into();
        let hears: OwnedFd = child.stdin.take().expect("piped").into();
        let says = BufReader::new(pipe::Receiver::from_owned_fd(says).expect("a pipe"));
        let hears = pipe::Sender::from_owned_fd(hears).expect("a pipe");
        let mut browser =
            Browser { child: child.into(), says, hears, session: None, last: 0, _profile: profile };
        let target = browser
            .tell("Target.createTarget", json!({"url": "about:blank", "width": width, "height": height}))
            .await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.tell("Target.attachToTarget", attach).await;
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        browser.tell("Emulation.setDeviceMetricsOverride", size).await;
        browser.tell("Page.navigate", json!({"url": address})).await;
        browser
    }

    /// A command and what comes of it.
    pub async fn tell(&mut self, method: &str, params: Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.hears.write_all(&bytes).await.expect("the browser hears");
        let answer = async {
            loop {
                let mut said = Vec::new();
                self.says.read_until(0, &mut said).await.expect("the browser says");
                assert_eq!(said.pop(), Some(0), "the browser ended: {}", self.log());
                let said: Value = serde_json::from_slice(&said).expect("JSON");
                if said["id"] == self.last {
                    break said;
                }
            }
        };
        let answer = timeout(HANGS, answer).await.unwrap_or_else(|_| panic!("{method}: not in time"));
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self._profile.path().join("log")).unwrap_or_default()
    }

    /// What an expression gives on the page.
    pub async fn eval(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let found = self.tell("Runtime.evaluate", asked).await;
        assert!(found["exceptionDetails"].is_null(), "{expression}: {found}");
        found["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, expression: &str) {
        let waiting = async {
            while self.eval(expression).await != json!(true) {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(HANGS, waiting).await.is_err() {
            panic!("never {expression}: {}", self.eval("document.body.innerText").await);
        }
    }

    /// Keeps the page as a PNG.
    pub async fn screenshot(&mut self, file: &Path) {
        let shot = self.tell("Page.captureScreenshot", json!({"format": "png"})).await;
        let bytes = BASE64_STANDARD.decode(shot["data"].as_str().expect("text")).expect("base64");
        assert!(bytes.starts_with(b"\x89PNG") && bytes.len() > 10_000, "{} bytes", bytes.len());
        std::fs::write(file, bytes).expect("written");
    }

    /// `light` or `dark`: what the page takes the person to prefer.
    pub async fn light(&mut self, scheme: &str) {
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.tell("Emulation.setEmulatedMedia", scheme).await;
    }

    /// Closes it and waits until it is gone.
    pub async fn end(mut self) {
        self.session = None;
        self.tell("Browser.close", json!({})).await;
        let gone = async {
            while !matches!(self.child.borrow_mut().try_wait(), Ok(Some(_))) {
                sleep(Duration::from_millis(5)).await;
            }
        };
        assert!(timeout(HANGS, gone).await.is_ok(), "the browser does not end");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // What a test that failed leaves.
        let mut child = self.child.borrow_mut();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// `target/artefacts`: what a person may want to look at after the tests.
pub fn artefacts() -> PathBuf {
    // Where this test's program is: TARGET/debug/deps.
    let program = std::env::current_exe().expect("there");
    let folder = program.ancestors().nth(3).expect("a target folder").join("artefacts");
    std::fs::create_dir_all(&folder).expect("made");
    folder
}
