use std::os::unix::fs::PermissionsExt as _;

use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::*;
use crate::identity::Identity;

const NOW: i64 = 1_800_000_000;

fn fleet() -> (tempfile::TempDir, Fleet) {
    let dir = tempfile::tempdir().expect("a folder");
    let fleet = Fleet::init(dir.path(), "test", 30, &[], NOW).expect("a fleet");
    (dir, fleet)
}

#[test]
fn a_vehicles_certificate_names_it_and_ends_after_its_days() {
    let (_dir, mut fleet) = fleet();
    let folder = fleet.enrol("anna-1", VEHICLE_DAYS, None, NOW).expect("enrolled");
    let pem = fs::read(folder.join("certificate.pem")).expect("there");
    let identity = Identity::of(&CertificateDer::from_pem_slice(&pem).expect("PEM")).expect("a vehicle");
    assert_eq!(identity.vehicle.as_str(), "anna-1");
    assert_eq!(crate::clock::seconds(identity.expires), NOW + 7 * DAY_S);
    assert_eq!(hex(&identity.serial), fleet.list()[0].serial);
}

#[test]
fn the_gateways_own_certificate_is_no_vehicle() {
    let (dir, _fleet) = fleet();
    let pem = fs::read(dir.path().join("gateway/server.pem")).expect("there");
    assert!(Identity::of(&CertificateDer::from_pem_slice(&pem).expect("PEM")).is_err());
}

#[test]
fn keys_are_for_their_owner_alone() {
    let (dir, mut fleet) = fleet();
    fleet.enrol("anna", 7, None, NOW).expect("enrolled");
    for file in ["ca.key", "gateway/server.key", "gateway/mesh.key", "vehicles/anna/key.pem"] {
        let mode = fs::metadata(dir.path().join(file)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_fleet_is_never_made_over_another() {
    let (dir, fleet) = fleet();
    drop(fleet);
    let key = fs::read(dir.path().join("ca.key")).expect("there");
    let again = Fleet::init(dir.path(), "other", 30, &[], NOW).err().expect("refused");
    assert!(again.to_string().contains("already"), "{again}");
    assert_eq!(fs::read(dir.path().join("ca.key")).expect("there"), key);
}

#[test]
fn revoking_takes_back_the_renewed_one_too_and_says_how_many() {
    let (dir, mut fleet) = fleet();
    fleet.enrol("anna", 7, None, NOW).expect("enrolled");
    fleet.enrol("anna", 7, None, NOW + DAY_S).expect("renewed");
    fleet.enrol("bruno", 7, None, NOW).expect("enrolled");
    assert_eq!(fleet.revoke("anna", NOW + 2 * DAY_S).expect("revoked"), 2);
    assert_eq!(fleet.revoke("anna", NOW + 2 * DAY_S).expect("again"), 0);
    drop(fleet);
    let fleet = Fleet::open(dir.path()).expect("kept");
    let states: Vec<_> = fleet.list().iter().map(|one| one.state(NOW + 2 * DAY_S)).collect();
    assert_eq!(states, [State::Revoked, State::Revoked, State::Valid]);
    assert_eq!(fleet.list()[2].state(NOW + 7 * DAY_S), State::Expired);
    let keys = crate::tls::Files::read(&dir.path().join("gateway")).expect("as the gateway reads them");
    assert_eq!(keys.revoked().len(), 2);
}

#[test]
fn what_cannot_be_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let said = Fleet::open(dir.path()).err().expect("none").to_string();
    assert!(said.contains("fleet init"), "{said}");
    let (_dir, mut fleet) = fleet();
    assert!(fleet.revoke("nobody", NOW).expect_err("unknown").to_string().contains("fleet list"));
    assert!(fleet.enrol("../ca", 7, None, NOW).expect_err("no id").to_string().contains("A-Z"));
    assert!(fleet.enrol("anna", 0, None, NOW).is_err());
    assert!(fleet.server(&["not a host".into()], 7, NOW).is_err());
}

#[test]
fn a_certificate_that_is_renewed_keeps_its_names_unless_others_are_given() {
    let (dir, fleet) = fleet();
    let names = |file: &str| {
        let bytes = fs::read(dir.path().join(file)).expect("there");
        let (_, pem) = x509_parser::pem::parse_x509_pem(&bytes).expect("PEM");
        let certificate = pem.parse_x509().expect("a certificate");
        let names = certificate.subject_alternative_name().expect("sound").expect("has names");
        names.value.general_names.iter().filter(|name| matches!(name, GeneralName::DNSName(_))).count()
    };
    let own = names("gateway/server.pem");
    fleet.server(&["gateway.example".into(), "10.1.2.3".into()], 7, NOW).expect("made");
    assert_eq!(names("gateway/server.pem"), own + 1);
    fleet.server(&[], 7, NOW).expect("renewed");
    assert_eq!(names("gateway/server.pem"), own + 1, "kept");
    fleet.server(&["other.example".into(), "more.example".into()], 7, NOW).expect("made");
    assert_eq!(names("gateway/server.pem"), own + 2, "others in their place");
    fleet.router(&["router.example".into()], 7, NOW).expect("made");
    fleet.router(&[], 7, NOW).expect("renewed");
    assert_eq!(names("router/router.pem"), 2, "localhost and its own");
    fs::write(dir.path().join("router/router.pem"), "no certificate").expect("written");
    let told = fleet.router(&[], 7, NOW).expect_err("no names to keep").to_string();
    assert!(told.contains("--server-name"), "{told}");
}

#[test]
fn routers_let_in_who_is_enrolled_and_the_list_follows() {
    let (dir, mut fleet) = fleet();
    let listed = |dir: &tempfile::TempDir| {
        let text = fs::read(dir.path().join("router/router.yaml")).expect("there");
        let file = serde_json::from_slice(&text).expect("JSON");
        crate::access::vehicles(&file).expect("a router's").into_iter().collect::<Vec<_>>()
    };
    fleet.enrol("anna", 7, None, NOW).expect("enrolled");
    assert!(!dir.path().join("router").exists(), "nobody asked for routers");
    fleet.router(&["router.example".into()], 30, NOW).expect("made");
    assert_eq!(listed(&dir), ["anna"]);
    fleet.enrol("bruno", 7, None, NOW).expect("enrolled");
    assert_eq!(listed(&dir), ["anna", "bruno"]);
    let written = |dir: &tempfile::TempDir| {
        fs::metadata(dir.path().join("router/router.yaml")).and_then(|file| file.modified()).expect("there")
    };
    let before = written(&dir);
    fleet.enrol("bruno", 7, None, NOW + DAY_S).expect("renewed");
    assert_eq!(written(&dir), before, "a renewal changes nothing");
    fleet.revoke("anna", NOW + DAY_S).expect("revoked");
    assert_eq!(listed(&dir), ["bruno"]);
    let mode = fs::metadata(dir.path().join("router/router.key")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn who_is_enrolled_again_after_a_loss_is_let_in_when_the_lost_certificate_has_ended() {
    let (_dir, mut fleet) = fleet();
    fleet.enrol("anna", 7, None, NOW).expect("enrolled");
    fleet.revoke("anna", NOW + DAY_S).expect("lost");
    fleet.enrol("anna", 7, None, NOW + 2 * DAY_S).expect("enrolled again");
    assert!(fleet.routed(NOW + 2 * DAY_S).is_empty(), "both have the same name");
    assert_eq!(fleet.held_out_until("anna", NOW + 2 * DAY_S), Some(NOW + 7 * DAY_S));
    assert_eq!(fleet.routed(NOW + 7 * DAY_S).into_iter().collect::<Vec<_>>(), ["anna"]);
    assert_eq!(fleet.held_out_until("anna", NOW + 7 * DAY_S), None);
}
