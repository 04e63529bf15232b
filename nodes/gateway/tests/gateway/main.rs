//! The gateway as vehicles and upstreams meet it: real TLS over loopback, hostile vehicles, upstreams that misbehave by a script.

mod browser;
mod door;
mod kept;
mod load;
mod page;
mod streams;
mod trace;
mod upstream;
mod world;
