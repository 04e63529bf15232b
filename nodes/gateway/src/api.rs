//! What vehicles ask: answers, models, reports, deliveries.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    header::{self, HeaderValue},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout, timeout_at};
use troika_dialogue::Fault;

use crate::{
    board::Report,
    clock,
    config::ms,
    gateway::Gateway,
    identity::VehicleId,
    job::Job,
    quota::Spent,
    relay::{self, Relay},
    request::{Bounds, Chat, Refusal},
    sse::Usage,
    store::{Delivered, Delivery},
    trace::{self, Trace},
};

/// Bytes of a report: some ten numbers.
const REPORT_BYTES: usize = 4096;
/// Bytes of a batch of deliveries: one of the outbox's largest (256 KiB) as JSON, or many small ones.
const OUTBOX_BYTES: usize = 2 << 20;
/// Deliveries of a batch.
const BATCH: usize = 100;
/// As the outbox has them.
const KEY_BYTES: usize = 128;
const KIND_BYTES: usize = 64;

/// One request of a vehicle, as the connection or the router says who it is.
pub async fn answer(gateway: Arc<Gateway>, vehicle: VehicleId, request: Request<Body>) -> Response<Body> {
    let vehicle = &vehicle;
    troika_safety::fulfils![SR_FLT_004];
    // Each of them: a second one is no way round.
    let mut claimed = request.headers().get_all("x-troika-vehicle").iter();
    if claimed.any(|claimed| claimed.as_bytes() != vehicle.as_str().as_bytes()) {
        let told = "X-Troika-Vehicle is not the vehicle of the certificate; leave it out";
        return refuse(&Refusal::new(403, "identity", told));
    }
    let outcome = match (request.method(), request.uri().path()) {
        (&Method::POST, "/v1/chat/completions") => return chat(&gateway, vehicle, request).await,
        (&Method::GET, "/v1/models") => Ok(models(&gateway)),
        (&Method::POST, "/v1/vehicle/report") => report(&gateway, vehicle, request).await,
        (&Method::POST, "/v1/outbox") => outbox(&gateway, vehicle, request).await,
        (_, "/v1/chat/completions" | "/v1/models" | "/v1/vehicle/report" | "/v1/outbox") => {
            Err(Refusal::new(405, "method", "not this method here"))
        }
        _ => Err(Refusal::new(404, "path", "there is nothing here; see the gateway's README")),
    };
    outcome.unwrap_or_else(|refusal| refuse(&refusal))
}

fn reply(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn refuse(refusal: &Refusal) -> Response<Body> {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = reply(status, "application/json", refusal.body().into());
    if let Some(after) = refusal.retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after));
    }
    response
}

fn good(value: &Value) -> Response<Body> {
    reply(StatusCode::OK, "application/json", value.to_string().into())
}

fn models(gateway: &Gateway) -> Response<Body> {
    let data: Vec<Value> = gateway
        .models
        .keys()
        .map(|model| json!({"id": model, "object": "model", "created": 0, "owned_by": "gateway"}))
        .collect();
    good(&json!({"object": "list", "data": data}))
}

/// A body within its bounds of bytes and time.
async fn body(gateway: &Gateway, request: Request<Body>, most: usize) -> Result<Bytes, Refusal> {
    troika_safety::fulfils![SR_FLT_007];
    let large = || Refusal::new(413, "too_large", format!("a body of more than {most} bytes"));
    let declared = request
        .headers()
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > most) {
        return Err(large());
    }
    let reading = Limited::new(request.into_body(), most).collect();
    match timeout(ms(gateway.config.times.body_ms), reading).await {
        Ok(Ok(all)) => Ok(all.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(large()),
        Ok(Err(_)) => Err(Refusal::new(400, "bad_request", "the body ended early")),
        Err(_) => Err(Refusal::new(408, "body_time", "the body did not come in time")),
    }
}

async fn report(
    gateway: &Gateway,
    vehicle: &VehicleId,
    request: Request<Body>,
) -> Result<Response<Body>, Refusal> {
    let bytes = body(gateway, request, REPORT_BYTES).await?;
    let report: Report = serde_json::from_slice(&bytes).map_err(|error| {
        Refusal::new(
            400,
            "bad_request",
            format!("no report: {error}; its keys are under \"Reports\" in the gateway's README"),
        )
    })?;
    gateway.board().report(clock::now(), vehicle, report);
    Ok(reply(StatusCode::NO_CONTENT, "application/json", Body::empty()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item {
    id: String,
    kind: String,
    body: Value,
}

async fn outbox(
    gateway: &Gateway,
    vehicle: &VehicleId,
    request: Request<Body>,
) -> Result<Response<Body>, Refusal> {
    let bytes = body(gateway, request, OUTBOX_BYTES).await?;
    let bad = |message: String| Refusal::new(400, "bad_request", message);
    let items: Vec<Item> = serde_json::from_slice(&bytes)
        .map_err(|error| bad(format!("a list of {{id, kind, body}}: wrong at line {}", error.line())))?;
    if items.is_empty() || items.len() > BATCH {
        return Err(bad(format!("{} deliveries; 1 to {BATCH}", items.len())));
    }
    if items.iter().any(|one| !(1..=KEY_BYTES).contains(&one.id.len()) || one.kind.len() > KIND_BYTES) {
        return Err(bad(format!("an id has 1 to {KEY_BYTES} bytes, a kind at most {KIND_BYTES}")));
    }
    let ids: Vec<String> = items.iter().map(|one| one.id.clone()).collect();
    let batch =
        items.into_iter().map(|one| Delivery { id: one.id, kind: one.kind, body: one.body }).collect();
    let at = clock::text(clock::seconds(clock::wall()));
    let became = gateway.store.deliver(vehicle, at, batch).await.map_err(|error| {
        gateway.metrics.store_failed.inc();
        eprintln!("error: deliveries are not taken: {error}");
        let wait = troika_kit::Duration::from_secs(5);
        Refusal::later(503, "store", "what is delivered cannot be kept at the moment", wait)
    })?;
    let of = |which: Delivered| -> Vec<&String> {
        ids.iter().zip(&became).filter(|one| *one.1 == which).map(|one| one.0).collect()
    };
    let accepted = of(Delivered::Accepted);
    gateway.metrics.delivered.inc_by(accepted.len() as u64);
    Ok(good(&json!({"accepted": accepted, "known": of(Delivered::Known), "full": of(Delivered::Full)})))
}

async fn chat(gateway: &Arc<Gateway>, vehicle: &VehicleId, request: Request<Body>) -> Response<Body> {
    let traceparent = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let trace = Trace::of(traceparent, trace::random());
    let mut job = Some(Job::new(gateway, vehicle, trace));
    match go(gateway, vehicle, request, &mut job).await {
        Ok(response) => response,
        Err(refusal) => {
            if let Some(job) = &mut job {
                job.refused(&refusal);
            }
            refuse(&refusal)
        }
    }
}

async fn go(
    gateway: &Arc<Gateway>,
    vehicle: &VehicleId,
    request: Request<Body>,
    job: &mut Option<Job>,
) -> Result<Response<Body>, Refusal> {
    let config = &gateway.config;
    let deadline = Instant::now() + ms(config.times.total_ms);
    let bytes = body(gateway, request, config.limits.body_bytes).await?;
    let bounds = Bounds {
        messages: config.limits.messages,
        max_tokens: config.limits.max_tokens,
        cache_without_temperature: config.cache.without_temperature,
    };
    let chat = Chat::read(&bytes, vehicle, &bounds)?;
    let Some(known) = gateway.models.get(&chat.model).copied() else {
        return Err(Refusal::new(
            404,
            "model",
            "no upstream has this model; GET /v1/models tells which there are",
        ));
    };
    let Some(current) = job.as_mut() else { return Err(gone()) };
    current.entry.model.clone_from(&chat.model);
    (current.entry.bytes_in, current.entry.streamed) = (bytes.len(), chat.stream);
    current.entry.tokens_in = chat.prompt_tokens;
    let repeatable = chat.repeatable && gateway.cache().on();
    let dearest = gateway.upstreams.iter().enumerate().filter(|(at, _)| known >> at & 1 == 1);
    let promised = chat.prompt_tokens + chat.max_tokens;
    let cost = dearest.map(|(_, one)| one.cost(promised)).max().unwrap_or(0);
    let admitted = gateway.book().admit(clock::now(), vehicle, promised, cost);
    current.held = Some(admitted.map_err(|spent| match spent {
        Spent::Requests(after) => Refusal::later(429, "quota_requests", "too many requests a minute", after),
        Spent::Tokens(after) => Refusal::later(429, "quota_tokens", "the day's tokens are used", after),
        Spent::Money(after) => Refusal::later(429, "quota_money", "the day's money is spent", after),
    })?);
    if repeatable {
        let kept = gateway.cache().get(clock::now(), vehicle, &bytes);
        if let Some(kept) = kept {
            gateway.metrics.cached.inc();
            current.first_byte();
            let entry = &mut current.entry;
            (entry.status, entry.end, entry.cached, entry.bytes_out) = (200, "done", true, kept.len());
            return Ok(reply(StatusCode::OK, kind(chat.stream), kept.into()));
        }
    }
    let (mut left, mut last) = (known, None);
    while left != 0 {
        let came = clock::now();
        let patience = ms(config.queue.wait_ms);
        let entered = gateway.gate.enter(vehicle, promised, left, left != known, patience);
        let permit = timeout_at(deadline, entered).await;
        if let Some(current) = job.as_mut() {
            current.waited(came, matches!(permit, Ok(Ok(_))));
        }
        let permit = permit.map_err(|_| late())?;
        // Where one has failed, why it did says more than that nobody else is there.
        let permit = permit.map_err(|refusal| last.take().unwrap_or(refusal))?;
        let at = permit.upstream;
        let Some(current) = job.as_mut() else { return Err(gone()) };
        let Some(upstream) = gateway.upstreams.get(at) else { return Err(gone()) };
        current.entry.tries += 1;
        current.entry.upstream = Some(upstream.name.clone());
        (current.permit, current.upstream) = (Some(permit), Some(at));
        let until = deadline.min(Instant::now() + ms(config.times.first_byte_ms));
        let trying = attempt(gateway, at, &chat, &bytes, repeatable, deadline, job);
        let fault = match timeout_at(until, trying).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(fault)) => fault,
            Err(_) if Instant::now() >= deadline => return Err(late()),
            Err(_) => Fault::Timeout("the first token"),
        };
        gateway.was(at, Err(&fault));
        if let Some(current) = job.as_mut() {
            current.called(Some(fault.name()));
        }
        if let Some(mut permit) = job.as_mut().and_then(|job| job.permit.take()) {
            permit.failed(fault.clone());
        }
        last = Some(because(&fault));
        if let Fault::Refused { .. } = fault {
            break;
        }
        left &= !(1 << at);
    }
    Err(last.unwrap_or_else(gone))
}

fn gone() -> Refusal {
    Refusal::new(500, "internal", "the request was lost")
}

fn late() -> Refusal {
    Refusal::new(504, "total", "no answer in time")
}

fn kind(stream: bool) -> &'static str {
    if stream { "text/event-stream" } else { "application/json" }
}

/// What a vehicle is told of an upstream's failure. What is the gateway's to mend (its key, its account) is no fault of the vehicle.
fn because(fault: &Fault) -> Refusal {
    let code = fault.name();
    let message = "no upstream could answer";
    match (fault, fault.retry_after()) {
        (Fault::Refused { status, said }, _) => Refusal::new(*status, "refused", said.clone()),
        (Fault::RateLimited { .. }, after) => {
            Refusal::later(429, code, message, after.unwrap_or(troika_kit::Duration::from_secs(1)))
        }
        (Fault::Timeout(_) | Fault::ConnectTimeout(_), _) => Refusal::new(504, code, message),
        (_, Some(after)) => Refusal::later(503, code, message, after),
        _ => Refusal::new(502, code, message),
    }
}

async fn attempt(
    gateway: &Arc<Gateway>,
    at: usize,
    chat: &Chat,
    bytes: &Bytes,
    repeatable: bool,
    deadline: Instant,
    job: &mut Option<Job>,
) -> Result<Response<Body>, Fault> {
    let (Some(upstream), Some(current)) = (gateway.upstreams.get(at), job.as_mut()) else {
        return Err(Fault::Cancelled);
    };
    let config = &gateway.config;
    let trace = current.calls(&upstream.name);
    let response = upstream.ask(chat.body.clone(), chat.stream, &trace).await?;
    let largest = gateway.cache().largest();
    if chat.stream {
        let bounds = relay::Bounds {
            stall: ms(config.times.stall_ms),
            deadline,
            most: config.limits.answer_bytes,
            wants_usage: chat.wants_usage,
        };
        let keep = repeatable.then(|| (bytes.clone(), largest));
        let relay = Relay::begin(job, response.into_body(), bounds, keep).await?;
        let mut response = reply(StatusCode::OK, kind(true), Body::new(relay));
        // Proxies on the way are asked to gather nothing either.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
        return Ok(response);
    }
    let most = config.limits.answer_bytes;
    let body = Limited::new(response.into_body(), most).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Fault::TooLarge { what: "one answer", limit: most }
        } else {
            Fault::Truncated
        }
    })?;
    let body = body.to_bytes();
    #[derive(Deserialize)]
    struct Answer {
        usage: Option<Usage>,
    }
    let answer: Answer = serde_json::from_slice(&body).map_err(|_| Fault::Malformed("no JSON".to_owned()))?;
    current.payable = true;
    current.first_byte();
    let entry = &mut current.entry;
    match answer.usage {
        Some(usage) => {
            (entry.tokens_in, entry.tokens_out) = (usage.prompt_tokens, usage.completion_tokens);
            entry.estimated = false;
        }
        None => entry.tokens_out = body.len() as u64 / 4,
    }
    (entry.status, entry.end, entry.bytes_out) = (200, "done", body.len());
    current.called(None);
    if let Some(permit) = &mut current.permit {
        permit.answered();
    }
    gateway.was(at, Ok(()));
    if repeatable {
        gateway.cache().put(clock::now(), &current.vehicle, bytes.clone(), body.clone());
    }
    Ok(reply(StatusCode::OK, kind(false), body.into()))
}
