//! What belongs here: opening the transport of a program that runs a node of its own beside `troika` (speech, the language model) and
//! is told which one in its settings; reading those; and whether the router that it needs is there.

pub mod settings;
pub mod watch;

use std::sync::Arc;

use troika_transport::Transport;
#[cfg(feature = "dds")]
use troika_transport_dds::{DdsOptions, DdsTransport};
#[cfg(feature = "ros2")]
use troika_transport_ros2::{Ros2Options, Ros2Transport};
use troika_transport_zenoh::{ZenohOptions, ZenohTransport};
pub use watch::RouterWatch;

/// What carries a process's messages, and where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Carrier {
    /// Where the zenoh router is, if not as the environment says.
    pub router: Option<String>,
    /// DDS carries them, not zenoh.
    pub dds: bool,
    /// ROS 2's own client library carries them.
    pub ros2: bool,
    /// ROS's domain, if not as the environment says.
    pub domain: Option<u32>,
}

impl Carrier {
    /// Opens it.
    ///
    /// # Errors
    /// A variable of the environment that cannot be followed, what the transport says, or that this build has no such transport.
    pub fn open(&self) -> anyhow::Result<Arc<dyn Transport>> {
        self.open_watched().map(|(transport, _)| transport)
    }

    /// Opens it, with a watch of its router.
    ///
    /// # Errors
    /// As [`Carrier::open`].
    pub fn open_watched(&self) -> anyhow::Result<(Arc<dyn Transport>, RouterWatch)> {
        if self.dds {
            return Ok((self.open_dds()?, RouterWatch::default()));
        }
        if self.ros2 {
            return Ok((self.open_ros2()?, RouterWatch::default()));
        }
        let mut options = ZenohOptions::from_env()?;
        if let Some(router) = &self.router {
            options.router.clone_from(router);
        }
        if let Some(domain) = self.domain {
            options.domain = domain;
        }
        let router = options.router.clone();
        let transport = Arc::new(ZenohTransport::open(options)?);
        Ok((transport.clone(), RouterWatch::of(transport, router)))
    }

    #[cfg(feature = "dds")]
    fn open_dds(&self) -> anyhow::Result<Arc<dyn Transport>> {
        let mut options = DdsOptions::from_env()?;
        if let Some(domain) = self.domain {
            options.domain = domain;
        }
        Ok(Arc::new(DdsTransport::open(options)?))
    }

    #[cfg(not(feature = "dds"))]
    fn open_dds(&self) -> anyhow::Result<Arc<dyn Transport>> {
        anyhow::bail!("this program was built without DDS: build it with the feature `dds`")
    }

    #[cfg(feature = "ros2")]
    fn open_ros2(&self) -> anyhow::Result<Arc<dyn Transport>> {
        Ok(Arc::new(Ros2Transport::open(Ros2Options { domain: self.domain })?))
    }

    #[cfg(not(feature = "ros2"))]
    fn open_ros2(&self) -> anyhow::Result<Arc<dyn Transport>> {
        anyhow::bail!("this program was built without rcl: build it where ROS 2 is with the feature `ros2`")
    }
}
