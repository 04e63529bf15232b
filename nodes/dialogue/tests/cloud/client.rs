//! The client against a service on loopback, over real TLS, that misbehaves by script.

use std::{
    fs,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use crate::service::{Does, Saw, Service, call, closed_port, event};
use tempfile::TempDir;
use troika_dialogue::{
    CloudConfig, Fault, FromCloud, HttpUpstream, Trace, Upstream,
    chat::{ChatRequest, MOST_EVENT, Message},
};

const WITHIN: Duration = Duration::from_secs(20);

struct Client {
    upstream: HttpUpstream,
    said: mpsc::Receiver<(u64, FromCloud)>,
    _files: TempDir,
}

fn client(url: &str, ca: &str, change: impl FnOnce(&mut CloudConfig)) -> Client {
    let files = tempfile::tempdir().expect("a folder");
    let path = files.path().join("ca.pem");
    fs::write(&path, ca).expect("written");
    let mut config = CloudConfig::new(url, "test-model");
    config.ca_file = Some(path);
    change(&mut config);
    let (tell, said) = mpsc::channel();
    let sink = Arc::new(move |stream, what| drop(tell.send((stream, what))));
    let upstream = HttpUpstream::when_there(&config, sink).expect("a client");
    Client { upstream, said, _files: files }
}

fn of(service: &Service) -> Client {
    client(&service.url, &service.ca, |_| {})
}

fn question() -> ChatRequest {
    ChatRequest {
        model: String::new(),
        messages: vec![Message::User("Where is a cafe?".into())],
        tools: Vec::new(),
        most_tokens: 50,
    }
}

impl Client {
    fn next(&self) -> (u64, FromCloud) {
        self.said.recv_timeout(WITHIN).expect("the client says something within 20 s")
    }

    /// All that stream 1 says: its text, and its last word.
    fn answer(&mut self, stream: u64) -> (String, FromCloud) {
        self.upstream.start(stream, question());
        let mut text = String::new();
        loop {
            match self.next() {
                (one, FromCloud::Text(more)) if one == stream => text.push_str(&more),
                (one, last) if one == stream => return (text, last),
                _ => {}
            }
        }
    }

    fn fault(&mut self) -> Fault {
        match self.answer(1) {
            (_, FromCloud::Failed(fault)) => fault,
            other => panic!("no fault, but {other:?}"),
        }
    }
}

#[test]
fn an_answer_comes_in_pieces_and_the_connection_is_kept_for_the_next() {
    let service = Service::new("localhost");
    let mut client = of(&service);
    for stream in 1..=3 {
        service.does(vec![
            Does::Head,
            Does::Text("It is ".into()),
            Does::Text("on the left.".into()),
            Does::Ends,
        ]);
        assert_eq!(client.answer(stream), ("It is on the left.".into(), FromCloud::Done));
        // The last bytes of the answer are read after its last word was told.
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut connections = 0;
    let mut requests = 0;
    while requests < 3 {
        service.sees(|saw| match saw {
            Saw::Connection => {
                connections += 1;
                None
            }
            Saw::Request(head, body) => {
                assert!(head.starts_with("post /v1/chat/completions http/1.1"), "{head}");
                assert_eq!((&body["stream"], &body["model"]), (&true.into(), &"test-model".into()));
                requests += 1;
                Some(())
            }
            other => panic!("{other:?}"),
        });
    }
    // One, but on a machine that is so busy that the end of an answer is read later than the next question is asked.
    assert!(connections < 3, "a connection for every question");
}

#[test]
fn a_question_goes_out_under_its_own_trace_and_the_next_one_under_none() {
    let service = Service::new("localhost");
    let mut client = of(&service);
    let trace = Trace::of("ask-1", 7).parent(1);
    client.upstream.trace(Some(trace.clone()));
    let head = |client: &mut Client, stream| {
        service.does(vec![Does::Head, Does::Text("Yes.".into()), Does::Ends]);
        client.answer(stream);
        service.sees(|saw| if let Saw::Request(head, _) = saw { Some(head) } else { None })
    };
    let first = head(&mut client, 1);
    assert!(first.contains(&format!("traceparent: {trace}")), "{first}");
    assert!(!head(&mut client, 2).contains("traceparent"));
}

#[test]
fn the_key_goes_with_the_question_and_nowhere_else() {
    troika_safety::verifies![SR_RTE_010];
    let service = Service::new("localhost");
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    fs::write(&key, "sk-secret\n").expect("written");
    let mut client = client(&service.url, &service.ca, |config| config.key_file = Some(key));
    service.does(vec![Does::Answer(307, "Location: https://elsewhere.invalid/v1\r\n", "")]);
    assert!(matches!(client.fault(), Fault::Refused { status: 307, .. }));
    let head = service.sees(|saw| if let Saw::Request(head, _) = saw { Some(head) } else { None });
    assert!(head.contains("authorization: bearer sk-secret"), "{head}");
}

#[test]
fn whatever_byte_the_connection_is_reset_at_what_came_is_a_beginning_of_the_answer() {
    let words = ["Über ", "die ", "Brücke, ", "dann ", "links. ", "1.5 ", "km."];
    let stream: Vec<u8> = words.iter().flat_map(|word| event(word).into_bytes()).collect();
    let service = Service::new("localhost");
    for cut in (0..stream.len()).step_by(9) {
        let mut client = of(&service);
        service.does(vec![Does::Head, Does::Bytes(stream[..cut].to_vec()), Does::Resets]);
        let (text, last) = client.answer(1);
        assert!(words.concat().starts_with(&text), "{text:?} at {cut}");
        assert!(matches!(last, FromCloud::Failed(Fault::Reset(_) | Fault::Truncated)), "{last:?} at {cut}");
    }
}

#[test]
fn a_stream_that_is_closed_without_its_end_is_no_answer() {
    let service = Service::new("localhost");
    let mut client = of(&service);
    service.does(vec![Does::Head, Does::Text("It is ".into()), Does::Closes]);
    let (text, last) = client.answer(1);
    assert_eq!(text, "It is ");
    assert!(matches!(last, FromCloud::Failed(Fault::Truncated | Fault::Reset(_))), "{last:?}");
}

#[test]
fn a_barge_in_closes_the_socket_at_once() {
    troika_safety::verifies![SR_RTE_006];
    let service = Service::new("localhost");
    let mut late = Vec::new();
    for _ in 0..20 {
        let mut client = of(&service);
        service.does(vec![Does::Head, Does::Text("It is ".into()), Does::Holds]);
        client.upstream.start(1, question());
        assert_eq!(client.next(), (1, FromCloud::Text("It is ".into())));
        let stopped = Instant::now();
        client.upstream.stop(1);
        let closed = service.sees(|saw| if let Saw::Closed(when) = saw { Some(when) } else { None });
        late.push(closed.saturating_duration_since(stopped));
    }
    late.sort();
    println!("from stop to closed at the service: median {:?}, longest {:?}", late[10], late[19]);
    // The client is usable afterwards: what was shut down was that connection, not it.
    let mut client = of(&service);
    service.does(vec![Does::Head, Does::Holds]);
    client.upstream.start(1, question());
    service.sees(|saw| matches!(saw, Saw::Request(..)).then_some(()));
    client.upstream.stop(1);
    service.does(vec![Does::Head, Does::Text("Yes.".into()), Does::Ends]);
    assert_eq!(client.answer(2), ("Yes.".into(), FromCloud::Done));
}

#[test]
fn a_service_that_says_nothing_is_given_up_by_the_net_below_too() {
    let service = Service::new("localhost");
    let mut client = client(&service.url, &service.ca, |config| config.head_ms = 200);
    service.does(vec![Does::Holds]);
    assert_eq!(client.fault(), Fault::Timeout("the answer's head"));
    let mut client = self::client(&service.url, &service.ca, |config| config.answer_ms = 1500);
    service.does(vec![Does::Head, Does::Text("It is ".into()), Does::Holds]);
    assert_eq!(client.answer(1), ("It is ".into(), FromCloud::Failed(Fault::Timeout("the whole answer"))));
}

#[test]
fn a_slow_drip_is_an_answer() {
    let service = Service::new("localhost");
    let mut client = of(&service);
    let mut does = vec![Does::Head];
    for byte in event("Brücke").bytes() {
        does.extend([Does::Bytes(vec![byte]), Does::Waits(Duration::from_millis(2))]);
    }
    does.push(Does::Ends);
    service.does(does);
    assert_eq!(client.answer(1), ("Brücke".into(), FromCloud::Done));
}

#[test]
fn what_the_service_refuses_with_is_told_apart() {
    let service = Service::new("localhost");
    for (status, headers, expected) in [
        (429, "Retry-After: 7\r\n", Fault::RateLimited { retry_after: Some(Duration::from_secs(7)) }),
        (
            429,
            "Date: Wed, 21 Oct 2026 07:28:00 GMT\r\nRetry-After: Wed, 21 Oct 2026 07:29:00 GMT\r\n",
            Fault::RateLimited { retry_after: Some(Duration::from_secs(60)) },
        ),
        (402, "", Fault::PaymentRequired),
        (401, "", Fault::Unauthorized(401)),
        (400, "", Fault::Refused { status: 400, said: "why".into() }),
        (500, "", Fault::Server { status: 500, retry_after: None }),
        (503, "Retry-After: 3\r\n", Fault::Server { status: 503, retry_after: Some(Duration::from_secs(3)) }),
    ] {
        let mut client = of(&service);
        service.does(vec![Does::Answer(status, headers, "why")]);
        assert_eq!(client.fault(), expected);
    }
}

#[test]
fn a_sign_in_page_is_no_answer() {
    troika_safety::verifies![SR_RTE_010];
    let service = Service::new("localhost");
    let mut client = of(&service);
    service.does(vec![Does::Answer(200, "Content-Type: text/html\r\n", "<html>")]);
    let fault = client.fault();
    assert!(fault.to_string().contains("sign-in page"), "{fault}");
}

#[test]
fn broken_events_and_half_letters_are_told() {
    let service = Service::new("localhost");
    let mut client = of(&service);
    service.does(vec![Does::Head, Does::Bytes(b"data: {\"choices\":\n\n".to_vec()), Does::Ends]);
    assert!(matches!(client.fault(), Fault::Malformed(_)));

    let mut client = of(&service);
    let whole = "data: {\"choices\":[{\"delta\":{\"content\":\"Brü\"}}]}\n\n".as_bytes();
    let half = whole.iter().position(|byte| *byte == 0xc3).expect("there") + 1;
    service.does(vec![
        Does::Head,
        Does::Text("Die ".into()),
        Does::Bytes(whole[..half].to_vec()),
        Does::Closes,
    ]);
    let (text, last) = client.answer(1);
    assert_eq!(text, "Die ");
    assert!(matches!(last, FromCloud::Failed(Fault::Truncated | Fault::Reset(_))), "{last:?}");
}

#[test]
fn a_flood_is_left_long_before_it_is_over() {
    troika_safety::verifies![SR_DAT_006];
    let service = Service::new("localhost");
    let mut client = of(&service);
    service.does(vec![Does::Head, Does::Floods]);
    assert_eq!(client.fault(), Fault::TooLarge { what: "one event", limit: MOST_EVENT });
    let taken = service.sees(|saw| if let Saw::Flooded(count) = saw { Some(count) } else { None });
    // Beside what is read, what fits into the sockets' buffers on both sides.
    assert!(taken < 8 << 20, "{taken} bytes of 10 MiB");
}

#[test]
fn a_call_of_a_tool_arrives_whole() {
    let service = Service::new("localhost");
    let mut client = of(&service);
    let bytes = call("c1", "find_places", "{\"kind\":\"cafe\"}").into_bytes();
    service.does(vec![Does::Head, Does::Bytes(bytes), Does::Ends]);
    let (_, last) = client.answer(1);
    let FromCloud::Tools(calls) = last else { panic!("{last:?}") };
    assert_eq!((calls[0].id.as_str(), calls[0].name.as_str()), ("c1", "find_places"));
    assert_eq!(calls[0].arguments, "{\"kind\":\"cafe\"}");
}

#[test]
fn an_answer_that_is_stopped_before_its_thread_has_begun_is_not_asked_for() {
    troika_safety::verifies![SR_RTE_006];
    let service = Service::new("localhost");
    let mut client = of(&service);
    // Its thread begins now or then; a question that has left by the stop ends as one that is cut.
    for stream in 0..40 {
        service.does(vec![Does::Head, Does::Holds]);
        client.upstream.start(stream, question());
        client.upstream.stop(stream);
        let (of, last) = client.next();
        assert!(of == stream && matches!(last, FromCloud::Failed(_)), "{last:?}");
    }
}

#[test]
fn names_connections_and_certificates_fail_each_in_their_way() {
    let service = Service::new("localhost");
    let port = closed_port().port();
    let mut nobody = client(&format!("https://localhost:{port}/v1"), &service.ca, |_| {});
    assert!(matches!(nobody.fault(), Fault::Connect(_)));

    let mut unnamed = client("https://no-such-host.invalid/v1", &service.ca, |config| {
        // A resolver that lost a packet asks again after 5 s.
        config.resolve_ms = 15_000;
    });
    assert_eq!(unnamed.fault(), Fault::Dns);

    // Another authority.
    let stranger = Service::new("localhost");
    let mut distrusts = client(&service.url, &stranger.ca, |_| {});
    let fault = distrusts.fault();
    assert!(matches!(fault, Fault::Tls(_)), "{fault:?}");
    service.sees(|saw| matches!(saw, Saw::NoHandshake).then_some(()));

    // The right authority, but another host's certificate.
    let other = Service::new("other.example");
    let mut misled = of(&other);
    let fault = misled.fault();
    assert!(matches!(fault, Fault::Tls(_)), "{fault:?}");
}

#[test]
fn files_that_are_not_there_or_do_not_fit_are_told_and_read_again_when_they_are_mended() {
    let service = Service::new("localhost");
    let folder = tempfile::tempdir().expect("a folder");
    let one = rcgen::generate_simple_self_signed(vec!["vehicle".into()]).expect("a certificate");
    let other = rcgen::KeyPair::generate().expect("a key");
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let mut client = client(&service.url, &service.ca, |config| {
        config.certificate_file = Some(certificate.clone());
        config.private_key_file = Some(key.clone());
    });
    let mut fault = || match client.fault() {
        Fault::Files(told) => told,
        fault => panic!("{fault:?}"),
    };
    assert!(fault().starts_with("cloud.certificate_file: cannot read"), "{}", fault());
    fs::write(&certificate, one.cert.pem()).expect("written");
    fs::write(&key, other.serialize_pem()).expect("written");
    assert!(fault().contains("holds no key of the certificate"), "{}", fault());
    fs::write(&key, one.signing_key.serialize_pem()).expect("written");
    service.does(vec![Does::Head, Does::Text("It is there.".into()), Does::Ends]);
    assert_eq!(client.answer(2), ("It is there.".into(), FromCloud::Done));
    // What is written by halves changes nothing for who has read the whole before.
    fs::write(&key, "-----BEGIN").expect("written");
    service.does(vec![Does::Head, Does::Text("It still is.".into()), Does::Ends]);
    assert_eq!(client.answer(3), ("It still is.".into(), FromCloud::Done));
}

#[test]
fn files_that_are_renewed_are_shown_on_a_connection_of_their_own_while_the_one_before_holds() {
    let service = Service::new("localhost");
    let folder = tempfile::tempdir().expect("a folder");
    let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    let renew = |name: &str| {
        let one = rcgen::generate_simple_self_signed(vec![name.into()]).expect("a certificate");
        for (file, text) in [(&certificate, one.cert.pem()), (&key, one.signing_key.serialize_pem())] {
            let new = file.with_extension("new");
            fs::write(&new, text).expect("written");
            fs::rename(&new, file).expect("in its place");
        }
    };
    renew("vehicle");
    let mut client = client(&service.url, &service.ca, |config| {
        config.certificate_file = Some(certificate.clone());
        config.private_key_file = Some(key.clone());
    });
    let mut asks = |stream| {
        service.does(vec![Does::Head, Does::Text("It is there.".into()), Does::Ends]);
        assert_eq!(client.answer(stream), ("It is there.".into(), FromCloud::Done));
        let mut connections = 0;
        service.sees(|saw| match saw {
            Saw::Connection => {
                connections += 1;
                None
            }
            Saw::Request(..) => Some(()),
            _ => None,
        });
        connections
    };
    assert_eq!(asks(1), 1);
    renew("vehicle");
    assert_eq!(asks(2), 1, "the connection before still holds, and is left");
}

#[test]
fn parameters_that_make_no_client_say_what_to_do() {
    let sink: troika_dialogue::cloud::Sink = Arc::new(|_, _| {});
    let refused = |config: CloudConfig| match HttpUpstream::new(&config, sink.clone()) {
        Ok(_) => panic!("{config:?} makes a client"),
        Err(error) => error.to_string(),
    };
    assert!(refused(CloudConfig::new("gateway.example", "m")).contains("begins with https://"));
    assert!(refused(CloudConfig::new("http://gateway.example/v1", "m")).contains("without TLS"));
    let missing =
        CloudConfig { ca_file: Some("/nowhere/ca.pem".into()), ..CloudConfig::new("https://h/v1", "m") };
    assert!(refused(missing).contains("cloud.ca_file: cannot read /nowhere/ca.pem"));
    let empty = tempfile::NamedTempFile::new().expect("a file");
    let path = Some(empty.path().to_path_buf());
    let config = CloudConfig { ca_file: path.clone(), ..CloudConfig::new("https://h/v1", "m") };
    assert!(refused(config).contains("holds no certificate"));
    let half = CloudConfig { certificate_file: path, ..CloudConfig::new("https://h/v1", "m") };
    assert!(refused(half).contains("go together"));
    let never = CloudConfig { connect_ms: 0, ..CloudConfig::new("https://h/v1", "m") };
    assert!(refused(never).contains("connect_ms is 0"));
    let unknown = toml::from_str::<CloudConfig>("url = \"https://h/v1\"\nmodel = \"m\"\ntimeout = 3\n");
    let said = unknown.expect_err("refused").to_string();
    assert!(said.contains("line 3") && said.contains("timeout"), "{said}");
}
