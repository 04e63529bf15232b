//! The QoS part of a liveliness token: `rel:dur:hist,depth:dl_s,dl_ns:life_s,life_ns:live,lease_s,lease_ns`. A field is
//! empty when it equals rmw_zenoh's own default.

use troika_kit::{Duration, Qos};

use super::key::parse_decimal;

/// The history depth that rmw_zenoh leaves out (its adapted default, `RMW_ZENOH_DEFAULT_HISTORY_DEPTH`).
const DEFAULT_DEPTH: u64 = 42;

macro_rules! policy {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant = $code,)* }

        impl $name {
            fn parse(text: &str, default: $name) -> Result<$name, QosError> {
                match text {
                    "" => Ok(default),
                    $(stringify!($code) => Ok($name::$variant),)*
                    _ => Err(QosError::Policy),
                }
            }

            fn encode(self, default: $name) -> String {
                if self == default { String::new() } else { (self as u8).to_string() }
            }
        }
    };
}

policy! {
    /// `rmw_qos_reliability_policy_e`.
    Reliability {
        /// What the middleware likes.
        SystemDefault = 0,
        /// Resend what was lost.
        Reliable = 1,
        /// Do not.
        BestEffort = 2,
        /// Not known.
        Unknown = 3,
        /// As the other end.
        BestAvailable = 4,
    }
}

policy! {
    /// `rmw_qos_durability_policy_e`.
    Durability {
        /// What the middleware likes.
        SystemDefault = 0,
        /// Late joiners get what was.
        TransientLocal = 1,
        /// They do not.
        Volatile = 2,
        /// Not known.
        Unknown = 3,
        /// As the other end.
        BestAvailable = 4,
    }
}

policy! {
    /// `rmw_qos_history_policy_e`.
    History {
        /// What the middleware likes.
        SystemDefault = 0,
        /// The last `depth`.
        KeepLast = 1,
        /// Everything.
        KeepAll = 2,
        /// Not known.
        Unknown = 3,
    }
}

policy! {
    /// `rmw_qos_liveliness_policy_e`.
    Liveliness {
        /// What the middleware likes.
        SystemDefault = 0,
        /// The process lives, so the node does.
        Automatic = 1,
        /// Asserted for each node (no longer used by ROS).
        ManualByNode = 2,
        /// Asserted for each topic.
        ManualByTopic = 3,
        /// Not known.
        Unknown = 4,
        /// As the other end.
        BestAvailable = 5,
    }
}

/// An `rmw_time_t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Seconds.
    pub sec: u64,
    /// Nanoseconds.
    pub nsec: u64,
}

impl Span {
    /// `RMW_DURATION_INFINITE`: 2^63 - 1 nanoseconds.
    pub const INFINITE: Span = Span { sec: 9_223_372_036, nsec: 854_775_807 };

    /// None when it is infinite, or zero: rmw takes zero (`RMW_DURATION_UNSPECIFIED`) for no limit too.
    fn finite(self) -> Option<Duration> {
        let time = Duration::from_secs(self.sec).checked_add(Duration::from_nanos(self.nsec))?;
        let infinite = Duration::from_nanos(i64::MAX as u64);
        (!time.is_zero() && time < infinite).then_some(time)
    }

    fn parse(sec: &str, nsec: &str) -> Result<Span, QosError> {
        Ok(Span { sec: number(sec, Span::INFINITE.sec)?, nsec: number(nsec, Span::INFINITE.nsec)? })
    }

    /// rmw_zenoh leaves out each half by itself.
    fn encode(self) -> String {
        format!("{},{}", unless(self.sec, Span::INFINITE.sec), unless(self.nsec, Span::INFINITE.nsec))
    }
}

/// Everything that the string says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QosProfile {
    /// Resending.
    pub reliability: Reliability,
    /// What late joiners get.
    pub durability: Durability,
    /// How much is kept.
    pub history: History,
    /// How many are kept.
    pub depth: u64,
    /// Longest time between messages.
    pub deadline: Span,
    /// Age at which a message is thrown away.
    pub lifespan: Span,
    /// How life is asserted.
    pub liveliness: Liveliness,
    /// How long an assertion lasts.
    pub lease: Span,
}

/// A string that is no QoS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QosError {
    /// Not six fields of 1, 1, 2, 2, 2 and 3 parts.
    #[error("a QoS string has six fields of 1, 1, 2, 2, 2 and 3 parts")]
    Shape,
    /// A policy that rmw does not have.
    #[error("a policy in the QoS string is none that rmw has")]
    Policy,
    /// A number that is none.
    #[error("a number in the QoS string is none")]
    Number,
}

impl QosProfile {
    /// What every empty field means.
    pub const DEFAULT: QosProfile = QosProfile {
        reliability: Reliability::Reliable,
        durability: Durability::Volatile,
        history: History::KeepLast,
        depth: DEFAULT_DEPTH,
        deadline: Span::INFINITE,
        lifespan: Span::INFINITE,
        liveliness: Liveliness::Automatic,
        lease: Span::INFINITE,
    };

    /// Whether a put may wait on a full queue: rmw_zenoh blocks only for reliable and keep-all, else it drops.
    pub fn blocks_when_congested(&self) -> bool {
        self.reliability == Reliability::Reliable && self.history == History::KeepAll
    }

    /// The string.
    pub fn encode(&self) -> String {
        let d = &QosProfile::DEFAULT;
        format!(
            "{}:{}:{},{}:{}:{}:{},{}",
            self.reliability.encode(d.reliability),
            self.durability.encode(d.durability),
            self.history.encode(d.history),
            unless(self.depth, d.depth),
            self.deadline.encode(),
            self.lifespan.encode(),
            self.liveliness.encode(d.liveliness),
            self.lease.encode(),
        )
    }

    /// Reads the string.
    pub fn parse(text: &str) -> Result<QosProfile, QosError> {
        let [rel, dur, history, deadline, lifespan, liveliness] = split(text, ':')?;
        let [history, depth] = split(history, ',')?;
        let [deadline_s, deadline_ns] = split(deadline, ',')?;
        let [lifespan_s, lifespan_ns] = split(lifespan, ',')?;
        let [liveliness, lease_s, lease_ns] = split(liveliness, ',')?;
        let d = QosProfile::DEFAULT;
        Ok(QosProfile {
            reliability: Reliability::parse(rel, d.reliability)?,
            durability: Durability::parse(dur, d.durability)?,
            history: History::parse(history, d.history)?,
            depth: number(depth, d.depth)?,
            deadline: Span::parse(deadline_s, deadline_ns)?,
            lifespan: Span::parse(lifespan_s, lifespan_ns)?,
            liveliness: Liveliness::parse(liveliness, d.liveliness)?,
            lease: Span::parse(lease_s, lease_ns)?,
        })
    }
}

impl From<Qos> for QosProfile {
    fn from(qos: Qos) -> QosProfile {
        QosProfile {
            reliability: if qos.reliable { Reliability::Reliable } else { Reliability::BestEffort },
            durability: if qos.transient_local { Durability::TransientLocal } else { Durability::Volatile },
            depth: u64::from(qos.depth),
            deadline: qos.deadline.into(),
            lifespan: qos.lifespan.into(),
            liveliness: match qos.liveliness {
                troika_kit::Liveliness::Automatic => Liveliness::Automatic,
                troika_kit::Liveliness::ManualByTopic => Liveliness::ManualByTopic,
            },
            lease: qos.lease.into(),
            ..QosProfile::DEFAULT
        }
    }
}

/// What a QoS cannot say of a peer (keep-all, by node) is its nearest.
impl From<&QosProfile> for Qos {
    fn from(profile: &QosProfile) -> Qos {
        Qos {
            reliable: profile.reliability != Reliability::BestEffort,
            transient_local: profile.durability == Durability::TransientLocal,
            depth: match profile.history {
                History::KeepAll => u32::MAX,
                _ => u32::try_from(profile.depth).unwrap_or(u32::MAX),
            },
            deadline: profile.deadline.finite(),
            lifespan: profile.lifespan.finite(),
            liveliness: match profile.liveliness {
                Liveliness::ManualByTopic | Liveliness::ManualByNode => troika_kit::Liveliness::ManualByTopic,
                _ => troika_kit::Liveliness::Automatic,
            },
            lease: profile.lease.finite(),
        }
    }
}

impl From<Option<Duration>> for Span {
    fn from(time: Option<Duration>) -> Span {
        match time {
            Some(time) => Span { sec: time.as_secs(), nsec: time.subsec_nanos().into() },
            None => Span::INFINITE,
        }
    }
}

fn split<const N: usize>(text: &str, at: char) -> Result<[&str; N], QosError> {
    let mut out = [""; N];
    let mut parts = text.split(at);
    for slot in &mut out {
        *slot = parts.next().ok_or(QosError::Shape)?;
    }
    if parts.next().is_some() { Err(QosError::Shape) } else { Ok(out) }
}

fn number(text: &str, default: u64) -> Result<u64, QosError> {
    if text.is_empty() { Ok(default) } else { parse_decimal(text).ok_or(QosError::Number) }
}

fn unless(value: u64, default: u64) -> String {
    if value == default { String::new() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn captured_strings_read_and_write_back() {
        let default10 = QosProfile { depth: 10, ..QosProfile::DEFAULT };
        let sensor = QosProfile { reliability: Reliability::BestEffort, depth: 5, ..QosProfile::DEFAULT };
        // pyzeros: keep-all, deadline 0.5 s, lifespan 2 s, manual by topic with a lease of 3 s and 7 ns.
        let all = QosProfile {
            history: History::KeepAll,
            deadline: Span { sec: 0, nsec: 500_000_000 },
            lifespan: Span { sec: 2, nsec: 0 },
            liveliness: Liveliness::ManualByTopic,
            lease: Span { sec: 3, nsec: 7 },
            ..QosProfile::DEFAULT
        };
        for (text, qos) in [
            ("::,10:,:,:,,", default10), // rmw_zenoh_cpp, pyzeros and zenoh-ros2-sdk
            ("2::,5:,:,:,,", sensor),
            ("::2,:0,500000000:2,0:3,3,7", all),
            ("::,:,:,:,,", QosProfile::DEFAULT),
        ] {
            assert_eq!(QosProfile::parse(text), Ok(qos));
            assert_eq!(qos.encode(), text);
        }
    }

    #[test]
    fn kits_profiles_have_rmws_strings() {
        assert_eq!(QosProfile::from(Qos::DEFAULT).encode(), "::,10:,:,:,,");
        assert_eq!(QosProfile::from(Qos::SENSOR).encode(), "2::,5:,:,:,,");
        let latched = Qos { transient_local: true, depth: 1, ..Qos::DEFAULT };
        assert_eq!(QosProfile::from(latched).encode(), ":1:,1:,:,:,,");
        let timed = Qos {
            deadline: Some(Duration::from_millis(500)),
            lifespan: Some(Duration::from_secs(2)),
            liveliness: troika_kit::Liveliness::ManualByTopic,
            lease: Some(Duration::new(3, 7)),
            ..Qos::DEFAULT
        };
        assert_eq!(QosProfile::from(timed).encode(), "::,10:0,500000000:2,0:3,3,7");
        for qos in [Qos::DEFAULT, Qos::SENSOR, latched, timed] {
            assert_eq!(Qos::from(&QosProfile::from(qos)), qos);
        }
    }

    #[test]
    fn a_peers_spans_of_no_limit_are_none() {
        for span in [Span::INFINITE, Span { sec: 0, nsec: 0 }, Span { sec: u64::MAX, nsec: u64::MAX }] {
            assert_eq!(span.finite(), None, "{span:?}");
        }
        assert_eq!(Span { sec: 0, nsec: 1_500_000_000 }.finite(), Some(Duration::from_millis(1500)));
    }

    #[test]
    fn a_field_written_out_means_the_same_as_left_out() {
        let spelled = "1:2:1,42:9223372036,854775807:9223372036,854775807:1,9223372036,854775807";
        assert_eq!(QosProfile::parse(spelled), Ok(QosProfile::DEFAULT));
    }

    #[test]
    fn only_reliable_keep_all_blocks() {
        let keep_all = QosProfile { history: History::KeepAll, ..QosProfile::DEFAULT };
        assert!(keep_all.blocks_when_congested());
        assert!(!QosProfile { reliability: Reliability::BestEffort, ..keep_all }.blocks_when_congested());
        assert!(!QosProfile::from(Qos::DEFAULT).blocks_when_congested());
    }

    #[test]
    fn strange_strings_give_their_reason() {
        for (text, why) in [
            ("", QosError::Shape),
            ("::,10:,:,:,", QosError::Shape),
            ("::,10:,:,:,,:", QosError::Shape),
            ("9::,10:,:,:,,", QosError::Policy),
            ("::,ten:,:,:,,", QosError::Number),
            ("::,-1:,:,:,,", QosError::Number),
            ("::,99999999999999999999:,:,:,,", QosError::Number),
        ] {
            assert_eq!(QosProfile::parse(text), Err(why), "{text}");
        }
    }

    fn span() -> impl Strategy<Value = Span> {
        prop_oneof![
            Just(Span::INFINITE),
            (any::<u64>(), any::<u64>()).prop_map(|(sec, nsec)| Span { sec, nsec })
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            (rel, dur, hist, live) in (0..5usize, 0..5usize, 0..4usize, 0..6usize),
            depth: u64, deadline in span(), lifespan in span(), lease in span(),
        ) {
            use {Durability as D, History as H, Liveliness as L, Reliability as R};
            let qos = QosProfile {
                reliability: [R::SystemDefault, R::Reliable, R::BestEffort, R::Unknown, R::BestAvailable][rel],
                durability: [D::SystemDefault, D::TransientLocal, D::Volatile, D::Unknown, D::BestAvailable][dur],
                history: [H::SystemDefault, H::KeepLast, H::KeepAll, H::Unknown][hist],
                depth,
                deadline,
                lifespan,
                liveliness: [
                    L::SystemDefault, L::Automatic, L::ManualByNode, L::ManualByTopic, L::Unknown, L::BestAvailable,
                ][live],
                lease,
            };
            prop_assert_eq!(QosProfile::parse(&qos.encode()), Ok(qos));
        }

        #[test]
        fn garbage_never_panics(text in "([0-9:,]{0,40})|(\\PC{0,40})") {
            if let Ok(qos) = QosProfile::parse(&text) {
                prop_assert_eq!(QosProfile::parse(&qos.encode()), Ok(qos));
            }
        }
    }
}
