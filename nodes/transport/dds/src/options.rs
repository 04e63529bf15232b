//! Which domain, who is looked for, and CycloneDDS's configuration for it: as rmw_cyclonedds of Jazzy makes it of the same
//! variables (rcl's discovery_options.c, rmw_cyclonedds's `check_create_domain`).

use std::process;

/// Participants of one machine that are looked for without multicast (rmw_cyclonedds's number).
const PARTICIPANTS_OF_A_HOST: u32 = 32;

/// The highest domain whose ports are below 65536 (DDSI-RTPS 2.5, 9.6.2.3: 7400 + 250 a domain).
const DOMAIN_MAX: u32 = 232;

/// A reliable reader takes nothing before it has asked its writer where to begin, which CycloneDDS puts off by 10 ms: a burst in that time
/// would be lost up to the writer's depth.
const HANDSHAKE: &str = "<PreEmptiveAckDelay>0 ms</PreEmptiveAckDelay>";

/// The usual interface, and the loopback: CycloneDDS hears of participants by interfaces that it uses alone, and Fast DDS on this
/// machine speaks by the loopback.
const INTERFACES: &str = "<Interfaces><NetworkInterface autodetermine=\"true\"/>\
    <NetworkInterface name=\"lo\" multicast=\"false\" presence_required=\"false\"/></Interfaces>";

/// Who is looked for: `ROS_AUTOMATIC_DISCOVERY_RANGE`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DiscoveryRange {
    /// Whoever multicast reaches, and this machine.
    #[default]
    Subnet,
    /// This machine; no multicast.
    Localhost,
    /// Nobody: the participant is alone.
    Off,
    /// As CycloneDDS's own configuration says.
    SystemDefault,
}

/// How a session is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DdsOptions {
    /// `ROS_DOMAIN_ID`.
    pub domain: u32,
    /// `ROS_AUTOMATIC_DISCOVERY_RANGE`, or `ROS_LOCALHOST_ONLY`.
    pub range: DiscoveryRange,
    /// `ROS_STATIC_PEERS`: hosts beside those in range.
    pub peers: Vec<String>,
    /// `CYCLONEDDS_URI`: files or XML, separated by commas; what it says goes before the rest.
    pub uri: String,
}

/// A variable that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// No number that a domain can have.
    #[error("ROS_DOMAIN_ID '{0}' is no number from 0 to {DOMAIN_MAX}")]
    Domain(String),
    /// None of ROS's.
    #[error("ROS_AUTOMATIC_DISCOVERY_RANGE '{0}' is none of SUBNET, LOCALHOST, OFF and SYSTEM_DEFAULT")]
    Range(String),
    /// No host.
    #[error("ROS_STATIC_PEERS names '{0}', which is no host")]
    Peer(String),
}

impl DdsOptions {
    /// From the environment.
    ///
    /// # Errors
    /// A variable that cannot be followed.
    pub fn from_env() -> Result<DdsOptions, OptionsError> {
        DdsOptions::from_lookup(|name| std::env::var(name).ok())
    }

    /// The same from any table of variables. An empty variable counts as unset.
    ///
    /// # Errors
    /// A variable that cannot be followed.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<DdsOptions, OptionsError> {
        let get = |name: &str| lookup(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let mut options = DdsOptions::default();
        if let Some(text) = get("ROS_DOMAIN_ID") {
            options.domain = match text.parse() {
                Ok(domain) if domain <= DOMAIN_MAX => domain,
                _ => return Err(OptionsError::Domain(text)),
            };
        }
        options.range = match get("ROS_AUTOMATIC_DISCOVERY_RANGE").as_deref() {
            None | Some("SUBNET") => DiscoveryRange::Subnet,
            Some("LOCALHOST") => DiscoveryRange::Localhost,
            Some("OFF") => DiscoveryRange::Off,
            Some("SYSTEM_DEFAULT") => DiscoveryRange::SystemDefault,
            Some(other) => return Err(OptionsError::Range(other.to_owned())),
        };
        for peer in get("ROS_STATIC_PEERS").unwrap_or_default().split(';').map(str::trim) {
            if peer.contains(|c: char| !c.is_ascii_alphanumeric() && !".:-_[]%".contains(c)) {
                return Err(OptionsError::Peer(peer.to_owned()));
            }
            if !peer.is_empty() {
                options.peers.push(peer.to_owned());
            }
        }
        // Old, and before the others where it is set, as in rcl.
        if get("ROS_LOCALHOST_ONLY").as_deref() == Some("1") {
            options.range = DiscoveryRange::Localhost;
            options.peers.clear();
        }
        options.uri = get("CYCLONEDDS_URI").unwrap_or_default();
        Ok(options)
    }

    /// CycloneDDS's configuration: ours, then the user's, which may change it. `number` is what the domain is called in this process.
    pub(crate) fn config(&self, number: u32) -> String {
        let mut general = String::new();
        let mut discovery = String::new();
        if number != self.domain {
            discovery.push_str(&format!("<ExternalDomainId>{}</ExternalDomainId>", self.domain));
        }
        // The loopback by its number: a machine need not know it by its name.
        let mut peers = vec!["127.0.0.1"];
        peers.extend(self.peers.iter().map(String::as_str));
        match self.range {
            // Multicast does not reach this machine's own processes everywhere (containers): they are looked for too.
            DiscoveryRange::Subnet => {}
            DiscoveryRange::Localhost => general.push_str("<AllowMulticast>false</AllowMulticast>"),
            DiscoveryRange::Off => {
                general.push_str("<AllowMulticast>false</AllowMulticast>");
                // Others look away for the tag, which nobody else has.
                discovery.push_str(&format!("<Tag>ros_discovery_off_{}_{number}</Tag>", process::id()));
            }
            DiscoveryRange::SystemDefault => {}
        }
        match self.range {
            DiscoveryRange::Subnet | DiscoveryRange::Localhost => {
                // The user's own would be added to ours, and one from a file is not seen here.
                if self.uri.is_empty() || (self.uri.contains('<') && !self.uri.contains("NetworkInterface")) {
                    general.push_str(INTERFACES);
                }
                discovery.push_str("<ParticipantIndex>auto</ParticipantIndex>");
                discovery.push_str(&format!(
                    "<MaxAutoParticipantIndex>{PARTICIPANTS_OF_A_HOST}</MaxAutoParticipantIndex><Peers>"
                ));
                for peer in peers {
                    discovery.push_str(&format!("<Peer address=\"{peer}\"/>"));
                }
                discovery.push_str("</Peers>");
            }
            DiscoveryRange::Off => discovery.push_str("<ParticipantIndex>none</ParticipantIndex>"),
            DiscoveryRange::SystemDefault => {}
        }
        let ours = format!(
            "<CycloneDDS><Domain><General>{general}</General><Discovery>{discovery}</Discovery>\
             <Internal>{HANDSHAKE}</Internal></Domain></CycloneDDS>"
        );
        if self.uri.is_empty() { ours } else { format!("{ours},{}", self.uri) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(vars: &[(&str, &str)]) -> Result<DdsOptions, OptionsError> {
        DdsOptions::from_lookup(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn an_empty_environment_means_ros_defaults() {
        let options = from(&[("ROS_DOMAIN_ID", ""), ("ROS_LOCALHOST_ONLY", "0")]).expect("empty is unset");
        assert_eq!(options, DdsOptions::default());
        assert_eq!((options.domain, options.range), (0, DiscoveryRange::Subnet));
        let config = options.config(0);
        assert!(!config.contains("AllowMulticast") && !config.contains("ExternalDomainId"), "{config}");
    }

    #[test]
    fn the_environment_is_honoured() {
        let options = from(&[
            ("ROS_DOMAIN_ID", "42"),
            ("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"),
            ("ROS_STATIC_PEERS", "10.0.0.7; car.local ;"),
            ("CYCLONEDDS_URI", "file:///etc/cyclonedds.xml"),
        ])
        .expect("well formed");
        assert_eq!((options.domain, options.range), (42, DiscoveryRange::Localhost));
        assert_eq!(options.peers, ["10.0.0.7", "car.local"]);
        let config = options.config(1000);
        assert!(config.contains("<AllowMulticast>false<"), "{config}");
        assert!(config.contains("<ExternalDomainId>42<"), "{config}");
        assert!(config.contains("\"127.0.0.1\"") && config.contains("\"car.local\""), "{config}");
        assert!(config.ends_with(",file:///etc/cyclonedds.xml"), "{config}");
    }

    #[test]
    fn each_range_is_what_ros_says() {
        let config = |range| DdsOptions { range, ..DdsOptions::default() }.config(0);
        assert!(config(DiscoveryRange::Subnet).contains("<Peer "));
        let off = config(DiscoveryRange::Off);
        assert!(off.contains("<Tag>ros_discovery_off_") && !off.contains("<Peer "), "{off}");
        let system = config(DiscoveryRange::SystemDefault);
        assert!(!system.contains("Peer") && !system.contains("Index"), "{system}");
        let old = from(&[("ROS_LOCALHOST_ONLY", "1"), ("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")]);
        assert_eq!(old.map(|options| options.range), Ok(DiscoveryRange::Localhost));
    }

    #[test]
    fn a_wrong_variable_is_named() {
        assert_eq!(from(&[("ROS_DOMAIN_ID", "233")]), Err(OptionsError::Domain("233".into())));
        assert_eq!(
            from(&[("ROS_AUTOMATIC_DISCOVERY_RANGE", "local")]),
            Err(OptionsError::Range("local".into()))
        );
        assert_eq!(from(&[("ROS_STATIC_PEERS", "a\"/>")]), Err(OptionsError::Peer("a\"/>".into())));
    }
}
