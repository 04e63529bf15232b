//! The matrix as a page: one file with nothing from elsewhere.

use std::fmt::Write as _;

use troika_safety::Goal;

use crate::{
    matrix::{Matrix, Outcome, Row},
    threats::Threats,
};

const STYLE: &str = "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem;color:#1b1f24;background:#fff}\
    table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}td,th{border-top:1px solid #d0d7de;padding:.4rem .6rem;text-align:left;vertical-align:top}\
    code{font-size:13px;overflow-wrap:anywhere}.good{color:#116329}.bad{color:#a40e26;font-weight:600}.quiet{color:#57606a}\
    @media(prefers-color-scheme:dark){body{background:#0d1117;color:#e6edf3}.good{color:#56d364}.bad{color:#ff7b72}.quiet{color:#9198a1}td,th{border-color:#30363d}}";

/// The whole page.
pub fn render(matrix: &Matrix, goals: &[Goal]) -> String {
    let shown = matrix.requirements.iter().filter(|row| row.shown).count();
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Troika: requirements and their tests</title><style>{STYLE}</style>\
         <h1>Requirements and their tests</h1><p>{shown} of {} are shown to hold. Source: <code>{}</code>. Conformance of logic to these \
         requirements; no ASIL and no type approval is claimed.</p>",
        matrix.requirements.len(),
        escaped(&matrix.source),
    );
    if !matrix.problems.is_empty() {
        page.push_str("<h2 class=\"bad\">What is wrong</h2><ul>");
        for problem in &matrix.problems {
            put(&mut page, format_args!("<li>{}", escaped(problem)));
        }
        page.push_str("</ul>");
    }
    for goal in goals {
        put(
            &mut page,
            format_args!(
                "<h2>{}: {}</h2><p class=\"quiet\">{}<p>Safe state: {}<br>Fault-tolerant time: {}",
                goal.id,
                escaped(goal.text),
                escaped(goal.rationale),
                escaped(goal.safe_state),
                escaped(goal.fault_tolerant_time),
            ),
        );
        page.push_str("<table><tr><th>requirement<th>named by<th>verified by");
        for row in matrix.requirements.iter().filter(|row| row.goal == goal.id) {
            requirement(&mut page, row);
        }
        page.push_str("</table>");
    }
    page.push_str("<h2>Hazards</h2><table><tr><th>hazard<th>situation, harm<th>estimate<th>goal");
    for one in &matrix.analysis.hazards {
        let goal = one.goal.as_deref().or(one.out_of_scope.as_deref()).unwrap_or_default();
        put(
            &mut page,
            format_args!(
                "<tr><td>{}: {}, {}<td>{}: {}<td>{} {} {}<td>{}",
                escaped(&one.id),
                escaped(&one.function),
                escaped(&one.malfunction),
                escaped(&one.situation),
                escaped(&one.harm),
                escaped(&one.severity),
                escaped(&one.exposure),
                escaped(&one.controllability),
                escaped(goal),
            ),
        );
    }
    page.push_str(
        "</table><h2>Unsafe control actions</h2><table><tr><th>action<th>context<th>hazard<th>requirements",
    );
    for one in &matrix.analysis.unsafe_actions {
        put(
            &mut page,
            format_args!(
                "<tr><td>{}: {} \u{201c}{}\u{201d} {}<td>{}<td>{}<td>{}",
                escaped(&one.id),
                escaped(&one.controller),
                escaped(&one.action),
                one.kind.words(),
                escaped(&one.context),
                escaped(&one.hazard),
                answer(&one.requirements, one.gap.as_deref(), None),
            ),
        );
    }
    page.push_str("</table><h2>Guide words that lead to no hazard</h2><table><tr><th>action<th>type<th>why");
    for one in &matrix.analysis.considered {
        for (word, why) in &one.why {
            put(
                &mut page,
                format_args!(
                    "<tr><td>{} \u{201c}{}\u{201d}<td>{}<td>{}",
                    escaped(&one.controller),
                    escaped(&one.action),
                    word.words(),
                    escaped(why),
                ),
            );
        }
    }
    page.push_str(
        "</table><h2>Failures</h2><table><tr><th>failure<th>effect<th>detected, answered<th>requirements",
    );
    for one in &matrix.analysis.failures {
        let answer = answer(&one.requirements, one.gap.as_deref(), one.accepted.as_deref());
        put(
            &mut page,
            format_args!(
                "<tr><td>{}: {}, {} ({})<td>{}<td>{}; {}<td>{answer}",
                escaped(&one.id),
                escaped(&one.node),
                escaped(&one.mode),
                escaped(&one.cause),
                escaped(&one.effect),
                escaped(&one.detection),
                escaped(&one.reaction),
            ),
        );
    }
    threats(&mut page, &matrix.analysis.tara);
    page.push_str("</table></html>\n");
    page
}

/// Damage, and the threats that lead to it.
fn threats(page: &mut String, tara: &Threats) {
    page.push_str("</table><h2>Threats</h2><p class=\"quiet\">Risk from 1 to 5, with the controls that there are.<table><tr><th>threat<th>attack paths<th>damage<th>risk<th>treatment");
    for one in &tara.threats {
        let why = one.why.as_deref();
        let mut answer = answer(&one.requirements, one.gap.as_deref(), why);
        for file in &one.evidence {
            put(&mut answer, format_args!("<br><code>{}</code>", escaped(file)));
        }
        put(
            page,
            format_args!(
                "<tr><td>{}: {} ({:?} of {})<td>",
                escaped(&one.id),
                escaped(&one.text),
                one.stride,
                escaped(&one.asset),
            ),
        );
        for path in &one.paths {
            let steps = escaped(&path.steps.join("; "));
            put(page, format_args!("{steps} <b>{:?}</b>: {}<br>", path.feasibility, escaped(&path.because)));
        }
        page.push_str("<td>");
        for damage in tara.damages_of(one) {
            put(
                page,
                format_args!(
                    "{}: {} <b>{:?}</b><br>",
                    escaped(&damage.id),
                    escaped(&damage.text),
                    damage.impact()
                ),
            );
        }
        put(page, format_args!("<td>{}<td>{:?} {answer}", tara.risk(one), one.treatment));
    }
}

/// What answers it, and what does not.
fn answer(requirements: &[String], gap: Option<&str>, accepted: Option<&str>) -> String {
    let mut answer = escaped(&requirements.join(", "));
    for (class, word, text) in [("bad", "gap", gap), ("quiet", "accepted", accepted)] {
        if let Some(text) = text {
            put(&mut answer, format_args!(" <span class=\"{class}\">{word}: {}</span>", escaped(text)));
        }
    }
    answer
}

fn requirement(page: &mut String, row: &Row) {
    let (class, word) = if row.shown { ("good", "shown") } else { ("bad", "not shown") };
    put(
        page,
        format_args!(
            "<tr id=\"{id}\"><td><b>{id}</b> <span class=\"{class}\">{word}</span><br>{}<br><span class=\"quiet\">{} ({})</span><td>",
            escaped(row.text),
            escaped(row.rationale),
            escaped(row.source),
            id = row.id,
        ),
    );
    for place in row.code.iter().chain(&row.from) {
        put(page, format_args!("<code>{}</code><br>", escaped(place)));
    }
    page.push_str("<td>");
    if !row.evidence.is_empty() {
        put(page, format_args!("{}: <code>{}</code><br>", row.verification, escaped(row.evidence)));
    }
    for test in &row.tests {
        let class = if test.outcome == Outcome::Passed { "good" } else { "bad" };
        let name = escaped(&test.name.replace('_', " "));
        put(
            page,
            format_args!("<span class=\"{class}\">{name}</span> <code>{}</code><br>", escaped(&test.at)),
        );
    }
}

fn put(page: &mut String, what: std::fmt::Arguments) {
    // Writing to a string does not fail.
    let _ = page.write_fmt(what);
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Analysis;

    #[test]
    fn the_page_tells_what_is_wrong_and_takes_no_text_for_markup() {
        let matrix = Matrix {
            source: "c0ffee".into(),
            requirements: Vec::new(),
            analysis: Analysis::default(),
            problems: vec!["SR-X-001: <b>".into()],
        };
        let page = render(&matrix, troika_safety::GOALS);
        assert!(page.contains("SR-X-001: &lt;b&gt;") && !page.contains("SR-X-001: <b>"));
        let told = |goal: &Goal| {
            [goal.id, goal.safe_state, goal.fault_tolerant_time]
                .iter()
                .all(|text| page.contains(&escaped(text)))
        };
        assert!(troika_safety::GOALS.iter().all(told));
    }
}
