//! The watchdogs that watch the supervisor: systemd's (`WatchdogSec=` of its unit) and the machine's own (`/dev/watchdog`). Fed by each round,
//! at most twice in half of their time. This is the one edge of the room.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::{Path, PathBuf},
};

use troika_kit::{Duration, Time};

/// A watchdog that wants to be fed.
pub trait Keepalive: Send {
    /// A round was carried out.
    fn round(&mut self, now: Time);
}

/// Nobody watches.
impl Keepalive for () {
    fn round(&mut self, _: Time) {}
}

/// Those of this machine.
#[derive(Debug, Default)]
pub struct Watchdogs {
    systemd: Option<UnixDatagram>,
    device: Option<File>,
    every: Duration,
    fed: Option<Time>,
}

/// A watchdog that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeepaliveError {
    /// systemd's socket.
    #[error("systemd's socket {socket} (NOTIFY_SOCKET): {reason}")]
    Systemd {
        /// Its name.
        socket: String,
        /// Why.
        reason: io::Error,
    },
    /// The device.
    #[error("hardware_watchdog {}: {reason}; leave the key out where the machine has none", path.display())]
    Device {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
}

/// Where systemd gives no time.
const EVERY: Duration = Duration::from_millis(500);

impl Watchdogs {
    /// systemd's where `socket` (`NOTIFY_SOCKET`) names it, with `within` (`WATCHDOG_USEC`), and the device's where one is named.
    ///
    /// # Errors
    /// One that is named and is not there.
    pub fn open(
        socket: Option<&OsStr>,
        within: Option<Duration>,
        device: Option<&Path>,
    ) -> Result<Watchdogs, KeepaliveError> {
        let systemd = socket.map(|name| {
            let reason =
                |reason| KeepaliveError::Systemd { socket: name.to_string_lossy().into_owned(), reason };
            connect(name).map_err(reason)
        });
        let device = device.map(|path| {
            let file = OpenOptions::new().write(true).open(path);
            file.map_err(|reason| KeepaliveError::Device { path: path.to_owned(), reason })
        });
        let every = within.map_or(EVERY, |within| (within / 4).min(EVERY));
        Ok(Watchdogs { systemd: systemd.transpose()?, device: device.transpose()?, every, fed: None })
    }
}

/// A name that begins with @ is an abstract one (sd_notify(3)).
fn connect(name: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match name.as_bytes() {
        [b'@', hidden @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(hidden)?)?,
        _ => socket.connect(name)?,
    }
    Ok(socket)
}

impl Keepalive for Watchdogs {
    fn round(&mut self, now: Time) {
        if self.fed.is_some_and(|fed| now.since(fed) < self.every) {
            return;
        }
        let first = self.fed.is_none();
        self.fed = Some(now);
        // One that cannot be fed bites, which is what it is for.
        if let Some(systemd) = &self.systemd {
            let word: &[u8] = if first { b"READY=1\nWATCHDOG=1" } else { b"WATCHDOG=1" };
            let _it_bites = systemd.send(word);
        }
        if let Some(device) = &mut self.device {
            let _it_bites = device.write_all(b"\0");
        }
    }
}

impl Drop for Watchdogs {
    fn drop(&mut self) {
        // The magic close: a supervisor that ends in order leaves a machine that is not reset (Linux watchdog API).
        if let Some(device) = &mut self.device {
            let _nobody_to_tell = device.write_all(b"V");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_feed_both_watchdogs_and_nothing_else_does() {
        troika_safety::verifies![SR_SUP_008];
        let folder = tempfile::tempdir().expect("a folder");
        let (socket, device) = (folder.path().join("notify"), folder.path().join("watchdog"));
        let systemd = UnixDatagram::bind(&socket).expect("bound");
        systemd.set_nonblocking(true).expect("set");
        File::create(&device).expect("made");
        let within = Some(Duration::from_secs(1));
        let mut watchdogs = Watchdogs::open(Some(socket.as_os_str()), within, Some(&device)).expect("opened");
        let mut said = [0; 64];
        assert!(systemd.recv(&mut said).is_err(), "opening is no round");
        for round in 0..10_u64 {
            watchdogs.round(Time::from_nanos(round * 100_000_000));
        }
        let mut words = Vec::new();
        while let Ok(length) = systemd.recv(&mut said) {
            words.push(String::from_utf8_lossy(&said[..length]).into_owned());
        }
        assert_eq!(
            words,
            ["READY=1\nWATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"],
            "each quarter of a second"
        );
        drop(watchdogs);
        assert_eq!(std::fs::read(&device).expect("there"), b"\0\0\0\0V");
    }

    #[test]
    fn a_watchdog_is_fed_again_when_its_time_has_come_and_not_a_round_later() {
        troika_safety::verifies![SR_SUP_008];
        let folder = tempfile::tempdir().expect("a folder");
        let device = folder.path().join("watchdog");
        File::create(&device).expect("made");
        // A quarter of 4 s is more than the half second that is never passed.
        let within = Some(Duration::from_secs(4));
        let mut watchdogs = Watchdogs::open(None, within, Some(&device)).expect("opened");
        let fed: Vec<usize> = (0..11_u64)
            .map(|round| {
                watchdogs.round(Time::from_nanos(round * 100_000_000));
                std::fs::read(&device).expect("there").len()
            })
            .collect();
        assert_eq!(fed, [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]);
    }

    #[test]
    fn a_socket_whose_name_begins_with_an_at_is_an_abstract_one() {
        let name = format!("troika-notify-{}", std::process::id());
        let hidden = SocketAddr::from_abstract_name(&name).expect("a name");
        let systemd = UnixDatagram::bind_addr(&hidden).expect("bound");
        systemd.set_nonblocking(true).expect("set");
        let named = OsStr::new("@").to_owned();
        let named = [named.as_os_str(), OsStr::new(&name)].into_iter().collect::<std::ffi::OsString>();
        let mut watchdogs = Watchdogs::open(Some(&named), None, None).expect("opened");
        watchdogs.round(Time::ZERO);
        let mut said = [0; 64];
        let length = systemd.recv(&mut said).expect("a word");
        assert_eq!(&said[..length], b"READY=1\nWATCHDOG=1");
    }

    #[test]
    fn a_watchdog_that_is_named_and_is_not_there_is_told() {
        let device =
            Watchdogs::open(None, None, Some(Path::new("/nowhere/watchdog"))).expect_err("none there");
        assert!(device.to_string().contains("leave the key out"), "{device}");
        let systemd =
            Watchdogs::open(Some(OsStr::new("/nowhere/notify")), None, None).expect_err("none there");
        assert!(systemd.to_string().contains("NOTIFY_SOCKET"), "{systemd}");
        Watchdogs::open(None, None, None).expect("nobody watches").round(Time::ZERO);
    }
}
