//! A service that says so many tokens, one each so many ms. It stands in for a model: it says nothing sensible.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    time::{Interval, interval},
};

struct Tokens {
    left: u32,
    each: Interval,
}

impl Body for Tokens {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        std::task::ready!(self.each.poll_tick(cx));
        self.left -= 1;
        let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"finish_reason\":null}]}\n\n";
        let text = if self.left == 0 { format!("{event}data: [DONE]\n\n") } else { event.to_owned() };
        Poll::Ready(Some(Ok(Frame::data(text.into()))))
    }
}

/// Begins.
pub(crate) async fn start(tokens: u32, token_ms: u64) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let answer = move |request: Request<Incoming>| async move {
        let stream = request.method() == hyper::Method::POST;
        let _ = request.into_body().collect().await;
        let body = if stream {
            Either::Left(Tokens { left: tokens, each: interval(Duration::from_millis(token_ms)) })
        } else {
            Either::Right(Full::new(Bytes::from_static(b"{}")))
        };
        let kind = if stream { "text/event-stream" } else { "application/json" };
        Response::builder().header("content-type", kind).body(body)
    };
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = stream.set_nodelay(true);
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    Ok(address)
}
