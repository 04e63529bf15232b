//! The key expression that a topic's messages travel on: `<domain>/<topic>/<dds type>/<hash>`.

use super::name::{NameError, check_topic, type_from_dds, type_to_dds};

/// A topic's data key, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicKey {
    /// `ROS_DOMAIN_ID`.
    pub domain: u32,
    /// The absolute topic name.
    pub topic: String,
    /// `package/msg/Name`.
    pub type_name: String,
    /// `RIHS01_…`.
    pub type_hash: String,
}

/// Why a key is no topic's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Fewer than four parts.
    #[error("a topic's key has a domain, a topic, a type and a hash")]
    Parts,
    /// The first part is no domain id.
    #[error("the key's first part is no domain id")]
    Domain,
    /// The topic is no ROS name.
    #[error("the key's topic is no ROS name: {0}")]
    Topic(NameError),
    /// The type is no ROS type.
    #[error("the key's type is no ROS type")]
    Type,
    /// The hash has characters that no hash has.
    #[error("the key's hash is no type hash")]
    Hash,
}

impl TopicKey {
    /// The key expression.
    pub fn encode(&self) -> Result<String, KeyError> {
        check_topic(&self.topic).map_err(KeyError::Topic)?;
        let dds = type_to_dds(&self.type_name).map_err(|_| KeyError::Type)?;
        check_hash(&self.type_hash)?;
        Ok(format!("{}{}/{}/{}", self.domain, self.topic, dds, self.type_hash))
    }

    /// Reads a key expression.
    pub fn parse(key: &str) -> Result<TopicKey, KeyError> {
        let (rest, hash) = key.rsplit_once('/').ok_or(KeyError::Parts)?;
        let (rest, dds) = rest.rsplit_once('/').ok_or(KeyError::Parts)?;
        let (domain, _) = rest.split_once('/').ok_or(KeyError::Parts)?;
        let topic = &rest[domain.len()..];
        check_topic(topic).map_err(KeyError::Topic)?;
        check_hash(hash)?;
        Ok(TopicKey {
            domain: parse_decimal(domain).ok_or(KeyError::Domain)?,
            topic: topic.to_owned(),
            type_name: type_from_dds(dds).map_err(|_| KeyError::Type)?,
            type_hash: hash.to_owned(),
        })
    }
}

/// The key that matches a topic whatever its type and hash are.
pub fn any_type_key(domain: u32, topic: &str) -> Result<String, NameError> {
    check_topic(topic)?;
    Ok(format!("{domain}{topic}/*/*"))
}

/// Digits only, without leading zeros: one spelling for each number, so that a key has one reading.
pub(super) fn parse_decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

pub(super) fn check_hash(hash: &str) -> Result<(), KeyError> {
    let plain = !hash.is_empty() && hash.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if plain { Ok(()) } else { Err(KeyError::Hash) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What rmw_zenoh_cpp, pyzeros and zenoh-ros2-sdk all publish `/chatter` on.
    const CAPTURED: &str = "0/chatter/std_msgs::msg::dds_::String_/\
                            RIHS01_df668c740482bbd48fb39d76a70dfd4bd59db1288021743503259e948f6b1a18";

    #[test]
    fn a_captured_key_reads_and_writes_back() {
        let key = TopicKey::parse(CAPTURED).expect("captured");
        assert_eq!(
            (key.domain, key.topic.as_str(), key.type_name.as_str()),
            (0, "/chatter", "std_msgs/msg/String")
        );
        assert_eq!(key.encode().as_deref(), Ok(CAPTURED));
    }

    #[test]
    fn a_topic_with_parts_keeps_them() {
        let key = TopicKey {
            domain: 7,
            topic: "/cabin/camera/image_raw".into(),
            type_name: "sensor_msgs/msg/Image".into(),
            type_hash: "RIHS01_00".into(),
        };
        let text = key.encode().expect("well formed");
        assert_eq!(text, "7/cabin/camera/image_raw/sensor_msgs::msg::dds_::Image_/RIHS01_00");
        assert_eq!(TopicKey::parse(&text), Ok(key));
    }

    #[test]
    fn strange_keys_give_their_reason() {
        for (key, why) in [
            ("", KeyError::Parts),
            ("0/a", KeyError::Parts),
            ("0/a/b", KeyError::Parts),
            ("x/chatter/std_msgs::msg::dds_::String_/RIHS01_0", KeyError::Domain),
            ("00/chatter/std_msgs::msg::dds_::String_/RIHS01_0", KeyError::Domain),
            ("0/1a/std_msgs::msg::dds_::String_/RIHS01_0", KeyError::Topic(NameError::LeadingDigit)),
            ("0/chatter/String/RIHS01_0", KeyError::Type),
            ("0/chatter/std_msgs::msg::dds_::String_/*", KeyError::Hash),
        ] {
            assert_eq!(TopicKey::parse(key), Err(why), "{key}");
        }
    }

    #[test]
    fn any_type_leaves_type_and_hash_open() {
        assert_eq!(any_type_key(0, "/a/b").as_deref(), Ok("0/a/b/*/*"));
        assert_eq!(any_type_key(0, "/a/**"), Err(NameError::Character));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            domain: u32,
            topic in "(/[a-z_][a-z0-9_]{0,8}){1,5}",
            type_name in "[a-z][a-z0-9_]{0,12}/msg/[A-Z][A-Za-z0-9]{0,12}",
            type_hash in "RIHS01_[0-9a-f]{64}",
        ) {
            let key = TopicKey { domain, topic, type_name, type_hash };
            prop_assert_eq!(TopicKey::parse(&key.encode().expect("well formed")), Ok(key));
        }

        #[test]
        fn garbage_is_refused_or_writes_back_the_same(text in "([0-9a-z/:_*%]{0,60})|(\\PC{0,60})") {
            if let Ok(key) = TopicKey::parse(&text) {
                let back = key.encode();
                prop_assert_eq!(back.as_deref(), Ok(text.as_str()));
            }
        }
    }
}
