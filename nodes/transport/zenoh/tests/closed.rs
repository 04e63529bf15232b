//! A vehicle's own links, and a hostile session at its router.

use std::{
    collections::BTreeSet, fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::Path, sync::mpsc,
    time::Duration,
};

use troika_transport_zenoh::{RouterGuard, ZenohOptions};
use zenoh::{Session, Wait, sample::Sample};

const SAFETY: &str = "0/safety/state/troika_msgs::msg::dds_::SafetyState_/H";
/// What a stranger tries: the keys themselves, and such as reach them.
const TRIED: [&str; 6] = [SAFETY, "0/voice/command/T/H", "0/safety/**", "0/*/state/**", "0/**", "**"];
/// Between two words of the owner: they are not connected at once.
const PATIENCE: Duration = Duration::from_millis(200);

fn private() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).expect("its own");
    folder
}

fn open(options: &ZenohOptions) -> Session {
    zenoh::open(options.session_config().expect("a configuration")).wait().expect("a session")
}

/// Who said what to this session, as it comes.
fn hears(session: &Session) -> (mpsc::Receiver<(String, String)>, zenoh::pubsub::Subscriber<()>) {
    let (sender, heard) = mpsc::channel();
    let subscriber = session.declare_subscriber("**").callback(move |sample: Sample| {
        let said = sample.payload().try_to_string().unwrap_or_default().into_owned();
        // The test may be over.
        let _ = sender.send((sample.key_expr().to_string(), said));
    });
    (heard, subscriber.wait().expect("subscribed"))
}

/// What the vehicle's reader heard of the stranger while the owner spoke `rounds` times and both heard it each time, and until it is so much.
fn of_the_stranger(sockets: Option<&Path>, rounds: usize, so_much: usize) -> BTreeSet<String> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let endpoint = format!("tcp/127.0.0.1:{port}");
    let vehicle = ZenohOptions {
        router: endpoint.clone(),
        sockets: sockets.map(Path::to_owned),
        ..ZenohOptions::default()
    };
    // No socket is open to somebody of another user: told of them by gossip, and let in to none.
    let alone = ("scouting/gossip/autoconnect".to_owned(), "{ router: [], peer: [] }".to_owned());
    let overrides = sockets.map(|_| alone).into_iter().collect();
    let stranger = ZenohOptions { router: endpoint.clone(), overrides, ..ZenohOptions::default() };
    let _router = RouterGuard::ensure_for(&vehicle).expect("a router");
    let (reader, owner, stranger) = (open(&vehicle), open(&vehicle), open(&stranger));
    let (heard, _reads) = hears(&reader);
    let (shown, _looks) = hears(&stranger);
    let mut bad = BTreeSet::new();
    let (mut spoken, mut round) = (0, 0);
    while round < rounds || bad.len() < so_much {
        round += 1;
        let mut both = (false, false);
        while both != (true, true) {
            spoken += 1;
            assert!(
                spoken < rounds + 200,
                "the owner is heard by reader, stranger: {both:?}; of that one {bad:?}"
            );
            for key in TRIED {
                // Refused on the way: who puts is not told.
                stranger.put(key, "stranger").wait().expect("put");
            }
            owner.put(SAFETY, "owner").wait().expect("put");
            while let Ok((key, said)) = heard.recv_timeout(PATIENCE) {
                both.0 |= said == "owner";
                if said != "owner" {
                    bad.insert(key);
                } else {
                    break;
                }
            }
            both.1 |=
                std::iter::from_fn(|| shown.recv_timeout(PATIENCE).ok()).any(|(_, said)| said == "owner");
        }
    }
    bad
}

#[test]
fn a_stranger_hears_the_vehicle_and_is_heard_by_none_of_it() {
    let folder = private();
    assert_eq!(of_the_stranger(Some(folder.path()), 30, 0), BTreeSet::new());
}

#[test]
fn without_the_folder_a_stranger_is_heard() {
    let heard = of_the_stranger(None, 5, TRIED.len());
    assert_eq!(heard, TRIED.iter().map(|key| (*key).to_owned()).collect());
}

#[test]
fn a_folder_that_others_may_enter_or_that_is_not_there_is_refused() {
    let folder = private();
    let with = |path: &Path| ZenohOptions { sockets: Some(path.to_owned()), ..ZenohOptions::default() };
    let told = |path: &Path| with(path).session_config().expect_err("refused").to_string();
    assert!(told(&folder.path().join("none")).contains("mode 0700"));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("changed");
    assert!(told(folder.path()).contains("everybody may enter (mode 755)"), "{}", told(folder.path()));
}
