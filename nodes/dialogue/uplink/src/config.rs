//! What the process is started with.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use troika_dialogue::{Client, CloudConfig, CloudConfigError, Files};
use troika_outbox::{Limits, LimitsError};
use troika_transport_open::settings::{self, SettingsError};

use crate::{identity, item::AROUND, place};

/// Items of a batch and its bytes, at most: as the gateway has it.
const MOST_ITEMS: u64 = 100;
const MOST_BYTES: u64 = 2 << 20;

/// The process's settings, as TOML or JSON: a `[nodes.<name>.params]` table in a system file. An unknown key is refused; all but `cloud` and
/// `file` may be left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UplinkConfig {
    /// The gateway.
    pub cloud: GatewayConfig,
    /// The outbox's file. It and its folder are made where there are none; both are to outlive a restart of the machine.
    pub file: PathBuf,
    /// How much waits and what a day may spend.
    #[serde(default)]
    pub outbox: Limits,
    /// How it goes.
    #[serde(default)]
    pub delivery: DeliveryConfig,
    /// What the fleet's page is told.
    #[serde(default)]
    pub report: ReportConfig,
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

/// `cloud`: the gateway, and who we are to it. As the dialogue's table of that name, without a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// Up to and with `/v1`: `https://host/v1`.
    pub url: String,
    /// A file with a key alone in it, where a proxy before the gateway asks for one.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// PEM: the fleet's authority (`ca.pem` of the enrolment).
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// PEM: the vehicle's certificate (`certificate.pem`).
    #[serde(default)]
    pub certificate_file: Option<PathBuf>,
    /// PEM: its key (`key.pem`).
    #[serde(default)]
    pub private_key_file: Option<PathBuf>,
    /// Plain HTTP. For a service on the same machine only.
    #[serde(default)]
    pub plain_http: bool,
    /// The host's name is found within, ms.
    #[serde(default = "resolve_ms")]
    pub resolve_ms: u64,
    /// The connection stands (TCP and TLS) within, ms.
    #[serde(default = "connect_ms")]
    pub connect_ms: u64,
    /// What is sent has gone within, and so much later the answer has come, ms. One of 256 KiB takes a minute at 35 kbit/s.
    #[serde(default = "answer_ms")]
    pub answer_ms: u64,
}

/// `delivery`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryConfig {
    /// Bytes in any minute, at most.
    pub bytes_a_minute: u64,
    /// Items at once, 1 to 100.
    pub batch_items: u64,
    /// Bytes at once; what the link surely carries in ten seconds bounds it too.
    pub batch_bytes: u64,
    /// What ends sooner than this goes over a link that costs or is poor too, s.
    pub last_call_s: u64,
    /// What a link that is metered, or of which that is not told, takes for a million bytes, millionths of a euro.
    pub microeuro_a_megabyte: u64,
    /// After a failure nothing goes for so long, ms; it doubles.
    pub pause_first_ms: u64,
    /// To this, ms.
    pub pause_longest_ms: u64,
}

impl Default for DeliveryConfig {
    /// 4 MiB a minute in batches of 100 or 1 MiB; the last ten minutes of a life; no price; from a second to five minutes.
    fn default() -> Self {
        DeliveryConfig {
            bytes_a_minute: 4 << 20,
            batch_items: MOST_ITEMS,
            batch_bytes: 1 << 20,
            last_call_s: 600,
            microeuro_a_megabyte: 0,
            pause_first_ms: 1_000,
            pause_longest_ms: 300_000,
        }
    }
}

/// `report`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportConfig {
    /// Over a good link that costs nothing, s between two; 0: none at all.
    pub report_s: u64,
    /// Over any other, s between two.
    pub thrift_s: u64,
    /// Bytes of a day (UTC), heads counted by an estimate.
    pub bytes_a_day: u64,
    /// Whether one word on the driver is told (attentive, looking away, eyes closed, unknown). Off: nothing of the driver leaves.
    pub driver_state: bool,
}

impl Default for ReportConfig {
    /// Each 10 s, and each minute where it costs; 6 MB a day; nothing of the driver.
    fn default() -> Self {
        ReportConfig { report_s: 10, thrift_s: 60, bytes_a_day: 6_000_000, driver_state: false }
    }
}

fn root() -> String {
    "/".into()
}
fn name() -> String {
    "uplink".into()
}
fn resolve_ms() -> u64 {
    2_000
}
fn connect_ms() -> u64 {
    10_000
}
fn answer_ms() -> u64 {
    60_000
}

/// Settings that make no process.
#[derive(Debug, thiserror::Error)]
pub enum UplinkConfigError {
    /// They cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The gateway's address, or our certificate.
    #[error(transparent)]
    Cloud(#[from] CloudConfigError),
    /// The outbox's limits.
    #[error("outbox.{0}")]
    Outbox(#[from] LimitsError),
    /// The outbox's file cannot be there.
    #[error(
        "file: {0}; name a file in a folder that can be written and outlives a restart, for example /var/lib/troika/outbox.redb"
    )]
    Place(String),
    /// A number that cannot be.
    #[error("{key} is {value}; it is from {least} to {most}")]
    Range {
        /// The key.
        key: &'static str,
        /// Its value.
        value: u64,
        /// The least that it may be.
        least: u64,
        /// The most.
        most: u64,
    },
}

impl UplinkConfig {
    /// From JSON text (it begins with `{`), or from a file: JSON when its name ends so, else TOML.
    ///
    /// # Errors
    /// When the file cannot be read, or says what is not known.
    pub fn load(text_or_file: &str) -> Result<UplinkConfig, UplinkConfigError> {
        Ok(settings::load(text_or_file)?)
    }

    /// Whether all of it can be used, and the files that it names are there.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), UplinkConfigError> {
        self.check_but_clouds_files()?;
        self.check_clouds_files()
    }

    /// Whether the files that lead to the gateway are there and hold what they should. Without them everything waits until they are.
    ///
    /// # Errors
    /// The first thing that is wrong with them.
    pub fn check_clouds_files(&self) -> Result<(), UplinkConfigError> {
        Ok(Client::new(&self.cloud()).map(drop)?)
    }

    /// Whether everything else can be used.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_but_clouds_files(&self) -> Result<(), UplinkConfigError> {
        self.client()?;
        self.outbox.check()?;
        place::check(&self.file).map_err(UplinkConfigError::Place)?;
        let (delivery, report) = (&self.delivery, &self.report);
        // One of the outbox's largest goes alone at least.
        let largest = self.outbox.item_bytes.saturating_add(AROUND);
        let ranges = [
            ("outbox.item_bytes", self.outbox.item_bytes, 1, MOST_BYTES - AROUND),
            ("delivery.bytes_a_minute", delivery.bytes_a_minute, largest, 1 << 40),
            ("delivery.batch_items", delivery.batch_items, 1, MOST_ITEMS),
            ("delivery.batch_bytes", delivery.batch_bytes, largest, MOST_BYTES),
            ("delivery.last_call_s", delivery.last_call_s, 0, 7 * 86_400),
            ("delivery.microeuro_a_megabyte", delivery.microeuro_a_megabyte, 0, 1_000_000_000),
            ("delivery.pause_first_ms", delivery.pause_first_ms, 1, 3_600_000),
            ("delivery.pause_longest_ms", delivery.pause_longest_ms, delivery.pause_first_ms, 3_600_000),
            ("report.report_s", report.report_s, 0, 86_400),
            ("report.thrift_s", report.thrift_s, report.report_s.max(1), 86_400),
            ("report.bytes_a_day", report.bytes_a_day, 1_000, 1 << 40),
        ];
        match ranges.into_iter().find(|(_, value, least, most)| !(least..=most).contains(&value)) {
            Some((key, value, least, most)) => Err(UplinkConfigError::Range { key, value, least, most }),
            None => Ok(()),
        }
    }

    /// Whether it reports, and whether it listens to what is said of the driver.
    pub fn reads(&self) -> (bool, bool) {
        let reports = self.report.report_s > 0;
        (reports, reports && self.report.driver_state)
    }

    /// What is unusual about the gateway's address, and may be meant.
    pub fn unusual(&self) -> Option<String> {
        self.cloud().unusual().map(|told| told.replace("/chat/completions", "/outbox"))
    }

    /// The files that lead to the gateway.
    pub fn files(&self) -> Files {
        Files::of(&self.cloud())
    }

    /// Who the gateway takes us for; none: there is no certificate, or none that can be read.
    pub fn identity(&self) -> Option<String> {
        identity::of(self.cloud.certificate_file.as_deref()?)
    }

    /// The client, whatever its files hold.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn client(&self) -> Result<Client, CloudConfigError> {
        Client::when_there(&self.cloud())
    }

    fn cloud(&self) -> CloudConfig {
        let cloud = &self.cloud;
        CloudConfig {
            key_file: cloud.key_file.clone(),
            ca_file: cloud.ca_file.clone(),
            certificate_file: cloud.certificate_file.clone(),
            private_key_file: cloud.private_key_file.clone(),
            plain_http: cloud.plain_http,
            resolve_ms: cloud.resolve_ms,
            connect_ms: cloud.connect_ms,
            head_ms: cloud.answer_ms,
            answer_ms: cloud.answer_ms,
            ..CloudConfig::new(&cloud.url, "")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "file = \"outbox.redb\"\n[cloud]\nurl = \"https://gateway.example/v1\"\n";

    fn config(more: &str) -> UplinkConfig {
        toml::from_str(&format!("{LEAST}{more}")).unwrap()
    }

    #[test]
    fn a_gateway_and_a_file_are_all_that_must_be_said() {
        let config = config("");
        config.check().unwrap();
        assert_eq!((config.name.as_str(), config.namespace.as_str()), ("uplink", "/"));
        assert!(!config.report.driver_state, "nothing of the driver leaves before somebody says so");
        assert!(toml::from_str::<UplinkConfig>("").unwrap_err().to_string().contains("cloud"));
    }

    #[test]
    fn what_cannot_be_used_is_told_with_its_key() {
        let told = |more: &str| config(more).check().unwrap_err().to_string();
        assert!(told("ca_file = \"not-there.pem\"").contains("cloud.ca_file: cannot read not-there.pem"));
        assert!(told("certificate_file = \"c.pem\"").contains("go together"));
        assert!(told("[outbox]\nitems = 0").contains("outbox.items is 0"));
        assert!(
            told("[delivery]\nbytes_a_minute = 5")
                .contains("delivery.bytes_a_minute is 5; it is from 263424")
        );
        assert!(told("[delivery]\nbatch_items = 101").contains("1 to 100"));
        assert!(told("[report]\nreport_s = 100").contains("report.thrift_s is 60; it is from 100"));
        for (file, why) in
            [("Cargo.toml/outbox", "Cargo.toml is no folder"), ("/proc/1/outbox", "/proc/1 is the kernel's")]
        {
            let elsewhere = UplinkConfig { file: file.into(), ..config("") };
            let told = elsewhere.check().unwrap_err().to_string();
            assert!(told.starts_with(&format!("file: {why}")) && told.contains("/var/lib"), "{told}");
        }
        let plain = LEAST.replace("https:", "http:");
        let plain: UplinkConfig = toml::from_str(&plain).unwrap();
        assert!(plain.check().unwrap_err().to_string().contains("plain_http"));
    }

    #[test]
    fn the_largest_number_that_there_is_is_told_like_any_other() {
        let text = r#"{"file": "outbox.redb", "cloud": {"url": "https://gateway.example/v1"},
            "outbox": {"item_bytes": 18446744073709551615, "bytes": 18446744073709551615}}"#;
        let told = UplinkConfig::load(text).unwrap().check_but_clouds_files().unwrap_err().to_string();
        assert!(told.starts_with("outbox.item_bytes is 18446744073709551615; it is from 1"), "{told}");
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line() {
        troika_safety::verifies![SR_DAT_007];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("uplink.toml");
        std::fs::write(&file, format!("{LEAST}[delivery]\nbatch_itmes = 3\n")).unwrap();
        let told = UplinkConfig::load(file.to_str().unwrap()).unwrap_err().to_string();
        assert!(told.contains("line 5") && told.contains("batch_itmes"), "{told}");
    }
}
