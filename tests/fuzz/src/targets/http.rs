//! Servers: the bytes of a vehicle's connection at the gateway behind TLS, of a browser's at the view, of Foxglove's at its WebSocket.

use std::{convert::Infallible, future::Future, sync::Arc};

use axum::body::Body;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split},
    runtime::{Builder, Runtime},
    task::yield_now,
};
use troika_gateway::{api, config::Config, fleet::Fleet, gateway::Gateway, identity::VehicleId, serve};
use troika_view::{Options, answers};

use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("gateway_http", gateway, &[]).cases(1_500).longest(8 << 10).memory(8 << 20, 400),
    Target::text("view_http", page, &[]).cases(3_000).longest(8 << 10).memory(8 << 20, 400),
    Target::bytes("foxglove_socket", foxglove).cases(3_000).longest(8 << 10).memory(8 << 20, 400),
];

/// Bytes on their way in one direction.
const ROOM: usize = 64 << 10;
/// So much of what a server says is looked at.
const MOST: u64 = 1 << 20;
/// Streams of a page have no end: they are given so many turns.
const TURNS: usize = 200;

/// What a server says to the bytes of one connection, until it has ended or, of one whose answers have no end, for some turns.
async fn said<F: Future>(serve: impl FnOnce(DuplexStream) -> F, endless: bool, input: &[u8]) -> Vec<u8> {
    let (near, far) = duplex(ROOM);
    let (mut heard, mut speaks) = split(near);
    let mut out = Vec::new();
    let serving = serve(far);
    let both = async {
        let speaking = async {
            // One that has heard enough closes.
            let _ = speaks.write_all(input).await;
            let _ = speaks.shutdown().await;
        };
        let serving = async {
            let _ = serving.await;
        };
        let mut heard = (&mut heard).take(MOST);
        let _ = tokio::join!(serving, speaking, heard.read_to_end(&mut out));
    };
    let turns = async {
        for _ in 0..TURNS {
            yield_now().await;
        }
        if !endless {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        biased;
        () = both => {}
        () = turns => {}
    }
    out
}

/// The status of the first answer; none where the connection was closed without a word, as over bytes that are no HTTP.
fn status(out: &[u8]) -> Option<u16> {
    let line = out.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.is_empty() {
        return None;
    }
    let line = std::str::from_utf8(line).expect("a status line is text");
    let number = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
    let number = number.and_then(|rest| rest.get(..3)?.parse().ok());
    let status = number.unwrap_or_else(|| panic!("no status line: {line:?}"));
    assert!((100..500).contains(&status), "the server is at fault for what it was asked: {line}");
    Some(status)
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A gateway whose one upstream nobody answers at, and that knows no model which an input could ask for.
struct World {
    runtime: Runtime,
    gateway: Arc<Gateway>,
    vehicle: VehicleId,
    _folder: TempDir,
}

impl World {
    fn new() -> World {
        let folder = tempfile::tempdir().expect("a folder");
        Fleet::init(&folder.path().join("fleet"), "fuzz", 30, &[], 1_800_000_000).expect("a fleet");
        let text = "listen = \"127.0.0.1:0\"\ntls = \"fleet/gateway\"\nstore = \"gateway.redb\"\n\
            [[upstreams]]\nname = \"none\"\nurl = \"http://127.0.0.1:9/v1\"\nplain_http = true\n\
            models = [\"2b2d58a7c2f94b0e9f4c1a77\"]\n";
        let file = folder.path().join("gateway.toml");
        std::fs::write(&file, text).expect("written");
        let config = Config::read(&file).expect("a configuration");
        let runtime = runtime();
        let gateway = runtime.block_on(Gateway::start(config)).expect("a gateway");
        let vehicle = VehicleId::new("vehicle-7").expect("an id");
        World { runtime, gateway, vehicle, _folder: folder }
    }
}

fn gateway(bytes: &[u8]) -> bool {
    thread_local! {
        static WORLD: World = World::new();
    }
    WORLD.with(|world| {
        let service = service_fn(|request: Request<Incoming>| {
            let answer = api::answer(world.gateway.clone(), world.vehicle.clone(), request.map(Body::new));
            async { Ok::<_, Infallible>(answer.await) }
        });
        // Who has said everything and closes its side is answered all the same.
        let mut reader = serve::reader(&world.gateway.config);
        reader.half_close(true);
        let serve = |far| reader.serve_connection(TokioIo::new(far), service);
        let out = world.runtime.block_on(said(serve, false, bytes));
        status(&out).is_some_and(|status| status < 300)
    })
}

/// The page is number 0, Foxglove's socket 1.
fn view(which: usize, bytes: &[u8]) -> bool {
    thread_local! {
        static VIEW: (Runtime, [axum::Router; 2]) = {
            let options = Options {
                listen: ([127, 0, 0, 1], 0).into(),
                foxglove: None,
                foxglove_origins: vec!["https://lichtblick.example".to_owned()],
                images: false,
                place: "nowhere".to_owned(),
            };
            (runtime(), answers(&options))
        };
    }
    VIEW.with(|(runtime, routers)| {
        let service = TowerToHyperService::new(routers[which].clone());
        let mut reader = http1::Builder::new();
        reader.half_close(true);
        let serve = |far| reader.serve_connection(TokioIo::new(far), service).with_upgrades();
        let out = runtime.block_on(said(serve, true, bytes));
        status(&out).is_some_and(|status| status < 300)
    })
}

fn page(bytes: &[u8]) -> bool {
    view(0, bytes)
}

fn foxglove(bytes: &[u8]) -> bool {
    view(1, bytes)
}
