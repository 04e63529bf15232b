//! `troika`: runs, checks and looks into systems of real-time in-vehicle nodes.
#![expect(
    clippy::disallowed_methods,
    reason = "the command line is an edge: it waits for people, files and processes"
)]

#[macro_use]
mod tell;

mod ask;
mod bag;
mod conformance;
mod fate;
mod gate;
mod graph;
mod kind;
mod kinds;
mod listen;
mod models;
mod outbox;
mod output;
mod parameters;
mod reference;
mod replay;
mod route;
mod run;
mod safety;
mod sim;
mod status_line;
mod system;
mod topic;
mod transport;
mod understand;
mod view;

use std::{
    ffi::{OsStr, OsString},
    io::IsTerminal as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::bail;
use clap::{CommandFactory as _, Parser, Subcommand};

use system::{Problem, Severity, Source, System};
use troika_ros_args::Refused;

/// Nodes with an arena allocate from it while they step; everything else allocates from the system.
#[global_allocator]
static ALLOCATOR: troika_host::ArenaAllocator = troika_host::ArenaAllocator;

/// Real-time in-vehicle middleware: runs, checks and looks into systems of nodes.
#[derive(Parser)]
#[command(
    version,
    about = "Real-time in-vehicle middleware: runs, checks and looks into systems of nodes",
    propagate_version = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a system file until it is stopped (Ctrl-C) or its time is over.
    Run(run::RunArguments),
    /// Run one kind of node as a ROS 2 node; a program of a kind's name (a link to this one) does the same.
    Node(run::node::NodeArguments),
    /// Find what is wrong with system files, with the line at fault and the way out.
    Check {
        /// System files.
        #[arg(required = true)]
        systems: Vec<PathBuf>,
        /// Warnings fail the check too.
        #[arg(long)]
        strict: bool,
    },
    /// Show who publishes what to whom.
    Graph {
        /// The system file.
        #[arg(required_unless_present = "kinds")]
        system: Option<PathBuf>,
        /// How it is written.
        #[arg(long, value_enum, default_value = "text")]
        format: graph::Format,
        /// List the kinds of node that a system file can name, instead.
        #[arg(long)]
        kinds: bool,
    },
    /// Score a scenario in virtual time: rendered frames in, states and alerts out, compared with the truth.
    Score(run::virtual_time::ScoreArguments),
    /// Scenarios that judge: what happens in them, in virtual time, held against what they expect.
    Sim {
        #[command(subcommand)]
        command: sim::SimCommand,
    },
    /// Do the steps of a recording again and compare what they send, byte by byte.
    Replay(replay::ReplayArguments),
    /// Record topics into an MCAP file, as `ros2 bag record` does.
    Record(bag::record::RecordArguments),
    /// Play an MCAP file of ROS 2 messages, whoever recorded it.
    Play(bag::play::PlayArguments),
    /// See a running system in a browser, and in Foxglove.
    View(view::ViewArguments),
    /// Understand words: each stage's answer, why one of them holds, and what the gates say.
    Say(understand::SayArguments),
    /// Listen to a recording or a microphone: the words, each stage's answer, and what becomes of it.
    Listen(listen::ListenArguments),
    /// Put a question to the dialogue of a running system: who answers and why, and the words as they come.
    Ask(ask::AskArguments),
    /// Hold any driver-monitoring system to the rules' timers over its topics: each alert within a frame of its limit.
    Conformance(conformance::ConformanceArguments),
    /// What the whole is worth, as the supervisor of a running system says it: nominal, degraded or safe; and the reset of what is latched.
    Safety(safety::SafetyArguments),
    /// The vehicle's outbox: put something into it that may wait for a link, and see what becomes of it.
    Outbox {
        #[command(subcommand)]
        command: outbox::OutboxCommand,
    },
    /// The cloud's side, for many vehicles: the program `troika-gateway`.
    #[command(disable_help_flag = true)]
    Gateway {
        /// What it is told; `--help` shows it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// The fleet's certificates: make an authority, enrol and revoke vehicles (`troika-gateway fleet`).
    #[command(disable_help_flag = true)]
    Fleet {
        /// What it is told; `--help` shows it.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Measure how well spoken commands are understood; list them.
    Voice {
        #[command(subcommand)]
        command: understand::VoiceCommand,
    },
    /// The router: what its policy would do over recorded links.
    Route {
        #[command(subcommand)]
        command: route::RouteCommand,
    },
    /// The models: what is here, fetch what is missing, verify them.
    Models {
        #[command(subcommand)]
        command: models::ModelsCommand,
    },
    /// What this machine allows (real-time priority, memory locking, clock), and how to mend what is missing.
    Doctor {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Look into topics over a transport.
    Topic {
        #[command(subcommand)]
        command: topic::TopicCommand,
    },
    /// Print topics, QoS and parameters of every kind of node, as Markdown.
    Reference,
    /// Print the completion script of a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    // `println!` panics when nobody takes what it prints; that is an error like others, and no defect to be traced.
    let trace = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| match panic.payload_as_str() {
        Some(why) if why.starts_with("failed printing to ") => {
            // A panic in here would abort.
            tell!("error: {why}");
            std::process::exit(1);
        }
        _ => trace(panic),
    }));
    let file = |path: &str| std::fs::read_to_string(path).map_err(|why| why.to_string());
    let line = match troika_ros_args::read(by_its_name(std::env::args_os()), file) {
        Ok(line) => line,
        Err(refused) => return refuse(&refused),
    };
    let command = Cli::parse_from(line.plain).command;
    let runs = matches!(command, Command::Run(_) | Command::Node(_));
    if !runs && !line.ros.is_empty() {
        return refuse(&Refused::new(
            "--ros-args",
            "this command runs no node",
            "give them to troika node or troika run",
        ));
    }
    if !runs && let Err(error) = troika_host::signal::end_on_closed_pipe() {
        tell!("notice: a closed pipe will not end this quietly: {error}");
    }
    let result = match command {
        Command::Run(arguments) => run::run(arguments, &line.ros),
        Command::Node(arguments) => run::node::run(&arguments, &line.ros),
        Command::Check { systems, strict } => check(&systems, strict),
        Command::Graph { kinds: true, .. } => {
            for kind in kinds::KINDS {
                println!("{:<16} {}", kind.name(), kind.summary());
                if let levels @ [_, _, ..] = kind.levels() {
                    println!("{:<16} levels: {}", "", levels.join(", "));
                }
            }
            Ok(())
        }
        Command::Graph { system, format, .. } => load_checked(&system.unwrap_or_default())
            .map(|(source, system)| print!("{}", graph::draw(&source.text, &system, kinds::KINDS, format))),
        Command::Score(arguments) => run::virtual_time::score(&arguments),
        Command::Sim { command } => sim::run(&command),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Record(arguments) => bag::record::record(&arguments),
        Command::Play(arguments) => bag::play::play(&arguments),
        Command::View(arguments) => view::view(&arguments),
        Command::Say(arguments) => understand::say(&arguments),
        Command::Listen(arguments) => listen::listen(&arguments),
        Command::Ask(arguments) => ask::ask(&arguments),
        Command::Conformance(arguments) => conformance::conformance(&arguments),
        Command::Safety(arguments) => safety::safety(&arguments),
        Command::Outbox { command } => outbox::outbox(&command),
        Command::Gateway { arguments } => in_place_of_this("troika-gateway", &[], &arguments),
        Command::Fleet { arguments } => in_place_of_this("troika-gateway", &["fleet"], &arguments),
        Command::Voice { command } => understand::voice(&command),
        Command::Route { command } => route::run(command),
        Command::Models { command } => models::run(command),
        Command::Doctor { json } => doctor(json),
        Command::Topic { command } => topic::run(command),
        Command::Reference => {
            print!("{}", reference::page(kinds::KINDS));
            Ok(())
        }
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "troika", &mut std::io::stdout());
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
        Err(error) => match error.downcast_ref::<Refused>() {
            Some(refused) => refuse(refused),
            None => {
                tell!("error: {error:#}");
                if error.is::<gate::NotJudged>() { ExitCode::from(2) } else { ExitCode::FAILURE }
            }
        },
    }
}

/// Ctrl-C came before what was asked for was done: the program ends with 130, as others do, and says no more.
#[derive(Debug, thiserror::Error)]
#[error("interrupted")]
pub(crate) struct Interrupted;

/// Another of the programs takes this one's place; comes back only where it cannot be started.
fn in_place_of_this(program: &str, first: &[&str], arguments: &[OsString]) -> anyhow::Result<()> {
    let file = listen::beside(program)?;
    let why = std::process::Command::new(&file).args(first).args(arguments).exec();
    Err(anyhow::Error::from(why).context(format!("cannot start {}", file.display())))
}

/// A wrong argument ends with 2, as clap's own do.
fn refuse(refused: &Refused) -> ExitCode {
    tell!("error: {refused}");
    ExitCode::from(2)
}

/// A link that is named like a kind of node runs that kind: `lib/troika/driver_state` is `troika node driver_state`.
fn by_its_name(mut arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let program = arguments.next().unwrap_or_default();
    let name = Path::new(&program).file_name().and_then(OsStr::to_str).unwrap_or_default();
    let kind = kinds::find(name).map(|kind| ["node", kind.name()].map(OsString::from));
    [OsString::from("troika")].into_iter().chain(kind.into_iter().flatten()).chain(arguments).collect()
}

fn show(problem: &Problem, source: &Source) {
    tell!("{}\n", problem.render(source, std::io::stderr().is_terminal()));
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Reads a system file and shows what is wrong with it; errors end it.
fn load_checked(path: &Path) -> anyhow::Result<(Source, System)> {
    let (source, system) = match system::load(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            show(&error.1, &error.0);
            bail!("{} cannot be used", path.display());
        }
    };
    let problems = system::check::check(&source.text, &system, kinds::KINDS, cores());
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    for problem in problems.iter().filter(|problem| errors == 0 || problem.severity == Severity::Error) {
        show(problem, &source);
    }
    if errors > 0 {
        bail!("{} has {errors} error{}", path.display(), if errors == 1 { "" } else { "s" });
    }
    Ok((source, system))
}

fn check(paths: &[PathBuf], strict: bool) -> anyhow::Result<()> {
    let mut failed = 0;
    for path in paths {
        let (source, problems, networks) = match system::load(path) {
            Ok((source, system)) => {
                let problems = system::check::check(&source.text, &system, kinds::KINDS, cores());
                (source, problems, kinds::networks_on(&system))
            }
            Err(error) => (error.0, vec![error.1], None),
        };
        problems.iter().for_each(|problem| show(problem, &source));
        let fails = |problem: &Problem| strict || problem.severity == Severity::Error;
        if problems.iter().any(fails) {
            failed += 1;
        } else {
            let warnings = if problems.is_empty() { "" } else { ", with warnings" };
            let networks =
                networks.map_or_else(String::new, |on| format!("; the detectors' networks run {on}"));
            println!("{}: fine{warnings}{networks}", path.display());
        }
    }
    if failed > 0 {
        bail!("{failed} of {} system files failed the check", paths.len());
    }
    Ok(())
}

fn doctor(json: bool) -> anyhow::Result<()> {
    let findings = troika_host::doctor::inspect();
    if json {
        let list: Vec<_> = findings
            .iter()
            .map(|one| serde_json::json!({ "what": one.what, "ok": one.ok, "detail": one.detail, "mend": one.mend }))
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    for finding in &findings {
        println!("{} {:<22} {}", if finding.ok { "ok  " } else { "lack" }, finding.what, finding.detail);
        if !finding.ok {
            println!("     {:<22} mend: {}", "", finding.mend);
        }
    }
    let lacking = findings.iter().filter(|finding| !finding.ok).count();
    println!(
        "\n{} of {} as it should be; Troika runs either way and says what it could not have",
        findings.len() - lacking,
        findings.len()
    );
    Ok(())
}
