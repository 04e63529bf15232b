//! Parameters of the link node.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{bearer::Metered, probe::Probe};

/// Parameters: a `[nodes.<name>.params]` table in a system file. An unknown key is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where probes go, `host:port`: the gateway. Empty: no probes.
    pub endpoint: String,
    /// What probes ask for there over plain HTTP; `{bytes}` becomes the size of the body that is wanted. Empty: a connection is all,
    /// which is what an endpoint with TLS allows, and measures the round trip alone.
    pub path: String,
    /// What probes may cost.
    pub probes: ProbeConfig,
    /// Whether bytes cost; `unknown`: what the system tells.
    pub metered: Metered,
    /// Road segments remembered. A record of some 200 bytes each.
    #[schemars(range(min = 1, max = 100000))]
    pub segments: usize,
    /// Where they are kept over a restart. Empty: nowhere.
    pub memory: PathBuf,
    /// A probe is wanted for so long after somebody began or ended to speak, s: a question and the next.
    #[schemars(range(min = 0.0, max = 600.0))]
    pub wanted_s: f32,
}

/// What probes may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProbeConfig {
    /// Bytes an hour, both ways; a metered link has a quarter of it.
    pub bytes_per_hour: u32,
    /// Bytes that may be saved up.
    pub bytes_at_once: u32,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        // 400 kB an hour is 0.3 GB a year of two hours a day.
        ProbeConfig { bytes_per_hour: 400_000, bytes_at_once: 66_000 }
    }
}

impl Default for Config {
    fn default() -> Self {
        Config {
            endpoint: String::new(),
            path: String::new(),
            probes: ProbeConfig::default(),
            metered: Metered::Unknown,
            segments: 4_096,
            memory: PathBuf::new(),
            wanted_s: 20.0,
        }
    }
}

/// Parameters that make no link node.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// Not `host:port`.
    #[error("endpoint is '{0}'; it is a host and a port, as in gateway.example:443, or empty for no probes")]
    Endpoint(String),
    /// Not a path.
    #[error("path is '{0}'; it begins with / and holds no space, as in /probe?bytes={{bytes}}, or is empty")]
    Path(String),
    /// Without an endpoint there is nothing to ask.
    #[error("path is set and endpoint is not: name the endpoint, or leave the path out")]
    PathAlone,
    /// No probe could ever be paid.
    #[error("probes.bytes_at_once is {0}; the smallest probe takes {least}; for no probes leave endpoint empty", least = Probe::Ping.bytes())]
    Budget(u32),
    /// Out of its range.
    #[error("{name} is {value}; it is {range}")]
    Range {
        /// The parameter.
        name: &'static str,
        /// As given.
        value: String,
        /// What it may be.
        range: &'static str,
    },
}

impl Config {
    /// Whether a node can be made of them.
    ///
    /// # Errors
    /// The first parameter that cannot be used, and what it may be.
    pub fn check(&self) -> Result<(), ConfigError> {
        let range = |name, value: String, range| Err(ConfigError::Range { name, value, range });
        let port = self.endpoint.rsplit_once(':').filter(|(host, _)| !host.is_empty()).map(|(_, port)| port);
        if !self.endpoint.is_empty()
            && port.and_then(|port| port.parse::<u16>().ok()).is_none_or(|port| port == 0)
        {
            return Err(ConfigError::Endpoint(self.endpoint.clone()));
        }
        let plain = |path: &str| path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
        if !self.path.is_empty() && !plain(&self.path) {
            return Err(ConfigError::Path(self.path.clone()));
        }
        if !self.path.is_empty() && self.endpoint.is_empty() {
            return Err(ConfigError::PathAlone);
        }
        if self.probes.bytes_at_once < Probe::Ping.bytes() {
            return Err(ConfigError::Budget(self.probes.bytes_at_once));
        }
        if !(1..=100_000).contains(&self.segments) {
            return range("segments", self.segments.to_string(), "1 to 100000");
        }
        if !(0.0..=600.0).contains(&self.wanted_s) {
            return range("wanted_s", self.wanted_s.to_string(), "0 to 600");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let config: Config = toml::from_str(text).unwrap();
        config.check().unwrap_err().to_string()
    }

    #[test]
    fn the_defaults_make_a_node() {
        assert_eq!(Config::default().check(), Ok(()));
        for (said, meant) in [
            ("'no'", Metered::No),
            ("false", Metered::No),
            ("true", Metered::Yes),
            ("'unknown'", Metered::Unknown),
        ] {
            let config: Config = toml::from_str(&format!("metered = {said}")).expect("known");
            assert_eq!(config.metered, meant, "{said}");
        }
        let refused = toml::from_str::<Config>("metered = 'maybe'").expect_err("unknown").to_string();
        assert!(refused.contains(r#"expected "yes", "no" or "unknown""#), "{refused}");
        let full = "endpoint = '[::1]:8080'\npath = '/probe?bytes={bytes}'\nmetered = 'no'\n";
        assert_eq!(toml::from_str::<Config>(full).unwrap().check(), Ok(()));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_way_out() {
        assert!(refused("endpoint = 'gateway'").contains("gateway.example:443"));
        assert!(refused("endpoint = 'gateway:0'").contains("host and a port"));
        assert!(refused("endpoint = 'a:1'\npath = '/x y'").contains("holds no space"));
        assert!(refused("path = '/x'").contains("name the endpoint"));
        assert!(refused("probes = { bytes_at_once = 10 }").contains("600"));
        assert!(refused("wanted_s = nan").contains("0 to 600"));
        assert!(refused("segments = 0").contains("1 to 100000"));
        let misspelt = toml::from_str::<Config>("endpont = 'a:1'").unwrap_err().to_string();
        assert!(misspelt.contains("endpont") && misspelt.contains("line 1"), "{misspelt}");
    }
}
