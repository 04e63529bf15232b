//! One connection of a client: a handshake, then what waits for it out and what it asks in, until either goes.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
};
use futures_util::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_websockets::{Limits, Message, ServerBuilder, WebSocketStream};

use super::{
    door,
    hub::{Frame, MOST_CLIENTS},
};
use crate::shared::{Shared, lock};

/// A client that takes nothing for so long is gone.
const STUCK: Duration = Duration::from_secs(30);
/// Bytes of what a client says at once; a subscription to everything is a few thousand.
const LONGEST: usize = 1 << 20;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The one route, whatever its path.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new().fallback(open).with_state(shared)
}

async fn open(State(shared): State<Arc<Shared>>, mut request: Request) -> Response {
    let opened = match door::open(request.headers(), &shared.origins) {
        Ok(opened) => opened,
        Err(refused) => {
            let status = match refused {
                door::Refused::NoWebSocket => StatusCode::UPGRADE_REQUIRED,
                door::Refused::Origin(_) => StatusCode::FORBIDDEN,
                door::Refused::Protocol => StatusCode::BAD_REQUEST,
            };
            return (status, format!("{refused}\n")).into_response();
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let Some(client) = lock(&shared.hub).join(&shared.session) else {
        let full = format!("{MOST_CLIENTS} connections are the most\n");
        return (StatusCode::SERVICE_UNAVAILABLE, full).into_response();
    };
    tokio::spawn(async move {
        let here = Here { shared, client };
        if let Ok(upgraded) = upgrade.await {
            let limits = Limits::default().max_payload_len(Some(LONGEST));
            let socket = ServerBuilder::new().limits(limits).serve(TokioIo::new(upgraded));
            here.talk(socket).await;
        }
    });
    let answer = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(header::UPGRADE, "websocket")
        .header(header::CONNECTION, "Upgrade")
        .header(header::SEC_WEBSOCKET_ACCEPT, opened.accept)
        .header(header::SEC_WEBSOCKET_PROTOCOL, opened.protocol)
        .body(Body::empty());
    answer.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// A client that has joined; it leaves with this value.
struct Here {
    shared: Arc<Shared>,
    client: u64,
}

impl Drop for Here {
    fn drop(&mut self) {
        lock(&self.shared.hub).leave(self.client);
        self.shared.wake.announce();
    }
}

impl Here {
    async fn talk(&self, mut socket: Socket) {
        let mut moved = self.shared.moved.subscribe();
        let mut ending = self.shared.ending.subscribe();
        loop {
            moved.mark_unchanged();
            let next = lock(&self.shared.hub).next(self.client, self.shared.clock.now());
            let said = match next {
                Err(_) => break,
                Ok(Some(frame)) => {
                    let message = match frame {
                        Frame::Text(text) => Message::text(text),
                        Frame::Binary(bytes) => Message::binary(bytes),
                    };
                    if !matches!(timeout(STUCK, socket.send(message)).await, Ok(Ok(()))) {
                        break;
                    }
                    // While there is something to send, what it says is looked at in between.
                    match socket.next().now_or_never() {
                        None => continue,
                        Some(said) => said,
                    }
                }
                Ok(None) => tokio::select! {
                    said = socket.next() => said,
                    _ = moved.changed() => continue,
                    _ = ending.wait_for(|ending| *ending) => break,
                },
            };
            let Some(Ok(said)) = said else { break };
            if let Some(text) = said.as_text() {
                lock(&self.shared.hub).asked(self.client, text);
                self.shared.wake.announce();
            } else if said.is_binary() {
                lock(&self.shared.hub).asked(self.client, "{\"op\":\"binary\"}");
            }
        }
        let _ = timeout(STUCK, socket.close()).await;
    }
}
