//! Liveliness tokens: how a node, publisher, subscription, service or client shows on the graph.
//!
//! `@ros2_lv/<domain>/<zid>/<nid>/<id>/<kind>/<enclave>/<namespace>/<node>`, and for all but nodes
//! `/<name>/<dds type>/<hash>/<qos>` after it. A slash inside a part is written `%`.

use super::{
    attachment::Gid,
    key::parse_decimal,
    name::{full_node_name, type_from_dds},
    qos::{QosError, QosProfile},
};

const ADMIN_SPACE: &str = "@ros2_lv";

/// A token, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// `ROS_DOMAIN_ID`.
    pub domain: u32,
    /// The zenoh session's id, lower-case hexadecimal.
    pub zid: String,
    /// The node's number in its session.
    pub node_id: u64,
    /// The entity's number in its session; a node's is its `node_id`.
    pub entity_id: u64,
    /// The security enclave; `/` when there is none.
    pub enclave: String,
    /// The node's namespace, `/` or `/car`.
    pub namespace: String,
    /// The node's own name.
    pub node: String,
    /// What it is.
    pub entity: Entity,
}

/// What a token stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entity {
    /// The node itself.
    Node,
    /// Something of the node.
    Endpoint(Endpoint),
}

/// A publisher, subscription, service or client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Which of them.
    pub kind: EndpointKind,
    /// The topic's or service's absolute name.
    pub name: String,
    /// The type as the wire has it, `std_msgs::msg::dds_::String_`.
    pub dds_type: String,
    /// `RIHS01_…`.
    pub type_hash: String,
    /// What it offers or asks for.
    pub qos: QosProfile,
}

/// The kinds of endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointKind {
    /// `MP`
    Publisher,
    /// `MS`
    Subscription,
    /// `SS`
    Service,
    /// `SC`
    Client,
}

/// A key that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Does not start with `@ros2_lv`.
    #[error("not in ROS's liveliness space")]
    Space,
    /// Not 9 parts for a node or 13 for the rest, or an empty one.
    #[error("a token has 9 parts for a node and 13 for the rest, none of them empty")]
    Parts,
    /// The domain, node or entity number is none.
    #[error("a number in the token is none")]
    Number,
    /// An entity that ROS does not have.
    #[error("the token's kind is none that ROS has")]
    Kind,
    /// The QoS string is none.
    #[error(transparent)]
    Qos(#[from] QosError),
}

impl EndpointKind {
    fn code(self) -> &'static str {
        match self {
            EndpointKind::Publisher => "MP",
            EndpointKind::Subscription => "MS",
            EndpointKind::Service => "SS",
            EndpointKind::Client => "SC",
        }
    }
}

impl Endpoint {
    /// `package/msg/Name`, or the wire's spelling when that is no ROS type.
    pub fn type_name(&self) -> String {
        type_from_dds(&self.dds_type).unwrap_or_else(|_| self.dds_type.clone())
    }
}

impl Token {
    /// The node's name with its namespace.
    pub fn full_node_name(&self) -> String {
        full_node_name(&self.namespace, &self.node)
    }

    /// The key expression.
    pub fn encode(&self) -> String {
        let kind = match &self.entity {
            Entity::Node => "NN",
            Entity::Endpoint(endpoint) => endpoint.kind.code(),
        };
        let mut key = format!(
            "{ADMIN_SPACE}/{}/{}/{}/{}/{kind}/{}/{}/{}",
            self.domain,
            self.zid,
            self.node_id,
            self.entity_id,
            mangle(&self.enclave),
            mangle(&self.namespace),
            mangle(&self.node),
        );
        if let Entity::Endpoint(endpoint) = &self.entity {
            for part in [&endpoint.name, &endpoint.dds_type, &endpoint.type_hash] {
                key.push('/');
                key.push_str(&mangle(part));
            }
            key.push('/');
            key.push_str(&endpoint.qos.encode());
        }
        key
    }

    /// Reads a key expression.
    pub fn parse(key: &str) -> Result<Token, TokenError> {
        let parts: Vec<&str> = key.split('/').collect();
        if parts[0] != ADMIN_SPACE {
            return Err(TokenError::Space);
        }
        if parts.iter().any(|part| part.is_empty()) {
            return Err(TokenError::Parts);
        }
        let [_, domain, zid, node_id, entity_id, kind, enclave, namespace, node, rest @ ..] =
            parts.as_slice()
        else {
            return Err(TokenError::Parts);
        };
        let kind = match *kind {
            "NN" => None,
            "MP" => Some(EndpointKind::Publisher),
            "MS" => Some(EndpointKind::Subscription),
            "SS" => Some(EndpointKind::Service),
            "SC" => Some(EndpointKind::Client),
            _ => return Err(TokenError::Kind),
        };
        let entity = match (kind, rest) {
            (None, []) => Entity::Node,
            (Some(kind), [name, dds_type, type_hash, qos]) => Entity::Endpoint(Endpoint {
                kind,
                name: demangle(name),
                dds_type: demangle(dds_type),
                type_hash: demangle(type_hash),
                qos: QosProfile::parse(qos)?,
            }),
            _ => return Err(TokenError::Parts),
        };
        Ok(Token {
            domain: parse_decimal(domain).ok_or(TokenError::Number)?,
            zid: (*zid).to_owned(),
            node_id: parse_decimal(node_id).ok_or(TokenError::Number)?,
            entity_id: parse_decimal(entity_id).ok_or(TokenError::Number)?,
            enclave: demangle(enclave),
            namespace: demangle(namespace),
            node: demangle(node),
            entity,
        })
    }

    /// The global id of what the token stands for.
    pub fn gid(&self) -> Gid {
        xxhash_rust::xxh3::xxh3_128(self.encode().as_bytes()).to_le_bytes()
    }
}

/// The key that matches every token of a domain.
pub fn graph_key(domain: u32) -> String {
    format!("{ADMIN_SPACE}/{domain}/**")
}

/// A key expression has no empty parts, so an empty name is written as the root is.
fn mangle(name: &str) -> String {
    if name.is_empty() { "%".to_owned() } else { name.replace('/', "%") }
}

fn demangle(part: &str) -> String {
    part.replace('%', "/")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18";
    const ZID: &str = "786c09f5cbaebe8e4648f492288efd24";

    /// Captured from pyzeros 0.1.0.
    fn captured_publisher() -> String {
        format!(
            "@ros2_lv/0/{ZID}/0/1/MP/%/%car/talker/%chatter/std_msgs::msg::dds_::String_/{HASH}/::,10:,:,:,,"
        )
    }

    #[test]
    fn a_captured_publisher_reads_and_writes_back() {
        let token = Token::parse(&captured_publisher()).expect("captured");
        assert_eq!(token.full_node_name(), "/car/talker");
        assert_eq!((token.domain, token.zid.as_str(), token.node_id, token.entity_id), (0, ZID, 0, 1));
        let Entity::Endpoint(endpoint) = &token.entity else { panic!("a publisher is an endpoint") };
        assert_eq!(endpoint.kind, EndpointKind::Publisher);
        assert_eq!(endpoint.name, "/chatter");
        assert_eq!(endpoint.type_name(), "std_msgs/msg/String");
        assert_eq!(endpoint.type_hash, HASH);
        assert_eq!(endpoint.qos.depth, 10);
        assert_eq!(token.encode(), captured_publisher());
    }

    #[test]
    fn the_gid_is_the_one_that_the_publisher_sent() {
        let token = Token::parse(&captured_publisher()).expect("captured");
        let sent = 0xb71a_aded_8fa1_1386_8701_4b24_aa85_baf2_u128.to_be_bytes();
        assert_eq!(token.gid(), sent);
    }

    #[test]
    fn captured_tokens_of_other_kinds_read_and_write_back() {
        for key in [
            // zenoh-ros2-sdk 0.1.8
            "@ros2_lv/0/b724bb41360969e12d2f86826aad8fc8/1/1/NN/%/%/sdk_listener".to_owned(),
            format!(
                "@ros2_lv/0/b724bb41360969e12d2f86826aad8fc8/1/1/MS/%/%/sdk_listener/%chatter/\
                 std_msgs::msg::dds_::String_/{HASH}/::,10:,:,:,,"
            ),
            // pyzeros 0.1.0
            format!("@ros2_lv/0/{ZID}/0/0/NN/%/%car/talker"),
            format!(
                "@ros2_lv/0/{ZID}/0/2/MP/%/%car/talker/%car%cam%x/std_msgs::msg::dds_::String_/{HASH}/2::,5:,:,:,,"
            ),
            format!(
                "@ros2_lv/0/{ZID}/0/3/MS/%/%car/talker/%chatter/std_msgs::msg::dds_::String_/{HASH}/\
                 ::2,:0,500000000:2,0:3,3,7"
            ),
        ] {
            assert_eq!(Token::parse(&key).map(|t| t.encode()), Ok(key));
        }
    }

    #[test]
    fn a_type_that_ros_does_not_know_is_shown_as_it_is() {
        let key = captured_publisher().replace("std_msgs::msg::dds_::String_", "something");
        let token = Token::parse(&key).expect("only the type is strange");
        let Entity::Endpoint(endpoint) = token.entity else { panic!("a publisher is an endpoint") };
        assert_eq!(endpoint.type_name(), "something");
    }

    #[test]
    fn strange_tokens_give_their_reason() {
        for (key, why) in [
            ("", TokenError::Space),
            ("0/chatter", TokenError::Space),
            ("@ros2_lv", TokenError::Parts),
            ("@ros2_lv/0/a/0/0/NN/%/%", TokenError::Parts),
            ("@ros2_lv/0/a/0/0/NN/%//n", TokenError::Parts),
            ("@ros2_lv/0/a/0/0/NN/%/%/n/extra", TokenError::Parts),
            ("@ros2_lv/0/a/0/0/MP/%/%/n", TokenError::Parts),
            ("@ros2_lv/0/a/0/0/XX/%/%/n", TokenError::Kind),
            ("@ros2_lv/x/a/0/0/NN/%/%/n", TokenError::Number),
            ("@ros2_lv/0/a/-1/0/NN/%/%/n", TokenError::Number),
            ("@ros2_lv/0/a/0/0/MP/%/%/n/%t/T/H/::", TokenError::Qos(QosError::Shape)),
        ] {
            assert_eq!(Token::parse(key), Err(why), "{key}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            (domain, node_id, entity_id, depth) in (any::<u32>(), any::<u64>(), any::<u64>(), any::<u64>()),
            zid in "[0-9a-f]{1,32}",
            namespace in "/|(/[a-z_][a-z0-9_]{0,8}){1,3}",
            node in "[a-z_][a-z0-9_]{0,12}",
            name in "(/[a-z_][a-z0-9_]{0,8}){1,4}",
            kind in proptest::option::of(0..4usize),
        ) {
            use EndpointKind as K;
            let entity = kind.map_or(Entity::Node, |kind| Entity::Endpoint(Endpoint {
                kind: [K::Publisher, K::Subscription, K::Service, K::Client][kind],
                name,
                dds_type: "std_msgs::msg::dds_::String_".to_owned(),
                type_hash: HASH.to_owned(),
                qos: QosProfile { depth, ..QosProfile::DEFAULT },
            }));
            let token = Token { domain, zid, node_id, entity_id, enclave: "/".to_owned(), namespace, node, entity };
            prop_assert_eq!(Token::parse(&token.encode()), Ok(token));
        }

        #[test]
        fn garbage_never_panics(text in "(@ros2_lv)?([0-9a-zNMPS/:,_%]{0,120})|(\\PC{0,80})") {
            if let Ok(token) = Token::parse(&text) {
                prop_assert_eq!(Token::parse(&token.encode()), Ok(token));
            }
        }
    }
}
