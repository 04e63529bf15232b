//! What is known of each vehicle now, for the page. In memory, bounded; pure: time is an argument.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use troika_kit::Time;

use crate::{clock, identity::VehicleId};

/// A vehicle's word on itself: `POST /v1/vehicle/report`. States and numbers, no words, no images; an unknown key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Its link to the cloud: `LinkState.state`.
    pub link: Link,
    /// Round trip, ms.
    pub rtt_ms: Option<f32>,
    /// Down, kbit/s.
    pub down_kbps: Option<f32>,
    /// Who answers now: `DialogueReply.tier`.
    pub tier: Tier,
    /// `DriverState.state`; left out where the driver does not want it told.
    pub driver_state: Option<Driver>,
    /// From the end of speech to the first word of the last answer, ms.
    pub latency_ms: Option<f32>,
    /// Errors since the vehicle started.
    #[serde(default)]
    pub errors: u64,
    /// What the vehicle counts as its own cost today, millionths of a euro.
    #[serde(default)]
    pub cost_micro_euro: u64,
}

/// See `LinkState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the message's names")]
pub enum Link {
    Unknown,
    Down,
    Up,
}

/// See `DialogueReply`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the message's names")]
pub enum Tier {
    None,
    Vehicle,
    OnVehicle,
    Cloud,
    Canned,
}

/// See `DriverState`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the message's names")]
pub enum Driver {
    Unknown,
    Attentive,
    LookingAway,
    EyesClosed,
}

/// A line of the page.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Who.
    pub vehicle: VehicleId,
    /// Connections now.
    pub connections: u32,
    /// Seconds since 1970.
    pub seen: i64,
    /// Its last word.
    pub report: Option<Report>,
    /// When that came, seconds since 1970.
    pub reported: Option<i64>,
    /// Requests since the gateway started.
    pub requests: u64,
    /// Of those, what did not end well.
    pub errors: u64,
    /// To the first byte of the last answer, ms.
    pub first_byte_ms: Option<u64>,
    /// Since the gateway started, millionths of a euro.
    pub cost_micro_euro: u64,
    #[serde(skip)]
    change: u64,
}

/// All vehicles.
#[derive(Debug)]
pub struct Board {
    most: usize,
    change: u64,
    rows: HashMap<VehicleId, Row>,
}

impl Board {
    /// So many vehicles at most; then the one that was seen last the longest ago, and is not connected, is forgotten.
    pub fn new(most: usize) -> Board {
        Board { most: most.max(1), change: 0, rows: HashMap::new() }
    }

    fn row(&mut self, now: Time, vehicle: &VehicleId) -> &mut Row {
        if !self.rows.contains_key(vehicle) && self.rows.len() >= self.most {
            let idle = |row: &&Row| (row.connections > 0, row.seen, row.change);
            if let Some(oldest) = self.rows.values().min_by_key(idle).map(|row| row.vehicle.clone()) {
                self.rows.remove(&oldest);
            }
        }
        self.change += 1;
        let (change, seen) = (self.change, clock::seconds(now));
        let row = self.rows.entry(vehicle.clone()).or_insert_with(|| Row {
            vehicle: vehicle.clone(),
            connections: 0,
            seen,
            report: None,
            reported: None,
            requests: 0,
            errors: 0,
            first_byte_ms: None,
            cost_micro_euro: 0,
            change,
        });
        (row.change, row.seen) = (change, seen);
        row
    }

    /// A connection begins.
    pub fn connected(&mut self, now: Time, vehicle: &VehicleId) {
        self.row(now, vehicle).connections += 1;
    }

    /// A connection ends.
    pub fn disconnected(&mut self, now: Time, vehicle: &VehicleId) {
        let row = self.row(now, vehicle);
        row.connections = row.connections.saturating_sub(1);
    }

    /// A report.
    pub fn report(&mut self, now: Time, vehicle: &VehicleId, report: Report) {
        let row = self.row(now, vehicle);
        (row.report, row.reported) = (Some(report), Some(row.seen));
    }

    /// A request has ended.
    pub fn request(
        &mut self,
        now: Time,
        vehicle: &VehicleId,
        fine: bool,
        first_byte_ms: Option<u64>,
        cost: u64,
    ) {
        let row = self.row(now, vehicle);
        row.requests += 1;
        row.errors += u64::from(!fine);
        row.first_byte_ms = first_byte_ms.or(row.first_byte_ms);
        row.cost_micro_euro += cost;
    }

    /// What has changed since this number, and the number to ask with the next time.
    pub fn since(&self, change: u64) -> (Vec<&Row>, u64) {
        let mut rows: Vec<_> = self.rows.values().filter(|row| row.change > change).collect();
        rows.sort_by(|a, b| a.vehicle.cmp(&b.vehicle));
        (rows, self.change)
    }
}

#[cfg(test)]
mod tests {
    use troika_kit::Duration;

    use super::*;

    fn id(name: &str) -> VehicleId {
        VehicleId::new(name).expect("an id")
    }

    fn at(s: u64) -> Time {
        Time::ZERO + Duration::from_secs(s)
    }

    #[test]
    fn the_page_is_told_what_changed_since_it_last_asked() {
        let mut board = Board::new(10);
        board.connected(at(1), &id("anna"));
        board.connected(at(1), &id("bruno"));
        let (rows, seen) = board.since(0);
        assert_eq!(rows.len(), 2);
        board.request(at(2), &id("bruno"), false, Some(7), 3);
        let (rows, _) = board.since(seen);
        assert_eq!((rows.len(), rows[0].errors, rows[0].cost_micro_euro), (1, 1, 3));
    }

    #[test]
    fn who_is_gone_longest_is_forgotten_and_never_who_is_there() {
        let mut board = Board::new(2);
        board.connected(at(1), &id("anna"));
        board.connected(at(2), &id("bruno"));
        board.disconnected(at(3), &id("bruno"));
        board.connected(at(4), &id("carla"));
        let names: Vec<_> = board.since(0).0.iter().map(|row| row.vehicle.to_string()).collect();
        assert_eq!(names, ["anna", "carla"]);
    }

    #[test]
    fn a_report_is_states_and_numbers_and_nothing_else() {
        let read = |text: &str| serde_json::from_str::<Report>(text);
        assert!(read(r#"{"link":"up","tier":"cloud","driver_state":"attentive","latency_ms":300}"#).is_ok());
        assert!(read(r#"{"link":"up","tier":"cloud","image":"..."}"#).is_err());
        assert!(read(r#"{"link":"<b>","tier":"cloud"}"#).is_err());
    }
}
