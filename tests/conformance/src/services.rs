//! What a transport does with services, one function each. `suite!` names them all.

use std::{sync::mpsc::channel, time::Duration};

use troika_kit::TypeInfo;
use troika_transport::{CallError, Client, Meta, NodeHandle, Respond, Server, ServiceEnd, Transport};

use crate::{Network, PATIENCE, stamp, until};

/// A type to serve: of ROS 2's own, one whose request and answer can each hold any text.
pub(crate) const ECHO: TypeInfo = TypeInfo {
    name: "rcl_interfaces/srv/ListParameters",
    hash: "RIHS01_3e6062bfbb27bfb8730d4cef2558221f51a11646d78e7bb30a1e83afac3aad9d",
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

/// A text as a sound request: a sequence of one string, and a number (ListParameters' `prefixes` and `depth`).
fn request(text: &[u8]) -> Vec<u8> {
    let mut cdr = strings(text);
    cdr.resize((cdr.len() - 4).next_multiple_of(8) + 4 + 8, 0);
    cdr
}

/// A text as a sound answer: a sequence of one string, and an empty one (`names` and `prefixes`).
fn answer(text: &[u8]) -> Vec<u8> {
    let mut cdr = strings(text);
    cdr.resize((cdr.len() - 4).next_multiple_of(4) + 4 + 4, 0);
    cdr
}

fn strings(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len() + 1).expect("a text of this suite");
    [b"\x00\x01\x00\x00\x01\x00\x00\x00", &length.to_le_bytes()[..], text, b"\x00"].concat()
}

/// The text of either.
fn text(cdr: &[u8]) -> Vec<u8> {
    let length = cdr.get(8..12).expect("a length").try_into().expect("four bytes");
    let end = 12 + u32::from_le_bytes(length) as usize;
    cdr.get(12..end - 1).expect("a text").to_vec()
}

/// Asks with a text, and waits for the answer's.
fn say(client: &mut dyn Client, asked: &[u8], millis: u64) -> Result<Vec<u8>, CallError> {
    ask(client, &request(asked), millis).map(|cdr| text(&cdr))
}

/// A server that answers at once, with a text to a text.
fn converse(
    node: &dyn NodeHandle,
    service: &str,
    ty: TypeInfo,
    mut reply: impl FnMut(&[u8], &Meta) -> Vec<u8> + Send + 'static,
) -> Box<dyn Server> {
    serve(node, service, ty, move |cdr, meta| Ok(answer(&reply(&text(cdr), meta))))
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

/// A server that answers with the request's text, backwards.
fn mirror(node: &dyn NodeHandle, service: &str, ty: TypeInfo) -> Box<dyn Server> {
    converse(node, service, ty, |text, _| text.iter().rev().copied().collect())
}

fn until_served(client: &dyn Client) {
    until("a server", || client.is_served().expect("a look"));
}

fn ends(transport: &dyn Transport, service: &str) -> Vec<ServiceEnd> {
    let all = transport.graph().expect("graph").services;
    assert!(all.is_sorted(), "{all:?}");
    all.into_iter().filter(|end| end.service == service).collect()
}

/// In another participant and in the same one, with the client's count and id.
pub fn a_request_is_answered(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let (sender, seen) = channel();
    let reply = move |text: &[u8], meta: &Meta| {
        let _ = sender.send(*meta);
        [text, b" too"].concat()
    };
    let _served = converse(&*server, "/car/switch", ECHO, reply);
    let (mut far, mut near) = (
        asks.client("/car/switch", ECHO).expect("client"),
        server.client("/car/switch", ECHO).expect("client"),
    );
    for client in [&mut far, &mut near] {
        until_served(&**client);
        assert_eq!(say(&mut **client, b"this", 7).as_deref(), Ok(&b"this too"[..]));
        let first = seen.recv().expect("a request");
        assert_eq!(say(&mut **client, b"", 8).as_deref(), Ok(&b" too"[..]));
        let second = seen.recv().expect("a request");
        assert_eq!((second.sequence, second.gid), (first.sequence + 1, first.gid));
        assert_ne!(first.gid, [0; 16]);
    }
}

/// A capability: a server sees the stamp that the client gave.
pub fn a_request_has_the_stamp_that_it_was_given(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let (sender, seen) = channel();
    let reply = move |_: &[u8], meta: &Meta| {
        let _ = sender.send(meta.source_time);
        Vec::new()
    };
    let _served = converse(&*server, "/when", ECHO, reply);
    let mut client = asks.client("/when", ECHO).expect("client");
    until_served(&*client);
    for millis in [7, 3] {
        say(&mut *client, b"", millis).expect("an answer");
        assert_eq!(seen.recv(), Ok(stamp(millis)));
    }
}

/// A capability: a transport never looks into requests and answers.
pub fn requests_and_answers_of_any_bytes_arrive_as_they_are(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let backwards = |cdr: &[u8], _: &Meta| Ok(cdr.iter().rev().copied().collect());
    let _served = serve(&*server, "/raw", ECHO, backwards);
    let mut client = asks.client("/raw", ECHO).expect("client");
    until_served(&*client);
    for sample in [&b""[..], b"ab", b"no CDR at all"] {
        let answer = ask(&mut *client, sample, 0).expect("an answer");
        assert!(answer.iter().rev().eq(sample), "{answer:?}");
    }
}

/// Larger than any transport's packet, both ways.
pub fn a_request_and_an_answer_of_a_mebibyte_arrive_whole(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let _served = mirror(&*server, "/large", ECHO);
    let mut client = asks.client("/large", ECHO).expect("client");
    until_served(&*client);
    let asked: Vec<u8> =
        (0..1_u32 << 20).map(|i| b'a' + (i.wrapping_mul(2_654_435_761) >> 24) as u8 % 26).collect();
    let answer = say(&mut *client, &asked, 0).expect("an answer");
    assert!(answer.iter().rev().eq(&asked), "{} bytes of {}", answer.len(), asked.len());
}

/// At the same time, each several requests before the first answer.
pub fn each_of_many_clients_gets_its_own_answers(network: &Network) {
    const CLIENTS: u8 = 4;
    const REQUESTS: u8 = 50;
    let here = network();
    let server = here.node("/", "server").expect("node");
    let _served = mirror(&*server, "/shared", ECHO);
    let participants: Vec<_> = (0..CLIENTS).map(|_| network()).collect();
    let nodes: Vec<_> = participants
        .iter()
        .zip(0..)
        .map(|(one, n)| one.node("/", &format!("asks{n}")).expect("node"))
        .collect();
    let mut clients: Vec<_> =
        nodes.iter().map(|node| node.client("/shared", ECHO).expect("client")).collect();
    let (sender, answers) = channel();
    for (client, who) in clients.iter_mut().zip(0..) {
        until_served(&**client);
        for number in 0..REQUESTS {
            let sender = sender.clone();
            let on_reply = move |answer: Result<&[u8], CallError>| {
                let _ = sender.send((who, number, answer.map(text)));
            };
            client.call(&request(&[b'a' + who, b'a' + number]), stamp(0), Box::new(on_reply)).expect("call");
        }
    }
    let mut got: Vec<(u8, u8)> = Vec::new();
    for _ in 0..usize::from(CLIENTS) * usize::from(REQUESTS) {
        let (who, request, answer) = answers.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(answer, Ok(vec![b'a' + request, b'a' + who]), "of client {who}");
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
    let mut client = asks.client("/lonely", ECHO).expect("client");
    assert!(!client.is_served().expect("a look"));
    assert_eq!(say(&mut *client, b"anyone?", 0), Err(CallError::Nobody));
    let served = mirror(&*server, "/lonely", ECHO);
    until_served(&*client);
    assert_eq!(say(&mut *client, b"ab", 1).as_deref(), Ok(&b"ba"[..]));
    drop(served);
    until("the server's end", || !client.is_served().expect("a look"));
    assert_eq!(say(&mut *client, b"anyone?", 2), Err(CallError::Nobody));
}

/// From another thread, in any order, while others are asked; one that is given after the server's end still comes or is told.
pub fn an_answer_may_come_later(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let (sender, requests) = channel::<(Vec<u8>, Respond)>();
    let on_request = move |cdr: &[u8], _: &Meta, respond: Respond| {
        let _ = sender.send((text(cdr), respond));
    };
    let served = server.serve("/slow", ECHO, Box::new(on_request)).expect("serve");
    let mut client = asks.client("/slow", ECHO).expect("client");
    until_served(&*client);
    let mut ask = |asked: u8| {
        let (sender, answer) = channel();
        let on_reply = move |answer: Result<&[u8], CallError>| {
            let _ = sender.send(answer.map(text));
        };
        client.call(&request(&[asked]), stamp(0), Box::new(on_reply)).expect("call");
        answer
    };
    let answers: Vec<_> = (b'a'..=b'c').map(&mut ask).collect();
    let mut waiting: Vec<_> =
        (0..3).map(|_| requests.recv_timeout(PATIENCE).expect("a request while others wait")).collect();
    waiting.sort_by_key(|(asked, _)| asked.clone());
    for answer in &answers {
        assert!(answer.try_recv().is_err(), "nobody has answered");
    }
    let later = std::thread::spawn(move || {
        for (asked, respond) in waiting.drain(..).rev() {
            respond.answer(Ok(answer(&[&asked[..], b" at last"].concat())));
        }
    });
    for (asked, answer) in (b'a'..).zip(&answers) {
        let got = answer.recv_timeout(PATIENCE).expect("an answer");
        assert_eq!(got, Ok([&[asked][..], b" at last"].concat()));
    }
    later.join().expect("no panic");
    let last = ask(b'z');
    let (_, respond) = requests.recv_timeout(PATIENCE).expect("a request");
    drop(served);
    respond.answer(Ok(answer(b"too late")));
    let got = last.recv_timeout(PATIENCE).expect("an end");
    assert!(
        got.as_deref().is_ok_and(|answer| answer == b"too late") || got == Err(CallError::Nobody),
        "{got:?}"
    );
}

/// A capability: a server that cannot answer says why.
pub fn a_refusal_reaches_the_client_with_its_reason(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let strict = |cdr: &[u8], _: &Meta| match &text(cdr)[..] {
        b"sound" => Ok(answer(b"well")),
        other => Err(format!("{} bytes are no request", other.len())),
    };
    let _served = serve(&*server, "/strict", ECHO, strict);
    let mut client = asks.client("/strict", ECHO).expect("client");
    until_served(&*client);
    let refused = Err(CallError::Refused("7 bytes are no request".to_owned()));
    assert_eq!(say(&mut *client, b"garbage", 0), refused);
    assert_eq!(say(&mut *client, b"sound", 1).as_deref(), Ok(&b"well"[..]));
}

/// A capability: who is forgotten by a server is told.
pub fn a_request_that_is_dropped_is_refused(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let forgets = |_: &[u8], _: &Meta, respond: Respond| drop(respond);
    let _served = server.serve("/forgets", ECHO, Box::new(forgets)).expect("serve");
    let mut client = asks.client("/forgets", ECHO).expect("client");
    until_served(&*client);
    let dropped = say(&mut *client, b"well?", 0);
    assert!(matches!(dropped, Err(CallError::Refused(_))), "{dropped:?}");
}

/// Same name, other type: not asked, and all are on the graph.
pub fn another_type_of_the_same_service_stays_apart(network: &Network) {
    let (here, there, elsewhere) = (network(), network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let stranger = elsewhere.node("/", "stranger").expect("node");
    let _served = mirror(&*server, "/mixed", ECHO);
    let mut same = asks.client("/mixed", ECHO).expect("client");
    let mut other = stranger.client("/mixed", TRIGGER).expect("client");
    until_served(&*same);
    assert_eq!(ask(&mut *other, b"\x00\x01\x00\x00\x00", 0), Err(CallError::Nobody));
    assert_eq!(say(&mut *same, b"ab", 0).as_deref(), Ok(&b"ba"[..]));
    until("all three", || ends(&*here, "/mixed").len() == 3);
}

/// A capability: same name and type, another version of it: not asked.
pub fn another_hash_of_the_same_service_stays_apart(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let _served = mirror(&*server, "/versions", ECHO);
    let mut same = asks.client("/versions", ECHO).expect("client");
    let mut newer = asks.client("/versions", TypeInfo { hash: TRIGGER.hash, ..ECHO }).expect("client");
    until_served(&*same);
    assert_eq!(say(&mut *newer, b"ab", 0), Err(CallError::Nobody));
    assert_eq!(say(&mut *same, b"ab", 0).as_deref(), Ok(&b"ba"[..]));
}

/// Servers and clients, from both sides.
pub fn a_service_is_on_the_graph_while_it_lives(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/car", "server").expect("node"), there.node("/", "asks").expect("node"));
    let served = mirror(&*server, "/car/door", ECHO);
    let client = asks.client("/car/door", ECHO).expect("client");
    let end = |node: &str, serves| ServiceEnd {
        node: node.into(),
        service: "/car/door".into(),
        type_name: ECHO.name.into(),
        type_hash: String::new(),
        serves,
    };
    for participant in [&here, &there] {
        until("both", || {
            let mut seen = ends(&**participant, "/car/door");
            seen.iter_mut().for_each(|end| end.type_hash.clear());
            seen == [end("/asks", false), end("/car/server", true)]
        });
    }
    drop(served);
    drop(client);
    for participant in [&here, &there] {
        until("their end", || ends(&**participant, "/car/door").is_empty());
    }
}

/// A capability: the graph tells them.
pub fn a_service_is_on_the_graph_with_its_hash(network: &Network) {
    let (here, there) = (network(), network());
    let server = here.node("/car", "server").expect("node");
    let _served = mirror(&*server, "/car/door", ECHO);
    until("the server", || ends(&*there, "/car/door").iter().any(|end| end.type_hash == ECHO.hash));
}

/// While the client goes on in another thread.
pub fn no_request_comes_after_a_server_is_dropped(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let mut client = asks.client("/busy", ECHO).expect("client");
    let (stop, stopped) = channel::<()>();
    let stream = std::thread::spawn(move || {
        while stopped.try_recv().is_err() {
            let (sender, answered) = channel::<()>();
            let on_reply = move |_: Result<&[u8], CallError>| drop(sender);
            client.call(&request(b"ab"), stamp(0), Box::new(on_reply)).expect("call");
            // Not for long: the server may have gone with it.
            let _end = answered.recv_timeout(Duration::from_millis(20));
        }
    });
    for _ in 0..10 {
        let (sender, calls) = channel();
        let reply = move |_: &[u8], _: &Meta| {
            let _ = sender.send(());
            Vec::new()
        };
        let served = converse(&*server, "/busy", ECHO, reply);
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

/// A capability: a request is lost with its server, although another one is there at once.
pub fn a_request_whose_server_is_replaced_is_told(network: &Network) {
    let (here, there) = (network(), network());
    let (server, asks) = (here.node("/", "server").expect("node"), there.node("/", "asks").expect("node"));
    let (sender, requests) = channel();
    let keeps = move |_: &[u8], _: &Meta, respond: Respond| {
        let _ = sender.send(respond);
    };
    let first = server.serve("/handed_on", ECHO, Box::new(keeps)).expect("serve");
    let mut client = asks.client("/handed_on", ECHO).expect("client");
    until_served(&*client);
    let (sender, answers) = channel();
    let on_reply = move |answer: Result<&[u8], CallError>| {
        let _ = sender.send(answer.map(<[u8]>::to_vec));
    };
    client.call(&request(b"ab"), stamp(0), Box::new(on_reply)).expect("call");
    let held = requests.recv_timeout(PATIENCE).expect("a request");
    drop(first);
    let _second = mirror(&*server, "/handed_on", ECHO);
    drop(held);
    answers.recv_timeout(PATIENCE).expect("an end").expect_err("the first server gave no answer");
    until("the second server", || say(&mut *client, b"ab", 0).as_deref() == Ok(&b"ba"[..]));
}

/// The same client, several lives of a server in participants of their own.
pub fn a_server_that_comes_back_is_found_again(network: &Network) {
    let there = network();
    let asks = there.node("/", "asks").expect("node");
    let mut client = asks.client("/again", ECHO).expect("client");
    for life in 0..5_u8 {
        let here = network();
        let server = here.node("/", "server").expect("node");
        let _served = converse(&*server, "/again", ECHO, move |_, _| vec![b'a' + life]);
        until("this life's answer", || say(&mut *client, b"who?", 0) == Ok(vec![b'a' + life]));
    }
}
