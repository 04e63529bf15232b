//! What a watchdog says in the place of its nodes, in a recording of its own (`FOLDER/PROCESS-watchdog.mcap`): the process's own recording
//! ends with the process. And how long before its deaths that one ended.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use troika_kit::{Qos, Time, TypeInfo};
use troika_record::{Bag, Entry, Message, Store as _, Topic, bag, join::END};
use troika_transport::{
    Client, NodeHandle, OnMessage, OnRequest, Publisher, Server, Subscription, TransportError,
};

use super::recording::free_file;

/// What is lost when the watchdog itself is killed.
const FLUSH: Duration = Duration::from_millis(250);

/// A message that was said.
struct Said {
    topic: Arc<Topic>,
    at: Time,
    cdr: Vec<u8>,
}

/// Writes what is said, on an ordinary thread. The file is made with the first message.
pub(super) struct Witness {
    said: Sender<Said>,
    thread: JoinHandle<()>,
}

impl Witness {
    /// Starts the thread; it has the priority of who calls.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn start(folder: &Path, process: &str) -> std::io::Result<Witness> {
        let (said, heard) = channel();
        let (folder, name) = (folder.to_owned(), format!("{process}-watchdog"));
        let thread = std::thread::Builder::new().name("troika-record".into()).spawn(move || {
            if let Err(why) = write(&folder, &name, &heard) {
                tell!("notice: {name}: {why}; its fall-backs are recorded no further");
            }
        })?;
        Ok(Witness { said, thread })
    }

    /// Waits until all is written. Who was given [`Noting`] is gone by then.
    pub(super) fn finish(self) {
        drop(self.said);
        let _panicked = self.thread.join();
    }
}

fn write(folder: &Path, name: &str, heard: &Receiver<Said>) -> anyhow::Result<()> {
    let mut file: Option<Bag> = None;
    let (mut index, mut flushed) = (0, Instant::now());
    loop {
        match heard.recv_timeout(FLUSH) {
            Ok(Said { topic, at, cdr }) => {
                let into = match &mut file {
                    Some(file) => file,
                    None => file.insert(Bag::create(&free_file(folder, name)?)?),
                };
                into.put(Entry::Message(Message {
                    topic,
                    index,
                    log_time: at,
                    publish_time: at,
                    cdr: cdr.into(),
                }))?;
                index += 1;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if flushed.elapsed() >= FLUSH {
            flushed = Instant::now();
            file.as_mut().map_or(Ok(()), Bag::flush)?;
        }
    }
    if let Some(mut file) = file {
        let fields = [("lost".to_owned(), "0".to_owned())].into();
        file.put(Entry::Metadata { name: END.to_owned(), fields })?;
        file.finish()?;
    }
    Ok(())
}

/// A node's presence, of whose messages a witness takes note.
pub(super) struct Noting {
    node: Box<dyn NodeHandle>,
    to: Option<Sender<Said>>,
}

impl Noting {
    pub(super) fn new(node: Box<dyn NodeHandle>, witness: Option<&Witness>) -> Noting {
        Noting { node, to: witness.map(|witness| witness.said.clone()) }
    }
}

impl NodeHandle for Noting {
    fn publisher(&self, topic: &str, ty: TypeInfo, qos: Qos) -> Result<Box<dyn Publisher>, TransportError> {
        let publisher = self.node.publisher(topic, ty, qos)?;
        Ok(match self.to.clone() {
            None => publisher,
            Some(to) => {
                let topic = Arc::new(Topic { name: topic.to_owned(), ty, qos });
                Box::new(Noted { publisher, topic, to })
            }
        })
    }

    fn subscribe(
        &self,
        topic: &str,
        ty: TypeInfo,
        qos: Qos,
        on_message: OnMessage,
    ) -> Result<Box<dyn Subscription>, TransportError> {
        self.node.subscribe(topic, ty, qos, on_message)
    }

    fn serve(
        &self,
        service: &str,
        ty: TypeInfo,
        on_request: OnRequest,
    ) -> Result<Box<dyn Server>, TransportError> {
        self.node.serve(service, ty, on_request)
    }

    fn client(&self, service: &str, ty: TypeInfo) -> Result<Box<dyn Client>, TransportError> {
        self.node.client(service, ty)
    }
}

struct Noted {
    publisher: Box<dyn Publisher>,
    topic: Arc<Topic>,
    to: Sender<Said>,
}

impl Publisher for Noted {
    fn put(&mut self, cdr: &[u8], stamp: Time) -> Result<(), TransportError> {
        // The world first; a writer that is gone has said so.
        let put = self.publisher.put(cdr, stamp);
        let _gone = self.to.send(Said { topic: self.topic.clone(), at: stamp, cdr: cdr.to_vec() });
        put
    }
}

/// How long before each death the process's recording ends, for a person; a life that ended well has lost nothing.
pub(super) fn lost(folder: &Path, process: &str, deaths: &[Time]) -> Vec<String> {
    let lives = (1..=deaths.len()).map(|life| match life {
        1 => format!("{process}.mcap"),
        life => format!("{process}-{life}.mcap"),
    });
    let told = |(name, death): (String, &Time)| {
        let file: PathBuf = folder.join(&name);
        match bag::last_time(&file) {
            Ok(Some(end)) => format!(
                "the recording {name} ends {:.2} s before its process did: that time is in no file; what its watchdog said for its nodes \
                 from then on is in {process}-watchdog.mcap",
                death.since(end).as_secs_f64()
            ),
            Ok(None) => {
                format!("the recording {name} has no message: its process ended before the first was written")
            }
            Err(why) => format!("the recording {name} cannot be read: {why}"),
        }
    };
    lives.zip(deaths).map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_watchdog_says_is_in_a_file_and_what_a_dead_process_lost_is_told() {
        use troika_kit::Message as _;
        use troika_msgs::std_msgs::Bool;
        struct Silent;
        impl Publisher for Silent {
            fn put(&mut self, _: &[u8], _: Time) -> Result<(), TransportError> {
                Ok(())
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let second = |seconds: u64| Time::from_nanos(seconds * 1_000_000_000);
        let mut cdr = Vec::new();
        Bool { data: true }.encode(&mut cdr).expect("it has a CDR form");
        for process in ["cabin", "cabin-2"] {
            let witness = Witness::start(folder.path(), process).expect("a thread");
            let topic = Arc::new(Topic { name: "/a".into(), ty: Bool::TYPE, qos: Qos::DEFAULT });
            let mut noted = Noted { publisher: Box::new(Silent), topic, to: witness.said.clone() };
            for at in [10, 11, 12] {
                noted.put(&cdr, second(at)).expect("it is put");
            }
            drop(noted);
            witness.finish();
            let made = folder.path().join(format!("{process}-watchdog.mcap"));
            assert_eq!(bag::last_time(&made).expect("it is whole"), Some(second(12)));
            std::fs::rename(made, folder.path().join(format!("{process}.mcap"))).expect("renamed");
        }
        let nothing = Witness::start(folder.path(), "quiet").expect("a thread");
        nothing.finish();
        assert!(!folder.path().join("quiet-watchdog.mcap").exists(), "nothing was said");
        let told =
            lost(folder.path(), "cabin", &[second(12) + Duration::from_millis(250), second(14), second(20)]);
        assert!(
            told[0].starts_with("the recording cabin.mcap ends 0.25 s before its process did"),
            "{told:?}"
        );
        assert!(told[1].starts_with("the recording cabin-2.mcap ends 2.00 s before"), "{told:?}");
        assert!(told[2].contains("cabin-3.mcap cannot be read"), "{told:?}");
    }
}
