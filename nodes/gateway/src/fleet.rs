//! The fleet's own authority: it makes itself, the gateway's certificate and each vehicle's, and takes them back. Files in one folder:
//!
//! ```text
//! DIR/ca.key  ca.pem  fleet.json       the authority and its ledger: they stay with whoever enrols
//! DIR/gateway/                         what a gateway is given: ca.pem crl.pem server.pem server.key mesh.pem mesh.key
//! DIR/router/                          what a zenoh router is given: ca.pem router.pem router.key router.yaml
//! DIR/vehicles/ID/                     what a vehicle is given: ca.pem certificate.pem key.pem
//! ```
//!
//! Every file is replaced as a whole (written beside it, synced, renamed). Two of these commands at once wait for one another. What is issued
//! stands in the ledger before it stands anywhere else, so nothing can be at large that cannot be revoked.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    net::IpAddr,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason,
    RevokedCertParams, SanType, SerialNumber,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use x509_parser::extensions::GeneralName;

use crate::{
    access,
    identity::{NoVehicleId, URI, VehicleId},
};

mod routers;

pub use routers::ROUTER_FILE;

/// A vehicle's certificate: a week. It is renewed by enrolling again; what is lost and not missed ends by itself.
pub const VEHICLE_DAYS: u32 = 7;
/// The authority and the gateway: ten years, as long as a vehicle is kept.
pub const AUTHORITY_DAYS: u32 = 3650;
/// Clocks of vehicles that were parked are behind: what is issued holds from so many seconds ago.
const BACKDATED_S: i64 = 3600;
const DAY_S: i64 = 86_400;
/// A fleet's name: with " fleet authority" behind it, it fits a common name (RFC 5280, appendix A.1: 64).
const NAME_BYTES: usize = 40;
/// What stays with whoever enrols.
const OWN: [&str; 3] = ["fleet.json", "ca.key", "ca.pem"];

/// Why nothing was issued or revoked.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// There is a fleet already.
    #[error("{} holds a fleet already; another one wants another folder", .0.display())]
    Exists(PathBuf),
    /// There is none.
    #[error("{} holds no fleet; make one with: troika-gateway fleet init {}", .0.display(), .0.display())]
    Missing(PathBuf),
    /// An authority without a ledger, or the other way round.
    #[error(
        "{} holds half a fleet: there is {there} and no {missing}. Where `init` was interrupted, remove the folder and begin again; where the \
         file was lost, bring it back from a copy", dir.display()
    )]
    Half {
        /// The folder.
        dir: PathBuf,
        /// What it has.
        there: &'static str,
        /// What it lacks.
        missing: &'static str,
    },
    /// What it is to be called.
    #[error("{0:?} is no name of a fleet: 1 to {NAME_BYTES} letters, digits and . _ - or spaces")]
    Name(String),
    /// No id.
    #[error(transparent)]
    Id(#[from] NoVehicleId),
    /// Nobody of that id.
    #[error("{0} was never enrolled here; `troika-gateway fleet list` tells who was")]
    Unknown(VehicleId),
    /// Days out of range.
    #[error("{0} days: a certificate holds from 1 to {AUTHORITY_DAYS}")]
    Days(u32),
    /// A name that a server cannot have.
    #[error("{0:?} is no name of a server: a host name or an address")]
    ServerName(String),
    /// A file.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// A file with something else in it.
    #[error("{}: {reason}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The library that makes certificates.
    #[error("cannot make the certificate")]
    Make(#[from] rcgen::Error),
}

/// One certificate of a vehicle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Whose.
    pub vehicle: String,
    /// Its number, hexadecimal.
    pub serial: String,
    /// Seconds since 1970.
    pub issued: i64,
    /// Seconds since 1970.
    pub expires: i64,
    /// Seconds since 1970; none while it holds.
    pub revoked: Option<i64>,
}

/// What a certificate is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It holds.
    Valid,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl Issued {
    /// What it is worth at this second.
    pub fn state(&self, now: i64) -> State {
        if self.revoked.is_some() {
            State::Revoked
        } else if self.expires <= now {
            State::Expired
        } else {
            State::Valid
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ledger {
    name: String,
    crl_number: u64,
    certificates: Vec<Issued>,
}

/// A fleet's folder, held so that no second command changes it meanwhile.
pub struct Fleet {
    dir: PathBuf,
    ledger: Ledger,
    _held: File,
}

impl Fleet {
    /// Makes a fleet: authority, an empty list of what is revoked, and the gateway's certificate for these names (`localhost` is always one).
    ///
    /// # Errors
    /// Where there is one already: nothing is ever overwritten.
    pub fn init(dir: &Path, name: &str, days: u32, names: &[String], now: i64) -> Result<Fleet, FleetError> {
        // Before anything is written: what is refused leaves no half of a fleet.
        check_days(days)?;
        server_names(names)?;
        let plain = |sign: char| sign.is_ascii_alphanumeric() || "._- ".contains(sign);
        if name.trim().is_empty() || name.len() > NAME_BYTES || !name.chars().all(plain) {
            return Err(FleetError::Name(name.into()));
        }
        for folder in [dir.to_path_buf(), dir.join("gateway"), dir.join("vehicles")] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at(&folder))?;
        }
        let held = hold(dir)?;
        whole(dir)?;
        if OWN.iter().any(|file| dir.join(file).exists()) {
            return Err(FleetError::Exists(dir.into()));
        }
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(&format!("{name} fleet authority"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(number());
        (params.not_before, params.not_after) = validity(now, days)?;
        let authority = params.self_signed(&key)?;
        let mut fleet = Fleet {
            dir: dir.into(),
            ledger: Ledger { name: name.into(), crl_number: 0, certificates: Vec::new() },
            _held: held,
        };
        write(&dir.join("ca.key"), key.serialize_pem().as_bytes(), true)?;
        write(&dir.join("ca.pem"), authority.pem().as_bytes(), false)?;
        write(&dir.join("gateway/ca.pem"), authority.pem().as_bytes(), false)?;
        fleet.server(names, days, now)?;
        fleet.publish(now)?;
        Ok(fleet)
    }

    /// Opens one.
    ///
    /// # Errors
    /// Where there is none, or its ledger cannot be read.
    pub fn open(dir: &Path) -> Result<Fleet, FleetError> {
        let path = dir.join("fleet.json");
        whole(dir)?;
        if !path.exists() {
            return Err(FleetError::Missing(dir.into()));
        }
        let held = hold(dir)?;
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        let ledger = serde_json::from_str(&text)
            .map_err(|error| FleetError::Content { path, reason: error.to_string() })?;
        Ok(Fleet { dir: dir.into(), ledger, _held: held })
    }

    /// A new certificate for the gateway, in place of the one that it has. Without a name it has the names of that one.
    ///
    /// # Errors
    /// A name that none can have, or a file.
    pub fn server(&self, names: &[String], days: u32, now: i64) -> Result<(), FleetError> {
        check_days(days)?;
        let folder = self.dir.join("gateway");
        let all = server_names_or_before(names, &folder.join("server.pem"))?;
        let name = access::gateway_name(&self.ledger.name);
        self.issue(&folder, "server", &name, all, &[ExtendedKeyUsagePurpose::ServerAuth], days, now)?;
        // To zenoh's routers it is a client.
        self.issue(&folder, "mesh", &name, Vec::new(), &[ExtendedKeyUsagePurpose::ClientAuth], days, now)
    }

    /// A certificate of a machine of the fleet's own and its key, as `NAME.pem` and `NAME.key`.
    #[expect(clippy::too_many_arguments, reason = "what a certificate says, each its own")]
    fn issue(
        &self,
        folder: &Path,
        file: &str,
        name: &str,
        names: Vec<String>,
        usages: &[ExtendedKeyUsagePurpose],
        days: u32,
        now: i64,
    ) -> Result<(), FleetError> {
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name = common_name(name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages.to_vec();
        params.serial_number = Some(number());
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = validity(now, days)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.authority()?)?;
        write(&folder.join(format!("{file}.key")), key.serialize_pem().as_bytes(), true)?;
        write(&folder.join(format!("{file}.pem")), certificate.pem().as_bytes(), false)
    }

    /// A certificate and a key for a vehicle, in `out` or in `vehicles/ID`; the folder. What the vehicle had before holds until it ends, so that
    /// a renewal needs no moment.
    ///
    /// # Errors
    /// What is no id, or a file.
    pub fn enrol(
        &mut self,
        id: &str,
        days: u32,
        out: Option<&Path>,
        now: i64,
    ) -> Result<PathBuf, FleetError> {
        check_days(days)?;
        let vehicle = VehicleId::new(id)?;
        let folder = out.map_or_else(|| self.dir.join("vehicles").join(id), Path::to_path_buf);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at(&folder))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(vehicle.as_str());
        params.subject_alt_names = vec![SanType::URI(format!("{URI}{vehicle}").try_into()?)];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        let serial = number();
        params.serial_number = Some(serial.clone());
        (params.not_before, params.not_after) = validity(now, days)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.authority()?)?;
        self.ledger.certificates.push(Issued {
            vehicle: vehicle.as_str().into(),
            serial: hex(&serial.to_bytes()),
            issued: now,
            expires: now + i64::from(days) * DAY_S,
            revoked: None,
        });
        self.save()?;
        let authority = fs::read(self.dir.join("ca.pem")).map_err(at(&self.dir.join("ca.pem")))?;
        write(&folder.join("ca.pem"), &authority, false)?;
        write(&folder.join("key.pem"), key.serialize_pem().as_bytes(), true)?;
        write(&folder.join("certificate.pem"), certificate.pem().as_bytes(), false)?;
        self.routers_again(now)?;
        Ok(folder)
    }

    /// Takes back everything that a vehicle holds; how many certificates that were. Doing it again writes the list again and is no error.
    ///
    /// # Errors
    /// Who was never enrolled, or a file.
    pub fn revoke(&mut self, id: &str, now: i64) -> Result<usize, FleetError> {
        let vehicle = VehicleId::new(id)?;
        let mut theirs =
            self.ledger.certificates.iter_mut().filter(|one| one.vehicle == vehicle.as_str()).peekable();
        if theirs.peek().is_none() {
            return Err(FleetError::Unknown(vehicle));
        }
        let mut count = 0;
        for one in theirs.filter(|one| one.state(now) == State::Valid) {
            one.revoked = Some(now);
            count += 1;
        }
        self.publish(now)?;
        self.routers_again(now)?;
        Ok(count)
    }

    /// When a vehicle was revoked for the last time, seconds since 1970.
    pub fn last_revoked(&self, vehicle: &str) -> Option<i64> {
        self.theirs(vehicle).filter_map(|one| one.revoked).max()
    }

    /// When the last of what a vehicle has ends, or has ended, seconds since 1970.
    pub fn last_expires(&self, vehicle: &str) -> Option<i64> {
        self.theirs(vehicle).map(|one| one.expires).max()
    }

    fn theirs(&self, vehicle: &str) -> impl Iterator<Item = &Issued> {
        self.ledger.certificates.iter().filter(move |one| one.vehicle == vehicle)
    }

    /// Every certificate that was issued, the oldest first.
    pub fn list(&self) -> &[Issued] {
        &self.ledger.certificates
    }

    /// Signs the list of what is revoked, and writes ledger and list.
    fn publish(&mut self, now: i64) -> Result<(), FleetError> {
        self.ledger.crl_number += 1;
        self.save()?;
        let revoked_certs = self
            .ledger
            .certificates
            .iter()
            // What has ended is refused for that; a day more for clocks that differ.
            .filter(|one| one.expires + DAY_S > now)
            .filter_map(|one| Some((one.serial.as_str(), one.revoked?)))
            .map(|(serial, when)| {
                Ok(RevokedCertParams {
                    serial_number: SerialNumber::from_slice(&unhex(serial).ok_or_else(|| {
                        FleetError::Content {
                            path: self.dir.join("fleet.json"),
                            reason: format!("{serial:?} is no serial number"),
                        }
                    })?),
                    revocation_time: moment(when)?,
                    reason_code: Some(RevocationReason::PrivilegeWithdrawn),
                    invalidity_date: None,
                })
            })
            .collect::<Result<_, FleetError>>()?;
        let list = CertificateRevocationListParams {
            this_update: moment(now - BACKDATED_S)?,
            next_update: moment(now + i64::from(AUTHORITY_DAYS) * DAY_S)?,
            crl_number: SerialNumber::from(self.ledger.crl_number),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        }
        .signed_by(&self.authority()?)?;
        write(&self.dir.join("gateway/crl.pem"), list.pem()?.as_bytes(), false)
    }

    fn save(&self) -> Result<(), FleetError> {
        let path = self.dir.join("fleet.json");
        let text = serde_json::to_vec_pretty(&self.ledger)
            .map_err(|error| FleetError::Content { path: path.clone(), reason: error.to_string() })?;
        write(&path, &text, false)
    }

    fn authority(&self) -> Result<Issuer<'static, KeyPair>, FleetError> {
        let read = |name| {
            let path = self.dir.join(name);
            fs::read_to_string(&path).map_err(at(&path))
        };
        let key = KeyPair::from_pem(&read("ca.key")?)?;
        Ok(Issuer::from_ca_cert_pem(&read("ca.pem")?, key)?)
    }
}

/// The names of a server: these, and this machine's own.
fn server_names(names: &[String]) -> Result<Vec<String>, FleetError> {
    let wrong = names.iter().find(|name| rustls::pki_types::ServerName::try_from(name.as_str()).is_err());
    if let Some(wrong) = wrong {
        return Err(FleetError::ServerName(wrong.clone()));
    }
    let mut all = vec!["localhost".to_owned(), "127.0.0.1".into(), "::1".into()];
    all.extend(names.iter().cloned());
    Ok(all)
}

/// The same; where none is given, those that the certificate has which is there: a renewal must not lose them.
fn server_names_or_before(names: &[String], before: &Path) -> Result<Vec<String>, FleetError> {
    let given = server_names(names)?;
    if !names.is_empty() || !before.exists() {
        return Ok(given);
    }
    let bytes = fs::read(before).map_err(at(before))?;
    let told = || FleetError::Content {
        path: before.into(),
        reason: "it is no certificate whose names could be kept; name them with --server-name".into(),
    };
    let (_, pem) = x509_parser::pem::parse_x509_pem(&bytes).map_err(|_| told())?;
    let certificate = pem.parse_x509().map_err(|_| told())?;
    let had = certificate.subject_alternative_name().map_err(|_| told())?;
    let mut all = given;
    for name in had.iter().flat_map(|had| &had.value.general_names) {
        let name = match name {
            GeneralName::DNSName(name) => (*name).to_owned(),
            GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
                Ok(four) => IpAddr::from(four).to_string(),
                Err(_) => <[u8; 16]>::try_from(*bytes).map(IpAddr::from).map_err(|_| told())?.to_string(),
            },
            _ => continue,
        };
        if !all.contains(&name) {
            all.push(name);
        }
    }
    Ok(all)
}

/// All of a fleet's own files, or none.
fn whole(dir: &Path) -> Result<(), FleetError> {
    let there = OWN.into_iter().find(|file| dir.join(file).exists());
    let missing = OWN.into_iter().find(|file| !dir.join(file).exists());
    match (there, missing) {
        (Some(there), Some(missing)) => Err(FleetError::Half { dir: dir.into(), there, missing }),
        _ => Ok(()),
    }
}

fn check_days(days: u32) -> Result<(), FleetError> {
    if (1..=AUTHORITY_DAYS).contains(&days) { Ok(()) } else { Err(FleetError::Days(days)) }
}

fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn moment(seconds: i64) -> Result<OffsetDateTime, FleetError> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| FleetError::Make(rcgen::Error::Time))
}

fn validity(now: i64, days: u32) -> Result<(OffsetDateTime, OffsetDateTime), FleetError> {
    Ok((moment(now - BACKDATED_S)?, moment(now + i64::from(days) * DAY_S)?))
}

/// 16 random bytes, positive and without a leading zero (RFC 5280, 4.1.2.2: unique, positive, at most 20 bytes).
fn number() -> SerialNumber {
    let mut bytes = crate::trace::random::<16>();
    bytes[0] = bytes[0] & 0x7f | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (text.len().is_multiple_of(2) && text.is_ascii()).then(|| {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
    })?
}

fn hold(dir: &Path) -> Result<File, FleetError> {
    let path = dir.join(".lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(at(&path))?;
    file.lock().map_err(at(&path))?;
    Ok(file)
}

fn write(path: &Path, bytes: &[u8], secret: bool) -> Result<(), FleetError> {
    replace(path, bytes, secret).map_err(at(path))
}

fn replace(path: &Path, bytes: &[u8], secret: bool) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    // A half-written one of a command that was killed: it would keep its mode.
    let _ = fs::remove_file(&beside);
    let mode = if secret { 0o600 } else { 0o644 };
    let mut file = OpenOptions::new().create_new(true).write(true).mode(mode).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FleetError {
    let path = path.to_path_buf();
    move |reason| FleetError::File { path, reason }
}

#[cfg(test)]
mod tests;
