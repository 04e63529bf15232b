//! What the dialogue's process is started with.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use troika_dialogue::{Client, CloudConfig, CloudConfigError, DialogueConfig, DialogueConfigError, Town};
use troika_dialogue_mesh::{MeshUpstream, client::router};
use troika_router::{Policy, PolicyError};
use troika_transport_open::settings::{self, SettingsError};

/// The process's settings, as TOML or JSON: a `[nodes.<name>.params]` table in a system file. An unknown key is refused; all but
/// `dialogue.cloud` may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BridgeConfig {
    /// The service, and how a dialogue is held.
    pub dialogue: DialogueConfig,
    /// The router's policy file: the same as the node `router` has. None: the policy that ships.
    #[serde(default)]
    pub policy: Option<PathBuf>,
    /// A file of names that the driver knows, one in a line: they are replaced in what leaves.
    #[serde(default)]
    pub names_file: Option<PathBuf>,
    /// A map of places and roads (TOML). None: the town of the demo.
    #[serde(default)]
    pub map: Option<PathBuf>,
    /// Where the vehicle is on the map, m east of its middle.
    #[serde(default)]
    pub east_m: f64,
    /// And north of it.
    #[serde(default)]
    pub north_m: f64,
    /// The driver's clock is ahead of UTC by so many minutes.
    #[serde(default)]
    #[schemars(range(min = -720, max = 840))]
    pub utc_offset_min: i32,
    /// Whether a language model listens on /voice/language_request (a node of the kind `slm`).
    #[serde(default = "yes")]
    pub language: bool,
    /// That node's name: its signs of life tell a model that is busy from one that is not there.
    #[serde(default = "language_node")]
    pub language_node: String,
    /// What the service takes for a token that it is sent, millionths of a euro.
    #[serde(default)]
    pub microeuro_a_prompt_token: f64,
    /// And for one that comes back.
    #[serde(default)]
    pub microeuro_a_token: f64,
    /// A collector for the steps of each question. None: they are not recorded.
    #[serde(default)]
    pub trace: Option<TraceConfig>,
    /// `/` or `/car/front`.
    #[serde(default = "root")]
    pub namespace: String,
    /// The node's name.
    #[serde(default = "name")]
    pub name: String,
    /// Where the zenoh router is, if not as the environment says.
    #[serde(default)]
    pub router: Option<String>,
    /// DDS carries the messages, not zenoh.
    #[serde(default)]
    pub dds: bool,
    /// ROS 2's own client library carries them.
    #[serde(default)]
    pub ros2: bool,
    /// ROS's domain, if not as the environment says.
    #[serde(default)]
    pub domain: Option<u32>,
    /// Niceness of the process.
    #[serde(default)]
    pub nice: Option<i32>,
}

/// An OpenTelemetry collector, on the vehicle or beyond (OTLP over HTTP, as JSON). None of the words that were asked or answered goes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceConfig {
    /// `http://127.0.0.1:4318`, or `https://` on another machine; `/v1/traces` is put behind it.
    pub endpoint: String,
    /// PEM: the authorities that are trusted instead of the public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

impl TraceConfig {
    /// Who sends them.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn client(&self) -> Result<Client, BridgeConfigError> {
        let plain_http = self.endpoint.starts_with("http://");
        let ca_file = self.ca_file.clone();
        let wrong = |error: CloudConfigError| {
            BridgeConfigError::Trace(error.to_string().replace("cloud.url", "endpoint"))
        };
        if self.endpoint.starts_with("zenoh") {
            return Err(wrong(CloudConfigError::Url(self.endpoint.clone())));
        }
        Client::when_there(&CloudConfig { plain_http, ca_file, ..CloudConfig::new(&self.endpoint, "") })
            .map_err(wrong)
    }
}

fn language_node() -> String {
    "slm".into()
}
fn yes() -> bool {
    true
}
fn root() -> String {
    "/".into()
}
fn name() -> String {
    "bridge".into()
}

/// Settings that make no process.
#[derive(Debug, thiserror::Error)]
pub enum BridgeConfigError {
    /// They cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A file that cannot be read.
    #[error("{key}: cannot read {}: {reason}", path.display())]
    Read {
        /// The key.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: io::Error,
    },
    /// The dialogue's.
    #[error("dialogue.{0}")]
    Dialogue(#[from] DialogueConfigError),
    /// What leads to the cloud.
    #[error("dialogue.{0}")]
    Cloud(String),
    /// The collector's address.
    #[error("trace.{0}")]
    Trace(String),
    /// The policy's.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The map's.
    #[error("map: {}: {reason}", path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// A number out of its range.
    #[error("{key} is {value}; it is {range}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
}

impl BridgeConfig {
    /// From JSON text (it begins with `{`), or from a file: JSON when its name ends so, else TOML.
    ///
    /// # Errors
    /// When the file cannot be read, or says what is not known.
    pub fn load(text_or_file: &str) -> Result<BridgeConfig, BridgeConfigError> {
        Ok(settings::load(text_or_file)?)
    }

    /// Whether all of it can be used, and the files that it names are there.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), BridgeConfigError> {
        self.check_but_clouds_files()?;
        self.check_clouds_files()
    }

    /// Whether the files that lead to the cloud (its authority, our certificate, keys) are there and hold what they should. Without them the
    /// vehicle answers by itself until they are.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn check_clouds_files(&self) -> Result<(), BridgeConfigError> {
        let cloud = &self.dialogue.cloud;
        if cloud.over_zenoh() {
            return MeshUpstream::check(cloud).map_err(|error| BridgeConfigError::Cloud(error.to_string()));
        }
        Client::new(cloud).map(drop).map_err(|error| BridgeConfigError::Cloud(error.to_string()))
    }

    /// Whether everything else can be used.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_but_clouds_files(&self) -> Result<(), BridgeConfigError> {
        self.dialogue.manner()?;
        let cloud = &self.dialogue.cloud;
        if cloud.over_zenoh() {
            router(cloud).map_err(|error| BridgeConfigError::Cloud(error.to_string()))?;
        }
        if let Some(trace) = &self.trace {
            trace.client()?;
        }
        self.policy()?;
        self.names()?;
        self.town()?;
        let range = |key, value: f64, good: bool, range| {
            if good { Ok(()) } else { Err(BridgeConfigError::Range { key, value, range }) }
        };
        range(
            "utc_offset_min",
            f64::from(self.utc_offset_min),
            (-720..=840).contains(&self.utc_offset_min),
            "-720 to 840",
        )?;
        for (key, value) in [("east_m", self.east_m), ("north_m", self.north_m)] {
            range(key, value, value.is_finite() && value.abs() < 1e6, "a number of metres")?;
        }
        let prices = [
            ("microeuro_a_prompt_token", self.microeuro_a_prompt_token),
            ("microeuro_a_token", self.microeuro_a_token),
        ];
        for (key, value) in prices {
            range(key, value, (0.0..1e6).contains(&value), "0 or more")?;
        }
        Ok(())
    }

    /// The policy.
    ///
    /// # Errors
    /// A file that cannot be read, or that is none.
    pub fn policy(&self) -> Result<Policy, BridgeConfigError> {
        match &self.policy {
            None => Ok(Policy::built_in()),
            Some(path) => Ok(Policy::parse(&path.display().to_string(), &read("policy", path)?)?),
        }
    }

    /// The names that are replaced in what leaves.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn names(&self) -> Result<Vec<String>, BridgeConfigError> {
        let Some(path) = &self.names_file else { return Ok(Vec::new()) };
        let text = read("names_file", path)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        Ok(lines.map(str::to_owned).collect())
    }

    /// The map.
    ///
    /// # Errors
    /// A file that cannot be read, or that is none.
    pub fn town(&self) -> Result<Town, BridgeConfigError> {
        let Some(path) = &self.map else { return Ok(Town::brellin()) };
        let text = read("map", path)?;
        Town::read(&text)
            .map_err(|why| BridgeConfigError::Map { path: path.clone(), reason: why.to_string() })
    }
}

fn read(key: &'static str, path: &Path) -> Result<String, BridgeConfigError> {
    fs::read_to_string(path).map_err(|reason| BridgeConfigError::Read { key, path: path.into(), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "[dialogue.cloud]\nurl = \"https://gateway.example/v1\"\nmodel = \"large\"\n";

    fn config(more: &str) -> BridgeConfig {
        toml::from_str(&format!("{more}\n{LEAST}")).unwrap()
    }

    #[test]
    fn the_service_is_all_that_must_be_said() {
        let config = config("");
        config.check().unwrap();
        assert_eq!((config.name.as_str(), config.language, config.namespace.as_str()), ("bridge", true, "/"));
        assert!(toml::from_str::<BridgeConfig>("").unwrap_err().to_string().contains("dialogue"));
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_key() {
        let told = |more: &str| config(more).check().unwrap_err().to_string();
        assert!(told("utc_offset_min = 900").contains("-720 to 840"));
        assert!(told("trace = { endpoint = \"http://elsewhere:4318\" }").starts_with("trace.endpoint is"));
        assert!(told("trace = { endpoint = \"localhost:4318\" }").starts_with("trace.endpoint is"));
        assert!(told("east_m = nan").starts_with("east_m"));
        assert!(told("names_file = \"not-there.txt\"").contains("names_file: cannot read not-there.txt"));
        assert!(told("map = \"not-there.toml\"").contains("map: cannot read"));
        let folder = tempfile::tempdir().unwrap();
        let map = folder.path().join("map.toml");
        fs::write(&map, "name = \"x\"\n[junctions]\nroads = 5\n").unwrap();
        assert!(told(&format!("map = {:?}", map.display().to_string())).contains("map.toml"));
    }

    #[test]
    fn the_clouds_files_are_looked_at_apart() {
        let config: BridgeConfig = toml::from_str(&format!("{LEAST}key_file = \"no.key\"\n")).unwrap();
        config.check_but_clouds_files().unwrap();
        let told = config.check().unwrap_err().to_string();
        assert!(told.starts_with("dialogue.cloud.key_file: cannot read no.key"), "{told}");
        let zenoh = LEAST.replace("https://gateway.example/v1", "zenoh+quic://router:7447");
        let zenoh: BridgeConfig = toml::from_str(&zenoh).unwrap();
        zenoh.check_but_clouds_files().unwrap();
        assert!(zenoh.check().unwrap_err().to_string().starts_with("dialogue.cloud.ca_file is missing"));
    }

    #[test]
    fn names_are_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("names.txt");
        fs::write(&file, "# the driver's own\nAnna Berg\n\n  Ola Nordmann \n").unwrap();
        let config = config(&format!("names_file = {:?}", file.display().to_string()));
        assert_eq!(config.names().unwrap(), ["Anna Berg", "Ola Nordmann"]);
    }
}
