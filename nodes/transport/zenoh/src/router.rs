//! The router that ROS peers expect at `localhost:7447`: joined when it is there, started in this process when not.
//!
//! Without a router two processes of a machine do not find each other (multicast is off). Once they have, they talk
//! directly, so the end of the process that holds the router does not part them; who comes next starts a new one and the
//! others connect to it again.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    thread::park_timeout,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketType, bind, socket, sockopt::set_socket_reuseaddr},
};
use zenoh::{Session, Wait};

use crate::{
    options::{ZenohOptions, probe_config, reachable, router_config},
    told,
};

/// The certainty that there is a router: one that was there, or one that lives in this process until this is dropped.
#[derive(Debug)]
#[must_use = "a router that was started ends when this is dropped"]
pub struct RouterGuard {
    started: Option<Session>,
}

/// Why there is no router to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouterError {
    /// The endpoint is no address.
    #[error(
        "'{endpoint}' is no endpoint ({reason}): write tcp/<host>:<port>, for example tcp/localhost:7447"
    )]
    Endpoint {
        /// As it was given.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// Something else holds the port.
    #[error(
        "{endpoint} is taken by something that is no zenoh router ({reason}): see who with `ss -ltnp`, stop it, or choose \
         another port for all with TROIKA_ZENOH_ENDPOINT=tcp/localhost:<port>"
    )]
    Busy {
        /// Where.
        endpoint: String,
        /// What it answered.
        reason: String,
    },
    /// The endpoint is on another machine and no router answers there.
    #[error(
        "no zenoh router answers at {endpoint} ({reason}): start one there, or leave the endpoint at tcp/localhost:7447"
    )]
    Unreachable {
        /// Where.
        endpoint: String,
        /// What came back.
        reason: String,
    },
    /// The router cannot be started.
    #[error("cannot start a zenoh router at {endpoint}: {reason}")]
    Start {
        /// Where.
        endpoint: String,
        /// Why.
        reason: String,
    },
}

/// Who listens at an endpoint, told by whether its addresses can be bound.
enum Place {
    /// Nobody: the address to listen on. One address, always the same one for the same name, so that of two processes that
    /// start together only one gets it.
    Free(SocketAddr),
    /// Somebody.
    Taken,
    /// It is not on this machine.
    Elsewhere,
}

impl RouterGuard {
    /// Joins the router at `endpoint`, or starts one there.
    pub fn ensure(endpoint: &str) -> Result<RouterGuard, RouterError> {
        let options = ZenohOptions { router: endpoint.to_owned(), ..ZenohOptions::default() };
        RouterGuard::ensure_for(&options)
    }

    /// The same as the options say, with their configuration file for a router that is started.
    pub fn ensure_for(options: &ZenohOptions) -> Result<RouterGuard, RouterError> {
        ensure(options)
    }

    /// Whether the router lives in this process.
    pub fn is_started(&self) -> bool {
        self.started.is_some()
    }

    /// What happened, to stand before the endpoint in a line for a person.
    pub fn describe(&self) -> &'static str {
        if self.is_started() { "router started at" } else { "router joined at" }
    }
}

impl Drop for RouterGuard {
    fn drop(&mut self) {
        if let Some(session) = self.started.take()
            && let Err(error) = session.close().wait()
        {
            tracing::warn!(%error, "the zenoh router did not close cleanly");
        }
    }
}

fn ensure(options: &ZenohOptions) -> Result<RouterGuard, RouterError> {
    let endpoint = options.router.as_str();
    let addresses = resolve(endpoint)?;
    let joined = |probed: Result<(), String>, error: fn(String, String) -> RouterError| match probed {
        Ok(()) => Ok(RouterGuard { started: None }),
        Err(reason) => Err(error(endpoint.to_owned(), reason)),
    };
    // Again: the place may be taken between the look and the start, by a process that starts at the same time and does not listen yet when we look
    // once more.
    let mut last = String::new();
    for _ in 0..TRIES {
        match look(endpoint, &addresses)? {
            Place::Taken => {
                return joined(probe(endpoint), |endpoint, reason| RouterError::Busy { endpoint, reason });
            }
            Place::Elsewhere => {
                return joined(probe(endpoint), |endpoint, reason| RouterError::Unreachable {
                    endpoint,
                    reason,
                });
            }
            Place::Free(address) => match start(&format!("tcp/{address}"), options) {
                Ok(session) => return Ok(RouterGuard { started: Some(session) }),
                Err(reason) => {
                    last = reason;
                    park_timeout(SETTLES);
                }
            },
        }
    }
    Err(RouterError::Start { endpoint: endpoint.to_owned(), reason: last })
}

/// So often a place that looks free and cannot be had is tried.
const TRIES: usize = 20;
/// Whoever has bound it listens by then.
const SETTLES: Duration = Duration::from_millis(50);

fn start(listen: &str, options: &ZenohOptions) -> Result<Session, String> {
    let config = router_config(listen, options).map_err(|error| told::reason(&error))?;
    zenoh::open(config).wait().map_err(|error| told::reason(&error))
}

/// Whether a zenoh router answers; why not, for a person.
fn probe(endpoint: &str) -> Result<(), String> {
    let config = probe_config(endpoint).map_err(|error| told::reason(&error))?;
    let session = zenoh::open(config).wait().map_err(|_| "it does not speak zenoh".to_owned())?;
    let routers = session.info().routers_zid().wait().count();
    if let Err(error) = session.close().wait() {
        tracing::debug!(%error, "closing the probe");
    }
    if routers > 0 { Ok(()) } else { Err("a zenoh peer answers that is no router".to_owned()) }
}

/// The addresses of a TCP endpoint, IPv4 first: where `localhost` has both, everyone tries the same one first.
fn resolve(endpoint: &str) -> Result<Vec<SocketAddr>, RouterError> {
    let bad =
        |reason: &str| RouterError::Endpoint { endpoint: endpoint.to_owned(), reason: reason.to_owned() };
    let reachable = reachable(endpoint);
    let address = reachable.strip_prefix("tcp/").ok_or_else(|| bad("it does not start with tcp/"))?;
    let address = address.split(['?', '#']).next().unwrap_or(address);
    let mut found: Vec<SocketAddr> =
        address.to_socket_addrs().map_err(|error| bad(&error.to_string()))?.collect();
    found.sort_by_key(SocketAddr::is_ipv6);
    if found.is_empty() { Err(bad("the name has no address")) } else { Ok(found) }
}

fn look(endpoint: &str, addresses: &[SocketAddr]) -> Result<Place, RouterError> {
    let mut free = None;
    for address in addresses {
        match bindable(address) {
            Ok(()) => free = free.or(Some(*address)),
            Err(Errno::ADDRINUSE) => return Ok(Place::Taken),
            // No such address here, or no such family of addresses at all.
            Err(Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT) => {}
            Err(error) => {
                return Err(RouterError::Start { endpoint: endpoint.to_owned(), reason: error.to_string() });
            }
        }
    }
    Ok(free.map_or(Place::Elsewhere, Place::Free))
}

/// Whether somebody could listen at the address. The socket never listens and lets others bind the same address (`SO_REUSEADDR`;
/// socket(7)): only who really listens stands in its way, and it in nobody's, so that two that look at the same moment do not take each
/// other for a router.
fn bindable(address: &SocketAddr) -> Result<(), Errno> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket(family, SocketType::STREAM, None)?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, address)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, sync::mpsc::TryRecvError};

    use super::*;

    #[test]
    fn a_look_sees_who_listens_and_takes_the_place_from_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        assert_eq!(bindable(&address), Err(Errno::ADDRINUSE));
        drop(listener);
        // As many looks as a second thread manages, and a listener in the midst of them each time.
        let (done, ended) = std::sync::mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while ended.try_recv() == Err(TryRecvError::Empty) {
                    let _ = bindable(&address);
                }
            });
            let refused = (0..2000).filter(|_| TcpListener::bind(address).is_err()).count();
            drop(done);
            assert_eq!(refused, 0, "a look was in the way");
        });
    }

    #[test]
    fn an_endpoint_that_is_none_is_refused_with_an_example() {
        for endpoint in ["localhost:7447", "tcp/", "tcp/localhost", "tcp/localhost:port"] {
            let error = RouterGuard::ensure(endpoint).expect_err("no endpoint");
            assert!(matches!(error, RouterError::Endpoint { .. }), "{error}");
            assert!(error.to_string().contains("tcp/localhost:7447"));
        }
    }

    #[test]
    fn localhost_is_tried_over_ipv4_first() {
        let addresses = resolve("tcp/localhost:7447").expect("every machine has a localhost");
        assert_eq!(addresses[0], SocketAddr::from(([127, 0, 0, 1], 7447)));
    }
}
