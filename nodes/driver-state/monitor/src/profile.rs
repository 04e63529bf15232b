//! Rule sets as data: a profile is one TOML file, one number a limit. A fault in it is told with its line.

mod number;

use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

pub(crate) use number::{Carries, Kmh, Seconds, Share, Words};

use crate::{Kind, Zone};

/// One rule set: `euro_ncap`, `eu_addw`, …
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) name: Arc<str>,
    pub(crate) rules: Rules,
}

/// A profile that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct ProfileError {
    /// What was read: the file's name.
    pub file: String,
    /// Where, from 1.
    pub line: usize,
    /// Why, for a person.
    pub reason: String,
}

const BUILT_IN: [(&str, &str); 5] = [
    ("euro_ncap", include_str!("../profiles/euro_ncap.toml")),
    ("eu_addw", include_str!("../profiles/eu_addw.toml")),
    ("eu_ddaw", include_str!("../profiles/eu_ddaw.toml")),
    ("perclos", include_str!("../profiles/perclos.toml")),
    ("troika", include_str!("../profiles/troika.toml")),
];

impl Profile {
    /// Reads a profile. `file` is what an error calls the text.
    ///
    /// # Errors
    /// The first fault, with its line: bad TOML, an unknown key, a number out of its range, a requirement that does not
    /// exist, numbers that contradict each other, no rule at all.
    pub fn parse(file: &str, text: &str) -> Result<Profile, ProfileError> {
        troika_safety::fulfils![SR_DAT_007];
        let fault = |at: usize, reason: String| {
            let before = text.as_bytes().get(..at).unwrap_or_default();
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            ProfileError { file: file.to_owned(), line, reason }
        };
        let rules: Rules = toml::from_str(text)
            .map_err(|error| fault(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
        rules.check().map_err(|(at, reason)| fault(at, reason.to_owned()))?;
        Ok(Profile { name: Arc::from(rules.profile.get_ref().as_str()), rules })
    }

    /// The built-in profile of that name.
    pub fn built_in(name: &str) -> Option<Profile> {
        let (name, text) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name)?;
        match Profile::parse(name, text) {
            Ok(profile) => Some(profile),
            // The files are compiled in and a test reads each: this cannot be met at run time.
            Err(error) => unreachable!("{error}"),
        }
    }

    /// All built-in profiles.
    pub fn all() -> Vec<Profile> {
        Profile::names().filter_map(Profile::built_in).collect()
    }

    /// The names of the built-in profiles.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Its name, as alerts carry it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its rules can raise, each once.
    pub fn kinds(&self) -> Vec<Kind> {
        let rules = &self.rules;
        let any = |there: bool, kind: Kind| there.then_some(kind);
        let mut kinds: Vec<Kind> = [
            any(!rules.long_glance.is_empty(), Kind::LongDistraction),
            any(!rules.repeated_glances.is_empty(), Kind::RepeatedGlances),
            any(rules.unresponsive.is_some(), Kind::Unresponsive),
            any(!rules.perclos.is_empty() || !rules.drowsiness.is_empty(), Kind::Drowsiness),
            any(!rules.unavailable.is_empty(), Kind::MonitoringUnavailable),
        ]
        .into_iter()
        .flatten()
        .chain(rules.eyes_closed.iter().map(|rule| rule.get_ref().kind.into()))
        .collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// The rule that it was made from.
    pub fn source(&self) -> &str {
        &self.rules.source.0
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rules {
    profile: Spanned<String>,
    source: Words,
    pub(crate) bridge_s: Seconds,
    #[serde(default)]
    pub(crate) long_glance: Vec<Spanned<LongGlance>>,
    #[serde(default)]
    pub(crate) repeated_glances: Vec<Spanned<RepeatedGlances>>,
    #[serde(default)]
    pub(crate) eyes_closed: Vec<Spanned<EyesClosed>>,
    pub(crate) unresponsive: Option<Spanned<Unresponsive>>,
    #[serde(default)]
    pub(crate) perclos: Vec<Spanned<Perclos>>,
    #[serde(default)]
    pub(crate) drowsiness: Vec<Spanned<Drowsiness>>,
    #[serde(default)]
    pub(crate) unavailable: Vec<Spanned<Unavailable>>,
}

/// One glance that stays in the zones.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LongGlance {
    pub(crate) zones: Vec<Zone>,
    #[serde(default)]
    pub(crate) free_zones: Vec<Zone>,
    #[serde(default)]
    pub(crate) free_s: Option<Seconds>,
    pub(crate) bands: Vec<Band>,
    #[serde(default)]
    pub(crate) measured_from_kmh: Option<Kmh>,
    #[serde(default)]
    pub(crate) after_s: Option<Seconds>,
    #[serde(default)]
    pub(crate) non_nominal_s: Option<Seconds>,
    pub(crate) requirement: Carries,
    #[serde(rename = "source")]
    _source: Words,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Band {
    pub(crate) from_kmh: Kmh,
    pub(crate) limit_s: Seconds,
}

/// Glances that add up.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RepeatedGlances {
    pub(crate) zones: Vec<Zone>,
    pub(crate) from_kmh: Kmh,
    pub(crate) measured_from_kmh: Kmh,
    #[serde(default)]
    pub(crate) after_s: Option<Seconds>,
    pub(crate) sum_s: Seconds,
    pub(crate) window_s: Seconds,
    pub(crate) road_view_s: Seconds,
    pub(crate) requirement: Carries,
    #[serde(rename = "source")]
    _source: Words,
}

/// One closure of the eyes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EyesClosed {
    pub(crate) kind: ClosureKind,
    pub(crate) above_kmh: Kmh,
    pub(crate) limit_s: Seconds,
    pub(crate) requirement: Carries,
    #[serde(rename = "source")]
    _source: Words,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClosureKind {
    Microsleep,
    Sleep,
}

impl From<ClosureKind> for Kind {
    fn from(kind: ClosureKind) -> Kind {
        match kind {
            ClosureKind::Microsleep => Kind::Microsleep,
            ClosureKind::Sleep => Kind::Sleep,
        }
    }
}

/// No reaction, latched.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unresponsive {
    pub(crate) above_kmh: Kmh,
    pub(crate) eyes_closed_s: Seconds,
    pub(crate) eyes_closed_requirement: Carries,
    pub(crate) no_return_s: Seconds,
    pub(crate) no_return_requirement: Carries,
    #[serde(rename = "source")]
    _source: Words,
}

/// The share of closure.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Perclos {
    pub(crate) above_kmh: Kmh,
    pub(crate) window_s: Seconds,
    pub(crate) blink_s: Seconds,
    pub(crate) raise_share: Share,
    pub(crate) clear_share: Share,
    pub(crate) seen_share: Share,
    pub(crate) requirement: Carries,
    #[serde(rename = "source")]
    _source: Words,
}

/// The proxy for sleepiness.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Drowsiness {
    pub(crate) above_kmh: Kmh,
    pub(crate) window_s: Seconds,
    pub(crate) blink_s: Seconds,
    pub(crate) raise_share: Share,
    pub(crate) clear_share: Share,
    pub(crate) long_blink_s: Seconds,
    pub(crate) long_blinks: u8,
    pub(crate) seen_share: Share,
    pub(crate) repeat_s: Seconds,
    pub(crate) requirement: Carries,
    #[serde(rename = "source")]
    _source: Words,
}

/// The driver is not seen.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unavailable {
    pub(crate) above_kmh: Kmh,
    pub(crate) limit_s: Seconds,
    pub(crate) requirement: Carries,
    #[serde(rename = "source")]
    _source: Words,
}

type Check = Result<(), (usize, &'static str)>;

impl Rules {
    fn check(&self) -> Check {
        let name = self.profile.get_ref();
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let named = !name.is_empty() && name.len() <= 32 && name.bytes().all(word);
        let hold = |at: usize, holds: bool, reason| if holds { Ok(()) } else { Err((at, reason)) };
        hold(self.profile.span().start, named, "a profile's name is 1 to 32 of a-z, 0-9 and _")?;
        for rule in &self.long_glance {
            let (at, rule) = (rule.span().start, rule.get_ref());
            hold(at, !rule.zones.is_empty(), "a glance rule has zones")?;
            hold(at, away(&rule.zones) && away(&rule.free_zones), "forward and unknown are no glance away")?;
            hold(
                at,
                rule.free_zones.iter().all(|zone| rule.zones.contains(zone)),
                "free_zones are some of zones",
            )?;
            hold(
                at,
                rule.free_zones.is_empty() == rule.free_s.is_none(),
                "free_s and free_zones go together",
            )?;
            hold(at, !rule.bands.is_empty(), "a glance rule has bands")?;
            let ordered = rule.bands.is_sorted_by(|slow, fast| {
                slow.from_kmh.0 < fast.from_kmh.0 && slow.limit_s.0 > fast.limit_s.0
            });
            hold(at, ordered, "bands go from slow to fast, each stricter than the one before")?;
            let first = rule.bands[0].from_kmh.0;
            let measured = rule.measured_from_kmh.is_none_or(|kmh| kmh.0 <= first);
            hold(at, measured, "measured_from_kmh is at most the first band's from_kmh")?;
        }
        for rule in &self.repeated_glances {
            let (at, rule) = (rule.span().start, rule.get_ref());
            hold(
                at,
                !rule.zones.is_empty() && away(&rule.zones),
                "a glance rule has zones away from the road",
            )?;
            hold(at, rule.sum_s.0 < rule.window_s.0, "sum_s is less than window_s")?;
            hold(at, rule.road_view_s.0 < rule.window_s.0, "road_view_s is less than window_s")?;
            hold(at, rule.measured_from_kmh.0 <= rule.from_kmh.0, "measured_from_kmh is at most from_kmh")?;
        }
        for rule in &self.perclos {
            let (at, rule) = (rule.span().start, rule.get_ref());
            hold(at, rule.clear_share.0 < rule.raise_share.0, "clear_share is less than raise_share")?;
            hold(at, rule.blink_s.0 < rule.window_s.0, "blink_s is less than window_s")?;
        }
        for rule in &self.drowsiness {
            let (at, rule) = (rule.span().start, rule.get_ref());
            hold(at, rule.clear_share.0 < rule.raise_share.0, "clear_share is less than raise_share")?;
            hold(at, rule.blink_s.0 < rule.window_s.0, "blink_s is less than window_s")?;
            hold(at, rule.blink_s.0 <= rule.long_blink_s.0, "a long blink is at least a blink")?;
            hold(at, rule.long_blinks >= 2, "long_blinks is at least 2")?;
        }
        let rules = self.long_glance.len()
            + self.repeated_glances.len()
            + self.eyes_closed.len()
            + usize::from(self.unresponsive.is_some())
            + self.perclos.len()
            + self.drowsiness.len()
            + self.unavailable.len();
        hold(0, rules > 0, "a profile has at least one rule")
    }
}

fn away(zones: &[Zone]) -> bool {
    !zones.contains(&Zone::Forward) && !zones.contains(&Zone::Unknown)
}
