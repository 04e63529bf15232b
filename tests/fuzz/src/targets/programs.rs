//! What programs are started with: the files of the gateway, of the vehicle's senders, of the dialogue and of the voice.

use std::path::Path;

use troika_bridge::BridgeConfig;
use troika_gateway::config::{Config, ConfigError};
use troika_uplink::UplinkConfig;
use troika_voice::config::VoiceConfig;

use super::{as_file, settings::taken, text, told, told_with_line};
use crate::Target;

pub(super) const ALL: &[Target] = &[
    Target::text("gateway_config", gateway, &["launch/deploy/gateway.toml"]).memory(2 << 20, 400),
    Target::text("uplink_config", uplink, &["launch/deploy/uplink.toml"]).cases(4_000).memory(2 << 20, 400),
    Target::text("bridge_config", bridge, &[]).cases(500).memory(8 << 20, 400),
    Target::text("voice_config", voice, &[]).cases(4_000),
];

/// What is taken has its models, each at an upstream.
fn gateway(bytes: &[u8]) -> bool {
    let text = text(bytes);
    let file = Path::new("gateway.toml");
    match Config::parse(&text, file) {
        Ok(config) => {
            config.unusual(&text, file).iter().for_each(|one| told(one, bytes));
            assert!(config.models().values().all(|at| *at != 0), "a model that no upstream has");
            true
        }
        Err(error @ ConfigError::Line { line, .. }) => {
            told_with_line(&error, line, bytes);
            false
        }
        Err(error) => panic!("text is not read from a file: {error}"),
    }
}

/// JSON as an argument, TOML as a file: what `load` is given.
fn loaded<T>(bytes: &[u8], load: impl Fn(&str) -> T) -> T {
    let text = text(bytes);
    if text.trim_start().starts_with('{') {
        return load(&text);
    }
    let (_open, path) = as_file(text.as_bytes());
    load(&path.to_string_lossy())
}

fn uplink(bytes: &[u8]) -> bool {
    match loaded(bytes, UplinkConfig::load) {
        Ok(config) => {
            let _ = (config.unusual(), config.reads());
            taken(config.check_but_clouds_files(), bytes)
        }
        Err(error) => taken(Err::<(), _>(error), bytes),
    }
}

/// Files that it names are those of the machine that reads it: one that names some is parsed and no more.
fn bridge(bytes: &[u8]) -> bool {
    match loaded(bytes, BridgeConfig::load) {
        Ok(config) if config.policy.is_none() && config.names_file.is_none() && config.map.is_none() => {
            taken(config.check_but_clouds_files(), bytes)
        }
        Ok(_) => true,
        Err(error) => taken(Err::<(), _>(error), bytes),
    }
}

fn voice(bytes: &[u8]) -> bool {
    match loaded(bytes, VoiceConfig::load) {
        Ok(config) => {
            let pace = config.pace();
            assert!(
                pace.partial_every.is_none_or(|every| every.as_secs_f32() > 0.1),
                "{:?}",
                pace.partial_every
            );
            taken(config.check_language(), bytes)
        }
        Err(error) => taken(Err::<(), _>(error), bytes),
    }
}
