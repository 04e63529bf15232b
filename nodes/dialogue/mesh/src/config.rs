//! How a session with the fleet's routers is opened: as a client, over TLS or QUIC, with a certificate of the fleet's.

use std::{
    env,
    ffi::OsStr,
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use troika_kit::Duration;
use zenoh::Config;

/// A lost router is asked for again after so long, and up to [`AGAIN_MOST`] where it does not come.
const AGAIN: Duration = Duration::from_millis(200);
const AGAIN_MOST: Duration = Duration::from_secs(4);
/// Bytes of a message, put together: the largest answer (2 MiB) in one piece, and its envelope.
pub const MOST_MESSAGE: usize = 3 << 20;

/// Batches of some 48 KiB that wait to be sent on a link: what one message may have, since a router on one thread cannot send while it puts one in.
/// The most that zenoh takes.
pub const QUEUE: u32 = 16;

/// What zenoh reads its threads from.
pub const THREADS: &str = "ZENOH_RUNTIME";
/// One thread for whatever touches a link.
///
/// zenoh's TLS link lets one task read and another write on the same TLS connection at the same time, from two threads, which neither Rust nor
/// rustls allows (eclipse-zenoh/zenoh issue 2557, open as of 1.10.2): links break at random ("handshake not complete", one in some hundred where
/// 100 sessions open at once on two cores), and it may do worse. On one thread it cannot happen; a router on one thread cannot send while it takes a
/// message in, so that one larger than [`QUEUE`] is lost. QUIC has a stream for each way and needs none of this.
pub const ONE_THREAD: &str =
    "(rx: (handover: tx), net: (handover: tx), acc: (handover: tx), tx: (worker_threads: 1))";

/// Has zenoh run on one thread in this process, where nobody has said otherwise: it reads that from the environment at its first use, so the
/// program puts itself there and begins anew, under the same process id. To be called first of all.
///
/// # Errors
/// When it cannot begin anew.
pub fn on_one_thread() -> io::Result<()> {
    if env::var_os(THREADS).is_some() {
        return Ok(());
    }
    // `exec` comes back only where it fails.
    Err(anew(env::current_exe()?.as_os_str()).exec())
}

fn anew(program: &OsStr) -> Command {
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(THREADS, ONE_THREAD);
    command
}

/// What carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// TLS over TCP.
    Tls,
    /// QUIC, over UDP.
    Quic,
}

impl Scheme {
    /// As zenoh's locators begin.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::Tls => "tls",
            Scheme::Quic => "quic",
        }
    }
}

/// Reads `tls/HOST:PORT` or `quic/HOST:PORT`.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn locator(text: &str) -> Result<(Scheme, &str), String> {
    let wrong = || format!("{text:?} is no router's address; for example \"tls/router.example:7447\"");
    let (scheme, address) = text.split_once('/').ok_or_else(wrong)?;
    let scheme = match scheme {
        "tls" => Scheme::Tls,
        "quic" => Scheme::Quic,
        _ => {
            return Err(format!(
                "{text:?} is neither tls/… nor quic/…: routers take nothing without certificates"
            ));
        }
    };
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    // Anything behind it would be settings of zenoh's, TLS's among them.
    let plain = !address.contains(['#', '?', '/', ';', ' ']);
    if host.is_empty()
        || !plain
        || port.parse::<u16>().is_ok_and(|port| port == 0)
        || port.parse::<u16>().is_err()
    {
        return Err(wrong());
    }
    Ok((scheme, address))
}

/// Three files (PEM).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The fleet's authority.
    pub authority: PathBuf,
    /// Our certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// A client's settings for zenoh. `routers` are locators; the first that answers is taken, and another where that one goes. `patience` is for one
/// router's handshakes.
///
/// # Errors
/// What zenoh does not take, in its words.
pub fn client(routers: &[String], credentials: &Credentials, patience: Duration) -> Result<Config, String> {
    let text = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
    let millis = |time: Duration| time.as_millis().to_string();
    let again = serde_json::json!({"period_init_ms": AGAIN.as_millis(), "period_max_ms": AGAIN_MOST.as_millis(), "period_increase_factor": 2});
    let again = again.to_string();
    let mut config = Config::default();
    let settings = [
        ("mode", "\"client\"".to_owned()),
        ("connect/endpoints", serde_json::Value::from(routers.to_vec()).to_string()),
        ("connect/timeout_ms", "0".into()),
        ("connect/exit_on_failure", "true".into()),
        ("connect/retry", again),
        ("scouting/multicast/enabled", "false".into()),
        ("scouting/gossip/enabled", "false".into()),
        ("transport/unicast/open_timeout", millis(patience)),
        ("transport/shared_memory/enabled", "false".into()),
        ("transport/link/protocols", "[\"tls\",\"quic\"]".into()),
        ("transport/link/tx/queue/size/data", QUEUE.to_string()),
        ("transport/link/rx/max_message_size", MOST_MESSAGE.to_string()),
        ("transport/link/tls/root_ca_certificate", text(&credentials.authority)),
        ("transport/link/tls/enable_mtls", "true".into()),
        ("transport/link/tls/connect_certificate", text(&credentials.certificate)),
        ("transport/link/tls/connect_private_key", text(&credentials.key)),
        ("transport/link/tls/verify_name_on_connect", "true".into()),
        ("transport/link/tls/close_link_on_expiration", "true".into()),
    ];
    for (key, value) in settings {
        config.insert_json5(key, &value).map_err(|error| format!("{key}: {error}"))?;
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_routers_address_has_certificates_a_host_and_a_port() {
        assert_eq!(locator("tls/router.example:7447"), Ok((Scheme::Tls, "router.example:7447")));
        assert_eq!(locator("quic/[::1]:7447"), Ok((Scheme::Quic, "[::1]:7447")));
        for wrong in [
            "tcp/router:7447",
            "router:7447",
            "tls/router",
            "tls/:7447",
            "tls/router:0",
            "tls/router:70000",
            "tls/router:7447#verify_name_on_connect=false",
            "tls/router:7447?rel=0",
            "",
        ] {
            assert!(locator(wrong).is_err(), "{wrong}");
        }
        assert!(locator("tcp/router:7447").expect_err("plain").contains("certificates"));
    }

    #[test]
    fn zenoh_takes_every_one_of_the_settings() {
        let credentials =
            Credentials { authority: "ca.pem".into(), certificate: "c\"1.pem".into(), key: "k".into() };
        let config =
            client(&["tls/r:7447".into()], &credentials, Duration::from_secs(3)).expect("all of them");
        let told = config.get_json("transport/link/tls/connect_certificate").expect("there");
        assert_eq!(told, r#""c\"1.pem""#);
    }
}
