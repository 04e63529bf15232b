//! Gazebo's transport library, by bytes. The crate that binds it takes messages as types of its own; [`Raw`] is one for each of
//! Gazebo's names that holds a message's bytes as they are.

use std::{fmt::Debug, marker::PhantomData, sync::Arc};

use gz_msgs_common::{
    GzMessage,
    protobuf::{CodedInputStream, CodedOutputStream, Message, Result, SpecialFields, UnknownFields},
};
use gz_transport::Node;

/// The name of one of Gazebo's types.
trait Named: Debug + Clone + Copy + Default + PartialEq + Send + Sync + 'static {
    /// With the family's prefix.
    const NAME: &'static str;
}

/// A message's bytes.
#[derive(Debug, Clone, Default, PartialEq)]
struct Raw<K> {
    bytes: Vec<u8>,
    special: SpecialFields,
    kind: PhantomData<K>,
}

impl<K: Named> Message for Raw<K> {
    const NAME: &'static str = K::NAME;

    fn is_initialized(&self) -> bool {
        true
    }

    fn merge_from(&mut self, is: &mut CodedInputStream<'_>) -> Result<()> {
        while !is.eof()? {
            self.bytes.push(is.read_raw_byte()?);
        }
        Ok(())
    }

    /// In one piece, which the stream has no way for.
    fn parse_from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(Raw { bytes: bytes.to_vec(), ..Raw::default() })
    }

    fn write_to_with_cached_sizes(&self, os: &mut CodedOutputStream<'_>) -> Result<()> {
        os.write_raw_bytes(&self.bytes)
    }

    fn compute_size(&self) -> u64 {
        // protobuf's messages end at 2 GiB, and so do the images that fit in one.
        self.special.cached_size().set(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
        self.bytes.len() as u64
    }

    fn special_fields(&self) -> &SpecialFields {
        &self.special
    }

    fn mut_special_fields(&mut self) -> &mut SpecialFields {
        &mut self.special
    }

    fn unknown_fields(&self) -> &UnknownFields {
        self.special.unknown_fields()
    }

    fn new() -> Self {
        Raw::default()
    }

    fn default_instance() -> &'static Self {
        // Asked for by reflection alone, which these have not.
        Box::leak(Box::default())
    }
}

impl<K: Named> GzMessage for Raw<K> {
    const GZ_TYPE_NAME: &'static str = K::NAME;
}

/// Sends messages of one type on one topic. It stays on the thread that made it, as the library's publisher does.
pub struct Sender(Box<SendBytes>);

/// Sends bytes; false: the library did not take them.
type SendBytes = dyn FnMut(&[u8]) -> bool;

impl Sender {
    /// False where the library refuses it.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        (self.0)(bytes)
    }
}

/// Called on the library's own thread with a message's bytes; it must not block for long, and must not panic.
pub type OnBytes = Arc<dyn Fn(Vec<u8>) + Send + Sync>;

fn advertise<K: Named>(node: &mut Node, topic: &str) -> Option<Sender> {
    let mut publisher = node.advertise::<Raw<K>>(topic)?;
    let mut message = Raw::<K>::default();
    Some(Sender(Box::new(move |bytes| {
        message.bytes.clear();
        message.bytes.extend_from_slice(bytes);
        publisher.publish(&message)
    })))
}

fn subscribe<K: Named>(node: &mut Node, topic: &str, each: OnBytes) -> bool {
    node.subscribe(topic, move |message: Raw<K>| each(message.bytes))
}

macro_rules! kinds {
    ($($kind:ident),*) => {
        $(#[derive(Debug, Clone, Copy, Default, PartialEq)]
        #[allow(clippy::upper_case_acronyms, reason = "Gazebo's name")]
        struct $kind;

        impl Named for $kind {
            #[cfg(feature = "fortress")]
            const NAME: &'static str = concat!("ignition.msgs.", stringify!($kind));
            #[cfg(not(feature = "fortress"))]
            const NAME: &'static str = concat!("gz.msgs.", stringify!($kind));
        })*

        /// A publisher of the type of this name (without its prefix); none where the library refuses the topic.
        pub fn advertise_as(node: &mut Node, gz: &str, topic: &str) -> Option<Sender> {
            match gz {
                $(stringify!($kind) => advertise::<$kind>(node, topic),)*
                _ => None,
            }
        }

        /// Subscribes to messages of the type of this name; false where the library refuses the topic. Messages of other types on it
        /// are not given.
        pub fn subscribe_as(node: &mut Node, gz: &str, topic: &str, each: OnBytes) -> bool {
            match gz {
                $(stringify!($kind) => subscribe::<$kind>(node, topic, each),)*
                _ => false,
            }
        }
    };
}

kinds!(
    Image, CameraInfo, IMU, Model, Odometry, Twist, Clock, Boolean, StringMsg, Double, Float, Int32, Param,
    Bytes
);

/// A node of the library, in a partition if one is named.
///
/// # Errors
/// When the library makes none.
pub fn node(partition: Option<&str>) -> anyhow::Result<Node> {
    let made = partition.map_or_else(Node::new, Node::with_partition);
    made.ok_or_else(|| {
        anyhow::anyhow!("Gazebo's transport makes no node: see IGN_PARTITION and IGN_IP (GZ_…)")
    })
}
