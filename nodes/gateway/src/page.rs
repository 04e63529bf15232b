//! The admin's side: the fleet's page, metrics, health, and what was delivered. It asks nobody who they are, so it listens on loopback unless told otherwise.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json, Router,
    extract::{Query, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{
        Html, IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
    routing::get,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, time::timeout};
use troika_kit::Duration;

use crate::{clock, gateway::Gateway};

const PAGE: &str = include_str!("page.html");
/// Nothing from elsewhere, nothing inline but what the page itself has: a vehicle's text can never become script.
const CONTENT: &str = "default-src 'none'; script-src 'sha256-HASH'; style-src 'unsafe-inline'; connect-src 'self'; \
                       base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The page's lines are renewed so often.
const RENEW: Duration = Duration::from_secs(1);
/// Deliveries fetched at once, at most.
const FETCH: usize = 1000;

/// Serves until the gateway is told to go.
///
/// # Errors
/// The listener's.
pub async fn serve(gateway: Arc<Gateway>, listener: TcpListener) -> std::io::Result<()> {
    let mut ending = gateway.ending();
    let router = router(gateway);
    let served = axum::serve(listener, router);
    // Pages hold their stream open: they are not waited for.
    tokio::select! {
        served = served => served,
        _ = ending.wait_for(|ending| *ending) => Ok(()),
    }
}

/// The routes.
pub fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/events", get(events))
        .route("/metrics", get(metrics))
        .route("/health", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/inbox", get(fetch).delete(fetched))
        .with_state(gateway)
}

/// The policy, with the hash of the page's own script in it.
fn policy() -> String {
    let script = PAGE.split_once("<script>").and_then(|(_, rest)| rest.split_once("</script>"));
    let hash = BASE64_STANDARD.encode(Sha256::digest(script.map_or("", |(script, _)| script)));
    CONTENT.replace("HASH", &hash)
}

async fn page() -> Response {
    let mut response = Html(PAGE).into_response();
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&policy()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    response
}

fn snapshot(gateway: &Gateway, since: u64) -> (Value, u64) {
    let (waiting, each) = gateway.gate.look(gateway.upstreams.len());
    let health = gateway.health();
    let upstreams: Vec<Value> = gateway
        .upstreams
        .iter()
        .zip(each)
        .zip(health)
        .map(|((one, (running, asked)), health)| {
            json!({"name": one.name, "running": running, "asked": asked, "fine": health.fine, "fault": health.fault})
        })
        .collect();
    let board = gateway.board();
    let (rows, seen) = board.since(since);
    let value = json!({
        "now": clock::seconds(clock::now()), "rows": rows, "waiting": waiting, "upstreams": upstreams, "store": gateway.store_fine(),
        "audit_lost": gateway.metrics.audit_lost.get(),
    });
    (value, seen)
}

async fn events(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    // All lines at once, then what changes.
    let ending = gateway.ending();
    let states = stream::unfold((gateway, ending, None), |(gateway, mut ending, since)| async move {
        let renew = if since.is_some() { RENEW } else { Duration::ZERO };
        // A gateway that goes ends its pages' streams: they say so, and ask for its successor.
        if timeout(renew, ending.wait_for(|ending| *ending)).await.is_ok() {
            return None;
        }
        let (value, seen) = snapshot(&gateway, since.unwrap_or(0));
        let event = Event::default().data(value.to_string());
        Some((Ok::<_, Infallible>(event), (gateway, ending, Some(seen))))
    });
    Sse::new(states).keep_alive(KeepAlive::default())
}

async fn metrics(State(gateway): State<Arc<Gateway>>) -> impl IntoResponse {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], gateway.metrics_text())
}

async fn ready(State(gateway): State<Arc<Gateway>>) -> Response {
    match gateway.ready() {
        Ok(()) => "ready\n".into_response(),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct After {
    #[serde(default)]
    after: u64,
}

async fn fetch(State(gateway): State<Arc<Gateway>>, Query(from): Query<After>) -> Response {
    match gateway.store.fetch(from.after, FETCH).await {
        Ok(all) => {
            let all: Vec<Value> =
                all.into_iter().map(|(number, item)| json!({"number": number, "item": item})).collect();
            Json(all).into_response()
        }
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UpTo {
    upto: u64,
}

async fn fetched(State(gateway): State<Arc<Gateway>>, Query(to): Query<UpTo>) -> Response {
    match gateway.store.fetched(to.upto).await {
        Ok(count) => Json(json!({ "removed": count })).into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_names_the_pages_own_script() {
        let policy = policy();
        assert!(policy.contains("script-src 'sha256-") && !policy.contains("HASH"), "{policy}");
    }

    #[test]
    fn the_page_has_nothing_from_elsewhere_and_puts_no_text_in_as_markup() {
        assert_eq!(PAGE.matches("<script").count(), 1);
        for forbidden in
            ["src=", "href=", "http:", "https:", "innerHTML", "insertAdjacentHTML", "onclick", "@import"]
        {
            assert!(!PAGE.contains(forbidden), "{forbidden}");
        }
    }
}
