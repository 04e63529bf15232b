//! A service on loopback that answers by a script.

use std::{
    collections::VecDeque,
    io::{BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use troika_conformance::chat;

use crate::world::NET;

/// What is done with a question, one after another.
pub(crate) enum Does {
    /// Two words, and the end.
    Answers,
    /// A word; the other, and the end, when the test says so.
    Waits(Receiver<()>),
    /// A word, and nothing more until the other side has closed.
    Holds,
}

/// What it saw.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    /// A question's body.
    Question(String),
    /// The gateway closed while it was held.
    Closed,
}

/// The service.
pub(crate) struct Service {
    pub(crate) url: String,
    saw: Receiver<Saw>,
    script: Arc<Mutex<VecDeque<Does>>>,
}

impl Service {
    /// One that answers, until it is told otherwise.
    pub(crate) fn new() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://localhost:{}/v1", listener.local_addr().expect("bound").port());
        let (tell, saw) = channel();
        let script: Arc<Mutex<VecDeque<Does>>> = Arc::default();
        let queue = script.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (queue, tell) = (queue.clone(), tell.clone());
                thread::spawn(move || serve(stream, &queue, &tell));
            }
        });
        Service { url, saw, script }
    }

    /// What it does with the next question that has no script yet.
    pub(crate) fn does(&self, what: Does) {
        self.script.lock().expect("not poisoned").push_back(what);
    }

    /// The next thing that it sees.
    pub(crate) fn sees(&self) -> Saw {
        self.saw.recv_timeout(NET).expect("the service sees it in time")
    }

    /// Everything that it has seen so far.
    pub(crate) fn seen(&self) -> Vec<Saw> {
        self.saw.try_iter().collect()
    }
}

fn serve(stream: TcpStream, script: &Mutex<VecDeque<Does>>, tell: &Sender<Saw>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut out = stream;
    loop {
        let (first, body) = chat::request(&mut reader).ok()??;
        if first.starts_with("GET ") {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").ok()?;
            continue;
        }
        let _ = tell.send(Saw::Question(body));
        let does = script.lock().expect("not poisoned").pop_front().unwrap_or(Does::Answers);
        out.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )
        .ok()?;
        match does {
            Does::Answers => says(&mut out, &["Turn", " left."])?,
            Does::Waits(until) => {
                says(&mut out, &["Turn"])?;
                until.recv().ok()?;
                says(&mut out, &[" left."])?;
            }
            Does::Holds => {
                says(&mut out, &["Turn"])?;
                while matches!(reader.read(&mut [0; 64]), Ok(count) if count > 0) {}
                let _ = tell.send(Saw::Closed);
                return None;
            }
        }
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2}}"#;
        chunk(&mut out, &format!("data: {usage}\n\ndata: [DONE]\n\n"))?;
        out.write_all(b"0\r\n\r\n").ok()?;
    }
}

fn says(out: &mut TcpStream, words: &[&str]) -> Option<()> {
    for word in words {
        chunk(out, &chat::piece(word))?;
    }
    Some(())
}

fn chunk(out: &mut TcpStream, text: &str) -> Option<()> {
    out.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes()).ok()
}
