//! Model passports and inference. No network.
//!
//! A [`Store`] knows every model by its [`Passport`] and gives bytes only after their sha256 was found right;
//! [`Store::network`] compiles them with tract and holds inputs and outputs against the passport; [`golden::verify`] compares
//! what the network computes with the values of another runtime. `troika-models-pull` fills the store.

mod approved;
mod beside;
mod exchange;
mod fitted;
pub mod golden;
mod network;
mod parts;
mod passport;
pub mod signature;
mod store;

pub use approved::KEY;
pub use beside::{Difference, Differences, Far};
pub use exchange::{Candidate, Exchange, Offered, Refusal};
pub use fitted::{Fit, FitError, Fitted};
pub use network::{Network, NetworkError, Outputs, RunError};
pub use passport::{
    Dtype, Format, Golden, Latency, Passport, PassportError, Registry, Sha256, Source, TensorSpec,
};
pub use store::{Store, StoreError};
pub use troika_tflite::{Isa, Kernels};
