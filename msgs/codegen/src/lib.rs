//! What belongs here: everything that reads ROS 2 .msg and .srv files at build time. [`parse`](parse::parse) and
//! [`parse_service`] read one file, [`Interfaces`] holds a set that refers to one another, [`hash`] makes the REP 2011 hash, [`definition`] the text
//! that recordings carry, and [`rust`] the Rust source.
//!
//! Pure: text in, text out; the build script of `troika-msgs` does the reading and writing of files. Any text gives a
//! value or a typed error with its line, never a panic.

pub mod definition;
pub mod hash;
pub mod parse;
pub mod rust;
mod set;
mod srv;

pub use parse::{Array, Base, Constant, Field, Folder, MsgFile, ParseError, ParseErrorKind, Primitive, Type};
pub use set::{Interfaces, SetError};
pub use srv::{SrvFile, parse_service};
