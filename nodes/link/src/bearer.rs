//! Over what the vehicle reaches the cloud, where the system tells.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use troika_msgs::troika::LinkState;

/// What carries the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kind {
    /// The system does not tell.
    #[default]
    Unknown,
    /// A mobile network.
    Cellular,
    /// Wi-Fi.
    Wifi,
    /// A cable: at the charger, in the workshop, on a bench.
    Wired,
}

/// Whether bytes cost. In a file: "yes", "no", "unknown"; true and false say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metered {
    /// Not told; budgets take it for metered.
    #[default]
    Unknown,
    /// They do not.
    No,
    /// They do.
    Yes,
}

impl<'de> Deserialize<'de> for Metered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metered, D::Error> {
        struct Words;
        impl de::Visitor<'_> for Words {
            type Value = Metered;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("\"yes\", \"no\" or \"unknown\"")
            }

            fn visit_bool<E: de::Error>(self, said: bool) -> Result<Metered, E> {
                Ok(if said { Metered::Yes } else { Metered::No })
            }

            fn visit_str<E: de::Error>(self, said: &str) -> Result<Metered, E> {
                match said {
                    "yes" => Ok(Metered::Yes),
                    "no" => Ok(Metered::No),
                    "unknown" => Ok(Metered::Unknown),
                    _ => Err(E::invalid_value(de::Unexpected::Str(said), &self)),
                }
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// The bearer in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bearer {
    /// What carries the bytes.
    pub kind: Kind,
    /// Whether they cost.
    pub metered: Metered,
}

impl Bearer {
    /// Of a Linux interface. `wireless`: it has a `wireless` folder in sysfs; `uevent`: its `uevent` file there. A mobile network is
    /// metered and a cable is not; Wi-Fi may be a telephone's, so that it is not known.
    pub fn of_interface(name: &str, wireless: bool, uevent: &str) -> Bearer {
        let devtype = |kind: &str| uevent.lines().any(|line| line.strip_prefix("DEVTYPE=") == Some(kind));
        let (kind, metered) = if wireless || devtype("wlan") {
            (Kind::Wifi, Metered::Unknown)
        } else if devtype("wwan") || ["wwan", "rmnet", "ppp"].iter().any(|prefix| name.starts_with(prefix)) {
            (Kind::Cellular, Metered::Yes)
        } else if name.starts_with("en") || name.starts_with("eth") {
            (Kind::Wired, Metered::No)
        } else {
            (Kind::Unknown, Metered::Unknown)
        };
        Bearer { kind, metered }
    }

    /// `LinkState.bearer`.
    pub fn kind_code(self) -> u8 {
        match self.kind {
            Kind::Unknown => LinkState::BEARER_UNKNOWN,
            Kind::Cellular => LinkState::BEARER_CELLULAR,
            Kind::Wifi => LinkState::BEARER_WIFI,
            Kind::Wired => LinkState::BEARER_WIRED,
        }
    }

    /// `LinkState.metered`.
    pub fn metered_code(self) -> u8 {
        match self.metered {
            Metered::Unknown => LinkState::METERED_UNKNOWN,
            Metered::No => LinkState::METERED_NO,
            Metered::Yes => LinkState::METERED_YES,
        }
    }
}

/// The interface of the default route in the text of `/proc/net/route` with the smallest metric.
pub fn default_interface(route: &str) -> Option<&str> {
    route
        .lines()
        .skip(1)
        .filter_map(|line| {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let to_everywhere = columns.get(1) == Some(&"00000000") && columns.get(7) == Some(&"00000000");
            let metric: u32 = columns.get(6)?.parse().ok()?;
            to_everywhere.then(|| (metric, columns[0]))
        })
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_with_the_smallest_metric_is_the_one_in_use() {
        let route = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
            wwan0\t00000000\t0101A8C0\t0003\t0\t0\t700\t00000000\t0\t0\t0\n\
            wlan0\t00000000\t0100A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
            wlan0\t0000A8C0\t00000000\t0001\t0\t0\t600\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(default_interface(route), Some("wlan0"));
        assert_eq!(default_interface("Iface\tDestination\n"), None);
        assert_eq!(default_interface("garbage"), None);
    }

    #[test]
    fn what_the_system_does_not_tell_is_unknown() {
        let bearer = |name, wireless, uevent| Bearer::of_interface(name, wireless, uevent);
        assert_eq!(
            bearer("wlp3s0", true, "DEVTYPE=wlan\n"),
            Bearer { kind: Kind::Wifi, metered: Metered::Unknown }
        );
        assert_eq!(bearer("usb7", false, "DEVTYPE=wwan\nINTERFACE=usb7\n").metered, Metered::Yes);
        assert_eq!(bearer("eth0", false, ""), Bearer { kind: Kind::Wired, metered: Metered::No });
        assert_eq!(bearer("tun0", false, ""), Bearer::default());
    }
}
