//! What was found, and what follows from it: accepted, refused with the reasons, or neither.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::bail;
use serde::Serialize;
use troika_kit::counted;
use troika_models::{Difference, Far, Passport, golden::Agreement};

use super::{
    NotJudged,
    play::{Happening, Played, first_difference, short},
    time::{FASTER, Timed},
};
use crate::{Interrupted, kinds::NetworksOn};

/// Both networks' behaviour on the set.
#[derive(Debug, Serialize)]
pub(super) struct Behaviour {
    scenes: Vec<SceneJudged>,
    left_out: Vec<String>,
    /// Of networks that differ, by name, on the same inputs.
    outputs: BTreeMap<String, Outputs>,
    extent: Extent,
}

/// How much of the set was played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Extent {
    /// All of it.
    Whole,
    /// What was asked for.
    Some,
    /// What there was time for.
    Interrupted,
}

#[derive(Debug, Serialize)]
struct SceneJudged {
    scenario: String,
    virtual_seconds: Option<f64>,
    frames: u64,
    other_states: usize,
    happened: usize,
    first_difference: Option<Differs>,
}

#[derive(Debug, Serialize)]
struct Differs {
    used: Option<Happening>,
    candidate: Option<Happening>,
}

#[derive(Debug, Serialize)]
struct Outputs {
    runs: u64,
    max_abs_difference: f32,
    output: String,
    /// Of runs further apart than is allowed.
    far: Option<FarApart>,
}

/// Runs whose outputs are further apart than is allowed, and how far each side is from the same network in `f64` there.
#[derive(Debug, Serialize)]
struct FarApart {
    runs: u64,
    /// None where not every one of them could be computed in `f64`.
    off_f64: Option<OffExact>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct OffExact {
    used: f32,
    other: f32,
}

impl Outputs {
    fn of(one: Difference) -> Outputs {
        let Difference { runs, max_abs, output, far: Far { runs: far, judged, own, other } } = one;
        // The store that plays is the other one's: the network in use runs beside it.
        let off_f64 = (far == judged).then_some(OffExact { used: other, other: own });
        let far = (far > 0).then_some(FarApart { runs: far, off_f64 });
        Outputs { runs, max_abs_difference: max_abs, output, far }
    }

    fn off_f64(&self) -> Option<OffExact> {
        self.far.as_ref()?.off_f64
    }

    /// Whether the two differ by no more, or neither is further from what the network is in `f64`.
    fn within(&self, allowed: f32) -> bool {
        let exactly = self.off_f64().is_some_and(|off| off.used <= allowed && off.other <= allowed);
        self.max_abs_difference <= allowed || exactly
    }
}

impl Differs {
    fn of(played: &Played) -> Option<Differs> {
        let (used, candidate) = first_difference(&played.happened)?;
        Some(Differs { used: used.cloned(), candidate: candidate.cloned() })
    }

    fn told(&self) -> String {
        let told = |one: &Option<Happening>| {
            one.as_ref().map_or("nothing more".to_owned(), |one| format!("{}, {}", one.at, one.what))
        };
        format!("used: {}; candidate: {}", told(&self.used), told(&self.candidate))
    }
}

/// A line for whoever waits.
pub(super) fn told(played: &Played) -> String {
    let same = Differs::of(played).map_or("same".to_owned(), |differs| differs.told());
    format!("{}: {}: {same}", played.file, counted(played.happened[0].len(), "happening"))
}

/// As [`told`].
pub(super) fn time_told(timed: &Timed) -> String {
    format!(
        "time of a run: used {:.4} ms, candidate {:.4} ms; ratio {:.3}, at most {:.3} (95 %, of {} copies); used beside itself {:.3} to {:.3}",
        timed.used_ms,
        timed.candidate_ms,
        timed.ratio,
        timed.ratio_upper,
        timed.copies,
        timed.itself[0],
        timed.itself[1]
    )
}

impl Behaviour {
    pub(super) fn new(
        all: Vec<Played>,
        left_out: Vec<String>,
        differences: BTreeMap<String, Difference>,
        extent: Extent,
    ) -> Behaviour {
        let scene = |played: &Played| SceneJudged {
            scenario: played.file.clone(),
            virtual_seconds: played.seconds,
            frames: played.frames,
            other_states: played.other_states,
            happened: played.happened[0].len(),
            first_difference: Differs::of(played),
        };
        let outputs = differences.into_iter().map(|(name, one)| (name, Outputs::of(one)));
        Behaviour { scenes: all.iter().map(scene).collect(), left_out, outputs: outputs.collect(), extent }
    }

    /// Why people would notice.
    fn reasons(&self) -> Vec<String> {
        let differs = |scene: &SceneJudged| {
            let told = scene.first_difference.as_ref()?.told();
            Some(format!("{}: {told}", scene.scenario))
        };
        self.scenes.iter().filter_map(differs).collect()
    }

    fn happened(&self) -> usize {
        self.scenes.iter().map(|scene| scene.happened).sum()
    }

    fn frames(&self) -> u64 {
        self.scenes.iter().map(|scene| scene.frames).sum()
    }
}

/// The two files.
#[derive(Debug, Serialize)]
struct Files {
    model: String,
    used_sha256: String,
    used_bytes: u64,
    candidate_sha256: String,
    candidate_bytes: u64,
    golden_max_abs_error: f32,
    /// What both ran on, where a system file says it.
    networks: Option<NetworksOn>,
}

/// Everything, with what follows.
#[derive(Debug, Serialize)]
pub(super) struct Judged {
    verdict: Verdict,
    reasons: Vec<String>,
    files: Option<Files>,
    time: Option<Timed>,
    behaviour: Behaviour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Accepted,
    Refused,
    /// Nothing speaks against it so far.
    Open,
}

impl Judged {
    /// Of a candidate.
    pub(super) fn of_candidate(
        [used, candidate]: &[Passport; 2],
        agreement: Agreement,
        networks: Option<NetworksOn>,
        timed: Timed,
        behaviour: Behaviour,
    ) -> Judged {
        let mut reasons = behaviour.reasons();
        if !timed.is_faster() {
            let Timed { ratio, ratio_upper, .. } = timed;
            reasons.push(format!(
                "not faster: it takes {ratio:.3} of the time, at most {ratio_upper:.3} (95 %); that must be below {FASTER}"
            ));
        }
        let files = Files {
            model: used.name.clone(),
            used_sha256: used.sha256.to_string(),
            used_bytes: used.size,
            candidate_sha256: candidate.sha256.to_string(),
            candidate_bytes: candidate.size,
            golden_max_abs_error: agreement.max_abs_error,
            networks,
        };
        Judged::new(reasons, Some(files), Some(timed), behaviour)
    }

    /// Of the kernels.
    pub(super) fn of_kernels(behaviour: Behaviour, allowed: f32) -> Judged {
        let mut reasons = behaviour.reasons();
        let apart = behaviour.outputs.iter().filter(|(_, one)| !one.within(allowed));
        reasons.extend(apart.map(|(name, one)| {
            let (found, output) = (one.max_abs_difference, &one.output);
            let exactly = one.off_f64().map_or(String::new(), |off| {
                format!(
                    "; from the same in f64 the kernels in use by {:e}, tract's own by {:e}",
                    off.used, off.other
                )
            });
            format!("{name}: `{output}` is off by {found:e}, allowed is {allowed:e}{exactly}")
        }));
        Judged::new(reasons, None, None, behaviour)
    }

    fn new(reasons: Vec<String>, files: Option<Files>, time: Option<Timed>, behaviour: Behaviour) -> Judged {
        // Where nothing happens nothing can differ: that proves nothing.
        let proves = behaviour.extent == Extent::Whole && behaviour.happened() > 0;
        let verdict = match (reasons.is_empty(), proves) {
            (false, _) => Verdict::Refused,
            (true, true) => Verdict::Accepted,
            (true, false) => Verdict::Open,
        };
        Judged { verdict, reasons, files, time, behaviour }
    }

    /// As Markdown, for the model's card.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        if let Some(files) = &self.files {
            let Files { model, used_bytes, candidate_bytes, golden_max_abs_error, .. } = files;
            let digest = files.candidate_sha256.get(..12).unwrap_or_default();
            let _ = writeln!(
                text,
                "{model}: candidate {digest}, {candidate_bytes} bytes for {used_bytes}, its golden outputs to {golden_max_abs_error:.1e}"
            );
            if let Some(networks) = &files.networks {
                let _ = writeln!(text, "both {networks}");
            }
        }
        let _ =
            writeln!(text, "\n| scenario | frames | happenings | frames with another state | difference |");
        let _ = writeln!(text, "|---|---|---|---|---|");
        for scene in &self.behaviour.scenes {
            let SceneJudged { scenario, frames, happened, other_states, first_difference, .. } = scene;
            let differs = first_difference.as_ref().map_or("none".to_owned(), Differs::told);
            let _ = writeln!(
                text,
                "| {} | {frames} | {happened} | {other_states} | {differs} |",
                short(scenario)
            );
        }
        for one in &self.behaviour.left_out {
            let _ = writeln!(text, "| {one} | | | | left out |");
        }
        let _ = writeln!(text, "| all | {} | {} | | |", self.behaviour.frames(), self.behaviour.happened());
        if !self.behaviour.outputs.is_empty() {
            let _ =
                writeln!(text, "\n| network | runs on the same inputs | outputs apart by at most | which |");
            let _ = writeln!(text, "|---|---|---|---|");
            for (name, one) in &self.behaviour.outputs {
                let Outputs { runs, max_abs_difference, output, .. } = one;
                let _ = writeln!(text, "| {name} | {runs} | {max_abs_difference:.2e} | {output} |");
            }
            for (name, one) in &self.behaviour.outputs {
                let Some(far) = &one.far else { continue };
                let runs = counted(far.runs as usize, "run");
                let off = far.off_f64.map_or("it was not computed in f64".to_owned(), |off| {
                    let OffExact { used, other } = off;
                    format!("from the same in f64 the kernels in use are off by {used:.2e} there, tract's own by {other:.2e}")
                });
                let _ = writeln!(text, "\n{name}: {runs} apart by more than is allowed; {off}");
            }
        }
        if let Some(timed) = &self.time {
            let _ = writeln!(text, "\n{}", time_told(timed));
        }
        let verdict = match self.verdict {
            _ if self.behaviour.extent == Extent::Interrupted => "interrupted: nothing is judged",
            Verdict::Accepted if self.files.is_some() => "accepted",
            Verdict::Accepted => "they agree",
            Verdict::Refused => "refused",
            Verdict::Open => "not refused by these scenarios",
        };
        let _ = writeln!(text, "\n{verdict}");
        self.reasons.iter().for_each(|reason| {
            let _ = writeln!(text, "- {reason}");
        });
        text
    }

    /// Success where it is accepted.
    ///
    /// # Errors
    /// It is refused; or neither; or somebody did not wait for the end.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        if self.behaviour.extent == Extent::Interrupted {
            return Err(Interrupted.into());
        }
        // The table has said why.
        let told = counted(self.reasons.len(), "reason");
        match self.verdict {
            Verdict::Accepted => Ok(()),
            Verdict::Refused if self.files.is_none() => bail!("they do not agree: {told} above"),
            Verdict::Refused => bail!("refused: {told} above"),
            Verdict::Open if self.behaviour.happened() == 0 => {
                Err(NotJudged(anyhow::anyhow!("nothing happens in these scenarios")).into())
            }
            Verdict::Open => Err(NotJudged(anyhow::anyhow!(
                "some scenarios can refuse, and only the whole set accepts: leave --scenario out"
            ))
            .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RAISED: &str = "alert raised: sleep (euro_ncap)";

    fn behaviour(used: &[&str], candidate: &[&str], extent: Extent) -> Behaviour {
        let side = |all: &[&str]| {
            let one = |what: &&str| Happening { at: "3.000 s".to_owned(), what: (*what).to_owned() };
            all.iter().map(one).collect::<Vec<_>>()
        };
        let played = Played {
            file: "sim/scenarios/nap.toml".to_owned(),
            seconds: Some(5.0),
            frames: 150,
            other_states: 0,
            happened: [side(used), side(candidate)],
        };
        let difference =
            Difference { runs: 300, max_abs: 2e-3, output: "gaze".to_owned(), far: Far::default() };
        let differences = [("eye_state".to_owned(), difference)];
        Behaviour::new(vec![played], Vec::new(), differences.into(), extent)
    }

    fn judged(behaviour: Behaviour, ratio_upper: f64) -> Judged {
        let store = troika_models::Store::open("no/such/folder").expect("passports are in the program");
        let passport = store.passport("eye_state").expect("it is one of them").clone();
        let timed = Timed {
            used_ms: 0.08,
            candidate_ms: 0.07,
            ratio: ratio_upper - 0.01,
            ratio_upper,
            itself: [0.99, 1.01],
            copies: 11,
            rounds: 9,
            runs_a_block: 50,
        };
        let agreement = Agreement { compared: 12, max_abs_error: 1e-6 };
        let on = NetworksOn { fast_networks: false, instructions: None };
        Judged::of_candidate(&[passport.clone(), passport], agreement, Some(on), timed, behaviour)
    }

    #[test]
    fn only_what_is_the_same_on_the_whole_set_and_faster_is_accepted() {
        let same = |extent| behaviour(&[RAISED], &[RAISED], extent);
        let accepted = judged(same(Extent::Whole), 0.9);
        assert!(accepted.end().is_ok() && accepted.table().contains("\naccepted\n"));
        assert!(accepted.table().contains("\nboth on tract's own operators (fast_networks = false)\n"));

        let slow = judged(same(Extent::Whole), 0.98);
        let told = slow.end().expect_err("it is not faster").to_string();
        assert!(told == "refused: 1 reason above" && !slow.table().contains(&told));
        assert!(slow.table().contains("\nrefused\n- not faster: it takes 0.970"), "{}", slow.table());
        let other = judged(behaviour(&[RAISED], &[], Extent::Whole), 0.9);
        assert!(other.end().is_err());
        let told = "\nrefused\n- sim/scenarios/nap.toml: used: 3.000 s, alert raised: sleep (euro_ncap); candidate: nothing more\n";
        assert!(other.table().contains(told), "{}", other.table());
        assert!(other.table().contains("| nap.toml | 150 | 1 | 0 | used: 3.000 s, alert raised: sleep"));

        for open in [judged(same(Extent::Some), 0.9), judged(behaviour(&[], &[], Extent::Whole), 0.9)] {
            assert!(open.end().expect_err("it proves nothing").is::<NotJudged>());
        }
        let refused_early = judged(behaviour(&[RAISED], &[], Extent::Some), 0.9);
        assert!(!refused_early.end().expect_err("some are enough to refuse").is::<NotJudged>());
        for all in [&[RAISED][..], &[]] {
            let stopped = judged(behaviour(&[RAISED], all, Extent::Interrupted), 0.9);
            assert!(stopped.end().expect_err("it is not done").is::<Interrupted>());
        }
    }

    #[test]
    fn kernels_agree_to_what_is_allowed_and_in_all_that_happens() {
        let same = || behaviour(&[RAISED], &[RAISED], Extent::Whole);
        assert!(Judged::of_kernels(same(), 2e-3).end().is_ok());
        let apart = Judged::of_kernels(same(), 1e-3);
        let told = apart.end().expect_err("they are further apart").to_string();
        assert_eq!(told, "they do not agree: 1 reason above");
        let why = "\nrefused\n- eye_state: `gaze` is off by 2e-3, allowed is 1e-3\n";
        assert!(apart.table().contains(why), "{}", apart.table());
        assert!(Judged::of_kernels(behaviour(&[RAISED], &[], Extent::Whole), 1.0).end().is_err());
    }

    #[test]
    fn kernels_that_are_further_apart_agree_when_neither_is_far_from_f64() {
        let far = |far: Far| {
            let mut behaviour = behaviour(&[RAISED], &[RAISED], Extent::Whole);
            let difference = Difference { runs: 300, max_abs: 1.2e-3, output: "points".to_owned(), far };
            behaviour.outputs = [("hand".to_owned(), Outputs::of(difference))].into();
            Judged::of_kernels(behaviour, 1e-3)
        };
        let both = far(Far { runs: 2, judged: 2, own: 9e-4, other: 4e-4 });
        assert!(both.end().is_ok());
        let told = "hand: 2 runs apart by more than is allowed; from the same in f64 the kernels in use are off by 4.00e-4 there, tract's own by 9.00e-4";
        assert!(
            both.table().contains(told) && both.table().contains("| hand | 300 | 1.20e-3 |"),
            "{}",
            both.table()
        );
        // One of them is; one run was not computed; none was.
        for refused in [
            Far { runs: 2, judged: 2, own: 9e-4, other: 1.1e-3 },
            Far { runs: 2, judged: 2, own: 1.1e-3, other: 9e-4 },
            Far { runs: 2, judged: 1, own: 9e-4, other: 4e-4 },
            Far { runs: 2, judged: 0, own: 0.0, other: 0.0 },
        ] {
            assert!(far(refused.clone()).end().is_err(), "{refused:?}");
        }
    }
}
