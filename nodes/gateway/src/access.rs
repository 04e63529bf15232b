//! What stock zenohd routers are told: who may do what on which keys, and how they are reached. Pure.
//!
//! Default deny. A vehicle's subject is its certificate's common name and gives it its own keys alone; a rule holds only where its key includes the
//! message's, so a wildcard that reaches over others is denied as a whole. Gateways and routers have names of their own, with a space in them,
//! which no vehicle's id can have. zenohd has no list of what is revoked: a vehicle that is not on this list gets through the handshake while
//! its certificate holds, and nothing of it goes any further.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use troika_dialogue_mesh::{
    config::{MOST_MESSAGE, QUEUE},
    wire,
};
use troika_kit::Duration;

/// Links of one router, at most.
const SESSIONS: u32 = 20_000;
/// Handshakes of one router at once.
const PENDING: u32 = 1_000;
/// A handshake takes no longer.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// The common name of a fleet's gateways.
pub fn gateway_name(fleet: &str) -> String {
    format!("{fleet} gateway")
}

/// The common name of a fleet's routers.
pub fn router_name(fleet: &str) -> String {
    format!("{fleet} router")
}

/// A rule's place in the lists: `id`, who it is for, and what it allows.
struct Rules {
    rules: Vec<Value>,
    subjects: Vec<Value>,
    policies: Vec<Value>,
}

impl Rules {
    fn allow(&mut self, id: &str, flows: &[&str], messages: &[&str], keys: &[&str]) {
        self.rules.push(
            json!({"id": id, "permission": "allow", "flows": flows, "messages": messages, "key_exprs": keys}),
        );
    }

    fn policy(&mut self, subject: Value, id: &str, rules: &[&str]) {
        self.subjects.push(subject);
        self.policies.push(json!({"id": id, "subjects": [id], "rules": rules}));
    }
}

/// The whole file of a router: JSON, which is YAML too, and zenohd reads that 20 times as fast as JSON5 (1,000
/// vehicles: 0.4 s and 9 s). Paths in it start from its folder, listeners and other routers are told on the command line.
pub fn router(fleet: &str, vehicles: &BTreeSet<&str>) -> Value {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    json!({
        "mode": "router",
        "connect": {"timeout_ms": -1, "exit_on_failure": false,
                    "retry": {"period_init_ms": 200, "period_max_ms": 2000, "period_increase_factor": 2}},
        "listen": {"timeout_ms": 0, "exit_on_failure": true},
        "scouting": {"multicast": {"enabled": false}, "gossip": {"enabled": false}},
        "adminspace": {"permissions": {"read": false, "write": false}},
        "transport": {
            "unicast": {"max_sessions": SESSIONS, "accept_pending": PENDING, "accept_timeout": millis(HANDSHAKE), "max_links": 1},
            "shared_memory": {"enabled": false},
            "link": {
                "protocols": ["tls", "quic"],
                "tx": {"queue": {"size": {"data": QUEUE}}},
                "rx": {"max_message_size": MOST_MESSAGE},
                "tls": {
                    "root_ca_certificate": "ca.pem", "enable_mtls": true,
                    "listen_certificate": "router.pem", "listen_private_key": "router.key",
                    "connect_certificate": "router.pem", "connect_private_key": "router.key",
                    "verify_name_on_connect": true, "close_link_on_expiration": true,
                },
            },
        },
        // A reply goes as its question went: one that waited for a vehicle that does not read would hold up all others.
        "qos": {"network": [{
            "id": "droppable", "messages": ["query"], "flows": ["ingress"], "key_exprs": [format!("{}/**", wire::FLEET)],
            "overwrite": {"congestion_control": "drop"},
        }]},
        "access_control": access(fleet, vehicles),
    })
}

/// Who may do what.
fn access(fleet: &str, vehicles: &BTreeSet<&str>) -> Value {
    troika_safety::fulfils![SR_FLT_001, SR_FLT_004];
    let mut all = Rules { rules: Vec::new(), subjects: Vec::new(), policies: Vec::new() };
    let (both, from, to) = (["ingress", "egress"], ["ingress"], ["egress"]);
    let everything = [
        "put",
        "delete",
        "declare_subscriber",
        "query",
        "reply",
        "declare_queryable",
        "liveliness_token",
        "liveliness_query",
        "declare_liveliness_subscriber",
    ];
    // Whoever has a certificate may look which gateways there are: it tells "there is none" from "you are not on the list".
    all.allow(": look", &from, &["liveliness_query", "declare_liveliness_subscriber"], &[wire::GATEWAYS]);
    all.allow(": see", &to, &["liveliness_token"], &[wire::GATEWAYS]);
    all.policy(json!({"id": ": anyone"}), ": anyone", &[": look", ": see"]);

    let routers = format!("{}/**", wire::FLEET);
    all.allow(": routers", &both, &everything, &[&routers, wire::GATEWAYS]);
    all.policy(
        json!({"id": ": router", "cert_common_names": [router_name(fleet)]}),
        ": router",
        &[": routers"],
    );

    all.allow(": answers", &from, &["declare_queryable", "reply"], &[wire::ASKED]);
    all.allow(": asked", &to, &["query"], &[wire::ASKED]);
    all.allow(": hears", &from, &["declare_subscriber"], &[wire::CANCELLED]);
    all.allow(": heard", &to, &["put"], &[wire::CANCELLED]);
    all.allow(": watches", &from, &["declare_liveliness_subscriber", "liveliness_query"], &[wire::ALIVE]);
    all.allow(": watched", &to, &["liveliness_token"], &[wire::ALIVE]);
    all.allow(": there", &from, &["liveliness_token"], &[wire::GATEWAYS]);
    let rules = [": answers", ": asked", ": hears", ": heard", ": watches", ": watched", ": there"];
    all.policy(json!({"id": ": gateway", "cert_common_names": [gateway_name(fleet)]}), ": gateway", &rules);

    for id in vehicles {
        let names = [
            format!("{id} asks"),
            format!("{id} is answered"),
            format!("{id} takes back"),
            format!("{id} lives"),
        ];
        let [asks, answered, takes_back, lives] = names.each_ref().map(String::as_str);
        let asked = wire::question(id, "*", "v1/**");
        all.allow(asks, &from, &["query"], &[&asked]);
        all.allow(answered, &to, &["reply"], &[&asked]);
        all.allow(takes_back, &from, &["put"], &[&wire::cancel(id)]);
        all.allow(lives, &from, &["liveliness_token"], &[&wire::alive(id, "*")]);
        all.policy(json!({"id": id, "cert_common_names": [id]}), id, &[asks, answered, takes_back, lives]);
    }
    json!({"enabled": true, "default_permission": "deny",
           "rules": all.rules, "subjects": all.subjects, "policies": all.policies})
}

/// The vehicles that a router's file lets in.
///
/// # Errors
/// Where it is no such file.
pub fn vehicles(file: &Value) -> Result<BTreeSet<String>, &'static str> {
    let subjects =
        file["access_control"]["subjects"].as_array().ok_or("it has no access_control.subjects")?;
    // Ours begin with a colon, which no vehicle's id has.
    let ids = subjects.iter().filter_map(|one| one["id"].as_str()).filter(|id| !id.starts_with(':'));
    Ok(ids.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_vehicle_has_its_own_keys_and_a_name_of_its_own() {
        let file = router("test", &BTreeSet::from(["anna", "bruno"]));
        let access = &file["access_control"];
        assert_eq!((&access["enabled"], &access["default_permission"]), (&true.into(), &"deny".into()));
        for rule in access["rules"].as_array().expect("a list") {
            let id = rule["id"].as_str().expect("text");
            for key in rule["key_exprs"].as_array().expect("a list") {
                let key = key.as_str().expect("text");
                if let Some(vehicle) = ["anna", "bruno"].iter().find(|vehicle| id.starts_with(**vehicle)) {
                    assert!(key.starts_with(&format!("troika/fleet/{vehicle}/")), "{id}: {key}");
                }
                assert!(
                    key.starts_with("troika/fleet/") || key.starts_with("troika/gateway/"),
                    "{id}: {key}"
                );
            }
        }
        let anna = access["subjects"]
            .as_array()
            .expect("a list")
            .iter()
            .find(|one| one["id"] == "anna")
            .expect("there");
        assert_eq!(anna["cert_common_names"], json!(["anna"]));
        assert_eq!(vehicles(&file), Ok(BTreeSet::from(["anna".to_owned(), "bruno".to_owned()])));
        assert!(vehicles(&json!({})).is_err());
    }

    #[test]
    fn no_vehicle_can_be_called_as_a_gateway_or_a_router_is() {
        for name in [gateway_name("x"), router_name("x"), gateway_name("")] {
            assert!(crate::identity::VehicleId::new(&name).is_err(), "{name}");
        }
    }

    #[test]
    fn zenoh_takes_the_whole_file() {
        let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
        let text = router("test", &BTreeSet::from(["anna"])).to_string();
        std::fs::write(file.path(), text).expect("written");
        zenoh::Config::from_file(file.path()).expect("a router's config");
    }
}
