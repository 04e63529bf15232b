//! Publishers and subscriptions: bytes to and from zenoh's buffers.

use std::sync::{Arc, Mutex, PoisonError};

use troika_kit::Time;
use troika_transport::{Meta, Publisher, Subscription, TransportError};
use zenoh::{
    Session, Wait,
    bytes::{Encoding, ZBytes},
    liveliness::LivelinessToken,
    pubsub::Subscriber,
    qos::{CongestionControl, Priority, Reliability},
    sample::{Sample, SampleKind},
    shm::{GarbageCollect, PosixShmProviderBackend, ShmProvider},
};

use zenoh_ext::{
    AdvancedPublisher, AdvancedPublisherBuilderExt as _, AdvancedSubscriber,
    AdvancedSubscriberBuilderExt as _, CacheConfig, HistoryConfig,
};

use crate::{
    transport::Shared,
    wire::{self, Attachment, Gid, QosProfile},
};

/// Messages from this size on go into shared memory, where there is any; zenoh's own bound for what it would put there itself.
const LARGE: usize = 3072;

/// Where a session makes what it shares with other processes.
pub(crate) type SharedMemory = Arc<ShmProvider<PosixShmProviderBackend>>;

/// A declared publisher. Fields are dropped in their order: the token first, so that nobody counts on what is gone.
pub(crate) struct ZenohPublisher {
    token: Option<LivelinessToken>,
    publisher: Sends,
    sequence: i64,
    gid: Gid,
    memory: Option<SharedMemory>,
    shared: Option<Arc<Shared>>,
}

/// By its durability.
enum Sends {
    Volatile(zenoh::pubsub::Publisher<'static>),
    /// Transient local: keeps its last messages for who joins late, as rmw_zenoh does (zenoh-ext's advanced publisher).
    Lasting(AdvancedPublisher<'static>),
}

impl Sends {
    fn put(&self, payload: ZBytes, attachment: [u8; Attachment::LEN]) -> zenoh::Result<()> {
        match self {
            Sends::Volatile(publisher) => publisher.put(payload).attachment(attachment).wait(),
            Sends::Lasting(publisher) => publisher.put(payload).attachment(attachment).wait(),
        }
    }
}

/// Messages that a late joiner is sent or asks for. Keep-all has no number: as many as there are.
fn kept(qos: &QosProfile) -> usize {
    match qos.history {
        wire::History::KeepAll => usize::MAX,
        _ => qos.depth.max(1) as usize,
    }
}

impl ZenohPublisher {
    pub(crate) fn declare(
        session: &Session,
        key: String,
        qos: &QosProfile,
        priority: Priority,
        gid: Gid,
    ) -> zenoh::Result<ZenohPublisher> {
        let congestion =
            if qos.blocks_when_congested() { CongestionControl::Block } else { CongestionControl::Drop };
        let reliability = match qos.reliability {
            wire::Reliability::BestEffort => Reliability::BestEffort,
            _ => Reliability::Reliable,
        };
        let builder = session
            .declare_publisher(key)
            .encoding(Encoding::APPLICATION_CDR)
            .congestion_control(congestion)
            .reliability(reliability)
            .priority(priority);
        let publisher = match qos.durability {
            wire::Durability::TransientLocal => {
                let cache = CacheConfig::default().max_samples(kept(qos));
                Sends::Lasting(builder.cache(cache).publisher_detection().wait()?)
            }
            _ => Sends::Volatile(builder.wait()?),
        };
        // Waits while the session makes it; none where it is switched off.
        let memory = session.get_shm_provider().wait();
        Ok(ZenohPublisher { token: None, publisher, sequence: 0, gid, memory, shared: None })
    }

    /// With its token on the graph; keeps the session open.
    pub(crate) fn announced(mut self, token: LivelinessToken, shared: Arc<Shared>) -> ZenohPublisher {
        self.token = Some(token);
        self.shared = Some(shared);
        self
    }
}

impl Publisher for ZenohPublisher {
    /// Copies the bytes once: into memory that the receivers share, or into the buffer that zenoh keeps until they have left.
    fn put(&mut self, cdr: &[u8], stamp: Time) -> Result<(), TransportError> {
        let source_time_ns = i64::try_from(stamp.as_nanos()).unwrap_or(i64::MAX);
        let attachment = Attachment { sequence: self.sequence, source_time_ns, gid: self.gid };
        // When the pool is full of what slow receivers hold, the message goes the other way.
        let place = self.memory.as_ref().filter(|_| cdr.len() >= LARGE);
        let place =
            place.and_then(|memory| memory.alloc(cdr.len()).with_policy::<GarbageCollect>().wait().ok());
        let payload = match place {
            Some(mut place) => {
                place.as_mut().copy_from_slice(cdr);
                ZBytes::from(place)
            }
            None => ZBytes::from(cdr),
        };
        self.publisher.put(payload, attachment.encode()).map_err(|_| TransportError::Closed)?;
        self.sequence += 1;
        Ok(())
    }
}

/// What a subscription does with a sample before its owner sees it. One call at a time: zenoh may deliver from several
/// threads.
pub(crate) struct Callback<F>(Mutex<CallbackState<F>>);

struct CallbackState<F> {
    on_message: F,
    joined: Joined,
    warned: bool,
}

/// Messages that came in pieces are put together here, so that a stream of large ones allocates once.
#[derive(Default)]
pub(crate) struct Joined(Vec<u8>);

impl Joined {
    /// The payload in one piece.
    pub(crate) fn whole<'a>(&'a mut self, payload: &'a ZBytes) -> &'a [u8] {
        let mut slices = payload.slices();
        match (slices.next(), slices.next()) {
            (None, _) => &[],
            (Some(whole), None) => whole,
            (Some(_), Some(_)) => {
                self.0.clear();
                self.0.reserve(payload.len());
                payload.slices().for_each(|slice| self.0.extend_from_slice(slice));
                &self.0
            }
        }
    }
}

/// What a ROS peer attaches; none if it is something else.
pub(crate) fn meta_of(attachment: &ZBytes) -> Option<Meta> {
    let read = Attachment::decode(&attachment.to_bytes()).ok()?;
    let source_time = Time::from_nanos(u64::try_from(read.source_time_ns).unwrap_or(0));
    Some(Meta { source_time, sequence: read.sequence, gid: read.gid })
}

impl<F: FnMut(&[u8], &Meta, &str)> Callback<F> {
    /// `on_message` gets bytes, origin and key.
    pub(crate) fn new(on_message: F) -> Callback<F> {
        Callback(Mutex::new(CallbackState { on_message, joined: Joined::default(), warned: false }))
    }

    pub(crate) fn call(&self, sample: &Sample) {
        if sample.kind() == SampleKind::Put {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).call(sample);
        }
    }
}

impl<F: FnMut(&[u8], &Meta, &str)> CallbackState<F> {
    fn call(&mut self, sample: &Sample) {
        let meta = self.meta(sample);
        let key = sample.key_expr().as_str();
        (self.on_message)(self.joined.whole(sample.payload()), &meta, key);
    }

    /// A publisher that is no ROS node attaches nothing. Its messages are passed on with the epoch as their time, so that
    /// whoever minds age takes them for old.
    fn meta(&mut self, sample: &Sample) -> Meta {
        if let Some(meta) = sample.attachment().and_then(meta_of) {
            return meta;
        }
        if !self.warned {
            self.warned = true;
            tracing::warn!(key = %sample.key_expr(), "a publisher sends no readable ROS attachment");
        }
        Meta { source_time: Time::ZERO, sequence: 0, gid: [0; 16] }
    }
}

/// A declared subscription.
pub(crate) struct ZenohSubscription {
    token: Option<LivelinessToken>,
    subscriber: Option<Receives>,
    _shared: Arc<Shared>,
}

/// By its durability.
pub(crate) enum Receives {
    Volatile(Subscriber<()>),
    /// Transient local: asks for what was sent before it came.
    Lasting(AdvancedSubscriber<()>),
}

impl Receives {
    pub(crate) fn declare(
        session: &Session,
        key: String,
        qos: &QosProfile,
        callback: impl Fn(Sample) + Send + Sync + 'static,
    ) -> zenoh::Result<Receives> {
        let builder = session.declare_subscriber(key).callback(callback);
        match qos.durability {
            wire::Durability::TransientLocal => {
                let history = HistoryConfig::default().detect_late_publishers().max_samples(kept(qos));
                builder.history(history).subscriber_detection().wait().map(Receives::Lasting)
            }
            _ => builder.wait().map(Receives::Volatile),
        }
    }
}

impl ZenohSubscription {
    pub(crate) fn new(
        subscriber: Receives,
        token: Option<LivelinessToken>,
        shared: Arc<Shared>,
    ) -> ZenohSubscription {
        ZenohSubscription { token, subscriber: Some(subscriber), _shared: shared }
    }
}

impl Subscription for ZenohSubscription {}

impl Drop for ZenohSubscription {
    /// Waits for a call that is under way; so never drop a subscription inside its own call.
    fn drop(&mut self) {
        drop(self.token.take());
        let undeclared = self.subscriber.take().map(|subscriber| match subscriber {
            Receives::Volatile(subscriber) => subscriber.undeclare().wait_callbacks().wait(),
            Receives::Lasting(subscriber) => subscriber.undeclare().wait_callbacks().wait(),
        });
        if let Some(Err(error)) = undeclared {
            tracing::debug!(%error, "undeclaring a subscription");
        }
    }
}
