use super::*;

#[test]
fn gateways_are_asked_in_turn_and_one_that_was_silent_last() {
    let known = ["a".to_owned(), "b".to_owned()];
    let none = BTreeSet::new();
    let asked: Vec<_> = (0..4).filter_map(|turn| pick(&known, &none, turn)).collect();
    assert_eq!(asked, ["a", "b", "a", "b"]);
    let silent = BTreeSet::from(["a".to_owned()]);
    assert_eq!(pick(&known, &silent, 0).map(String::as_str), Some("b"));
    assert_eq!(pick(&known[..1], &silent, 0).map(String::as_str), Some("a"), "it may be back");
    assert_eq!(pick(&[], &none, 0), None);
}

#[test]
fn who_goes_does_not_wait_for_a_router_that_is_looked_for() {
    let link = Arc::new(Link {
        vehicle: "anna".into(),
        address: "router.example:7447".into(),
        scheme: Scheme::Tls,
        credentials: Credentials {
            authority: PathBuf::new(),
            certificate: PathBuf::new(),
            key: PathBuf::new(),
        },
        zenoh: zenoh::Config::default(),
        connect: Duration::ZERO,
        head: Duration::ZERO,
        answer: Duration::ZERO,
        open: Mutex::new(None),
    });
    let upstream = MeshUpstream {
        link: link.clone(),
        model: String::new(),
        asked: 0,
        trace: None,
        running: None,
        sink: Arc::new(|_, _| {}),
        meter: None,
    };
    // As a thread has it that opens a session.
    let opening = locked(&link.open);
    let (gone, waits) = channel();
    thread::spawn(move || {
        drop(upstream);
        let _ = gone.send(());
    });
    assert_eq!(waits.recv_timeout(Duration::from_secs(20)), Ok(()));
    drop(opening);
}
