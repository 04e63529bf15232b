//! The pool for tasks: each waits for its turn, and its room comes back when it drops what it was given, however it ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;
use troika_dialogue::Fault;
use troika_kit::{Duration, Time};

use crate::{
    clock,
    identity::VehicleId,
    pool::{Ended, NoRoom, Pool},
    queue::Ticket,
    request::Refusal,
};

/// The way to the upstreams.
pub struct Gate {
    inner: Mutex<Inner>,
}

struct Inner {
    pool: Pool,
    waiters: HashMap<Ticket, oneshot::Sender<Result<Permit, Refusal>>>,
}

/// A request's room at an upstream.
pub struct Permit {
    gate: Arc<Gate>,
    vehicle: VehicleId,
    began: Time,
    how: Ended,
    /// Which, by its place in the file.
    pub upstream: usize,
}

impl Permit {
    /// The upstream begins to answer: who waits for whether it does need not wait for the end.
    pub fn begun(&self) {
        self.gate.lock().pool.begun(self.upstream);
        self.gate.pump();
    }

    /// The upstream has answered. Said or not, the room comes back when this is dropped.
    pub fn answered(&mut self) {
        self.how = Ended::Answered;
    }

    /// The upstream has failed.
    pub fn failed(&mut self, fault: Fault) {
        self.how = Ended::Failed(fault);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let now = clock::now();
        let how = std::mem::replace(&mut self.how, Ended::Left);
        {
            let mut inner = self.gate.lock();
            inner.pool.ended(now, self.upstream, &self.vehicle, &how, now.since(self.began));
        }
        self.gate.pump();
    }
}

/// Leaves the queue where nobody waits any more.
struct Place {
    gate: Arc<Gate>,
    ticket: Ticket,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.gate.lock();
        inner.waiters.remove(&self.ticket);
        inner.pool.leave(self.ticket);
    }
}

impl Gate {
    /// For this pool.
    pub fn new(pool: Pool) -> Arc<Gate> {
        Arc::new(Gate { inner: Mutex::new(Inner { pool, waiters: HashMap::new() }) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many wait, and for each upstream: how many run, and whether it is asked.
    pub fn look(&self, upstreams: usize) -> (usize, Vec<(u32, bool)>) {
        let (now, inner) = (clock::now(), self.lock());
        let each = (0..upstreams).map(|at| (inner.pool.running(at), inner.pool.alive(now, at)));
        (inner.pool.waiting(), each.collect())
    }

    /// Waits for room at one of these upstreams.
    ///
    /// # Errors
    /// 429 where too many wait or it took too long, 503 where nobody is there to ask; both with the time after which asking again makes sense.
    pub async fn enter(
        self: &Arc<Gate>,
        vehicle: &VehicleId,
        cost: u64,
        eligible: u64,
        again: bool,
        patience: Duration,
    ) -> Result<Permit, Refusal> {
        let (sender, receiver) = oneshot::channel();
        let (place, shed) = {
            let mut inner = self.lock();
            let (ticket, gone) = inner
                .pool
                .enter(clock::now(), vehicle, cost, eligible, again)
                .map_err(|why| refusal(why, "too many requests wait"))?;
            inner.waiters.insert(ticket, sender);
            let wait = inner.pool.wait();
            let shed = gone.and_then(|gone| inner.waiters.remove(&gone)).map(|shed| (shed, wait));
            (Place { gate: self.clone(), ticket }, shed)
        };
        if let Some((shed, wait)) = shed {
            let told = refusal(NoRoom::Full(wait), "too many requests of this vehicle wait");
            let _ = shed.send(Err(told));
        }
        self.pump();
        let answer = tokio::time::timeout(patience, receiver).await;
        drop(place);
        match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Refusal::new(503, "ending", "the gateway is going")),
            Err(_) => Err(refusal(NoRoom::Full(self.lock().pool.wait()), "no turn in time")),
        }
    }

    /// Gives room to who is next, and an answer to who waits for nothing.
    fn pump(self: &Arc<Gate>) {
        let now = clock::now();
        let (mut granted, mut hopeless) = (Vec::new(), Vec::new());
        {
            let mut inner = self.lock();
            for ticket in inner.pool.hopeless(now) {
                hopeless.extend(inner.waiters.remove(&ticket));
            }
            while let Some((ticket, upstream, vehicle)) = inner.pool.grant(now) {
                let permit = Permit { gate: self.clone(), vehicle, began: now, how: Ended::Left, upstream };
                granted.push((inner.waiters.remove(&ticket), permit));
            }
        }
        // Outside: one that nobody takes is dropped here, and gives its room on.
        for (waiter, permit) in granted {
            if let Some(waiter) = waiter {
                let _ = waiter.send(Ok(permit));
            }
        }
        for waiter in hopeless {
            let _ = waiter.send(Err(refusal(NoRoom::Down(Duration::from_secs(2)), "")));
        }
    }
}

fn refusal(why: NoRoom, full: &str) -> Refusal {
    match why {
        NoRoom::Full(after) => Refusal::later(429, "busy", full, after),
        NoRoom::Down(after) => {
            Refusal::later(503, "no_upstream", "no upstream that has this model answers", after)
        }
    }
}

#[cfg(test)]
mod tests {
    use troika_dialogue::breaker::Limits;

    use super::*;
    use crate::queue::Queue;

    const LONG: Duration = Duration::from_secs(60);

    fn gate(most: u32) -> Arc<Gate> {
        Gate::new(Pool::new(Queue::new(4, 2), 10, &[most], Limits::default()))
    }

    fn id(name: &str) -> VehicleId {
        VehicleId::new(name).expect("an id")
    }

    /// Somebody who waits for room; gives the upstream when it is there.
    async fn waits(gate: &Arc<Gate>) -> tokio::task::JoinHandle<Result<usize, Refusal>> {
        let second = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(&id("bruno"), 1, 1, false, LONG).await.map(|permit| permit.upstream) }
        });
        while gate.look(1).0 == 0 {
            tokio::task::yield_now().await;
        }
        second
    }

    #[tokio::test]
    async fn room_that_is_dropped_goes_to_who_waits() {
        let gate = gate(1);
        let first = gate.enter(&id("anna"), 1, 1, false, LONG).await.expect("room");
        let second = waits(&gate).await;
        drop(first);
        assert_eq!(second.await.expect("no panic"), Ok(0));
        assert_eq!(gate.look(1), (0, vec![(0, true)]));
    }

    #[tokio::test]
    async fn who_waits_for_a_trial_comes_in_at_its_first_words() {
        let limits = Limits { failures: 1, first: Duration::ZERO, ..Limits::default() };
        let gate = Gate::new(Pool::new(Queue::new(4, 2), 10, &[4], limits));
        let mut first = gate.enter(&id("anna"), 1, 1, false, LONG).await.expect("room");
        first.failed(Fault::Reset("by peer".into()));
        drop(first);
        let trial = gate.enter(&id("anna"), 1, 1, false, LONG).await.expect("one finds out");
        let second = waits(&gate).await;
        trial.begun();
        assert_eq!(second.await.expect("no panic"), Ok(0), "while the trial runs");
        drop(trial);
    }

    #[tokio::test]
    async fn who_goes_away_while_waiting_leaves_nothing_behind() {
        let gate = gate(1);
        let first = gate.enter(&id("anna"), 1, 1, false, LONG).await.expect("room");
        let waits = tokio::spawn({
            let gate = gate.clone();
            async move { gate.enter(&id("bruno"), 1, 1, false, LONG).await.is_ok() }
        });
        while gate.look(1).0 == 0 {
            tokio::task::yield_now().await;
        }
        waits.abort();
        let _ = waits.await;
        assert_eq!(gate.look(1).0, 0);
        drop(first);
        assert_eq!(gate.look(1), (0, vec![(0, true)]));
    }

    #[tokio::test]
    async fn who_waits_too_long_is_told_when_to_ask_again() {
        let gate = gate(1);
        let _first = gate.enter(&id("anna"), 1, 1, false, LONG).await.expect("room");
        let late =
            gate.enter(&id("bruno"), 1, 1, false, Duration::from_millis(50)).await.err().expect("too long");
        assert_eq!((late.status, late.code), (429, "busy"));
        assert!(late.retry_after_s.is_some());
    }
}
