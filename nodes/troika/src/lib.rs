//! The command line and the composition roots.
