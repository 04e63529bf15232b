//! Services: a call is answered before it returns, on the caller's thread, unless the server takes its time.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
};

use troika_kit::{Time, TypeInfo};
use troika_transport::{CallError, Client, Meta, OnReply, OnRequest, Respond, Server, TransportError};

use super::{Shared, gid};

/// A server or a client, as the graph shows it.
pub(super) struct End {
    pub(super) id: u64,
    pub(super) node: String,
    pub(super) service: String,
    pub(super) ty: TypeInfo,
    /// None of a client.
    pub(super) served: Option<Arc<Served>>,
}

pub(super) struct Served {
    answer: Mutex<OnRequest>,
    /// Who is inside `answer`: it must not wait for itself.
    inside: Mutex<Option<ThreadId>>,
    /// Its server was dropped: who found it before and waits for `answer` is too late.
    ended: Mutex<bool>,
}

impl Served {
    pub(super) fn new(answer: OnRequest) -> Arc<Served> {
        Arc::new(Served { answer: Mutex::new(answer), inside: Mutex::new(None), ended: Mutex::new(false) })
    }

    fn is_inside_here(&self) -> bool {
        *self.inside.lock().unwrap_or_else(PoisonError::into_inner) == Some(thread::current().id())
    }

    fn call(&self, cdr: &[u8], meta: &Meta, on_reply: OnReply) {
        if self.is_inside_here() {
            return on_reply(Err(CallError::Refused("a service cannot wait for itself".to_owned())));
        }
        let mut answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.ended.lock().unwrap_or_else(PoisonError::into_inner) {
            drop(answer);
            return on_reply(Err(CallError::Nobody));
        }
        let inside = |who| *self.inside.lock().unwrap_or_else(PoisonError::into_inner) = who;
        inside(Some(thread::current().id()));
        let pending = Arc::new(Mutex::new(Pending::Inside));
        let given = pending.clone();
        answer(cdr, meta, Respond::new(move |answer| Pending::give(&given, answer)));
        inside(None);
        drop(answer); // who gets the answer may call again
        Pending::wait(&pending, on_reply);
    }

    /// From its return on no call comes any more; one that is under way on another thread is waited for.
    fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = true;
        if !self.is_inside_here() {
            drop(self.answer.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

/// An answer that may come while its request is still being handed over, when the server is locked, or after.
enum Pending {
    Inside,
    Answered(Result<Vec<u8>, String>),
    Waits(OnReply),
    Done,
}

impl Pending {
    fn lock(pending: &Mutex<Pending>) -> MutexGuard<'_, Pending> {
        pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn give(pending: &Mutex<Pending>, answer: Result<Vec<u8>, String>) {
        let waits = {
            let mut pending = Pending::lock(pending);
            match mem::replace(&mut *pending, Pending::Done) {
                Pending::Waits(on_reply) => on_reply,
                _ => {
                    *pending = Pending::Answered(answer);
                    return;
                }
            }
        };
        tell(waits, answer);
    }

    fn wait(pending: &Mutex<Pending>, on_reply: OnReply) {
        let answer = {
            let mut pending = Pending::lock(pending);
            match mem::replace(&mut *pending, Pending::Done) {
                Pending::Answered(answer) => answer,
                _ => {
                    *pending = Pending::Waits(on_reply);
                    return;
                }
            }
        };
        tell(on_reply, answer);
    }
}

fn tell(on_reply: OnReply, answer: Result<Vec<u8>, String>) {
    match answer {
        Ok(answer) => on_reply(Ok(&answer)),
        Err(why) => on_reply(Err(CallError::Refused(why))),
    }
}

/// A server or a client; off the graph when it is dropped.
pub(super) struct Declared {
    pub(super) id: u64,
    pub(super) service: String,
    pub(super) ty: TypeInfo,
    pub(super) sequence: i64,
    pub(super) shared: Arc<Shared>,
}

impl Server for Declared {}

impl Declared {
    fn server(&self) -> Option<Arc<Served>> {
        let state = self.shared.state();
        let same = |end: &&End| end.service == self.service && end.ty == self.ty && end.served.is_some();
        state.services.iter().find(same).and_then(|end| end.served.clone())
    }
}

impl Client for Declared {
    fn call(&mut self, cdr: &[u8], stamp: Time, on_reply: OnReply) -> Result<(), TransportError> {
        self.sequence += 1;
        let meta = Meta { source_time: stamp, sequence: self.sequence, gid: gid(self.id) };
        match self.server() {
            Some(server) => server.call(cdr, &meta, on_reply),
            None => on_reply(Err(CallError::Nobody)),
        }
        Ok(())
    }

    fn is_served(&self) -> Result<bool, TransportError> {
        Ok(self.server().is_some())
    }
}

impl Drop for Declared {
    fn drop(&mut self) {
        let gone: Vec<End> = {
            let mut state = self.shared.state();
            let id = self.id;
            state.services.extract_if(.., |end| end.id == id).collect()
        };
        gone.iter().filter_map(|end| end.served.as_ref()).for_each(|served| served.end());
        drop(gone); // frees the callback outside the lock
        self.shared.watchers.tell();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn who_found_a_server_before_it_was_dropped_calls_nobody() {
        let (called, calls) = channel();
        let served = Served::new(Box::new(move |_, _, _| called.send(()).expect("somebody listens")));
        let found = served.clone();
        served.end();
        let (told, replies) = channel();
        let meta = Meta { source_time: Time::ZERO, sequence: 1, gid: gid(1) };
        found.call(b"", &meta, Box::new(move |reply| told.send(reply.map(<[u8]>::to_vec)).expect("told")));
        assert_eq!(replies.recv().expect("an answer"), Err(CallError::Nobody));
        assert!(calls.try_recv().is_err(), "a call after the end");
    }
}
