//! A service on loopback that answers by a script, and misbehaves by it.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, mpsc},
    time::timeout,
};

/// How long a test waits for what must come.
pub(crate) const NET: Duration = Duration::from_secs(30);

/// What is done with a request, one after another.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// The head of a good stream.
    Head,
    /// Text in an event.
    Says(&'static str),
    /// Bytes as they are, in a chunk.
    Bytes(Vec<u8>),
    /// Tokens asked and answered, then the end, as it should be.
    Ends(u64, u64),
    /// Another answer: status, header lines, body.
    Answers(u16, &'static str, &'static str),
    /// Waits until the test lets it go on.
    Waits(Arc<Notify>),
    /// Says nothing more until the other side has closed.
    Holds,
    /// Closes without an end.
    Closes,
    /// Sends without an end.
    Floods,
}

/// What it saw.
#[derive(Debug)]
pub(crate) enum Saw {
    /// A request: head and body.
    Request(String, String),
    /// The gateway closed while it was held or flooded.
    Closed,
}

/// The service.
pub(crate) struct Service {
    /// Up to `/v1`.
    pub(crate) url: String,
    saw: mpsc::UnboundedReceiver<Saw>,
    script: Arc<Mutex<VecDeque<Vec<Does>>>>,
}

/// What a good service does.
pub(crate) fn good() -> Vec<Does> {
    vec![Does::Head, Does::Says("Turn"), Does::Says(" left."), Does::Ends(10, 2)]
}

impl Service {
    /// A good one, until it is told otherwise.
    pub(crate) async fn new() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (tell, saw) = mpsc::unbounded_channel();
        let script = Arc::new(Mutex::new(VecDeque::new()));
        let queue = script.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, queue.clone(), tell.clone()));
            }
        });
        Service { url: format!("http://localhost:{port}/v1"), saw, script }
    }

    /// An address at which nobody listens.
    pub(crate) async fn nobody() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let url = format!("http://localhost:{port}/v1");
        Service { url, saw: mpsc::unbounded_channel().1, script: Arc::default() }
    }

    /// What it does with the next request that has no script yet.
    pub(crate) fn does(&self, what: Vec<Does>) {
        self.script.lock().expect("not poisoned").push_back(what);
    }

    /// The next thing that it sees.
    pub(crate) async fn sees(&mut self) -> Saw {
        timeout(NET, self.saw.recv()).await.expect("the service sees it in time").expect("it runs")
    }

    /// The next request: head and body.
    pub(crate) async fn request(&mut self) -> (String, String) {
        loop {
            if let Saw::Request(head, body) = self.sees().await {
                return (head, body);
            }
        }
    }

    /// Everything that it has seen so far.
    pub(crate) fn seen(&mut self) -> Vec<Saw> {
        std::iter::from_fn(|| self.saw.try_recv().ok()).collect()
    }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Mutex<VecDeque<Vec<Does>>>>,
    tell: mpsc::UnboundedSender<Saw>,
) -> Option<()> {
    let mut all = Vec::new();
    let end = loop {
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        read(&mut stream, &mut all).await?;
    };
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    if head.starts_with("get ") {
        let list = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        return stream.write_all(list.as_bytes()).await.ok();
    }
    let length: usize = head.split_once("content-length: ")?.1.lines().next()?.trim().parse().ok()?;
    while all.len() < end + length {
        read(&mut stream, &mut all).await?;
    }
    let body = String::from_utf8_lossy(&all[end..]).into_owned();
    let streams = body.contains("\"stream\":true");
    let _ = tell.send(Saw::Request(head, body));
    let does = script.lock().expect("not poisoned").pop_front();
    let whole = r#"{"choices":[{"message":{"role":"assistant","content":"Turn left."}}],"usage":{"prompt_tokens":10,"completion_tokens":2}}"#;
    let usual =
        if streams { good() } else { vec![Does::Answers(200, "content-type: application/json\r\n", whole)] };
    for one in does.unwrap_or(usual) {
        match one {
            Does::Head => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes()).await.ok()?;
            }
            Does::Says(text) => {
                let data = serde_json::json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]});
                chunk(&mut stream, format!("data: {data}\n\n").as_bytes()).await?;
            }
            Does::Bytes(bytes) => chunk(&mut stream, &bytes).await?,
            Does::Ends(asked, answered) => {
                let usage = serde_json::json!({"choices": [], "usage": {"prompt_tokens": asked, "completion_tokens": answered}});
                chunk(&mut stream, format!("data: {usage}\n\ndata: [DONE]\n\n").as_bytes()).await?;
                stream.write_all(b"0\r\n\r\n").await.ok()?;
            }
            Does::Answers(status, headers, body) => {
                let text =
                    format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
                stream.write_all(text.as_bytes()).await.ok()?;
            }
            Does::Waits(until) => until.notified().await,
            Does::Holds => {
                let mut rest = [0; 64];
                while matches!(stream.read(&mut rest).await, Ok(count) if count > 0) {}
                let _ = tell.send(Saw::Closed);
            }
            Does::Closes => return stream.shutdown().await.ok(),
            Does::Floods => {
                let event = format!(
                    "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n",
                    "x".repeat(8000)
                );
                while chunk(&mut stream, event.as_bytes()).await.is_some() {}
                let _ = tell.send(Saw::Closed);
            }
        }
    }
    Some(())
}

async fn read(stream: &mut TcpStream, all: &mut Vec<u8>) -> Option<()> {
    let count = stream.read_buf(all).await.ok()?;
    (count > 0).then_some(())
}

async fn chunk(stream: &mut TcpStream, bytes: &[u8]) -> Option<()> {
    let whole = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    stream.write_all(&whole).await.ok()
}
