//! The terminal view: draws the [`Dashboard`], reads the keyboard (`q` ends the run), and gives the terminal back whole.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style, Stylize as _},
    text::{Line, Span},
    widgets::{Block, Gauge, List, ListItem, Paragraph, Row, Table},
};
use troika_msgs::{
    names::alert_in_words,
    troika::{CommandResult, DriverAlert, DriverState, Heartbeat, VoiceReply},
};

use super::{
    dashboard::{Dashboard, Utterance, lock},
    score::STATES,
};

/// What does not change during a run.
pub(super) struct Heading {
    /// The system's name.
    pub system: String,
    /// What carries the messages.
    pub transport: String,
    /// The models in use.
    pub models: String,
    /// How long it runs, if not until it is stopped.
    pub duration: Option<Duration>,
}

/// The view's redraw period: fast enough for the eye, slow enough to leave the cores to the nodes.
const REDRAW: Duration = Duration::from_millis(100);

/// Draws until `stopped` says so, the time is over, or the user ends it.
///
/// # Errors
/// The terminal cannot be drawn on.
pub(super) fn show(
    heading: &Heading,
    dashboard: &Mutex<Dashboard>,
    mut stopped: impl FnMut() -> bool,
) -> anyhow::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let start = Instant::now();
    let result = loop {
        let elapsed = start.elapsed();
        if stopped() || heading.duration.is_some_and(|duration| elapsed >= duration) {
            break Ok(());
        }
        let drawn = {
            let dashboard = lock(dashboard);
            terminal.draw(|frame| draw(frame, heading, elapsed, &dashboard)).map(drop)
        };
        if let Err(error) = drawn {
            break Err(error.into());
        }
        match event::poll(REDRAW) {
            Ok(true) => match event::read() {
                Ok(Event::Key(key)) if ends(&key) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error.into()),
            },
            Ok(false) => {}
            Err(error) => break Err(error.into()),
        }
    };
    ratatui::restore();
    result
}

fn ends(key: &event::KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char('q') | KeyCode::Esc)
        || (key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL))
}

/// Lines from which there is room for everything.
const TALL: u16 = 36;
/// Columns from which the table of nodes has all of its own.
const WIDE: u16 = 108;

fn draw(frame: &mut Frame<'_>, heading: &Heading, elapsed: Duration, dashboard: &Dashboard) {
    // On a small screen the picture gives way first, then the history of what was said; the nodes never do.
    let small = frame.area().height < TALL;
    let [top, middle, nodes, voice] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(dashboard.nodes.len().clamp(3, 8) as u16 + 3),
        Constraint::Length(if small { 4 } else { 9 }),
    ])
    .areas(frame.area());
    // Two grey rows a line, and a picture of 4 to 3: upright pixels are as wide as half a line is high.
    let picture = (middle.height.saturating_sub(2) * 8 / 3 + 2).min(middle.width.saturating_sub(30)).min(66);
    let [camera, driver] =
        Layout::horizontal([Constraint::Length(picture), Constraint::Min(30)]).areas(middle);
    let [state, alerts] =
        Layout::vertical([Constraint::Length(10.min(middle.height.saturating_sub(3))), Constraint::Min(3)])
            .areas(driver);

    frame.render_widget(title(heading, elapsed, dashboard), top);
    draw_camera(frame, camera, dashboard);
    draw_driver(frame, state, dashboard);
    draw_alerts(frame, alerts, dashboard);
    draw_nodes(frame, nodes, dashboard);
    draw_voice(frame, voice, dashboard);
}

fn title(heading: &Heading, elapsed: Duration, dashboard: &Dashboard) -> Line<'static> {
    let time = match heading.duration {
        Some(duration) => format!("{:.0} of {:.0} s", elapsed.as_secs_f64(), duration.as_secs_f64()),
        None => format!("{:.0} s", elapsed.as_secs_f64()),
    };
    Line::from(vec![
        Span::from(format!(" troika: {} ", heading.system)).bold().reversed(),
        Span::from("  q ends").dim(),
        Span::from(format!(
            "  {time}  over {}  frames {}  {}",
            heading.transport, dashboard.frames, heading.models
        )),
    ])
}

/// Two grey rows in each line of text: the upper as foreground of a half block, the lower as its background. Landmarks of
/// the mesh are drawn over it.
fn draw_camera(frame: &mut Frame<'_>, area: Rect, dashboard: &Dashboard) {
    let block = Block::bordered().title("camera");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let preview = &dashboard.preview;
    if preview.grey.is_empty() {
        frame.render_widget(Paragraph::new("no frame yet").dim(), inner);
        return;
    }
    let rows = usize::from(inner.height) * 2;
    let columns = usize::from(inner.width);
    let mut marked = vec![false; rows * columns];
    if let Some(driver) = dashboard.driver.as_ref().filter(|driver| driver.face_detected) {
        for point in driver.landmarks.chunks_exact(2) {
            let (x, y) = ((point[0] * columns as f32) as usize, (point[1] * rows as f32) as usize);
            if x < columns && y < rows {
                marked[y * columns + x] = true;
            }
        }
    }
    let colour = |row: usize, column: usize| {
        let level =
            preview.grey[row * preview.height / rows * preview.width + column * preview.width / columns];
        if marked[row * columns + column] {
            Color::Rgb(0, 160 + level / 4, 80)
        } else {
            Color::Rgb(level, level, level)
        }
    };
    let lines: Vec<Line<'_>> = (0..usize::from(inner.height))
        .map(|line| {
            (0..columns)
                .map(|column| {
                    Span::styled(
                        "▀",
                        Style::new().fg(colour(line * 2, column)).bg(colour(line * 2 + 1, column)),
                    )
                })
                .collect()
        })
        .collect();
    frame.render_widget(Paragraph::new(lines), inner);
}

fn state_colour(state: u8) -> Color {
    match state {
        DriverState::ATTENTIVE => Color::Green,
        DriverState::LOOKING_AWAY => Color::Yellow,
        DriverState::EYES_CLOSED => Color::Red,
        _ => Color::DarkGray,
    }
}

fn draw_driver(frame: &mut Frame<'_>, area: Rect, dashboard: &Dashboard) {
    let block = Block::bordered().title("driver");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let Some(driver) = &dashboard.driver else {
        frame.render_widget(Paragraph::new("no state yet").dim(), inner);
        return;
    };
    let [text, left, right, closed] = Layout::vertical([
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(inner);
    let name = STATES.get(usize::from(driver.state)).copied().unwrap_or("?");
    let speed = dashboard
        .signals
        .as_ref()
        .map_or("unknown".to_owned(), |signals| format!("{:.0} km/h", signals.speed_kmh));
    frame.render_widget(
        Paragraph::new(vec![
            Line::from(name.to_uppercase())
                .style(Style::new().fg(state_colour(driver.state)).add_modifier(Modifier::BOLD)),
            Line::from(format!(
                "gaze {:+.0} {:+.0} deg, zone {}",
                driver.gaze_yaw_deg,
                driver.gaze_pitch_deg,
                zone(driver.gaze_zone)
            )),
            Line::from(format!(
                "head {:+.0} {:+.0} {:+.0} deg, mouth {:.2}",
                driver.head_yaw_deg, driver.head_pitch_deg, driver.head_roll_deg, driver.mouth_opening
            )),
            Line::from(format!("speed {speed}")),
            Line::from(driver.model.clone()).dim(),
        ]),
        text,
    );
    eye(frame, left, "left eye", driver.eye_openness_left);
    eye(frame, right, "right eye", driver.eye_openness_right);
    if driver.perclos.is_finite() {
        eye(frame, closed, "perclos", driver.perclos);
    }
}

fn eye(frame: &mut Frame<'_>, area: Rect, label: &str, openness: f32) {
    if openness.is_finite() {
        let ratio = f64::from(openness.clamp(0.0, 1.0));
        frame.render_widget(
            Gauge::default()
                .ratio(ratio)
                .label(format!("{label} {openness:.2}"))
                .gauge_style(Style::new().fg(Color::Cyan).bg(Color::Black)),
            area,
        );
    } else {
        frame.render_widget(Paragraph::new(format!("{label} not seen")).dim(), area);
    }
}

fn zone(zone: u8) -> &'static str {
    match zone {
        DriverState::ZONE_FORWARD => "forward",
        DriverState::ZONE_LEFT_MIRROR => "left mirror",
        DriverState::ZONE_RIGHT_MIRROR => "right mirror",
        DriverState::ZONE_REAR_MIRROR => "rear mirror",
        DriverState::ZONE_CLUSTER => "cluster",
        DriverState::ZONE_AREA_3 => "area 3 (lap, console)",
        DriverState::ZONE_AREA_1 => "area 1 (roof, far side)",
        DriverState::ZONE_OTHER => "other",
        _ => "unknown",
    }
}

fn draw_alerts(frame: &mut Frame<'_>, area: Rect, dashboard: &Dashboard) {
    let items = dashboard.alerts.iter().map(|alert| {
        let raised = alert.phase == DriverAlert::RAISED;
        let text = format!(
            "{} {} ({}) after {:.1} s, limit {:.1} s, {:.0} km/h",
            if raised { "raised " } else { "cleared" },
            alert_in_words(alert.kind).unwrap_or("?"),
            alert.profile,
            alert.elapsed_s,
            alert.limit_s,
            alert.speed_kmh
        );
        ListItem::new(text).style(if raised {
            Style::new().fg(Color::Red).bold()
        } else {
            Style::new().dim()
        })
    });
    frame.render_widget(List::new(items).block(Block::bordered().title("alerts")), area);
}

/// The table of nodes: heading, width, and whether it is kept on a narrow screen.
const COLUMNS: [(&str, u16, bool); 11] = [
    ("node", 17, true),
    ("steps", 8, true),
    ("p50 ms", 7, false),
    ("p99 ms", 7, true),
    ("max", 7, true),
    ("late", 6, false),
    ("too late", 9, false),
    ("missed", 7, true),
    ("faults", 7, true),
    ("sched", 6, false),
    ("1 ms .. 100 ms", 14, true),
];

fn draw_nodes(frame: &mut Frame<'_>, area: Rect, dashboard: &Dashboard) {
    let block = Block::bordered().title("nodes: release to output");
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let ms = |us: u32| format!("{:.1}", f64::from(us) / 1e3);
    let shown = |column: &(&str, u16, bool)| column.2 || area.width >= WIDE;
    let rows = dashboard.nodes.values().map(|beat| {
        let style = match beat.status {
            Heartbeat::OK => Style::new(),
            Heartbeat::DEGRADED => Style::new().fg(Color::Yellow),
            _ => Style::new().fg(Color::Red),
        };
        let all = [
            beat.node.clone(),
            beat.steps.to_string(),
            ms(beat.latency_p50_us),
            ms(beat.latency_p99_us),
            ms(beat.latency_max_us),
            beat.late.to_string(),
            beat.too_late.to_string(),
            beat.missed.to_string(),
            beat.faults.to_string(),
            if beat.real_time { "fifo" } else { "other" }.to_owned(),
            histogram(&beat.latency_counts),
        ];
        Row::new(all.into_iter().zip(COLUMNS).filter(|(_, column)| shown(column)).map(|(text, _)| text))
            .style(style)
    });
    let widths = COLUMNS.iter().filter(|column| shown(column)).map(|column| Constraint::Length(column.1));
    let header = COLUMNS.iter().filter(|column| shown(column)).map(|column| column.0);
    frame.render_widget(Table::new(rows, widths).header(Row::new(header).bold()), inner);
}

/// One bar for each range of `Heartbeat.latency_counts`; a bar that is not empty is always seen.
fn histogram(counts: &[u32; 12]) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    counts.iter().map(|count| BARS[(u64::from(*count) * 8).div_ceil(u64::from(most)) as usize]).collect()
}

fn draw_voice(frame: &mut Frame<'_>, area: Rect, dashboard: &Dashboard) {
    let lines = usize::from(area.height.saturating_sub(2));
    let items = dashboard
        .utterances
        .iter()
        .rev()
        .take(lines)
        .map(|utterance| ListItem::new(utterance_line(utterance)));
    frame.render_widget(List::new(items).block(Block::bordered().title("voice")), area);
}

/// One utterance as a line: its words, what it was taken for, what became of it.
pub(super) fn utterance_line(utterance: &Utterance) -> String {
    let commands: Vec<String> = utterance
        .commands
        .iter()
        .map(|command| {
            let slots: Vec<String> =
                command.slots.iter().map(|slot| format!("{}={}", slot.name, slot.value)).collect();
            format!("{} {}", command.function, slots.join(" "))
        })
        .collect();
    let mut line = format!("\"{}\" ({:.0} ms)", utterance.text, utterance.recognition_ms);
    if !commands.is_empty() {
        line += &format!(" -> {}", commands.join("; "));
    } else if let Some(reply) = &utterance.reply {
        let kind = match reply.kind {
            VoiceReply::CONFIRM => "asks back",
            VoiceReply::REFUSED => "refused",
            VoiceReply::DIALOGUE => "dialogue",
            VoiceReply::REJECTED => "not for us",
            _ => "reply",
        };
        line += &format!(" -> {kind}: {}", reply.text);
    }
    if let Some(result) = utterance.results.last() {
        line += match result.status {
            CommandResult::ACCEPTED => ": accepted",
            CommandResult::DONE => ": done",
            CommandResult::REFUSED => ": refused, ",
            _ => ": failed, ",
        };
        if matches!(result.status, CommandResult::REFUSED | CommandResult::FAILED) {
            line += &result.reason;
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_screen_shows_every_node_its_histogram_and_the_way_out() {
        let mut dashboard = Dashboard::default();
        for node in
            ["/camera", "/driver_monitor", "/driver_state", "/drowsiness", "/vehicle", "/voice_command"]
        {
            let beat = Heartbeat { node: node.to_owned(), latency_counts: [7; 12], ..Heartbeat::default() };
            dashboard.nodes.insert(node.to_owned(), beat);
        }
        let heading = Heading {
            system: "cabin".to_owned(),
            transport: "zenoh, router started at tcp/localhost:7447".to_owned(),
            models: String::new(),
            duration: None,
        };
        for (width, height) in [(80, 24), (100, 30), (140, 50)] {
            let mut terminal =
                ratatui::Terminal::new(ratatui::backend::TestBackend::new(width, height)).unwrap();
            terminal.draw(|frame| draw(frame, &heading, Duration::from_secs(3), &dashboard)).unwrap();
            let screen = terminal.backend().to_string();
            for part in dashboard.nodes.keys().map(String::as_str).chain([
                "q ends",
                "████████████",
                "alerts",
                "voice",
            ]) {
                assert!(screen.contains(part), "{part} is missing on {width} x {height}:\n{screen}");
            }
        }
    }

    #[test]
    fn a_rare_late_frame_is_seen_in_the_histogram() {
        let mut counts = [0; 12];
        counts[5] = 1_000;
        counts[11] = 1;
        let bars: Vec<char> = histogram(&counts).chars().collect();
        assert_eq!((bars[4], bars[5], bars[11]), (' ', '█', '▁'));
    }
}
