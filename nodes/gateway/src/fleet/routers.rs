//! What stock zenohd routers are given: a certificate, and the file that says who may do what.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use rcgen::ExtendedKeyUsagePurpose;

use super::{Fleet, FleetError, State, at, check_days, server_names_or_before, write};
use crate::access;

/// The file's name in the router's folder; zenohd goes by its end.
pub const ROUTER_FILE: &str = "router.yaml";

impl Fleet {
    /// Makes `router/`: a certificate for these names, and the list of who is let in. From then on the list is written again by whatever changes it.
    /// Again: a new certificate, of the same names where none is given.
    ///
    /// # Errors
    /// A name that none can have, or a file.
    pub fn router(&self, names: &[String], days: u32, now: i64) -> Result<PathBuf, FleetError> {
        check_days(days)?;
        let folder = self.dir.join("router");
        let names = server_names_or_before(names, &folder.join("router.pem"))?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(at(&folder))?;
        let authority = self.dir.join("ca.pem");
        write(&folder.join("ca.pem"), &fs::read(&authority).map_err(at(&authority))?, false)?;
        // To vehicles and gateways it is a server, to another router a client.
        let usages = [ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(&folder, "router", &access::router_name(&self.ledger.name), names, &usages, days, now)?;
        self.router_file(&folder.join(ROUTER_FILE), now)?;
        Ok(folder)
    }

    /// Who is let in by routers: whoever has a certificate that holds, and none that was revoked and has not ended. Routers go by the name, which
    /// both have: the revoked one would be let in too.
    pub fn routed(&self, now: i64) -> BTreeSet<&str> {
        let all = &self.ledger.certificates;
        let held_out: BTreeSet<&str> = all
            .iter()
            .filter(|one| one.revoked.is_some() && one.expires > now)
            .map(|one| one.vehicle.as_str())
            .collect();
        let holds = all.iter().filter(|one| one.state(now) == State::Valid).map(|one| one.vehicle.as_str());
        holds.filter(|vehicle| !held_out.contains(vehicle)).collect()
    }

    /// When routers let a vehicle in again that was enrolled after it was revoked, seconds since 1970; none where nothing holds it out.
    pub fn held_out_until(&self, vehicle: &str, now: i64) -> Option<i64> {
        let theirs =
            self.ledger.certificates.iter().filter(|one| one.vehicle == vehicle && one.revoked.is_some());
        theirs.map(|one| one.expires).filter(|expires| *expires > now).max()
    }

    /// Writes the list again, where there is one and something has changed.
    pub(super) fn routers_again(&self, now: i64) -> Result<(), FleetError> {
        let path = self.dir.join("router").join(ROUTER_FILE);
        if path.exists() { self.router_file(&path, now) } else { Ok(()) }
    }

    fn router_file(&self, path: &Path, now: i64) -> Result<(), FleetError> {
        let text = access::router(&self.ledger.name, &self.routed(now)).to_string();
        // A renewal changes nothing: no router is to start anew for it.
        if fs::read_to_string(path).is_ok_and(|before| before == text) {
            return Ok(());
        }
        write(path, text.as_bytes(), false)
    }
}
