//! A topic's QoS as rosbag2 keeps it with a channel: YAML, a list of what the publishers offer, policies by the numbers of `rmw`
//! (rmw/types.h), in the form of its versions up to 8, which later ones read too.

use std::time::Duration;

use troika_kit::{Liveliness, Qos};

/// `rmw`'s infinite duration.
const INFINITE: (u64, u32) = (9_223_372_036, 854_775_807);

/// As rosbag2 writes it.
pub fn text(qos: &Qos) -> String {
    let time = |time: Option<Duration>| {
        let (sec, nsec) = time.map_or(INFINITE, |time| (time.as_secs(), time.subsec_nanos()));
        format!("\n    sec: {sec}\n    nsec: {nsec}")
    };
    let liveliness = match qos.liveliness {
        Liveliness::Automatic => 1,
        Liveliness::ManualByTopic => 3,
    };
    format!(
        "- history: 1\n  depth: {}\n  reliability: {}\n  durability: {}\n  deadline:{}\n  lifespan:{}\n  liveliness: {liveliness}\n  \
         liveliness_lease_duration:{}\n  avoid_ros_namespace_conventions: false",
        qos.depth,
        if qos.reliable { 1 } else { 2 },
        if qos.transient_local { 1 } else { 2 },
        time(qos.deadline),
        time(qos.lifespan),
        time(qos.lease),
    )
}

/// What a publisher that plays the topic offers: what the first of the recorded ones did, by number (rosbag2 up to version 8) or by
/// name (from 9 on). What is not said, or not understood, is ROS 2's default; times are not taken over, since a player keeps its own.
pub fn of_text(text: &str) -> Qos {
    let mut qos = Qos::DEFAULT;
    for (number, line) in text.lines().enumerate() {
        let entry = line.trim_start().trim_start_matches("- ");
        if number > 0 && line.starts_with("- ") {
            break;
        }
        let Some((key, value)) = entry.split_once(':') else { continue };
        match (key.trim(), value.trim()) {
            ("depth", depth) => {
                qos.depth = depth.parse().ok().filter(|depth| *depth > 0).unwrap_or(qos.depth)
            }
            ("reliability", "2" | "best_effort") => qos.reliable = false,
            ("durability", "1" | "transient_local") => qos.transient_local = true,
            _ => {}
        }
    }
    qos
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let sensor = Qos { transient_local: true, ..Qos::SENSOR };
        assert_eq!(of_text(&text(&sensor)), sensor);
        assert_eq!(of_text(&text(&Qos::DEFAULT)), Qos::DEFAULT);
    }

    #[test]
    fn names_of_later_versions_are_read_and_the_first_publisher_counts() {
        let two = "- history: keep_last\n  depth: 7\n  reliability: best_effort\n  durability: volatile\n- depth: 9\n  reliability: reliable\n";
        assert_eq!(of_text(two), Qos { depth: 7, reliable: false, ..Qos::DEFAULT });
        assert_eq!(of_text(""), Qos::DEFAULT);
        assert_eq!(of_text("- depth: 0\n  reliability: 17"), Qos::DEFAULT);
    }
}
