//! The router's configuration of the plugin to the bridge's settings. Pure, but for the files that the settings name.

use anyhow::Context as _;
use serde_json::Value;
use troika_bridge::BridgeConfig;

/// What says where the messages go: inside a router they go through it.
const CARRIERS: [&str; 4] = ["router", "dds", "ros2", "nice"];

/// Reads and checks them.
///
/// # Errors
/// The key at fault, and what it may be.
pub(crate) fn read(mut settings: Value) -> anyhow::Result<BridgeConfig> {
    let Some(all) = settings.as_object_mut() else {
        anyhow::bail!("it is an object of the bridge's settings, with at least dialogue.cloud");
    };
    // zenoh's own: where the library is, whether it must load, how many threads.
    all.retain(|key, _| !key.starts_with("__"));
    if let Some(key) = CARRIERS.into_iter().find(|key| all.contains_key(*key)) {
        anyhow::bail!("'{key}' is of the program troika-bridge; inside a router leave it out");
    }
    let config: BridgeConfig = serde_json::from_value(settings)?;
    config.check().context("settings")?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(more: Value) -> Value {
        let mut settings =
            json!({"dialogue": {"cloud": {"url": "https://gateway.example/v1", "model": "large"}}});
        if let (Some(all), Value::Object(more)) = (settings.as_object_mut(), more) {
            all.extend(more);
        }
        settings
    }

    #[test]
    fn the_routers_own_keys_are_no_settings() {
        let config = read(with(json!({"__required__": true, "__path__": "/x.so", "east_m": 5.0}))).unwrap();
        assert_eq!((config.east_m, config.name.as_str()), (5.0, "bridge"));
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_key() {
        let told = |more| format!("{:#}", read(with(more)).unwrap_err());
        assert!(told(json!({"eest_m": 5.0})).contains("eest_m"));
        assert!(told(json!({"router": "tcp/localhost:7447"})).contains("leave it out"));
        assert!(told(json!({"east_m": 1e9})).contains("a number of metres"));
        assert!(format!("{:#}", read(json!(true)).unwrap_err()).contains("dialogue.cloud"));
    }
}
