//! What a transport does with services, one function each. `suite!` names them all.

use std::sync::mpsc::channel;

use troika_kit::TypeInfo;
use troika_transport::{CallError, Client, Meta, NodeHandle, Respond, Server, ServiceEnd, Transport};

use crate::{Network, PATIENCE, stamp, until};

/// A type to serve; the suite never looks into the bytes.
const SET_BOOL: TypeInfo = TypeInfo {
    name: "std_srvs/srv/SetBool",
    hash: "RIHS01_abe9e4bb6b41b40e6789712c00ec8871923e089af3f667a79992a428cff2da0a",
};
const TRIGGER: TypeInfo = TypeInfo {
    name: "std_srvs/srv/Trigger",
    hash: "RIHS01_eeff2cd6fa5ad9d27cdf4dec64818317839b62f212a91e6b5304b634b2062c5f",
};

/// Asks, and waits for the answer.
///
/// # Errors
/// Why there is none.
///
/// # Panics
/// When nothing comes within [`PATIENCE`], not even that.
pub fn ask(client: &mut dyn Client, cdr: &[u8], millis: u64) -> Result<Vec<u8>, CallError> {
    let (sender, answers) = channel();
    let on_reply = move |answer: Result<&[u8], CallError>| {
        let _ = sender.send(answer.map(<[u8]>::to_vec));
    };
    client.call(cdr, stamp(millis), Box::new(on_reply)).expect("call");
    answers.recv_timeout(PATIENCE).expect("an answer or its lack")
}

/// A server that answers at once.
fn serve(
    node: &dyn NodeHandle,
    service: &str,
    ty: TypeInfo,
    mut answer: impl FnMut(&[u8], &Meta) -> Result<Vec<u8>, String> + Send + 'static,
) -> Box<dyn Server> {
    let on_request = move |cdr: &[u8], meta: &Meta, respond: Respond| respond.answer(answer(cdr, meta));
    node.serve(service, ty, Box::new(on_request)).expect("serve")
}

/// A server that answers with the request, backwards.
fn mirror(node: &dyn NodeHandle, service: &str, ty: TypeInfo) -> Box<dyn Server> {
    let answer = |cdr: &[u8], _: &Meta| Ok(cdr.iter().rev().copied().collect());
    serve(node, service, ty, answer)
}

fn until_served(client: &dyn Client) {
    until("a server", || client.is_served().expect("a look"));
}

fn ends(transport: &dyn Transport, service: &str) -> Vec<ServiceEnd> {
    let all = transport.graph().expect("graph").services;
    assert!(all.is_sorted(), "{all:?}");
    all.into_iter().filter(|end| end.service == service).collect()
}

/// In another participant and in the same one, with the client's stamp, count and id.
pub fn a_request_is_answered(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let (sender, seen) = channel();
    let answer = move |cdr: &[u8], meta: &Meta| {
        let _ = sender.send(*meta);
        Ok([cdr, b" too"].concat())
    };
    let _served = serve(&*server, "/car/switch", SET_BOOL, answer);
    let (mut far, mut near) = (
        asks.client("/car/switch", SET_BOOL).expect("client"),
        server.client("/car/switch", SET_BOOL).expect("client"),
    );
    for client in [&mut far, &mut near] {
        until_served(&**client);
        assert_eq!(ask(&mut **client, b"this", 7).as_deref(), Ok(&b"this too"[..]));
        let first = seen.recv().expect("a request");
        assert_eq!(first.source_time, stamp(7));
        assert_eq!(ask(&mut **client, b"", 8).as_deref(), Ok(&b" too"[..]));
        let second = seen.recv().expect("a request");
        assert_eq!((second.sequence, second.gid), (first.sequence + 1, first.gid));
        assert_ne!(first.gid, [0; 16]);
    }
}

/// Larger than any transport's packet, both ways.
pub fn a_request_and_an_answer_of_a_mebibyte_arrive_whole(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let _served = mirror(&*server, "/large", SET_BOOL);
    let mut client = asks.client("/large", SET_BOOL).expect("client");
    until_served(&*client);
    let request: Vec<u8> = (0..1_u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let answer = ask(&mut *client, &request, 0).expect("an answer");
    assert!(answer.iter().rev().eq(&request), "{} bytes of {}", answer.len(), request.len());
}

/// At the same time, each several requests before the first answer.
pub fn each_of_many_clients_gets_its_own_answers(network: &Network) {
    const CLIENTS: u8 = 4;
    const REQUESTS: u8 = 50;
    let here = network();
    let server = here.node("/", "server").expect("node");
    let _served = mirror(&*server, "/shared", SET_BOOL);
    let participants: Vec<_> = (0..CLIENTS).map(|_| network()).collect();
    let nodes: Vec<_> = participants
        .iter()
        .zip(0..)
        .map(|(one, n)| one.node("/", &format!("asks{n}")).expect("node"))
        .collect();
    let mut clients: Vec<_> =
        nodes.iter().map(|node| node.client("/shared", SET_BOOL).expect("client")).collect();
    let (sender, answers) = channel();
    for (client, who) in clients.iter_mut().zip(0..) {
        until_served(&**client);
        for request in 0..REQUESTS {
            let sender = sender.clone();
            let on_reply = move |answer: Result<&[u8], CallError>| {
                let _ = sender.send((who, request, answer.map(<[u8]>::to_vec)));
            };
            client.call(&[who, request], stamp(0), Box::new(on_reply)).expect("call");
        }
    }
    let mut got: Vec<(u8, u8)> = Vec::new();
    for _ in 0..usize::from(CLIENTS) * usize::from(REQUESTS) {
        let (who, request, answer) = answers.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(answer, Ok(vec![request, who]), "of client {who}");
        got.push((who, request));
    }
    got.sort_unstable();
    got.dedup();
    assert_eq!(got.len(), usize::from(CLIENTS) * usize::from(REQUESTS), "each request is answered once");
}

/// From the start, and when the server has gone.
pub fn a_service_that_nobody_serves_is_told(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let mut client = asks.client("/lonely", SET_BOOL).expect("client");
    assert!(!client.is_served().expect("a look"));
    assert_eq!(ask(&mut *client, b"anyone?", 0), Err(CallError::Nobody));
    let served = mirror(&*server, "/lonely", SET_BOOL);
    until_served(&*client);
    assert_eq!(ask(&mut *client, b"ab", 1).as_deref(), Ok(&b"ba"[..]));
    drop(served);
    until("the server's end", || !client.is_served().expect("a look"));
    assert_eq!(ask(&mut *client, b"anyone?", 2), Err(CallError::Nobody));
}

/// From another thread, in any order, while others are asked; one that is dropped is refused, and one that is given after the
/// server's end still comes or is told.
pub fn an_answer_may_come_later(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let (sender, requests) = channel::<(Vec<u8>, Respond)>();
    let on_request = move |cdr: &[u8], _: &Meta, respond: Respond| {
        let _ = sender.send((cdr.to_vec(), respond));
    };
    let served = server.serve("/slow", SET_BOOL, Box::new(on_request)).expect("serve");
    let mut client = asks.client("/slow", SET_BOOL).expect("client");
    until_served(&*client);
    let mut ask = |request: u8| {
        let (sender, answer) = channel();
        let on_reply = move |answer: Result<&[u8], CallError>| {
            let _ = sender.send(answer.map(<[u8]>::to_vec));
        };
        client.call(&[request], stamp(0), Box::new(on_reply)).expect("call");
        answer
    };
    let answers: Vec<_> = (0..3).map(&mut ask).collect();
    let mut waiting: Vec<_> =
        (0..3).map(|_| requests.recv_timeout(PATIENCE).expect("a request while others wait")).collect();
    waiting.sort_by_key(|(request, _)| request.clone());
    for answer in &answers {
        assert!(answer.try_recv().is_err(), "nobody has answered");
    }
    let later = std::thread::spawn(move || {
        for (request, respond) in waiting.drain(1..).rev() {
            respond.answer(Ok([&request[..], b" at last"].concat()));
        }
        waiting
    });
    for (request, answer) in (0..).zip(&answers).skip(1) {
        let got = answer.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(got, Ok([&[request][..], b" at last"].concat()));
    }
    drop(later.join().expect("no panic"));
    let dropped = answers[0].recv_timeout(PATIENCE).expect("an end");
    assert!(matches!(dropped, Err(CallError::Refused(_))), "{dropped:?}");
    let last = ask(9);
    let (_, respond) = requests.recv_timeout(PATIENCE).expect("a request");
    drop(served);
    respond.answer(Ok(b"too late".to_vec()));
    let got = last.recv_timeout(PATIENCE).expect("an end");
    assert!(
        got.as_deref().is_ok_and(|answer| answer == b"too late") || got == Err(CallError::Nobody),
        "{got:?}"
    );
}

/// Bytes that are no request, for example.
pub fn a_refusal_reaches_the_client_with_its_reason(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let answer = |cdr: &[u8], _: &Meta| match cdr {
        b"sound" => Ok(b"well".to_vec()),
        other => Err(format!("{} bytes are no request", other.len())),
    };
    let _served = serve(&*server, "/strict", SET_BOOL, answer);
    let mut client = asks.client("/strict", SET_BOOL).expect("client");
    until_served(&*client);
    let refused = Err(CallError::Refused("7 bytes are no request".to_owned()));
    assert_eq!(ask(&mut *client, b"garbage", 0), refused);
    assert_eq!(ask(&mut *client, b"sound", 1).as_deref(), Ok(&b"well"[..]));
}

/// Same name, other type or hash: not asked, and all are on the graph.
pub fn another_type_of_the_same_service_stays_apart(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let _served = mirror(&*server, "/mixed", SET_BOOL);
    let mut same = asks.client("/mixed", SET_BOOL).expect("client");
    let mut other = asks.client("/mixed", TRIGGER).expect("client");
    let mut newer = asks.client("/mixed", TypeInfo { hash: TRIGGER.hash, ..SET_BOOL }).expect("client");
    until_served(&*same);
    assert_eq!(ask(&mut *other, b"ab", 0), Err(CallError::Nobody));
    assert_eq!(ask(&mut *newer, b"ab", 0), Err(CallError::Nobody));
    assert_eq!(ask(&mut *same, b"ab", 0).as_deref(), Ok(&b"ba"[..]));
    until("all four", || ends(&*here, "/mixed").len() == 4);
}

/// Servers and clients, from both sides.
pub fn a_service_is_on_the_graph_while_it_lives(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/car", "server").expect("node"), there.node("/", "asks").expect("node"));
    let served = mirror(&*server, "/car/door", SET_BOOL);
    let client = asks.client("/car/door", SET_BOOL).expect("client");
    let end = |node: &str, serves| ServiceEnd {
        node: node.into(),
        service: "/car/door".into(),
        type_name: SET_BOOL.name.into(),
        type_hash: SET_BOOL.hash.into(),
        serves,
    };
    for participant in [&here, &there] {
        until("both", || {
            ends(&**participant, "/car/door") == [end("/asks", false), end("/car/server", true)]
        });
    }
    drop(served);
    drop(client);
    for participant in [&here, &there] {
        until("their end", || ends(&**participant, "/car/door").is_empty());
    }
}

/// While the client goes on in another thread.
pub fn no_request_comes_after_a_server_is_dropped(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let mut client = asks.client("/busy", SET_BOOL).expect("client");
    let (stop, stopped) = channel::<()>();
    let stream = std::thread::spawn(move || {
        while stopped.try_recv().is_err() {
            let _nobody_between = ask(&mut *client, b"ab", 0);
        }
    });
    for _ in 0..10 {
        let (sender, calls) = channel();
        let answer = move |_: &[u8], _: &Meta| {
            let _ = sender.send(());
            Ok(Vec::new())
        };
        let served = serve(&*server, "/busy", SET_BOOL, answer);
        calls.recv_timeout(PATIENCE).expect("a request");
        drop(served);
        while calls.try_recv().is_ok() {}
        for _ in 0..50 {
            std::thread::yield_now();
            assert!(calls.try_recv().is_err(), "a call after the drop");
        }
    }
    stop.send(()).expect("the stream listens");
    stream.join().expect("the stream ends");
}

/// The same client, several lives of a server in participants of their own.
pub fn a_server_that_comes_back_is_found_again(network: &Network) {
    let there = network();
    let asks = there.node("/", "asks").expect("node");
    let mut client = asks.client("/again", SET_BOOL).expect("client");
    for life in 0..5_u8 {
        let here = network();
        let server = here.node("/", "server").expect("node");
        let answer = move |_: &[u8], _: &Meta| Ok(vec![life]);
        let _served = serve(&*server, "/again", SET_BOOL, answer);
        until("this life's answer", || ask(&mut *client, b"who?", 0) == Ok(vec![life]));
    }
}
