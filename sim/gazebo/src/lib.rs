//! What belongs here: the bridge between Gazebo's topics and ours. [`config`] is the file that pairs them, [`convert`] takes messages
//! of one side to those of the other ([`wire`] has Gazebo's), [`pace`] bounds a rate, [`echo`] knows what the bridge itself has said:
//! all pure. [`queue`] and [`count`] are between a pair's threads; `peer` and `process`, built with a family's feature, have Gazebo's
//! library and the process.

pub mod config;
pub mod convert;
pub mod count;
pub mod echo;
pub mod pace;
#[cfg(feature = "library")]
pub mod peer;
#[cfg(feature = "library")]
pub mod process;
pub mod queue;
pub mod wire;

#[cfg(all(feature = "library", not(any(feature = "fortress", feature = "harmonic"))))]
compile_error!("name Gazebo's family: the feature `fortress` or `harmonic`");
#[cfg(all(feature = "fortress", feature = "harmonic"))]
compile_error!("one family of Gazebo at a time: the feature `fortress` or `harmonic`");
