//! Fetches models: resume, verify, refuse. The only room that touches the network.
