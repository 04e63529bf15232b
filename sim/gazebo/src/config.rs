//! What the bridge is started with: which topics are paired. The keys of a pair are those of ros_gz_bridge's YAML.

use serde::{Deserialize, Serialize};
use troika_kit::Qos;
use troika_transport::name;
use troika_transport_open::settings::{self, SettingsError};

use crate::convert::{self, Conversion};

/// The process's settings, as TOML or JSON. An unknown key is refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BridgeConfig {
    /// The topics.
    #[serde(default, rename = "pair")]
    pub pairs: Vec<Pair>,
    /// Gazebo's partition, if not as its variable of the environment says (`IGN_PARTITION`, from Garden on `GZ_PARTITION`).
    #[serde(default)]
    pub partition: Option<String>,
    /// How often the pairs' counts are told, s; 0: at the end only.
    #[serde(default = "report_s")]
    pub report_s: u64,
    /// `/` or `/car/front`.
    #[serde(default = "root")]
    pub namespace: String,
    /// The node's name.
    #[serde(default = "name_of_node")]
    pub name: String,
    /// Where the zenoh router is, if not as the environment says.
    #[serde(default)]
    pub router: Option<String>,
    /// DDS carries the messages, not zenoh.
    #[serde(default)]
    pub dds: bool,
    /// ROS's domain, if not as the environment says.
    #[serde(default)]
    pub domain: Option<u32>,
}

fn report_s() -> u64 {
    10
}

fn root() -> String {
    "/".to_owned()
}

fn name_of_node() -> String {
    "gazebo_bridge".to_owned()
}

fn queue() -> u32 {
    10
}

/// A topic of ours and one of Gazebo's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Ours, absolute: `/cabin/camera/image_raw`.
    pub ros_topic_name: String,
    /// Gazebo's.
    pub gz_topic_name: String,
    /// `sensor_msgs/msg/Image`.
    pub ros_type_name: String,
    /// `gz.msgs.Image`, or `ignition.msgs.Image`: the family built for names it in its own way.
    pub gz_type_name: String,
    /// Which way; both if it does not say.
    #[serde(default)]
    pub direction: Direction,
    /// Messages that wait to be sent on, and what our subscription asks for; an older one makes room and is counted.
    #[serde(default = "queue")]
    pub subscriber_queue: u32,
    /// The depth that our publisher offers.
    #[serde(default = "queue")]
    pub publisher_queue: u32,
    /// Gazebo's topic is subscribed to only while somebody subscribes to ours. For `GZ_TO_ROS` alone.
    #[serde(default)]
    pub lazy: bool,
    /// The policies of our end.
    #[serde(default)]
    pub qos_profile: Profile,
    /// Late joiners get the last `publisher_queue` messages.
    #[serde(default)]
    pub transient_local: bool,
    /// Messages a second, at most, each way; 0: any number.
    #[serde(default)]
    pub max_rate_hz: f64,
    /// The frame of what comes from Gazebo, if not as that says.
    #[serde(default)]
    pub frame_id: Option<String>,
}

/// Which way a pair carries messages, by ros_gz_bridge's names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// Both ways.
    #[default]
    Bidirectional,
    /// From Gazebo alone.
    GzToRos,
    /// To Gazebo alone.
    RosToGz,
}

impl Direction {
    /// From Gazebo.
    pub fn to_ros(self) -> bool {
        self != Direction::RosToGz
    }

    /// To Gazebo.
    pub fn to_gz(self) -> bool {
        self != Direction::GzToRos
    }
}

/// ROS 2's profiles, without their depth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Profile {
    /// Reliable.
    #[default]
    Default,
    /// Best effort.
    SensorData,
}

/// A pair that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pair {number} ({ros} and {gz}): {reason}")]
pub struct PairError {
    number: usize,
    ros: String,
    gz: String,
    reason: String,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BridgeConfigError {
    /// They cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// One of the pairs.
    #[error(transparent)]
    Pair(#[from] PairError),
    /// Something else.
    #[error("{0}")]
    Other(String),
}

impl BridgeConfig {
    /// From JSON text, or a TOML or JSON file.
    ///
    /// # Errors
    /// See [`BridgeConfigError`]; an unknown key is told with its line.
    pub fn load(text_or_file: &str) -> Result<BridgeConfig, BridgeConfigError> {
        let config: BridgeConfig = settings::load(text_or_file)?;
        config.check()?;
        Ok(config)
    }

    /// Looks at everything that can be told without a transport.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn check(&self) -> Result<(), BridgeConfigError> {
        let other = |what: &str, why: name::NameError| BridgeConfigError::Other(format!("{what}: {why}"));
        name::check_namespace(&self.namespace).map_err(|why| other("namespace", why))?;
        name::check_node_name(&self.name).map_err(|why| other("name", why))?;
        if self.partition.as_deref().is_some_and(|partition| !is_gz_name(partition)) {
            return Err(BridgeConfigError::Other("partition: not one that Gazebo takes".to_owned()));
        }
        if self.pairs.is_empty() {
            let told = "there is no [[pair]]: name at least one pair of topics";
            return Err(BridgeConfigError::Other(told.to_owned()));
        }
        for (at, pair) in self.pairs.iter().enumerate() {
            let refuse = |reason: String| PairError {
                number: at + 1,
                ros: pair.ros_topic_name.clone(),
                gz: pair.gz_topic_name.clone(),
                reason,
            };
            pair.check().map_err(refuse)?;
            // Two publishers of one topic would be taken for two sensors; two pairs in a ring send for ever.
            let meets = |other: &&Pair| {
                (pair.direction.to_ros()
                    && other.direction.to_ros()
                    && pair.ros_topic_name == other.ros_topic_name)
                    || (pair.direction.to_gz()
                        && other.direction.to_gz()
                        && pair.gz_topic_name == other.gz_topic_name)
                    || (pair.ros_topic_name == other.ros_topic_name
                        && pair.gz_topic_name == other.gz_topic_name)
            };
            if let Some(before) = self.pairs[..at].iter().position(|other| meets(&other)) {
                return Err(refuse(format!("pair {} fills the same topic already", before + 1)).into());
            }
        }
        Ok(())
    }
}

impl Pair {
    /// How its messages are converted; none where [`BridgeConfig::check`] would refuse it.
    pub fn conversion(&self) -> Option<&'static Conversion> {
        convert::lookup(&self.ros_type_name, &self.gz_type_name)
    }

    /// What our publisher offers.
    pub fn offered(&self) -> Qos {
        self.qos(self.publisher_queue)
    }

    /// What our subscription asks for.
    pub fn asked(&self) -> Qos {
        self.qos(self.subscriber_queue)
    }

    fn qos(&self, depth: u32) -> Qos {
        let base = match self.qos_profile {
            Profile::Default => Qos::DEFAULT,
            Profile::SensorData => Qos::SENSOR,
        };
        Qos { depth, transient_local: self.transient_local, ..base }
    }

    fn check(&self) -> Result<(), String> {
        name::check_topic(&self.ros_topic_name).map_err(|why| format!("ros_topic_name: {why}"))?;
        if !is_gz_name(&self.gz_topic_name) {
            return Err(
                "gz_topic_name: Gazebo takes no empty name, and none with a space, '//', '@', ':=' or '~'"
                    .into(),
            );
        }
        if self.conversion().is_none() {
            return Err(self.no_conversion());
        }
        for (key, depth) in
            [("subscriber_queue", self.subscriber_queue), ("publisher_queue", self.publisher_queue)]
        {
            if !(1..=100_000).contains(&depth) {
                return Err(format!("{key}: {depth} is not from 1 to 100000"));
            }
        }
        if !(self.max_rate_hz >= 0.0 && self.max_rate_hz <= 1e6) {
            return Err(format!("max_rate_hz: {} is not from 0 (any) to a million", self.max_rate_hz));
        }
        if self.lazy && self.direction != Direction::GzToRos {
            let told = "lazy: Gazebo does not tell who subscribes to it; for direction = \"GZ_TO_ROS\" alone";
            return Err(told.to_owned());
        }
        Ok(())
    }

    fn no_conversion(&self) -> String {
        let of_ros: Vec<&str> =
            convert::ALL.iter().filter(|one| one.ros.name == self.ros_type_name).map(|one| one.gz).collect();
        if let [gz] = of_ros.as_slice() {
            let told = &self.gz_type_name;
            return format!(
                "gz_type_name: '{told}' is not what {} becomes: write gz.msgs.{gz}",
                self.ros_type_name
            );
        }
        let all: Vec<&str> = convert::ALL.iter().map(|one| one.ros.name).collect();
        format!(
            "ros_type_name: '{}' is not converted; those that are: {}",
            self.ros_type_name,
            all.join(", ")
        )
    }
}

/// As Gazebo's own rule has it (`TopicUtils::IsValidTopic`); a NUL would end the name in C.
fn is_gz_name(name: &str) -> bool {
    let forbidden = [" ", "//", "@", ":=", "~", "\0"];
    !name.is_empty() && name != "/" && name.len() < 65_536 && !forbidden.iter().any(|one| name.contains(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bridge.toml");
        std::fs::write(&file, text).unwrap();
        BridgeConfig::load(file.to_str().unwrap()).unwrap_err().to_string()
    }

    const CAMERA: &str = r#"
[[pair]]
ros_topic_name = "/cabin/camera/image_raw"
gz_topic_name = "/cabin/camera/image_raw"
ros_type_name = "sensor_msgs/msg/Image"
gz_type_name = "gz.msgs.Image"
direction = "GZ_TO_ROS"
"#;

    #[test]
    fn the_shipped_file_is_fine_and_has_the_shipped_worlds_topics() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../launch/gazebo/cabin-bridge.toml");
        let config = BridgeConfig::load(file).unwrap();
        let of = |ty: &str| config.pairs.iter().any(|pair| pair.ros_type_name == ty);
        for conversion in ["sensor_msgs/msg/Image", "sensor_msgs/msg/Imu", "rosgraph_msgs/msg/Clock"] {
            assert!(of(conversion), "{conversion}");
        }
    }

    #[test]
    fn an_unknown_key_is_told_with_its_line_and_a_slip_with_the_way_out() {
        let unknown = told(&format!("{CAMERA}queue = 3\n"));
        assert!(unknown.contains("line 8") && unknown.contains("queue"), "{unknown}");
        let swapped = told(&CAMERA.replace("gz.msgs.Image", "gz.msgs.IMU"));
        assert!(swapped.contains("pair 1") && swapped.contains("write gz.msgs.Image"), "{swapped}");
        let none = told(&CAMERA.replace("msg/Image", "msg/PointCloud2"));
        assert!(none.contains("those that are: sensor_msgs/msg/Image"), "{none}");
        assert!(told(&CAMERA.replace("\"/cabin/camera/image_raw\"\ngz", "\"image\"\ngz")).contains("'/'"));
        assert!(told("").contains("[[pair]]"));
        assert!(told(&format!("{CAMERA}{CAMERA}")).contains("pair 1 fills the same topic"));
        let lazy = told(&format!("{}lazy = true\n", CAMERA.replace("GZ_TO_ROS", "ROS_TO_GZ")));
        assert!(lazy.contains("lazy"), "{lazy}");
        assert!(told(&format!("{CAMERA}max_rate_hz = -1.0\n")).contains("max_rate_hz"));
        assert!(told(&format!("{CAMERA}subscriber_queue = 0\n")).contains("subscriber_queue"));
    }

    #[test]
    fn a_profile_and_a_depth_become_qos() {
        let text = format!("{CAMERA}qos_profile = \"SENSOR_DATA\"\npublisher_queue = 3\n");
        let config: BridgeConfig = toml::from_str(&text).unwrap();
        config.check().unwrap();
        assert_eq!(config.pairs[0].offered(), Qos { depth: 3, ..Qos::SENSOR });
        assert_eq!(config.pairs[0].asked(), Qos { depth: 10, ..Qos::SENSOR });
    }
}
