//! Two messages of one type, field by field: what a person is shown of a difference, and whether it is one at all where floats may
//! differ in their last digits.

use serde::Serialize;
use serde_json::Value;
use troika_kit::Time;
use troika_msgs::{dynamic, names};

/// How far floats may be apart on another instruction-set path: of the larger one, or absolutely below 1.
pub const TOLERANCE: f64 = 1e-3;
/// Fields that are shown of one difference.
const SHOWN: usize = 8;
/// Fields that are shown of a message that has none to be compared with.
const SHOWN_ALONE: usize = 32;

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldDifference {
    /// Where: `header.stamp`, `samples[3].index`. Of a time both of its fields are one.
    pub field: String,
    /// As it was recorded; none where no message was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Value>,
    /// As it is now; none where there is no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Value>,
    /// The same in words: what a number is called, and of a time how far it is from the recording's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded_is: Option<String>,
    /// As [`FieldDifference::recorded_is`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now_is: Option<String>,
}

impl FieldDifference {
    fn new(field: String, recorded: Option<Value>, now: Option<Value>) -> FieldDifference {
        FieldDifference { field, recorded, now, recorded_is: None, now_is: None }
    }

    /// Adds the words, for a message of this type in a recording that starts then.
    pub(crate) fn in_words(&mut self, type_name: &str, start: Time) {
        let words = |value: &Option<Value>| {
            let value = value.as_ref()?;
            match value.as_u64() {
                Some(number) => names::in_words(type_name, &self.field, number).map(str::to_owned),
                None => since(time_of(value)?, start),
            }
        };
        (self.recorded_is, self.now_is) = (words(&self.recorded), words(&self.now));
    }
}

/// A stamp that is on the recording's time line, as seconds from its start. A device's own line, or none at all, is left as it is.
fn since(at: Time, start: Time) -> Option<String> {
    const A_DAY_S: f64 = 86_400.0;
    let seconds = at.since(start).as_secs_f64() - start.since(at).as_secs_f64();
    (seconds.abs() < A_DAY_S).then(|| format!("{seconds:.6} s of the recording"))
}

/// `{"sec": …, "nanosec": …}` as one value, to the nanosecond: `"1735689600.033333333"`.
fn joined(value: &Value) -> Option<Value> {
    let Value::Object(fields) = value else { return None };
    let (sec, nanosec) = (fields.get("sec")?.as_i64()?, fields.get("nanosec")?.as_u64()?);
    (fields.len() == 2).then(|| format!("{sec}.{nanosec:09}").into())
}

/// A value of [`joined`].
fn time_of(value: &Value) -> Option<Time> {
    let (sec, nanosec) = value.as_str()?.split_once('.')?;
    let is_stamp = nanosec.len() == 9;
    is_stamp.then(|| Some(Time::from_stamp(sec.parse().ok()?, nanosec.parse().ok()?)))?
}

/// Which of two messages is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// The recorded one.
    Recorded,
    /// The one of now.
    Now,
}

/// The fields of a message that the other side does not have, at most [`SHOWN_ALONE`]; none where the type is not known, or it is no value
/// of it.
pub fn alone(type_name: &str, cdr: &[u8], only: Only) -> Option<Vec<FieldDifference>> {
    let value = dynamic::lookup(type_name)?.to_json(cdr).ok()?;
    let mut found = Vec::new();
    leaves("", &value, &mut |field, value| {
        let (recorded, now) = match only {
            Only::Recorded => (Some(value), None),
            Only::Now => (None, Some(value)),
        };
        found.push(FieldDifference::new(field, recorded, now));
    });
    found.truncate(SHOWN_ALONE);
    Some(found)
}

/// Each field that is no message itself; of an array how many elements it has.
fn leaves(at: &str, value: &Value, each: &mut impl FnMut(String, Value)) {
    if let Some(time) = joined(value) {
        return each(at.to_owned(), time);
    }
    match value {
        Value::Object(fields) => {
            let dot = if at.is_empty() { "" } else { "." };
            fields.iter().for_each(|(name, value)| leaves(&format!("{at}{dot}{name}"), value, each));
        }
        Value::Array(all) => each(format!("{at} (elements)"), all.len().into()),
        value => each(at.to_owned(), value.clone()),
    }
}

/// The fields in which two messages differ, at most [`SHOWN`]; none where the type is not known, or one of them is no value of it.
pub fn fields(type_name: &str, recorded: &[u8], now: &[u8]) -> Option<Vec<FieldDifference>> {
    let entry = dynamic::lookup(type_name)?;
    let (mut recorded, mut now) = (entry.to_json(recorded).ok()?, entry.to_json(now).ok()?);
    // A protection is another one wherever anything is: by itself it is shown, beside what it protects it says nothing.
    let protections = (protection(&mut recorded), protection(&mut now));
    let mut found = Vec::new();
    walk("", &recorded, &now, None, &mut found);
    if let (Some(recorded), Some(now)) = protections
        && found.is_empty()
    {
        walk(PROTECTION, &recorded, &now, None, &mut found);
    }
    found.truncate(SHOWN);
    Some(found)
}

/// Whether two messages are the same but for floats that are nearly equal.
pub fn nearly_equal(type_name: &str, recorded: &[u8], now: &[u8]) -> bool {
    let Some(entry) = dynamic::lookup(type_name) else { return false };
    let (Ok(mut recorded), Ok(mut now)) = (entry.to_json(recorded), entry.to_json(now)) else { return false };
    // Of floats that are only nearly equal the checksums are not.
    protection(&mut recorded);
    protection(&mut now);
    let mut found = Vec::new();
    walk("", &recorded, &now, Some(TOLERANCE), &mut found);
    found.is_empty()
}

/// The end-to-end protection of a message that has one.
const PROTECTION: &str = "e2e";

/// Takes it out.
fn protection(message: &mut Value) -> Option<Value> {
    message.as_object_mut()?.remove(PROTECTION)
}

fn walk(at: &str, recorded: &Value, now: &Value, within: Option<f64>, into: &mut Vec<FieldDifference>) {
    // One more than are shown, so that a long array costs no more.
    if into.len() > SHOWN {
        return;
    }
    if let (Some(recorded), Some(now)) = (joined(recorded), joined(now)) {
        if recorded != now {
            into.push(FieldDifference::new(at.to_owned(), Some(recorded), Some(now)));
        }
        return;
    }
    match (recorded, now) {
        (Value::Object(a), Value::Object(b)) => {
            let dot = if at.is_empty() { "" } else { "." };
            for (name, a) in a {
                walk(&format!("{at}{dot}{name}"), a, b.get(name).unwrap_or(&Value::Null), within, into);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                if a != b {
                    walk(&format!("{at}[{index}]"), a, b, within, into);
                }
            }
        }
        (Value::Array(a), Value::Array(b)) => {
            let [a, b] = [a, b].map(|all| Some(all.len().into()));
            into.push(FieldDifference::new(format!("{at} (elements)"), a, b));
        }
        (a, b) if !same_text(a, b) && !near(a, b, within) => {
            into.push(FieldDifference::new(at.to_owned(), Some(a.clone()), Some(b.clone())));
        }
        _ => {}
    }
}

/// By their text, since 0.0 and -0.0 are equal as numbers.
fn same_text(a: &Value, b: &Value) -> bool {
    let [a, b] = [a, b].map(Value::to_string);
    a == b
}

fn near(a: &Value, b: &Value, within: Option<f64>) -> bool {
    let Some(within) = within else { return false };
    // Whole numbers are counts and names, not measures.
    let (Value::Number(a), Value::Number(b)) = (a, b) else { return false };
    match (a.is_f64(), b.is_f64(), a.as_f64(), b.as_f64()) {
        (true, true, Some(a), Some(b)) => (a - b).abs() <= within * a.abs().max(b.abs()).max(1.0),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use troika_kit::Message as _;
    use troika_msgs::troika::{DriverAlert, DriverState};

    use super::*;

    fn cdr(state: &DriverState) -> Vec<u8> {
        let mut cdr = Vec::new();
        state.encode(&mut cdr).expect("it has a CDR form");
        cdr
    }

    #[test]
    fn the_fields_that_differ_are_named_with_both_values() {
        let recorded = DriverState { confidence: 0.5, head_yaw_deg: 3.25, ..DriverState::default() };
        let now = DriverState { confidence: 0.5, head_yaw_deg: 4.5, state: 2, ..DriverState::default() };
        let found = fields(DriverState::TYPE.name, &cdr(&recorded), &cdr(&now)).expect("the type is known");
        let named: Vec<_> = found
            .iter()
            .map(|one| (one.field.as_str(), one.now.clone().unwrap_or_default().to_string()))
            .collect();
        assert_eq!(named, [("state", "2".to_owned()), ("head_yaw_deg", "4.5".to_owned())]);
        assert_eq!(fields(DriverState::TYPE.name, &cdr(&now), &cdr(&now)), Some(Vec::new()));
        assert_eq!(fields("p/msg/Unknown", &[], &[]), None);
        // A protection stands for itself where it alone is another one.
        let sealed = |byte, state: &DriverState| cdr(&DriverState { e2e: vec![byte; 20], ..state.clone() });
        let name = DriverState::TYPE.name;
        let named = |then: &[u8], now: &[u8]| -> Vec<String> {
            fields(name, then, now).expect("the type is known").into_iter().map(|one| one.field).collect()
        };
        assert_eq!(named(&sealed(1, &recorded), &sealed(2, &now)), ["state", "head_yaw_deg"]);
        assert!(named(&sealed(1, &now), &sealed(2, &now)).iter().all(|field| field.starts_with("e2e")));
        let near = DriverState { head_yaw_deg: 4.5002, ..now.clone() };
        assert!(nearly_equal(name, &sealed(1, &now), &sealed(2, &near)));
        assert!(!nearly_equal(name, &sealed(1, &now), &sealed(1, &recorded)));
    }

    #[test]
    fn numbers_are_named_and_times_are_told_from_the_recordings_start() {
        let cdr = |alert: &DriverAlert| {
            let mut cdr = Vec::new();
            alert.encode(&mut cdr).expect("it has a CDR form");
            cdr
        };
        let stamped = |sec, nanosec, kind| {
            let mut alert = DriverAlert { kind, ..DriverAlert::default() };
            (alert.header.stamp.sec, alert.header.stamp.nanosec) = (sec, nanosec);
            cdr(&alert)
        };
        let name = DriverAlert::TYPE.name;
        let (then, now) = (stamped(1_735_689_612, 500_000_000, 4), stamped(1_735_689_612, 533_333_333, 5));
        let mut found = fields(name, &then, &now).expect("the type is known");
        found.iter_mut().for_each(|one| one.in_words(name, Time::from_stamp(1_735_689_600, 0)));
        let told: Vec<_> = found
            .iter()
            .map(|one| (&*one.field, one.recorded_is.as_deref(), one.now_is.as_deref()))
            .collect();
        let [stamp, kind] = told[..] else { panic!("{told:?}") };
        let time = [Some("12.500000 s of the recording"), Some("12.533333 s of the recording")];
        assert_eq!(stamp, ("header.stamp", time[0], time[1]));
        assert_eq!(kind, ("kind", Some("microsleep"), Some("sleep")));
        assert_eq!(found[0].now, Some("1735689612.533333333".into()), "to the nanosecond");
        // A camera that counts from its own start is not on the recording's line.
        let mut found = fields(name, &stamped(5, 0, 4), &stamped(6, 0, 4)).expect("the type is known");
        found.iter_mut().for_each(|one| one.in_words(name, Time::from_stamp(1_735_689_600, 0)));
        assert_eq!((found[0].recorded_is.as_ref(), found.len()), (None, 1));
    }

    #[test]
    fn of_a_message_that_only_one_side_has_every_field_is_shown_on_that_side() {
        let state = DriverState { state: 2, model: "m".into(), ..DriverState::default() };
        let name = DriverState::TYPE.name;
        let now = alone(name, &cdr(&state), Only::Now).expect("the type is known");
        let of = |field: &str| now.iter().find(|one| one.field == field).expect("it is a field").clone();
        assert_eq!((of("state").recorded, of("state").now), (None, Some(2.into())));
        assert_eq!(of("model").now, Some("m".into()));
        assert_eq!(of("landmarks (elements)").now, Some(0.into()));
        assert_eq!(of("header.stamp").now, Some("0.000000000".into()));
        let then = alone(name, &cdr(&state), Only::Recorded).expect("the type is known");
        assert!(then.len() == now.len() && then.iter().all(|one| one.now.is_none()), "{then:?}");
        assert_eq!(alone("p/msg/Unknown", &[], Only::Now), None);
    }

    #[test]
    fn floats_may_be_nearly_equal_and_nothing_else_may() {
        let recorded = DriverState { head_yaw_deg: 30.0, ..DriverState::default() };
        let near = DriverState { head_yaw_deg: 30.02, ..recorded.clone() };
        let far = DriverState { head_yaw_deg: 30.04, ..recorded.clone() };
        let other = DriverState { state: 1, ..recorded.clone() };
        let name = DriverState::TYPE.name;
        assert!(nearly_equal(name, &cdr(&recorded), &cdr(&near)));
        assert!(!nearly_equal(name, &cdr(&recorded), &cdr(&far)));
        assert!(!nearly_equal(name, &cdr(&recorded), &cdr(&other)));
    }
}
