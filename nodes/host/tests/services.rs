//! The services that every node has: their names, and what becomes of a request that is none.
#![allow(clippy::unwrap_used, reason = "a test")]

mod common;

use std::{
    sync::{Arc, mpsc},
    time::Duration,
};

use common::Doubler;
use troika_host::{Host, HostOptions, NodeOptions, StopToken, service::OF_EVERY_NODE};
use troika_kit::{Message as _, Qos, Service as _, Time};
use troika_msgs::{
    lifecycle_msgs::{GetState, GetStateRequest, GetStateResponse},
    rcl_interfaces::Log,
};
use troika_transport::{CallError, Client, Transport as _};
use troika_transport_mem::MemTransport;

/// Longer than any machine stands still.
const LONG: Duration = Duration::from_secs(60);

fn hosted(mem: &MemTransport, options: NodeOptions) -> Host {
    let mut host = Host::new(HostOptions { mlock: false, ..HostOptions::default() }, Arc::new(mem.clone()));
    host.manage(|| Ok(Doubler::default()), options).unwrap();
    host.start();
    host
}

fn served(mem: &MemTransport) -> Vec<String> {
    mem.graph().unwrap().services.into_iter().filter(|end| end.serves).map(|end| end.service).collect()
}

fn ask(client: &mut dyn Client, cdr: &[u8]) -> Result<Vec<u8>, CallError> {
    let (sender, answers) = mpsc::channel();
    let on_reply = move |answer: Result<&[u8], CallError>| sender.send(answer.map(<[u8]>::to_vec)).unwrap();
    client.call(cdr, Time::ZERO, Box::new(on_reply)).unwrap();
    answers.recv_timeout(LONG).unwrap()
}

#[test]
fn a_node_has_the_services_of_every_node_below_its_name_and_no_other() {
    let mem = MemTransport::new();
    let mut options = NodeOptions::new("doubler");
    options.namespace = "/car".into();
    let host = hosted(&mem, options);
    let mut all = OF_EVERY_NODE.map(|name| format!("/car/doubler/{name}"));
    all.sort();
    assert_eq!(served(&mem), all);
    host.stop();
}

#[test]
fn a_service_is_served_under_the_name_that_it_is_given() {
    let mem = MemTransport::new();
    let mut options = NodeOptions::new("doubler");
    options.namespace = "/car".into();
    options.services =
        [("get_state", "/state"), ("change_state", "~/change"), ("get_parameters", "parameters")]
            .map(|(service, name)| (service.to_owned(), name.to_owned()))
            .into();
    let host = hosted(&mem, options);
    let names = served(&mem);
    for name in ["/state", "/car/doubler/change", "/car/parameters", "/car/doubler/set_parameters"] {
        assert!(names.iter().any(|served| served == name), "{name}: {names:?}");
    }
    assert_eq!(names.len(), OF_EVERY_NODE.len(), "{names:?}");
    let node = mem.node("/", "asks").unwrap();
    let mut client = node.client("/state", GetState::TYPE).unwrap();
    let mut request = Vec::new();
    GetStateRequest::default().encode(&mut request).unwrap();
    let answer = ask(&mut *client, &request).unwrap();
    assert_eq!(GetStateResponse::decode(&answer).unwrap().current_state.label, "active");
    host.stop();
}

#[test]
fn a_service_that_no_node_has_cannot_be_renamed() {
    let mem = MemTransport::new();
    let mut host = Host::new(HostOptions { mlock: false, ..HostOptions::default() }, Arc::new(mem));
    let mut options = NodeOptions::new("doubler");
    options.services = [("get_stat".to_owned(), "/state".to_owned())].into();
    let refused = host.manage(|| Ok(Doubler::default()), options).unwrap_err().to_string();
    assert!(
        refused.starts_with("/doubler has no service 'get_stat'; it has: list_parameters, "),
        "{refused}"
    );
}

#[test]
fn a_request_that_is_none_is_refused_counted_and_told() {
    let mem = MemTransport::new();
    let (sender, logs) = mpsc::channel();
    let node = mem.node("/", "asks").unwrap();
    let on_log =
        move |cdr: &[u8], _: &troika_transport::Meta| sender.send(Log::decode(cdr).unwrap().msg).unwrap();
    let _rosout = node.subscribe("/rosout", Log::TYPE, Qos::DEFAULT, Box::new(on_log)).unwrap();
    let host = hosted(&mem, NodeOptions::new("doubler"));
    let mut client = node.client("/doubler/get_state", GetState::TYPE).unwrap();
    for garbage in [&b""[..], b"\0", b"\xff\xff\xff\xff\xff"] {
        let refused = ask(&mut *client, garbage).unwrap_err();
        assert!(matches!(&refused, CallError::Refused(why) if why.contains("GetState")), "{refused}");
    }
    while host.stats()[0].unreadable < 3 {
        StopToken::new().wait_for(Duration::from_millis(1));
    }
    let told = logs.iter().find(|said| said.contains("requests could not be read")).unwrap();
    assert!(told.ends_with(" in all"), "{told}");
    let mut request = Vec::new();
    GetStateRequest::default().encode(&mut request).unwrap();
    ask(&mut *client, &request).expect("a sound one is answered as ever");
    host.stop();
}
