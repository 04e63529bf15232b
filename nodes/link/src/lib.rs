//! What belongs here: what the link to the cloud is like, how sure that is, and when a probe is worth its bytes.
//!
//! [`Estimator`] is the belief: fed with [`Sample`]s, asked at any time, a function of both and of nothing else. [`Prober`] decides
//! whether a probe is worth what it costs; [`Coverage`] remembers what the link was like on a stretch of road. [`LinkNode`] is the three
//! as a step of 5 Hz. What touches sockets and files is behind [`Edge`], and lives in [`shell`].
//!
//! What the machine does with what it does not know:
//! - No sample, or none for 30 s: the state is *unknown*. It is never taken for a good link.
//! - A sample that ages says less and less: the range around it only widens.
//! - A rate seen while the sender had no more to send is a lower bound: it raises a belief and never lowers one.

pub mod bearer;
pub mod config;
pub mod coverage;
pub mod estimator;
mod filter;
mod loss;
pub mod node;
pub mod probe;
pub mod sample;
pub mod shell;

pub use bearer::{Bearer, Kind, Metered};
pub use config::{Config, ConfigError};
pub use coverage::{Coverage, Recall};
pub use estimator::{Estimate, Estimator, LinkStatus, Range};
pub use node::{Edge, Inputs, LinkNode, Outputs};
pub use probe::{Probe, Prober};
pub use sample::{Outcome, Sample, Source};
