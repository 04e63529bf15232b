//! The rest of the vehicle: it has things to send, knows the link and watches the driver.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, channel},
    },
    thread,
    time::Instant,
};

use serde_json::{Value, json};
use troika_conformance::{free_port, program::Program};
use troika_host::{
    Clock, HostClock,
    edge::{Edge, TypedPublisher, TypedSubscription},
};
use troika_kit::{Duration, Ports};
use troika_msgs::{
    builtin_interfaces,
    std_msgs::Header,
    troika::{DriverState, LinkState, OutboxItem, OutboxReceipt},
};
use troika_transport::Transport;
use troika_transport_open::Carrier;
use troika_transport_zenoh::RouterGuard;
use troika_uplink::ports::{Inputs, Outputs};

use crate::gateway::{Gateway, HANGS};

/// Processes that fight for two cores tell nothing of each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Starts the program.
pub(crate) fn start(settings: &Value) -> Program {
    Program::start(env!("CARGO_BIN_EXE_troika-uplink"), &settings.to_string())
}

pub(crate) struct Vehicle {
    pub(crate) receipts: Receiver<OutboxReceipt>,
    pub(crate) item: TypedPublisher<OutboxItem>,
    pub(crate) link: TypedPublisher<LinkState>,
    pub(crate) driver: TypedPublisher<DriverState>,
    pub(crate) edge: Edge,
    pub(crate) endpoint: String,
    transport: Arc<dyn Transport>,
    _subscription: TypedSubscription,
    _router: RouterGuard,
    _alone: MutexGuard<'static, ()>,
}

impl Vehicle {
    pub(crate) fn new() -> Vehicle {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoint = format!("tcp/127.0.0.1:{}", free_port());
        let router = RouterGuard::ensure(&endpoint).expect("the port is free");
        let carrier = Carrier { router: Some(endpoint.clone()), ..Carrier::default() };
        let transport = carrier.open().expect("a session");
        let edge = Edge::new(&*transport, Clock::Host(HostClock::start()), "/", "car").expect("an edge");
        let [receipt, _] = *<Outputs as Ports>::SPECS else { unreachable!() };
        let (sender, receipts) = channel();
        let each = move |sample: troika_kit::Sample<OutboxReceipt>| drop(sender.send(sample.value));
        let subscription = edge.subscribe::<OutboxReceipt>(receipt.topic, receipt.qos, each);
        let [item, link, _, _, driver, _] = *<Inputs as Ports>::SPECS else { unreachable!() };
        Vehicle {
            receipts,
            item: edge.publisher(item.topic, item.qos).expect("a publisher"),
            link: edge.publisher(link.topic, link.qos).expect("a publisher"),
            driver: edge.publisher(driver.topic, driver.qos).expect("a publisher"),
            endpoint,
            _subscription: subscription.expect("a subscription"),
            edge,
            transport,
            _router: router,
            _alone: alone,
        }
    }

    /// With the certificate of the fleet; it tries again soon, for a test's sake.
    pub(crate) fn settings(&self, gateway: &Gateway, folder: &Path) -> Value {
        let file = |name: &str| gateway.vehicle.join(name);
        json!({
            "router": self.endpoint,
            "file": folder.join("outbox.redb"),
            "cloud": {
                "url": format!("https://localhost:{}/v1", gateway.port),
                "ca_file": file("ca.pem"), "certificate_file": file("certificate.pem"),
                "private_key_file": file("key.pem"),
            },
            "outbox": {"retry_first_ms": 100, "retry_longest_ms": 500},
            "delivery": {"pause_first_ms": 50, "pause_longest_ms": 500},
            "report": {"report_s": 0},
        })
    }

    pub(crate) fn starts(&self, settings: &Value) -> Program {
        let program = start(settings);
        let begin = Instant::now();
        while !self.transport.graph().expect("a graph").nodes.iter().any(|name| name == "/uplink") {
            assert!(begin.elapsed() < HANGS, "it is not there");
            thread::sleep(Duration::from_millis(20));
        }
        program
    }

    pub(crate) fn message(&self, key: &str, lives: Duration, bytes: usize) -> OutboxItem {
        OutboxItem {
            header: Header::at(self.edge.now()),
            key: key.into(),
            kind: "message".into(),
            priority: OutboxItem::URGENT,
            lives: builtin_interfaces::Duration::from(lives),
            text: format!("{key} {}", "x".repeat(bytes)),
            ..OutboxItem::default()
        }
    }

    /// Sends one again until its receipt comes.
    pub(crate) fn puts(&mut self, item: &OutboxItem) -> OutboxReceipt {
        let begin = Instant::now();
        loop {
            assert!(begin.elapsed() < HANGS, "no receipt for {}", item.key);
            self.item.send(item).expect("sent");
            let wait = Instant::now();
            while wait.elapsed() < Duration::from_secs(1) {
                match self.receipts.recv_timeout(Duration::from_millis(100)) {
                    Ok(receipt) if receipt.key == item.key => return receipt,
                    _ => {}
                }
            }
        }
    }

    /// Waits for what becomes of it.
    pub(crate) fn becomes(&self, key: &str) -> OutboxReceipt {
        loop {
            let receipt = self.receipts.recv_timeout(HANGS).expect("it is told");
            if receipt.key == key && !matches!(receipt.state, OutboxReceipt::QUEUED | OutboxReceipt::WAITS) {
                return receipt;
            }
        }
    }
}
