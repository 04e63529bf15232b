//! A ROS 2 node by r2r (none of our code): commands in, events out, one JSON object a line, as the Python peers do.

mod wheels;

use std::{
    collections::HashMap,
    error::Error,
    io::{BufRead as _, Write as _},
    rc::Rc,
    sync::mpsc::{TryRecvError, channel},
    thread,
    time::{Duration, Instant},
};

use futures::{StreamExt as _, executor::LocalPool, task::LocalSpawnExt as _};
use r2r::{Client, Context, Node, PublisherUntyped, QosProfile, std_srvs::srv::SetBool};
use serde_json::{Value, json};

/// Between two messages on a topic.
const PERIOD: Duration = Duration::from_millis(50);

fn say(event: &Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{event}").and_then(|()| out.flush()).expect("the test listens");
}

fn lasting(lasting: bool) -> QosProfile {
    if lasting { QosProfile::default().transient_local() } else { QosProfile::default() }
}

struct Peer {
    node: Node,
    pool: LocalPool,
    /// What is said, by topic.
    talking: HashMap<String, (PublisherUntyped, Value)>,
    /// What was said once.
    said: Vec<PublisherUntyped>,
    clients: HashMap<String, Rc<Client<SetBool::Service>>>,
}

impl Peer {
    fn carry_out(&mut self, order: &Value) -> Result<(), Box<dyn Error>> {
        let word = |key: &str| order[key].as_str().ok_or(format!("no {key} in {order}"));
        let topic = word("topic")?.to_owned();
        match word("do")? {
            "talk" => {
                let publisher =
                    self.node.create_publisher_untyped(&topic, word("type")?, QosProfile::default())?;
                self.talking.insert(topic.clone(), (publisher, order["data"].clone()));
                say(&json!({ "event": "talking", "topic": topic }));
            }
            // What late joiners are to get.
            "say" => {
                let publisher = self.node.create_publisher_untyped(&topic, word("type")?, lasting(true))?;
                for value in order["values"].as_array().ok_or("no values")? {
                    publisher.publish(value.clone())?;
                }
                self.said.push(publisher);
                say(&json!({ "event": "said", "topic": topic }));
            }
            "listen" => {
                let qos = lasting(order["lasting"] == true);
                let mut messages = self.node.subscribe_untyped(&topic, word("type")?, qos)?;
                say(&json!({ "event": "listening", "topic": topic }));
                self.pool.spawner().spawn_local(async move {
                    while let Some(message) = messages.next().await {
                        let data = message.expect("a message of the type");
                        say(&json!({ "event": "got", "topic": topic, "data": data }));
                    }
                })?;
            }
            "serve" => {
                let mut requests =
                    self.node.create_service::<SetBool::Service>(&topic, QosProfile::services_default())?;
                say(&json!({ "event": "serving", "topic": topic }));
                self.pool.spawner().spawn_local(async move {
                    while let Some(request) = requests.next().await {
                        let on = request.message.data;
                        let message = if on { "on" } else { "off" }.to_owned();
                        request.respond(SetBool::Response { success: on, message }).expect("answered");
                    }
                })?;
            }
            "ask" => {
                let client = match self.clients.get(&topic) {
                    Some(client) => client.clone(),
                    None => {
                        let qos = QosProfile::services_default();
                        let client = Rc::new(self.node.create_client::<SetBool::Service>(&topic, qos)?);
                        self.clients.insert(topic.clone(), client.clone());
                        client
                    }
                };
                let there = Node::is_available(&*client)?;
                let request: SetBool::Request = serde_json::from_value(order["data"].clone())?;
                self.pool.spawner().spawn_local(async move {
                    there.await.expect("a look");
                    let answer = client.request(&request).expect("asked").await.expect("an answer");
                    say(&json!({ "event": "answered", "topic": topic, "data": answer }));
                })?;
            }
            other => return Err(format!("no order of this peer: {other}").into()),
        }
        Ok(())
    }

    fn talk(&self) -> Result<(), Box<dyn Error>> {
        for (publisher, data) in self.talking.values() {
            // What is sent before the listener is matched is nobody's.
            if publisher.get_inter_process_subscription_count()? > 0 {
                publisher.publish(data.clone())?;
            }
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).ok_or("a node's name")?;
    let node = Node::create(Context::create()?, &name, "")?;
    let mut peer = Peer {
        node,
        pool: LocalPool::new(),
        talking: HashMap::new(),
        said: Vec::new(),
        clients: HashMap::new(),
    };
    let (sender, orders) = channel::<Value>();
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let order = serde_json::from_str(&line).expect("an order");
            sender.send(order).expect("the node's thread listens");
        }
    });
    say(&json!({ "event": "ready" }));
    let mut next = Instant::now();
    loop {
        match orders.try_recv() {
            Ok(order) => peer.carry_out(&order)?,
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Ok(()),
        }
        peer.node.spin_once(PERIOD / 5);
        peer.pool.run_until_stalled();
        if next <= Instant::now() {
            next += PERIOD;
            peer.talk()?;
        }
    }
}
