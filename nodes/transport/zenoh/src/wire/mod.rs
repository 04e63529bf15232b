//! The wire form that rmw_zenoh speaks, as pure functions: no session, no clock, no I/O.
//!
//! Everything that arrives is data from strangers: parsing gives a typed error on anything malformed and never panics.
//! The layouts follow rmw_zenoh_cpp (Jazzy and later); the tests hold strings captured from independent peers.

mod attachment;
mod key;
mod name;
mod qos;
mod token;

pub use attachment::{Attachment, AttachmentError, Gid};
pub use key::{KeyError, TopicKey, any_type_key};
pub use name::{
    NameError, check_namespace, check_node_name, check_topic, full_node_name, type_from_dds, type_to_dds,
};
pub use qos::{Durability, History, Liveliness, QosError, QosProfile, Reliability, Span};
pub use token::{Endpoint, EndpointKind, Entity, Token, TokenError, graph_key};
