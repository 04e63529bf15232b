//! What belongs here: a running system to look at. A peer on the transport that it is handed, as a recorder is; it publishes nothing.
//!
//! - [`Model`]: messages in, the page's JSON state out; pure and bounded.
//! - [`picture`]: the camera's picture with what was seen in it; pure.
//! - `page`: the page and what it asks for, over HTTP.
//! - `foxglove`: every topic for Foxglove, over WebSocket.
//! - `ears`: what is listened to on the transport, and only while somebody wants it.
//! - [`View`]: all of it together.

mod ears;
mod foxglove;
mod model;
mod page;
pub mod picture;
mod present;
mod shared;
mod words;

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use tokio::runtime::{Builder, Runtime};
use troika_transport::{Transport, TransportError};

use ears::Ears;
pub use model::Model;
use shared::Shared;

/// Where Foxglove looks for a server unless it is told otherwise.
pub const FOXGLOVE: &str = "127.0.0.1:8765";
/// Threads that serve; a picture is encoded on one more.
const THREADS: usize = 2;
/// Connections that are open when it ends have so long to hear of it.
const LEAVE: Duration = Duration::from_millis(500);

/// Where and what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The page's address.
    pub listen: SocketAddr,
    /// Foxglove's, if it is to be served.
    pub foxglove: Option<SocketAddr>,
    /// Origins of pages that may connect beside Foxglove's own and this machine's.
    pub foxglove_origins: Vec<String>,
    /// Whether pictures are shown.
    pub images: bool,
    /// What is listened to, for a person: a router, a domain.
    pub place: String,
}

/// Why there is nothing to see.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// Somebody else has the port, or the address is not this machine's.
    #[error(
        "cannot listen at {address}: {why}; give another address with {option} (port 0: any that is free)"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The option that says so.
        option: &'static str,
        /// Why.
        why: io::Error,
    },
    /// No threads to serve with.
    #[error("cannot start serving: {0}")]
    Threads(io::Error),
    /// The transport's.
    #[error(transparent)]
    Transport(#[from] TransportError),
}

/// A view that listens for browsers, and shows once it runs.
pub struct View {
    shared: Arc<Shared>,
    page: (TcpListener, SocketAddr),
    foxglove: Option<(TcpListener, SocketAddr)>,
    runtime: Runtime,
}

/// What answers behind the page's port and behind Foxglove's, without a transport and without the ports: for whoever brings a connection's
/// bytes by himself.
pub fn answers(options: &Options) -> [axum::Router; 2] {
    let shared = Arc::new(shared(options));
    [page::router(shared.clone()), foxglove::socket::router(shared)]
}

fn shared(options: &Options) -> Shared {
    let loopback = options.listen.ip().is_loopback();
    Shared::new(options.place.clone(), options.images, options.foxglove_origins.clone(), loopback)
}

fn listen(address: SocketAddr, option: &'static str) -> Result<(TcpListener, SocketAddr), ViewError> {
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    open().map_err(|why| ViewError::Listen { address, option, why })
}

impl View {
    /// Takes its ports. Nothing is served yet.
    ///
    /// # Errors
    /// A port that is taken, or no threads.
    pub fn open(options: Options) -> Result<View, ViewError> {
        let page = listen(options.listen, "--listen")?;
        let foxglove = options.foxglove.map(|address| listen(address, "--foxglove")).transpose()?;
        let shared = shared(&options);
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("view")
            .enable_all()
            .build()
            .map_err(ViewError::Threads)?;
        Ok(View { shared: Arc::new(shared), page, foxglove, runtime })
    }

    /// The page's address.
    pub fn address(&self) -> SocketAddr {
        self.page.1
    }

    /// Foxglove's.
    pub fn foxglove_address(&self) -> Option<SocketAddr> {
        self.foxglove.as_ref().map(|(_, address)| *address)
    }

    /// Shows until `stopped` says so, which is asked a few times a second. Types that `leaves_out` names are shown nowhere; what goes wrong
    /// on the way is `told` to a person.
    ///
    /// # Errors
    /// The transport's.
    pub fn run(
        self,
        transport: &dyn Transport,
        leaves_out: &dyn Fn(&str) -> bool,
        stopped: &dyn Fn() -> bool,
        told: &mut dyn FnMut(String),
    ) -> Result<(), ViewError> {
        let View { shared, page, foxglove, runtime } = self;
        let ears = Ears::new(transport, shared.clone())?;
        let doors = [
            Some((page.0, page::router(shared.clone()))),
            foxglove.map(|(listener, _)| (listener, foxglove::socket::router(shared.clone()))),
        ];
        for (listener, router) in doors.into_iter().flatten() {
            let listener = {
                let _inside = runtime.enter();
                tokio::net::TcpListener::from_std(listener).map_err(ViewError::Threads)?
            };
            runtime.spawn(async move { axum::serve(listener, router).await });
        }
        let result = ears.run(leaves_out, stopped, told);
        shared.ending.send_replace(true);
        runtime.shutdown_timeout(LEAVE);
        Ok(result?)
    }
}
