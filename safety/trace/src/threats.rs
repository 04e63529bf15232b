//! The threat analysis and risk assessment in the words of ISO/SAE 21434, clause 15: `safety/analysis/threats.toml`; its fields are explained there.

use std::{collections::BTreeSet, path::Path};

use serde::{Deserialize, Serialize};

/// All of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threats {
    /// What is worth an attack.
    #[serde(rename = "asset")]
    pub assets: Vec<Asset>,
    /// What comes of it where it succeeds.
    #[serde(rename = "damage")]
    pub damages: Vec<Damage>,
    /// What is done to an asset.
    #[serde(rename = "threat")]
    pub threats: Vec<Threat>,
}

/// An item that has to be protected.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct Asset {
    pub id: String,
    pub name: String,
    pub properties: BTreeSet<Property>,
    pub place: String,
}

/// What an asset can lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the standard's own words")]
pub enum Property {
    Confidentiality,
    Integrity,
    Availability,
    Authenticity,
}

/// A damage scenario.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct Damage {
    pub id: String,
    pub text: String,
    pub hazard: Option<String>,
    pub safety: Impact,
    pub financial: Impact,
    pub operational: Impact,
    pub privacy: Impact,
}

/// How bad it is (Annex F).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the standard's own words")]
pub enum Impact {
    Negligible,
    Moderate,
    Major,
    Severe,
}

/// A threat scenario, its attack paths and what is done about them.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct Threat {
    pub id: String,
    pub asset: String,
    pub property: Property,
    pub stride: Stride,
    pub text: String,
    pub damage: Vec<String>,
    #[serde(rename = "path")]
    pub paths: Vec<AttackPath>,
    pub treatment: Treatment,
    #[serde(default)]
    pub requirements: Vec<String>,
    #[serde(default)]
    pub evidence: Vec<String>,
    pub why: Option<String>,
    pub gap: Option<String>,
}

/// What kind of threat it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "STRIDE's own words")]
pub enum Stride {
    Spoofing,
    Tampering,
    Repudiation,
    InformationDisclosure,
    DenialOfService,
    ElevationOfPrivilege,
}

/// Steps that lead to it.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the file says of each what it is")]
pub struct AttackPath {
    pub steps: Vec<String>,
    pub feasibility: Feasibility,
    pub because: String,
}

/// How easy it is, with the controls that there are (Annex G).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the standard's own words")]
pub enum Feasibility {
    VeryLow,
    Low,
    Medium,
    High,
}

/// What is decided (15.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the standard's own words")]
pub enum Treatment {
    Avoid,
    Reduce,
    Share,
    Retain,
}

/// From 1 to 5, as in the example of Annex H: rows by impact, columns by feasibility.
const RISK: [[u8; 4]; 4] = [[1, 1, 1, 1], [1, 2, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]];

impl Damage {
    /// The worst of the four.
    pub fn impact(&self) -> Impact {
        self.safety.max(self.financial).max(self.operational).max(self.privacy)
    }
}

impl Threat {
    /// The easiest way.
    pub fn feasibility(&self) -> Option<Feasibility> {
        self.paths.iter().map(|path| path.feasibility).max()
    }
}

impl Threats {
    /// Reads the file.
    ///
    /// # Errors
    /// It is not there, or not as it must be, with its line.
    pub fn read(file: &Path) -> anyhow::Result<Threats> {
        crate::analysis::file(file)
    }

    /// The damage that a threat leads to.
    pub fn damages_of<'a>(&'a self, threat: &'a Threat) -> impl Iterator<Item = &'a Damage> {
        self.damages.iter().filter(|damage| threat.damage.contains(&damage.id))
    }

    /// The risk value of a threat that remains with the controls that there are, 1 to 5.
    pub fn risk(&self, threat: &Threat) -> u8 {
        match (self.damages_of(threat).map(Damage::impact).max(), threat.feasibility()) {
            (Some(impact), Some(feasibility)) => RISK[impact as usize][feasibility as usize],
            _ => 5,
        }
    }

    /// What does not fit together.
    pub fn problems(
        &self,
        hazards: &[&str],
        requirements: &[&str],
        exists: &dyn Fn(&str) -> bool,
    ) -> Vec<String> {
        let mut problems = Vec::new();
        let mut ids = BTreeSet::new();
        let all = self.assets.iter().map(|one| &one.id).chain(self.damages.iter().map(|one| &one.id));
        for id in all.chain(self.threats.iter().map(|one| &one.id)) {
            if !ids.insert(id) {
                problems.push(format!("{id}: used twice"));
            }
        }
        for asset in &self.assets {
            for property in &asset.properties {
                if !self.threats.iter().any(|one| one.asset == asset.id && one.property == *property) {
                    problems.push(format!("{}: no threat to its {property:?}", asset.id));
                }
            }
        }
        for damage in &self.damages {
            if let Some(hazard) = damage.hazard.as_deref().filter(|hazard| !hazards.contains(hazard)) {
                problems.push(format!("{}: there is no hazard {hazard}", damage.id));
            }
            if !self.threats.iter().any(|threat| threat.damage.contains(&damage.id)) {
                problems.push(format!("{}: no threat leads to it", damage.id));
            }
        }
        for threat in &self.threats {
            let mut wrong = |what: String| problems.push(format!("{}: {what}", threat.id));
            match self.assets.iter().find(|asset| asset.id == threat.asset) {
                None => wrong(format!("there is no asset {}", threat.asset)),
                Some(asset) if !asset.properties.contains(&threat.property) => {
                    wrong(format!("{} has no {:?} to lose", asset.id, threat.property));
                }
                Some(_) => {}
            }
            if threat.damage.is_empty() {
                wrong("it does no damage".to_owned());
            }
            for damage in &threat.damage {
                if !self.damages.iter().any(|one| one.id == *damage) {
                    wrong(format!("there is no damage {damage}"));
                }
            }
            if threat.paths.is_empty() || threat.paths.iter().any(|path| path.steps.is_empty()) {
                wrong("an attack path has steps".to_owned());
            }
            for id in threat.requirements.iter().filter(|id| !requirements.contains(&id.as_str())) {
                wrong(format!("there is no requirement {id}"));
            }
            for file in threat.evidence.iter().filter(|file| !exists(file)) {
                wrong(format!("its evidence {file} is not there"));
            }
            let answered = !threat.requirements.is_empty() || !threat.evidence.is_empty();
            match threat.treatment {
                Treatment::Avoid | Treatment::Reduce if !answered && threat.gap.is_none() => {
                    wrong("neither requirements, nor evidence, nor `gap`".to_owned());
                }
                Treatment::Share | Treatment::Retain if threat.why.is_none() => {
                    wrong("a risk that is shared or retained says `why`".to_owned());
                }
                _ => {}
            }
            // What stays this easy and this bad has to be told as what it is.
            if self.risk(threat) >= 4 && threat.gap.is_none() && threat.why.is_none() {
                wrong(format!("risk {} without `gap` or `why`", self.risk(threat)));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"
        [[asset]]
        id = "AS-01"
        name = "alerts"
        properties = ["integrity"]
        place = "/cabin/driver_alert"
        [[damage]]
        id = "DS-01"
        text = "the driver sleeps on"
        hazard = "HZ-01"
        safety = "severe"
        financial = "major"
        operational = "negligible"
        privacy = "negligible"
        [[threat]]
        id = "TS-01"
        asset = "AS-01"
        property = "integrity"
        stride = "spoofing"
        text = "a peer clears an alert"
        damage = ["DS-01"]
        path = [{ steps = ["joins", "publishes"], feasibility = "low", because = "a certificate is wanted" }]
        treatment = "reduce"
        requirements = ["SR-DAT-003"]
        evidence = ["a.rs"]
    "#;

    fn problems(text: &str) -> Vec<String> {
        let threats: Threats = toml::from_str(text).expect("the form");
        threats.problems(&["HZ-01"], &["SR-DAT-003"], &|file| file == "a.rs")
    }

    #[test]
    fn what_names_something_that_is_not_there_is_told() {
        assert_eq!(problems(WHOLE), Vec::<String>::new());
        let with = |old: &str, new: &str| {
            assert!(WHOLE.contains(old), "{old}");
            problems(&WHOLE.replace(old, new))
        };
        assert_eq!(with("SR-DAT-003", "SR-DAT-099"), ["TS-01: there is no requirement SR-DAT-099"]);
        assert_eq!(with("a.rs", "b.rs"), ["TS-01: its evidence b.rs is not there"]);
        assert_eq!(with("HZ-01", "HZ-99"), ["DS-01: there is no hazard HZ-99"]);
        assert_eq!(with("TS-01", "DS-01"), ["DS-01: used twice"]);
        assert_eq!(
            with("[\"DS-01\"]", "[\"DS-02\"]"),
            [
                "DS-01: no threat leads to it",
                "TS-01: there is no damage DS-02",
                "TS-01: risk 5 without `gap` or `why`"
            ]
        );
        let properties = with("[\"integrity\"]", "[\"availability\"]");
        assert_eq!(
            properties,
            ["AS-01: no threat to its Availability", "TS-01: AS-01 has no Integrity to lose"]
        );
    }

    #[test]
    fn a_risk_that_is_left_says_why() {
        let retained = WHOLE.replace("\"reduce\"", "\"retain\"");
        assert_eq!(problems(&retained), ["TS-01: a risk that is shared or retained says `why`"]);
        assert!(problems(&(retained + "why = \"it is dear\"")).is_empty());
        let bare = WHOLE.replace("[\"SR-DAT-003\"]", "[]").replace("[\"a.rs\"]", "[]");
        assert_eq!(problems(&bare), ["TS-01: neither requirements, nor evidence, nor `gap`"]);
        let easy = WHOLE.replace("\"low\"", "\"high\"");
        assert_eq!(problems(&easy), ["TS-01: risk 5 without `gap` or `why`"]);
    }

    #[test]
    fn the_risk_is_of_the_worst_damage_and_the_easiest_path() {
        let threats: Threats = toml::from_str(WHOLE).expect("the form");
        assert_eq!(threats.risk(&threats.threats[0]), 3, "severe and low");
        let other = r#"path = [{ steps = ["x"], feasibility = "very_low", because = "y" }, { steps"#;
        let threats: Threats = toml::from_str(&WHOLE.replace("path = [{ steps", other)).expect("the form");
        assert_eq!(threats.risk(&threats.threats[0]), 3);
        assert!(toml::from_str::<Threats>(&WHOLE.replace("\"low\"", "\"easy\"")).is_err());
    }
}
