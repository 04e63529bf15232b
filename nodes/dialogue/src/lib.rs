//! What belongs here: a dialogue with a large model in the cloud that the vehicle's own model can take over in mid-sentence. Pure but for
//! [`client`], [`cloud`] and [`files`].
//!
//! [`turn`] decides who speaks and until when, [`reply`] puts the words of two models together, [`chat`] reads the stream, [`grounded`] holds
//! the vehicle's words against what the tools told, and [`breaker`] leaves a service that fails alone. [`plan`] and [`phrase`]
//! answer what is asked of the way without any model.

pub mod breaker;
pub mod chat;
pub mod client;
pub mod cloud;
pub mod config;
pub mod fault;
pub mod files;
pub mod grounded;
pub mod memory;
pub mod navigation;
pub mod otlp;
pub mod phrase;
pub mod plan;
pub mod reply;
pub mod sentences;
pub mod session;
pub mod tls_fault;
pub mod told;
pub mod town;
pub mod trace;
pub mod turn;
pub mod words;

pub use client::Client;
pub use cloud::{CloudConfig, CloudConfigError, HttpUpstream, Meter, Traffic, Upstream};
pub use config::{DialogueConfig, DialogueConfigError};
pub use fault::Fault;
pub use files::{Files, News};
pub use grounded::{Facts, grounded};
pub use memory::Audience;
pub use navigation::{Navigation, Situation};
pub use plan::{Before, Plan, Planner};
pub use reply::Tier;
pub use session::{LocalModel, Manner, Said, Session, Tools};
pub use tls_fault::TlsFault;
pub use told::Told;
pub use town::Town;
pub use trace::Trace;
pub use turn::{Action, Ask, End, FromCloud, FromLocal, Pace, Reason, Turn};
pub use words::Words;
