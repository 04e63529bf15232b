//! Spans, as a collector gets them: a real HTTP server that takes OTLP's JSON, holds to its form, and goes away when it is told to.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, http::HeaderMap, http::StatusCode, routing::post as posted};
use hyper::header::HeaderValue;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    upstream::{Does, NET, Service},
    world::{STREAM, World, question, until},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const ASKS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

#[derive(Default)]
struct Inner {
    spans: Vec<Value>,
    wrong: Vec<String>,
    refuses: Option<StatusCode>,
    posts: usize,
}

/// A collector.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Inner>>);

impl Collector {
    async fn serve(&self, listener: TcpListener) {
        let router = Router::new().route("/v1/traces", posted(take)).with_state(self.clone());
        axum::serve(listener, router).await.expect("serves");
    }

    async fn new() -> (Collector, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let more = format!(
            "[trace]\nendpoint = \"http://{}\"\nevery_ms = 10\n",
            listener.local_addr().expect("bound")
        );
        let collector = Collector::default();
        tokio::spawn({
            let collector = collector.clone();
            async move { collector.serve(listener).await }
        });
        (collector, more)
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().expect("not poisoned")
    }

    /// The spans of one request, when its whole has come; none of them was malformed.
    async fn spans(&self, trace: &str) -> Vec<Value> {
        let of = |inner: &Inner| -> Vec<Value> {
            inner.spans.iter().filter(|span| span["traceId"] == trace).cloned().collect()
        };
        let whole = |spans: &[Value]| spans.iter().any(|span| span["kind"] == 2);
        until(|| whole(&of(&self.inner())), || format!("{:?}", self.inner().spans)).await;
        let inner = self.inner();
        assert!(inner.wrong.is_empty(), "{:?}", inner.wrong);
        of(&inner)
    }
}

/// As the specification has it; what is not is remembered.
async fn take(
    State(collector): State<Collector>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, Json<Value>) {
    let mut inner = collector.inner();
    inner.posts += 1;
    if let Some(status) = inner.refuses {
        return (status, Json(json!({})));
    }
    if headers.get("content-type").is_none_or(|kind| kind != "application/json") {
        inner.wrong.push(format!("{headers:?}"));
    }
    let body: Value = serde_json::from_str(&body).unwrap_or_default();
    let resource = &body["resourceSpans"][0]["resource"]["attributes"][0];
    if *resource != json!({"key": "service.name", "value": {"stringValue": "troika-gateway"}}) {
        inner.wrong.push(resource.to_string());
    }
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().cloned().unwrap_or_default();
    for span in spans {
        let hex = |key: &str, long: usize| {
            span[key]
                .as_str()
                .is_some_and(|id| id.len() == long && id.bytes().all(|one| one.is_ascii_hexdigit()))
        };
        let nanos = |key: &str| span[key].as_str().and_then(|text| text.parse::<u64>().ok());
        let (began, ended) = (nanos("startTimeUnixNano"), nanos("endTimeUnixNano"));
        let fine =
            hex("traceId", 32) && hex("spanId", 16) && began.is_some_and(|at| at > 1_600_000_000_000_000_000);
        if !fine || began > ended || !span["name"].is_string() || !span["kind"].is_u64() {
            inner.wrong.push(span.to_string());
        }
        inner.spans.push(span);
    }
    (StatusCode::OK, Json(json!({})))
}

fn traced(more: &str, parent: &'static str) -> hyper::Request<http_body_util::Full<bytes::Bytes>> {
    let mut request = question(more);
    request.headers_mut().insert("traceparent", HeaderValue::from_static(parent));
    request
}

fn named<'a>(spans: &'a [Value], name: &str) -> Vec<&'a Value> {
    spans.iter().filter(|span| span["name"] == name).collect()
}

fn about<'a>(span: &'a Value, key: &str) -> &'a Value {
    let found = span["attributes"].as_array().and_then(|all| all.iter().find(|one| one["key"] == key));
    found.map_or(&Value::Null, |one| &one["value"])
}

#[tokio::test]
async fn a_question_is_one_trace_from_the_vehicle_to_the_upstream_and_back() {
    let mut service = Service::new().await;
    let (collector, more) = Collector::new().await;
    let world = World::new(&[&service], &more).await;
    let anna = world.vehicle("anna");
    assert_eq!(world.ask(&anna, traced(STREAM, ASKS)).await.status, 200);
    let (head, _) = service.request().await;
    let spans = collector.spans(TRACE).await;
    let [whole] = named(&spans, "POST /v1/chat/completions")[..] else { panic!("{spans:#?}") };
    let [queue] = named(&spans, "queue")[..] else { panic!("{spans:#?}") };
    let [call] = named(&spans, "chat m")[..] else { panic!("{spans:#?}") };
    assert_eq!(spans.len(), 3);
    assert_eq!(
        (&whole["parentSpanId"], &whole["kind"]),
        (&json!("00f067aa0ba902b7"), &json!(2)),
        "under the vehicle's"
    );
    for (span, kind) in [(queue, 1), (call, 3)] {
        assert_eq!((&span["parentSpanId"], &span["kind"]), (&whole["spanId"], &json!(kind)));
        assert!(span["startTimeUnixNano"].as_str() >= whole["startTimeUnixNano"].as_str());
        assert!(span["endTimeUnixNano"].as_str() <= whole["endTimeUnixNano"].as_str());
    }
    // What the upstream makes of it is below the call, and it hears that it is recorded.
    let handed = format!("traceparent: 00-{TRACE}-{}-01", call["spanId"].as_str().expect("text"));
    assert!(head.contains(&handed), "{handed} in {head}");
    assert_eq!(call["events"][0]["name"], "first byte");
    assert_eq!(*about(whole, "troika.vehicle"), json!({"stringValue": "anna"}));
    assert_eq!(*about(whole, "gen_ai.usage.output_tokens"), json!({"intValue": "2"}));
    assert!(spans.iter().all(|span| span["status"].is_null()));
    let all = serde_json::to_string(&spans).expect("JSON");
    assert!(!all.contains("CANARY") && !all.contains("Turn"), "none of the words: {all}");
}

#[tokio::test]
async fn an_upstream_that_fails_is_a_span_of_its_own_and_the_next_one_another() {
    let (bad, good) = (Service::new().await, Service::new().await);
    bad.does(vec![Does::Head, Does::Closes]);
    let (collector, more) = Collector::new().await;
    let world = World::new(&[&bad, &good], &more).await;
    let anna = world.vehicle("anna");
    assert_eq!(world.ask(&anna, traced(STREAM, ASKS)).await.status, 200);
    let spans = collector.spans(TRACE).await;
    let calls = named(&spans, "chat m");
    assert_eq!(calls.len(), 2, "{spans:#?}");
    let of = |name: &str| calls.iter().find(|call| about(call, "troika.upstream")["stringValue"] == name);
    assert_eq!(of("u0").expect("asked")["status"], json!({"code": 2, "message": "truncated"}));
    assert!(of("u1").expect("asked")["status"].is_null());
    assert_ne!(calls[0]["spanId"], calls[1]["spanId"]);
    assert!(named(&spans, "POST /v1/chat/completions")[0]["status"].is_null(), "the vehicle was answered");
}

#[tokio::test]
async fn a_stream_that_breaks_is_an_error_and_one_that_the_vehicle_leaves_is_none() {
    let service = Service::new().await;
    service.does(vec![Does::Head, Does::Says("Turn"), Does::Closes]);
    let (collector, more) = Collector::new().await;
    let world = World::new(&[&service], &more).await;
    let anna = world.vehicle("anna");
    world.ask(&anna, traced(STREAM, ASKS)).await;
    let spans = collector.spans(TRACE).await;
    for name in ["chat m", "POST /v1/chat/completions"] {
        assert_eq!(named(&spans, name)[0]["status"]["message"], "truncated", "{spans:#?}");
    }
    service.does(vec![Does::Head, Does::Says("Turn"), Does::Holds]);
    let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (response, task) = world.send(&anna, traced(STREAM, other)).await.expect("begins");
    task.abort();
    drop(response);
    let spans = collector.spans("0af7651916cd43dd8448eb211c80319c").await;
    assert_eq!(spans.len(), 3, "{spans:#?}");
    assert!(spans.iter().all(|span| span["status"].is_null()), "{spans:#?}");
    assert_eq!(
        *about(named(&spans, "POST /v1/chat/completions")[0], "troika.end"),
        json!({"stringValue": "left"})
    );
}

#[tokio::test]
async fn only_a_share_is_recorded_and_what_the_caller_records() {
    let mut service = Service::new().await;
    let (collector, more) = Collector::new().await;
    let world = World::new(&[&service], &format!("{more}ratio = 0.0\n")).await;
    let anna = world.vehicle("anna");
    assert_eq!(world.ask(&anna, traced("", ASKS)).await.status, 200);
    let (head, _) = service.request().await;
    assert!(head.contains(&format!("traceparent: 00-{TRACE}-")) && head.contains("-00\r\n"), "{head}");
    let other = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    assert_eq!(world.ask(&anna, traced("", other)).await.status, 200);
    assert_eq!(collector.spans("0af7651916cd43dd8448eb211c80319c").await.len(), 3);
    assert!(collector.inner().spans.iter().all(|span| span["traceId"] != TRACE));
}

#[tokio::test]
async fn a_collector_that_is_away_holds_up_nobody_and_is_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    drop(listener);
    let service = Service::new().await;
    let more = format!("[trace]\nendpoint = \"http://{address}\"\nevery_ms = 10\nwaiting = 1\nbatch = 1\n");
    let world = World::new(&[&service], &more).await;
    let anna = world.vehicle("anna");
    let lost = |why: &str| {
        let line = format!("gateway_trace_lost_total{{why=\"{why}\"}} ");
        let text = world.gateway.metrics_text();
        text.lines().find_map(|one| one.strip_prefix(&line)?.parse::<u64>().ok()).unwrap_or(0)
    };
    // One batch is being tried, one waits, the next has no room.
    let asking = async {
        while lost("full") == 0 {
            assert_eq!(world.ask(&anna, question("")).await.status, 200);
        }
    };
    tokio::time::timeout(NET, asking).await.expect("in time");
    until(|| lost("collector") >= 3, || world.gateway.metrics_text()).await;
    // It is back.
    let collector = Collector::default();
    let listener = TcpListener::bind(address).await.expect("free again");
    tokio::spawn({
        let collector = collector.clone();
        async move { collector.serve(listener).await }
    });
    until(|| !collector.inner().spans.is_empty(), || world.gateway.metrics_text()).await;
    // A collector that does not want them is not asked again for the same ones.
    collector.inner().refuses = Some(StatusCode::BAD_REQUEST);
    world.ask(&anna, question("")).await;
    until(|| lost("rejected") >= 3, || world.gateway.metrics_text()).await;
    let page = world.admin("GET", "/metrics").await.body;
    assert!(page.contains("gateway_trace_sent_total"), "{page}");
}

#[tokio::test]
async fn a_collector_that_answers_nothing_ends_no_answer_and_keeps_no_gateway() {
    // Takes the connection and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let service = Service::new().await;
    let more = format!("[trace]\nendpoint = \"http://{address}\"\nevery_ms = 10\ntimeout_ms = 60000\n");
    let world = World::new(&[&service], &more).await;
    let anna = world.vehicle("anna");
    for _ in 0..3 {
        assert_eq!(world.ask(&anna, question("")).await.status, 200);
    }
    world.gateway.tracer.flush(troika_kit::Duration::from_millis(100)).await;
    world.end().await;
    drop(listener);
}

#[tokio::test]
async fn what_waits_is_sent_when_the_gateway_goes() {
    let (collector, more) = Collector::new().await;
    let service = Service::new().await;
    let world = World::new(&[&service], &more.replace("every_ms = 10", "every_ms = 60000")).await;
    let anna = world.vehicle("anna");
    assert_eq!(world.ask(&anna, traced("", ASKS)).await.status, 200);
    let gateway = world.gateway.clone();
    world.end().await;
    assert_eq!(collector.inner().posts, 0);
    gateway.tracer.flush(NET).await;
    assert_eq!(collector.spans(TRACE).await.len(), 3);
}
