//! How long a cut stream is silent, in virtual time: the turn machine with a cloud and a vehicle's model that are modelled, not run.
//!
//! `cargo run -p troika-dialogue --example cuts [-- --cuts 1000] [--share 0.05 TRACE…]` prints a table. With traces (two columns: seconds,
//! Mbit/s) whole streams are sent over a share of their bandwidth, from many starting times, and hand-overs that were not called for are counted.
//!
//! The model: the cloud's first token comes after 0.3 to 0.7 s, then 40 words a second, 300 bytes each. The vehicle's model reads 83 tokens a
//! second and says 22 (SmolLM2-135M on one busy thread, measured in nodes/voice/slm); a word is 1.3 tokens. One that shadowed has read all but
//! the last ten tokens. Speech is three words a second.

use std::{collections::BinaryHeap, env, fs, process::ExitCode};

use troika_dialogue::{Action, Ask, End, Fault, FromCloud, FromLocal, Pace, Turn};
use troika_kit::{Duration, Time};

const TEXT: &str = "The Old Mill Cafe is 1.5 km away, on Mill Lane. Drive along the river to the old bridge and cross it. At the \
                    second light turn left into Market Street, then keep right for four minutes until you see the tower. It is open \
                    until nine in the evening, and there is room to park behind it. You arrive at 14:35. Shall I tell them?";
const READS: f64 = 83.0;
const SAYS: f64 = 22.0;
const TOKENS_A_WORD: f64 = 1.3;
const QUESTION_TOKENS: f64 = 80.0;

#[derive(Clone, Copy, PartialEq)]
enum Cut {
    None,
    Reset,
    BlackHole,
}

/// Events by time, the earliest first; the second number keeps those of one time in order.
type Queue = BinaryHeap<std::cmp::Reverse<(u64, u64, Event)>>;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Word(u64, usize),
    CloudDone(u64),
    Reset(u64),
    LocalWord(u64, String),
    LocalDone(u64),
    Tick,
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// One turn; `arrives`: when each word does, ms.
fn turn(pace: Pace, shadow: bool, arrives: &[u64], cut: Cut, cut_at: u64) -> End {
    let time = |ms: u64| Time::from_nanos(1_000_000_000) + Duration::from_millis(ms);
    let words: Vec<&str> = TEXT.split_inclusive(' ').collect();
    let ask = Ask { deadline: time(120_000), not_cloud: None, local: true };
    let mut queue = Queue::new();
    let mut order = 0;
    let mut push = |queue: &mut Queue, ms: u64, event: Event| {
        order += 1;
        queue.push(std::cmp::Reverse((ms, order, event)));
    };
    let (mut turn, mut acts) = Turn::begin(time(0), Pace { shadow, ..pace }, ask, 1);
    let mut now = 0;
    let mut stopped = Vec::new();
    loop {
        for act in acts.drain(..) {
            match act {
                Action::StartCloud { stream } => {
                    for (word, at) in arrives.iter().enumerate() {
                        if cut == Cut::None || *at < cut_at {
                            push(&mut queue, *at, Event::Word(stream, word));
                        }
                    }
                    match cut {
                        Cut::None => {
                            push(&mut queue, arrives[arrives.len() - 1] + 1, Event::CloudDone(stream))
                        }
                        Cut::Reset => push(&mut queue, cut_at, Event::Reset(stream)),
                        Cut::BlackHole => {}
                    }
                }
                Action::ContinueLocal { stream, so_far } => {
                    let said = so_far.split_whitespace().count() as f64 * TOKENS_A_WORD;
                    let read = if shadow { 10.0 } else { QUESTION_TOKENS + said };
                    let mut at = now as f64 + read / READS * 1000.0;
                    for word in TEXT[so_far.len()..].split_inclusive(' ') {
                        at += TOKENS_A_WORD / SAYS * 1000.0;
                        push(&mut queue, at as u64, Event::LocalWord(stream, word.into()));
                    }
                    push(&mut queue, at as u64 + 1, Event::LocalDone(stream));
                }
                Action::StopLocal { stream } => stopped.push(stream),
                Action::End(end) => {
                    let same = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
                    assert_eq!(same(&end.said), same(TEXT), "no word is lost or comes twice");
                    return end;
                }
                Action::StopCloud { .. }
                | Action::Shadow { .. }
                | Action::CallTools(_)
                | Action::Say { .. } => {}
            }
        }
        if let Some(due) = turn.due(time(now)) {
            push(
                &mut queue,
                (due.since(time(0)).as_micros().div_ceil(1000) as u64).max(now + 1),
                Event::Tick,
            );
        }
        let Some(std::cmp::Reverse((at, _, event))) = queue.pop() else { unreachable!("a turn always ends") };
        now = at;
        acts = match event {
            Event::Word(stream, word) => turn.cloud(time(now), stream, FromCloud::Text(words[word].into())),
            Event::CloudDone(stream) => turn.cloud(time(now), stream, FromCloud::Done),
            Event::Reset(stream) => {
                turn.cloud(time(now), stream, FromCloud::Failed(Fault::Reset("cut".into())))
            }
            Event::LocalWord(stream, _) | Event::LocalDone(stream) if stopped.contains(&stream) => Vec::new(),
            Event::LocalWord(stream, word) => turn.local(time(now), stream, FromLocal::Text(word)),
            Event::LocalDone(stream) => turn.local(time(now), stream, FromLocal::Done),
            Event::Tick => turn.tick(time(now)),
        };
    }
}

fn steady(random: &mut Random, words_a_second: f64) -> Vec<u64> {
    let first = 300.0 + 400.0 * random.next();
    let each = 1000.0 / words_a_second;
    (0..TEXT.split_inclusive(' ').count()).map(|word| (first + each * word as f64) as u64).collect()
}

fn cuts(count: usize) {
    println!("| cut | cloud, words/s | model | drafts | silence p50 | p99 | max | first words p99 |");
    println!("|---|---|---|---|---|---|---|---|");
    for (cut, name) in [(Cut::Reset, "reset"), (Cut::BlackHole, "black hole")] {
        for words_a_second in [40.0, 4.0] {
            for (shadow, drafts) in [(true, true), (true, false), (false, true), (false, false)] {
                let mut random = Random(0x9e37_79b9_7f4a_7c15);
                let usual = Pace::default();
                let never = Duration::from_secs(600);
                let pace =
                    if drafts { usual } else { Pace { stall_soft: never, first_token_soft: never, ..usual } };
                let ends: Vec<End> = (0..count)
                    .map(|_| {
                        let arrives = steady(&mut random, words_a_second);
                        let from = arrives[0] + 1;
                        let most = arrives[arrives.len() - 1] - from;
                        turn(pace, shadow, &arrives, cut, from + (most as f64 * random.next()) as u64)
                    })
                    .collect();
                let sorted = |of: fn(&End) -> Duration| {
                    let mut all: Vec<u128> = ends.iter().map(|end| of(end).as_millis()).collect();
                    all.sort_unstable();
                    all
                };
                let silent = sorted(|end| end.silence);
                let first = sorted(|end| end.first_words.unwrap_or_default());
                let at = |of: &[u128], share: f64| of[((of.len() - 1) as f64 * share) as usize];
                let (p50, p99, most) = (at(&silent, 0.5), at(&silent, 0.99), at(&silent, 1.0));
                let model = if shadow { "shadows" } else { "cold" };
                let drafts = if drafts { "yes" } else { "no" };
                let first = at(&first, 0.99);
                println!(
                    "| {name} | {words_a_second} | {model} | {drafts} | {p50} ms | {p99} ms | {most} ms | {first} ms |"
                );
            }
        }
    }
}

/// Whole streams over a share of a trace's bandwidth.
fn trace(path: &str, share: f64) -> Result<(usize, usize, usize), String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let mut points = Vec::new();
    for (line, row) in text.lines().enumerate() {
        let mut numbers = row.split_whitespace().map(str::parse::<f64>);
        let (Some(Ok(at)), Some(Ok(mbit))) = (numbers.next(), numbers.next()) else {
            return Err(format!("{path}, line {}: two numbers, seconds and Mbit/s, not {row:?}", line + 1));
        };
        points.push((at, mbit));
    }
    let end = points.last().map_or(0.0, |(at, _)| *at);
    let rate =
        |at: f64| points.iter().take_while(|(when, _)| *when <= at).last().map_or(0.0, |(_, mbit)| *mbit);
    let words = TEXT.split_inclusive(' ').count();
    let (mut turns, mut handed, mut drafts) = (0, 0, 0);
    let mut start = 0.0;
    while start + 60.0 < end {
        // In steps of 10 ms: a word is sent when the service has it and the link has carried its bytes.
        let mut arrives = Vec::new();
        let (mut ms, mut carried) = (0.0_f64, 0.0_f64);
        while arrives.len() < words {
            ms += 10.0;
            let made: f64 = ((ms - 400.0) / 25.0).max(0.0);
            carried += rate(start + ms / 1000.0) * share * 1e6 / 8.0 * 0.01;
            carried = carried.min(made.min(words as f64) * 300.0 - arrives.len() as f64 * 300.0);
            while carried >= 300.0 && arrives.len() < words {
                carried -= 300.0;
                arrives.push(ms as u64);
            }
            if ms > 110_000.0 {
                break;
            }
        }
        if arrives.len() == words {
            let end = turn(Pace::default(), true, &arrives, Cut::None, 0);
            turns += 1;
            handed += usize::from(end.handed_over.is_some());
            drafts += end.drafts_dropped as usize;
        }
        start += 2.0;
    }
    Ok((turns, handed, drafts))
}

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let (mut count, mut share, mut traces) = (1000, 0.05, Vec::new());
    while let Some(argument) = arguments.next() {
        let number = |value: Option<String>| value.and_then(|value| value.parse::<f64>().ok());
        match argument.as_str() {
            "--cuts" | "--share" => match number(arguments.next()) {
                Some(value) if argument == "--cuts" && value >= 1.0 => count = value as usize,
                Some(value) if argument == "--share" && value > 0.0 && value <= 1.0 => share = value,
                _ => {
                    eprintln!("{argument} wants a number: cuts from 1, a share above 0 and up to 1");
                    return ExitCode::FAILURE;
                }
            },
            path => traces.push(path.to_owned()),
        }
    }
    if traces.is_empty() {
        cuts(count);
        return ExitCode::SUCCESS;
    }
    let mut all = (0, 0, 0);
    for path in &traces {
        match trace(path, share) {
            Ok((turns, handed, drafts)) => all = (all.0 + turns, all.1 + handed, all.2 + drafts),
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "{} turns over {} traces at {share} of their bandwidth: {} handed over, {} drafts dropped",
        all.0,
        traces.len(),
        all.1,
        all.2
    );
    ExitCode::SUCCESS
}
