//! A node's log as every ROS 2 node has it: `/rosout`. Never from a real-time thread.

use troika_kit::{Message as _, Qos, Time};
use troika_msgs::rcl_interfaces::Log;
use troika_transport::{NodeHandle, Publisher, TransportError};

use crate::stats::Status;

/// Where logs are published.
const TOPIC: &str = "/rosout";

/// As rcl has it (`rmw_qos_profile_rosout_default`): reliable, transient local, the last 1000, for 10 s.
const QOS: Qos = Qos {
    transient_local: true,
    depth: 1000,
    lifespan: Some(std::time::Duration::from_secs(10)),
    ..Qos::DEFAULT
};

/// One node's log.
pub struct Rosout {
    publisher: Box<dyn Publisher>,
    /// `car.dms` of the node `/car/dms`, as rcl names loggers.
    logger: String,
    buffer: Vec<u8>,
}

impl Rosout {
    /// Of the node of this full name.
    ///
    /// # Errors
    /// What the transport says.
    pub fn declare(handle: &dyn NodeHandle, node: &str) -> Result<Rosout, TransportError> {
        let publisher = handle.publisher(TOPIC, Log::TYPE, QOS)?;
        let logger = node.trim_start_matches('/').replace('/', ".");
        Ok(Rosout { publisher, logger, buffer: Vec::new() })
    }

    /// Something that is as it should be.
    pub fn info(&mut self, now: Time, text: &str) {
        self.log(now, Log::INFO, text);
    }

    /// Something to look at.
    pub fn warn(&mut self, now: Time, text: &str) {
        self.log(now, Log::WARN, text);
    }

    /// Something that failed.
    pub fn error(&mut self, now: Time, text: &str) {
        self.log(now, Log::ERROR, text);
    }

    /// How the node does now.
    pub(crate) fn status(&mut self, now: Time, status: Status, text: &str) {
        match status {
            Status::Ok => self.info(now, text),
            Status::Degraded => self.warn(now, text),
            Status::Unavailable => self.error(now, text),
        }
    }

    fn log(&mut self, now: Time, level: u8, text: &str) {
        let log = Log {
            stamp: now.into(),
            level,
            name: self.logger.clone(),
            msg: text.to_owned(),
            ..Log::default()
        };
        if log.encode(&mut self.buffer).is_ok() {
            // A log that the transport refuses is nowhere to be logged.
            let _closing = self.publisher.put(&self.buffer, now);
        }
    }
}
