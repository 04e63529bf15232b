//! The voice process as seen by the conductor: how its figures are made.

use std::path::Path;

use anyhow::Context as _;
use troika_msgs::troika::VoiceReply;
use troika_vehicle::catalogue::Call;
use troika_voice::{
    config::{SourceConfig, VoiceConfig},
    eval::{self, Case, Expected},
};

use super::{
    dashboard::{Dashboard, Utterance},
    report::{Percentiles, VoiceFigures},
};
use crate::system::{self, Source, System};

/// The figures, when the voice speaks from a folder that has a table of what is expected (`*.tsv`, a line for each file in
/// order of their names).
pub(super) fn figures(
    source: &Source,
    system: &System,
    dashboard: &Dashboard,
) -> anyhow::Result<Option<VoiceFigures>> {
    let Some((name, _)) = system.nodes.iter().find(|(_, node)| node.get_ref().kind.get_ref() == "voice")
    else {
        return Ok(None);
    };
    let config: VoiceConfig = system::read_params(&source.text, name)?;
    let cases = match &config.source {
        SourceConfig::Files { folder, .. } => expected_of(folder)?,
        _ => Vec::new(),
    };
    // The end may come between the words and the answer: such an utterance is neither right nor wrong.
    let heard: Vec<&Utterance> = dashboard
        .utterances
        .iter()
        .filter(|utterance| !utterance.text.is_empty() && utterance.reply.is_some())
        .collect();
    let correct = heard
        .iter()
        .filter(|utterance| cases.iter().any(|(stem, case)| *stem == utterance.id && right(utterance, case)))
        .count();
    let mut latencies: Vec<f64> =
        heard.iter().map(|utterance| utterance.command_ms.unwrap_or(utterance.recognition_ms)).collect();
    latencies.sort_by(f64::total_cmp);
    let latency_ms = (!latencies.is_empty()).then(|| percentiles(&latencies));
    Ok(Some(VoiceFigures { utterances: heard.len(), scored: !cases.is_empty(), correct, latency_ms }))
}

/// Each file's stem and what is expected of it.
pub(crate) fn expected_of(folder: &Path) -> anyhow::Result<Vec<(String, Case)>> {
    let mut tables = Vec::new();
    let mut stems = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("tsv") => tables.push(path),
            Some("flac" | "wav") => stems.push(stem),
            _ => {}
        }
    }
    let [table] = &tables[..] else { return Ok(Vec::new()) };
    stems.sort_unstable();
    let text = std::fs::read_to_string(table)?;
    let cases = eval::cases(&text).with_context(|| table.display().to_string())?;
    anyhow::ensure!(
        cases.len() == stems.len(),
        "{} has {} lines for {} files",
        table.display(),
        cases.len(),
        stems.len()
    );
    Ok(stems.into_iter().zip(cases).collect())
}

/// Whether the words were understood as expected, and what was sent or replied agrees with that.
fn right(utterance: &Utterance, case: &Case) -> bool {
    let understood = utterance.meaning.as_deref().and_then(|meaning| eval::meaning(meaning).ok());
    if !understood.is_some_and(|understood| eval::exact(&case.expected, &understood.into())) {
        return false;
    }
    let kind = utterance.reply.as_ref().map(|reply| reply.kind);
    match &case.expected {
        Expected::Commands(calls) if !utterance.commands.is_empty() => {
            utterance.commands.len() == calls.len()
                && utterance.commands.iter().zip(calls).all(|(sent, call)| {
                    let slots = sent.slots.iter().map(|slot| (slot.name.clone(), slot.value.clone()));
                    eval::same(&Call { function: sent.function.clone(), slots: slots.collect() }, call)
                })
        }
        // Nothing was sent: only because a gate holds it back.
        Expected::Commands(_) => matches!(kind, Some(VoiceReply::CONFIRM | VoiceReply::REFUSED)),
        Expected::Dialogue => utterance.commands.is_empty() && kind == Some(VoiceReply::DIALOGUE),
        Expected::Reject => utterance.commands.is_empty(),
        Expected::Ask => utterance.commands.is_empty() && kind == Some(VoiceReply::CONFIRM),
    }
}

/// Percentiles of sorted values, by the nearest rank.
fn percentiles(sorted: &[f64]) -> Percentiles {
    let at = |q: f64| {
        let rank = ((q * sorted.len() as f64).ceil() as usize).clamp(1, sorted.len().max(1));
        sorted.get(rank - 1).copied().unwrap_or_default()
    };
    Percentiles { p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1.0) }
}
