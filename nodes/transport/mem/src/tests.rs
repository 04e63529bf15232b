use super::*;

const STRING: TypeInfo = TypeInfo { name: "std_msgs/msg/String", hash: "RIHS01_aa" };
const BOOL: TypeInfo = TypeInfo { name: "std_msgs/msg/Bool", hash: "RIHS01_bb" };
const LATCHED: Qos = Qos { transient_local: true, depth: 2, ..Qos::DEFAULT };

type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

fn hears(node: &dyn NodeHandle, topic: &str, ty: TypeInfo, qos: Qos) -> (Heard, Box<dyn Subscription>) {
    let heard = Heard::default();
    let into = heard.clone();
    let on_message = Box::new(move |cdr: &[u8], _: &Meta| into.lock().unwrap().push(cdr.to_vec()));
    (heard, node.subscribe(topic, ty, qos, on_message).unwrap())
}

#[test]
fn every_subscription_has_the_message_when_put_returns() {
    let mem = MemTransport::new();
    let node = mem.node("/", "talker").unwrap();
    let (one, _a) = hears(&*node, "/chatter", STRING, Qos::DEFAULT);
    let (two, _b) = hears(&*node, "/chatter", STRING, Qos::DEFAULT);
    let mut publisher = node.publisher("/chatter", STRING, Qos::DEFAULT).unwrap();
    publisher.put(b"hi", Time::ZERO).unwrap();
    assert_eq!((one.lock().unwrap().len(), two.lock().unwrap().len()), (1, 1));
}

#[test]
fn endpoints_of_another_type_or_topic_stay_apart_and_are_on_the_graph() {
    let mem = MemTransport::new();
    let node = mem.node("/car", "talker").unwrap();
    let (other_type, _a) = hears(&*node, "/chatter", BOOL, Qos::DEFAULT);
    let (other_topic, _b) = hears(&*node, "/chat", STRING, Qos::DEFAULT);
    node.publisher("/chatter", STRING, Qos::DEFAULT).unwrap().put(b"hi", Time::ZERO).unwrap();
    assert!(other_type.lock().unwrap().is_empty() && other_topic.lock().unwrap().is_empty());
    let graph = mem.graph().unwrap();
    assert_eq!(graph.nodes, ["/car/talker"]);
    let seen: Vec<_> = graph.endpoints.iter().map(|e| (e.topic.as_str(), e.type_name.as_str())).collect();
    assert_eq!(seen, [("/chat", STRING.name), ("/chatter", BOOL.name)]);
}

#[test]
fn who_is_dropped_is_off_the_graph_and_hears_no_more() {
    let mem = MemTransport::new();
    let node = mem.node("/", "talker").unwrap();
    let (heard, subscription) = hears(&*node, "/chatter", STRING, Qos::DEFAULT);
    let mut publisher = node.publisher("/chatter", STRING, Qos::DEFAULT).unwrap();
    drop(subscription);
    publisher.put(b"hi", Time::ZERO).unwrap();
    drop((publisher, node));
    assert!(heard.lock().unwrap().is_empty());
    assert_eq!(mem.graph().unwrap(), Graph::default());
}

#[test]
fn a_late_joiner_gets_the_last_messages_of_a_latched_topic_only() {
    let mem = MemTransport::new();
    let node = mem.node("/", "talker").unwrap();
    let mut latched = node.publisher("/mode", STRING, LATCHED).unwrap();
    let mut plain = node.publisher("/chatter", STRING, Qos::DEFAULT).unwrap();
    for text in [b"1", b"2", b"3"] {
        latched.put(text, Time::ZERO).unwrap();
        plain.put(text, Time::ZERO).unwrap();
    }
    let (late, _a) = hears(&*node, "/mode", STRING, LATCHED);
    let (volatile, _b) = hears(&*node, "/mode", STRING, Qos::DEFAULT);
    let (unlatched, _c) = hears(&*node, "/chatter", STRING, LATCHED);
    assert_eq!(*late.lock().unwrap(), [b"2", b"3"]);
    assert!(volatile.lock().unwrap().is_empty() && unlatched.lock().unwrap().is_empty());
}

#[test]
fn a_message_put_from_a_callback_follows_after_it_and_before_the_outer_put_returns() {
    let mem = MemTransport::new();
    let node = mem.node("/", "relay").unwrap();
    let order = Heard::default();
    let (first, second) = (order.clone(), order.clone());
    let mut relay = node.publisher("/out", STRING, Qos::DEFAULT).unwrap();
    let relaying = move |cdr: &[u8], _: &Meta| {
        relay.put(b"relayed", Time::ZERO).unwrap();
        first.lock().unwrap().push(cdr.to_vec());
    };
    let _in = node.subscribe("/in", STRING, Qos::DEFAULT, Box::new(relaying)).unwrap();
    let last = move |cdr: &[u8], _: &Meta| second.lock().unwrap().push(cdr.to_vec());
    let _out = node.subscribe("/out", STRING, Qos::DEFAULT, Box::new(last)).unwrap();
    node.publisher("/in", STRING, Qos::DEFAULT).unwrap().put(b"in", Time::ZERO).unwrap();
    assert_eq!(*order.lock().unwrap(), [b"in".to_vec(), b"relayed".to_vec()]);
}

#[test]
fn messages_count_up_and_carry_their_publisher_and_stamp() {
    let mem = MemTransport::new();
    let node = mem.node("/", "talker").unwrap();
    let metas = Arc::new(Mutex::new(Vec::new()));
    let into = metas.clone();
    let on_message = Box::new(move |_: &[u8], meta: &Meta| into.lock().unwrap().push(*meta));
    let _subscription = node.subscribe("/chatter", STRING, Qos::DEFAULT, on_message).unwrap();
    let mut publisher = node.publisher("/chatter", STRING, Qos::DEFAULT).unwrap();
    publisher.put(b"a", Time::from_nanos(5)).unwrap();
    publisher.put(b"b", Time::from_nanos(6)).unwrap();
    let metas = metas.lock().unwrap();
    assert_eq!((metas[0].sequence, metas[1].sequence), (1, 2));
    assert_eq!(metas[1].source_time, Time::from_nanos(6));
    assert_eq!(metas[0].gid, metas[1].gid);
}

#[test]
fn threads_that_publish_at_once_lose_nothing_and_keep_their_own_order() {
    let mem = MemTransport::new();
    let node = mem.node("/", "listener").unwrap();
    let (heard, _subscription) = hears(&*node, "/chatter", STRING, Qos::DEFAULT);
    thread::scope(|scope| {
        for who in 0..4_u8 {
            let mut publisher = node.publisher("/chatter", STRING, Qos::DEFAULT).unwrap();
            scope.spawn(move || (0..200_u8).for_each(|n| publisher.put(&[who, n], Time::ZERO).unwrap()));
        }
    });
    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 800);
    for who in 0..4_u8 {
        assert!(heard.iter().filter(|m| m[0] == who).map(|m| m[1]).eq(0..200));
    }
}
