//! Camera frame to hand gesture: palm, landmarks, pose, motion, debounce, mapping to vehicle functions.
pub mod config;
pub mod debounce;
pub mod gesture;
pub mod hand;
pub mod mapping;
pub mod node;
pub mod palm;
pub mod perception;
pub mod pose;
pub mod reading;
pub mod region;
pub mod store;
pub mod track;
