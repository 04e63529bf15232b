//! How fast the vehicle is, for what is behind a gate: unknown rather than wrong (SR-VOI-001, SR-DAT-009).

use troika_kit::{Duration, Latest, Time};

use crate::{
    protect::{Trust, sender},
    troika::VehicleSignals,
};

/// Whoever opens gates by the speed.
#[derive(Debug, Clone)]
pub struct SpeedReader {
    trust: Trust<VehicleSignals>,
    /// Of the last signals that were believed: arrival, stamp, speed.
    heard: Option<(Time, Time, f32)>,
}

impl Default for SpeedReader {
    fn default() -> Self {
        SpeedReader { trust: Trust::new(sender::SIGNALS), heard: None }
    }
}

impl SpeedReader {
    /// The speed that may be believed, km/h; none where there is none, it is older than `fresh` or no number. To be asked in each step.
    pub fn kmh(&mut self, now: Time, port: &Latest<VehicleSignals>, fresh: Duration) -> Option<f32> {
        if let Some(sample) = port.get()
            && self.trust.believes_newest(sample.received, &sample.value)
        {
            self.heard = Some((sample.received, sample.value.header.time(), sample.value.speed_kmh));
        }
        let (received, stamp, speed) = self.heard?;
        // Long under way is stale too; a stamp that was never set tells no age.
        let old = now.since(received) > fresh || stamp != Time::ZERO && now.since(stamp) > fresh;
        Some(speed).filter(|speed| speed.is_finite() && !old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{protect::Seal, std_msgs::Header};

    const FRESH: Duration = Duration::from_millis(500);

    fn at(ms: u64) -> Time {
        Time::from_nanos((9_000 + ms) * 1_000_000)
    }

    #[test]
    fn a_speed_is_unknown_rather_than_old_no_number_or_another_senders() {
        troika_safety::verifies![SR_DAT_009, SR_VOI_001];
        let (mut reader, mut seal) = (SpeedReader::default(), Seal::new(sender::SIGNALS));
        let plain =
            |speed_kmh, ms| VehicleSignals { header: Header::at(at(ms)), speed_kmh, ..Default::default() };
        let mut sealed = |speed_kmh, ms| {
            let mut signals = plain(speed_kmh, ms);
            seal.seal(&mut signals).expect("it fits");
            signals
        };
        let mut heard = |signals: &VehicleSignals, ms| {
            reader.kmh(at(ms), &Latest::holding(signals.clone(), at(ms)), FRESH)
        };
        assert_eq!(heard(&plain(30.0, 0), 0), Some(30.0), "nobody protects them");
        assert_eq!(heard(&plain(f32::NAN, 20), 20), None);
        let moving = sealed(50.0, 40);
        assert_eq!(heard(&moving, 40), Some(50.0));
        // The last believed speed stands for as long as it is fresh.
        assert_eq!(heard(&plain(0.0, 60), 60), Some(50.0), "without protection");
        let mut foreign = plain(0.0, 80);
        Seal::new("elsewhere").seal(&mut foreign).expect("it fits");
        assert_eq!(heard(&foreign, 80), Some(50.0), "another's");
        let mut changed = sealed(50.0, 100);
        changed.speed_kmh = 0.0;
        assert_eq!(heard(&changed, 100), Some(50.0), "changed");
        assert_eq!(heard(&moving, 120), Some(50.0), "again");
        assert_eq!(heard(&plain(0.0, 541), 541), None, "and no longer");
        assert_eq!(heard(&sealed(0.0, 600), 600), Some(0.0));
        assert_eq!(heard(&sealed(0.0, 100), 700), None, "long under way");
    }
}
