//! The page: its files, its state as it changes, the camera's picture. Each browser asks for the next, so a slow one is never waited for and
//! sees what is newest when it comes.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use futures_util::stream;
use serde::Deserialize;
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};

use crate::{
    foxglove::door::is_this_machine,
    shared::{Shared, lock},
};

const HTML: &str = include_str!("page/page.html");
const SCRIPT: &str = include_str!("page/page.js");
const STYLE: &str = include_str!("page/page.css");
troika_safety::fulfils![SR_OBS_006];
/// Nothing from elsewhere and nothing inline: what a message says can never become script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
/// The state is told so often: an alert is seen at once, and the eye does not read faster.
const RENEW: Duration = Duration::from_millis(200);
/// A browser that asks for a picture is answered within this time, if only that there is none.
const PATIENCE: Duration = Duration::from_secs(1);

/// The routes.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    Router::new()
        .route("/", file("text/html; charset=utf-8", HTML))
        .route("/page.js", file("text/javascript; charset=utf-8", SCRIPT))
        .route("/page.css", file("text/css; charset=utf-8", STYLE))
        .route("/events", get(events))
        .route("/picture", get(picture))
        .layer(middleware::from_fn_with_state(shared.clone(), guard))
        .with_state(shared)
}

/// A foreign page whose name was made to lead here (DNS rebinding) is refused; nothing is kept by a browser or read by another page.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    if shared.loopback && !names_this_machine(request.headers()) {
        let told = "this is shown to this machine alone: open it as http://127.0.0.1 or http://localhost\n";
        return (StatusCode::FORBIDDEN, told).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let all = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    for (name, value) in all {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    troika_safety::fulfils![SR_OBS_005];
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.parse::<u16>().is_ok() => bare,
        _ => host,
    };
    is_this_machine(bare)
}

async fn events(State(shared): State<Arc<Shared>>) -> Response {
    let Ok(place) = shared.pages.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open: close one\n").into_response();
    };
    let ending = shared.ending.subscribe();
    let states =
        stream::unfold((shared, ending, place, false), |(shared, mut ending, place, told)| async move {
            // The first at once. One that ends is told by the end of its stream.
            let wait = if told { RENEW } else { Duration::ZERO };
            if timeout(wait, ending.wait_for(|ending| *ending)).await.is_ok() {
                return None;
            }
            let event = Event::default().data(shared.state().to_string());
            Some((Ok::<_, Infallible>(event), (shared, ending, place, true)))
        });
    Sse::new(states).keep_alive(KeepAlive::default()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: u64,
}

/// The next picture after the one of this number: a line of JSON, then a JPEG. 204: there is none now, ask again.
async fn picture(State(shared): State<Arc<Shared>>, Query(After { after }): Query<After>) -> Response {
    if !shared.images {
        return (StatusCode::NOT_FOUND, "pictures are off: --no-images\n").into_response();
    }
    let mut newest = shared.picture.subscribe();
    lock(&shared.camera).look(shared.clock.now());
    shared.wake.announce();
    let _ = timeout(PATIENCE, newest.wait_for(|number| *number > after)).await;
    let shown = lock(&shared.camera).shown().filter(|picture| picture.number > after);
    let Some(picture) = shown else { return StatusCode::NO_CONTENT.into_response() };
    match spawn_blocking(move || picture.encode()).await {
        Ok(Ok(bytes)) => ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response(),
        Ok(Err(why)) => {
            // A camera whose pictures are none is not asked as fast as one can.
            sleep(PATIENCE).await;
            (StatusCode::UNPROCESSABLE_ENTITY, format!("{why}\n")).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_nothing_from_elsewhere_and_puts_no_text_in_as_markup() {
        troika_safety::verifies![SR_OBS_006];
        assert_eq!(HTML.matches("<script").count(), 1);
        for forbidden in ["http:", "https:", "style=", "onclick", "onload", "<img", "<iframe"] {
            assert!(!HTML.contains(forbidden), "{forbidden}");
        }
        for forbidden in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http:", "https:"]
        {
            assert!(!SCRIPT.contains(forbidden), "{forbidden}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }

    #[test]
    fn only_names_of_this_machine_are_answered_on_loopback() {
        troika_safety::verifies![SR_OBS_005];
        let named =
            |host: &str| names_this_machine(&HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]));
        assert!(
            ["localhost", "localhost:8090", "127.0.0.1:8090", "[::1]:8090", "127.3.2.1"]
                .into_iter()
                .all(named)
        );
        assert!(!["evil.example:8090", "localhost.evil.example", "10.0.0.1", ""].into_iter().any(named));
    }
}
