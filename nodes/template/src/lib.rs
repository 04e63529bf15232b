//! The smallest complete node: copy this folder to get started.
