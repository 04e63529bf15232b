//! The live connection of Foxglove (<https://docs.foxglove.dev>): every topic of the graph as a channel, CDR with the .msg texts, over
//! WebSocket. The protocol's subprotocols `foxglove.websocket.v1` and the SDK's `foxglove.sdk.v1` say what is used of them here alike.
//!
//! - [`protocol`]: what is said, as text and bytes.
//! - [`hub`]: who is connected, what they subscribed to, and what waits for them; pure.
//! - [`door`]: who may come in: subprotocol, origin, the handshake.
//! - [`socket`]: one connection.

pub(crate) mod door;
pub(crate) mod hub;
pub(crate) mod protocol;
pub(crate) mod socket;
