//! The transports that reach other processes, behind one door: how each is opened, and what the commands want of it beyond
//! [`Transport`].

use std::ops::Deref;

use troika_transport::{Subscription, Transport, TransportError};
#[cfg(feature = "dds")]
use troika_transport_dds::{DdsOptions, DdsTransport};
#[cfg(feature = "ros2")]
use troika_transport_ros2::{Ros2Options, Ros2Transport};
use troika_transport_zenoh::{OnRawMessage, ZenohTransport};

use crate::system::TransportKind;

/// What a build without DDS says, and the way out.
pub(crate) const NO_DDS: &str = "this troika was built without DDS";
pub(crate) const MEND_NO_DDS: &str =
    "build it with the feature `dds`, which is among its default ones, or use transport = \"zenoh\"";

/// What a build without rcl says, and the way out.
pub(crate) const NO_ROS2: &str = "this troika was built without ROS 2's client library";
pub(crate) const MEND_NO_ROS2: &str = "source your ROS 2 and build it there with `cargo build --workspace --features troika/ros2`, or use transport = \"zenoh\" or \"dds\", which reach ROS 2 nodes without it";

/// What a user's `RMW_IMPLEMENTATION` asks for, where neither the system file nor the command line says. One that has no transport of
/// its own is told.
pub(crate) fn of_environment() -> Option<TransportKind> {
    let name = std::env::var("RMW_IMPLEMENTATION").ok().filter(|name| !name.is_empty())?;
    let found = of_rmw(&name);
    if found.is_none() {
        tell!(
            "notice: RMW_IMPLEMENTATION is '{name}', which is no zenoh and no DDS: messages go over zenoh; --transport says otherwise"
        );
    }
    found
}

/// DDS implementations understand each other; in a build with ROS 2 the very one is taken.
fn of_rmw(name: &str) -> Option<TransportKind> {
    let dds = if cfg!(feature = "ros2") { TransportKind::Ros2 } else { TransportKind::Dds };
    match name {
        "rmw_zenoh_cpp" => Some(TransportKind::Zenoh),
        "rmw_cyclonedds_cpp" | "rmw_fastrtps_cpp" | "rmw_fastrtps_dynamic_cpp" | "rmw_connextdds" => {
            Some(dds)
        }
        _ => None,
    }
}

/// A session of one of them.
pub(crate) enum Reach {
    /// With a router.
    Zenoh(ZenohTransport),
    /// With nobody between.
    #[cfg(feature = "dds")]
    Dds(DdsTransport),
    /// As the RMW has it.
    #[cfg(feature = "ros2")]
    Ros2(Ros2Transport),
}

impl Deref for Reach {
    type Target = dyn Transport;

    fn deref(&self) -> &(dyn Transport + 'static) {
        match self {
            Reach::Zenoh(transport) => transport,
            #[cfg(feature = "dds")]
            Reach::Dds(transport) => transport,
            #[cfg(feature = "ros2")]
            Reach::Ros2(transport) => transport,
        }
    }
}

impl Reach {
    /// Over DDS, as the environment says.
    ///
    /// # Errors
    /// A variable that cannot be followed, what CycloneDDS says, or that this build has no DDS.
    #[cfg(feature = "dds")]
    pub(crate) fn dds() -> anyhow::Result<Reach> {
        Ok(Reach::Dds(DdsTransport::open(DdsOptions::from_env()?)?))
    }

    /// Over DDS, of which this build has none.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "dds"))]
    pub(crate) fn dds() -> anyhow::Result<Reach> {
        anyhow::bail!("{NO_DDS}: {MEND_NO_DDS}")
    }

    /// Over rcl, as the environment says.
    ///
    /// # Errors
    /// What rcl says.
    #[cfg(feature = "ros2")]
    pub(crate) fn ros2() -> anyhow::Result<Reach> {
        Ok(Reach::Ros2(Ros2Transport::open(Ros2Options::default())?))
    }

    /// Over rcl, of which this build has none.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(feature = "ros2"))]
    pub(crate) fn ros2() -> anyhow::Result<Reach> {
        anyhow::bail!("{NO_ROS2}: {MEND_NO_ROS2}")
    }

    /// The ROS domain that it sees.
    pub(crate) fn domain(&self) -> u32 {
        match self {
            Reach::Zenoh(transport) => transport.domain(),
            #[cfg(feature = "dds")]
            Reach::Dds(transport) => transport.domain(),
            #[cfg(feature = "ros2")]
            Reach::Ros2(transport) => transport.domain(),
        }
    }

    /// Whether what stands between its peers is there; nothing does on DDS.
    pub(crate) fn is_connected(&self) -> bool {
        match self {
            Reach::Zenoh(transport) => transport.has_router(),
            #[cfg(feature = "dds")]
            Reach::Dds(_) => true,
            #[cfg(feature = "ros2")]
            Reach::Ros2(_) => true,
        }
    }

    /// Where others are, for a person.
    pub(crate) fn place(&self) -> &'static str {
        match self {
            Reach::Zenoh(_) => "at this router",
            #[cfg(feature = "dds")]
            Reach::Dds(_) => "on DDS",
            #[cfg(feature = "ros2")]
            Reach::Ros2(_) => "in ROS 2",
        }
    }

    /// Subscribes to a topic whatever its type is, for tools that look.
    ///
    /// # Errors
    /// What the transport says.
    pub(crate) fn subscribe_raw(
        &self,
        topic: &str,
        on_message: OnRawMessage,
    ) -> Result<Box<dyn Subscription>, TransportError> {
        match self {
            Reach::Zenoh(transport) => transport.subscribe_raw(topic, on_message),
            #[cfg(feature = "dds")]
            Reach::Dds(transport) => transport.subscribe_raw(topic, on_message),
            #[cfg(feature = "ros2")]
            Reach::Ros2(transport) => transport.subscribe_raw(topic, on_message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rmw_of_ros_has_its_transport_and_a_stranger_none() {
        assert_eq!(of_rmw("rmw_zenoh_cpp"), Some(TransportKind::Zenoh));
        for dds in ["rmw_cyclonedds_cpp", "rmw_fastrtps_cpp", "rmw_connextdds"] {
            assert!(matches!(of_rmw(dds), Some(TransportKind::Dds | TransportKind::Ros2)), "{dds}");
        }
        assert_eq!(of_rmw("rmw_email"), None);
    }
}
