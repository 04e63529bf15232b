//! The conductor: has the [`Company`] start a system's processes, watches its topics, shows them, stops everything, makes the report.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_spanned::Spanned;
use troika_host::{Clock, Edge, HostClock, edge::TypedSubscription, heartbeat, signal::stop_on_signals};
use troika_kit::{Qos, Sample, Wake};
use troika_msgs::troika::Heartbeat;
use troika_transport::Transport;
use troika_transport_zenoh::{RouterGuard, ZenohTransport};

use super::{
    RunArguments,
    company::Company,
    dashboard::{Dashboard, UTTERANCES, lock},
    pictures, recording,
    report::{
        ChainFigures, DriverStateFigures, Heard, Machine, NodeFigures, Percentiles, ProcessFigures, Report,
    },
    view::{self, Heading},
    virtual_time, voice,
};
use crate::{
    kinds,
    output::Output,
    system::{
        Chain, Source, System, TransportKind,
        check::{self, topic_of},
    },
    transport::Reach,
};

/// Runs the whole system.
pub(super) fn conduct(arguments: &RunArguments, source: &Source, system: &System) -> anyhow::Result<()> {
    if system.system.transport == TransportKind::Mem {
        bail!(
            "`troika run` needs a transport that reaches other processes: use zenoh, dds or ros2, or `troika score` for virtual time"
        );
    }
    let stop = stop_on_signals()?;
    let report_to = Output::if_any(arguments.report.as_deref())?;
    if let Some(folder) = &arguments.record {
        recording::ready(folder)?;
        if arguments.raw {
            pictures::announce(folder, source, system, arguments.seconds)?;
        }
    }
    if let Some(black_box) = &system.system.black_box {
        black_box.get_ref().make_folder()?;
    }
    // Held until the end: a router that we started ends with it.
    let (transport, mut router, transport_shown) = reach(arguments, system)?;
    let dashboard = Arc::new(Mutex::new(Dashboard::default()));
    let edge = Edge::new(
        &*transport,
        Clock::Host(HostClock::start()),
        system.system.namespace.get_ref(),
        "troika_view",
    )?;
    let subscriptions = watch(&edge, system, &dashboard)?;
    let strangers = namesakes(&*transport, system)?;

    let mut company = Company::start(arguments, source, system)?;
    if let Some(notice) = strangers {
        company.note(notice);
    }
    let headless = arguments.headless || !std::io::stdout().is_terminal();
    if headless {
        // A reader that is gone is no reason to stop.
        let _ = writeln!(
            std::io::stdout(),
            "{} over {transport_shown}; {}",
            system.system.name,
            company.describe()
        );
    }
    if let Some(folder) = &arguments.record {
        let _ = writeln!(
            std::io::stdout(),
            "recording into {}, a file for each process{}",
            folder.display(),
            if arguments.raw { "" } else { "; without raw images and audio (--raw)" }
        );
    }
    let mut router_there = true;
    company.wait_until_all_here(&*transport, system, &stop)?;
    let start = Instant::now();
    let duration = arguments.seconds.map(Duration::from_secs);
    let shown = if headless {
        while !stop.is_stopped()
            && duration.is_none_or(|duration| start.elapsed() < duration)
            && company.all_run()
        {
            stop.wait_for(Duration::from_millis(100));
            company.listen(&transport, &mut router_there, &dashboard);
            bring_another(&mut router, router_there, arguments, system, &mut company);
        }
        Ok(())
    } else {
        let heading = Heading {
            system: system.system.name.clone(),
            transport: transport_shown.clone(),
            models: String::new(),
            duration,
        };
        view::show(&heading, &dashboard, || {
            company.listen(&transport, &mut router_there, &dashboard);
            bring_another(&mut router, router_there, arguments, system, &mut company);
            stop.is_stopped() || !company.all_run()
        })
    };
    let seconds = start.elapsed().as_secs_f64();
    if let Some(notice) = company.never_ready() {
        company.note(notice);
    }
    let (figures, failed) = company.stop();
    drop(subscriptions);
    shown?;

    let dashboard = lock(&dashboard);
    let mut report = report(source, system, &dashboard, figures, seconds, transport_shown)?;
    report.notices.append(&mut company.notices);
    if dashboard.forgotten > 0 {
        report.notices.push(format!(
            "the voice's figures are those of the last {UTTERANCES} utterances: {} before them were not kept",
            dashboard.forgotten
        ));
    }
    let mut table = report.table();
    for utterance in &dashboard.utterances {
        table += &format!("  said           {}\n", view::utterance_line(utterance));
    }
    // Both are tried, whatever comes of the other.
    let printed = std::io::stdout().write_all(table.as_bytes()).context("cannot print the table");
    if let Some(to) = report_to {
        to.write(&serde_json::to_vec_pretty(&report)?)?;
    }
    printed?;
    failed.map_or(Ok(()), Err)
}

/// A session on the system's transport, its router where it has one, and what both are called.
fn reach(arguments: &RunArguments, system: &System) -> anyhow::Result<(Reach, Option<RouterGuard>, String)> {
    let direct = match system.system.transport {
        TransportKind::Dds => Some(("dds", Reach::dds()?)),
        TransportKind::Ros2 => Some(("ros2", Reach::ros2()?)),
        TransportKind::Mem | TransportKind::Zenoh => None,
    };
    if let Some((name, transport)) = direct {
        let shown = format!("{name}, ROS domain {}", transport.domain());
        return Ok((transport, None, shown));
    }
    let options = arguments.zenoh_options(system)?;
    let router = RouterGuard::ensure_for(&options)?;
    let shown = format!("zenoh, {} {}", router.describe(), options.router);
    Ok((Reach::Zenoh(ZenohTransport::open(options)?), Some(router), shown))
}

/// A router that was another's and went (a run before this one that was still ending) is begun anew: its place is free, and all that runs
/// here looks for one there.
fn bring_another(
    router: &mut Option<RouterGuard>,
    there: bool,
    arguments: &RunArguments,
    system: &System,
    company: &mut Company,
) {
    let another = router.as_ref().is_some_and(|router| !router.is_started());
    if there || !another {
        return;
    }
    let Ok(options) = arguments.zenoh_options(system) else { return };
    // Somebody else's may be back as well; why there is none is told by whoever misses it.
    if let Ok(guard) = RouterGuard::ensure_for(&options) {
        if guard.is_started() {
            company.note(format!(
                "the zenoh router at {} was another's and is gone: started one there",
                options.router
            ));
        }
        *router = Some(guard);
    }
}

/// A notice when nodes of this system's names are on the bus already: both would be heard as one.
fn namesakes(transport: &dyn Transport, system: &System) -> anyhow::Result<Option<String>> {
    let here = crate::topic::settled_graph(transport)?.nodes;
    let there: Vec<String> = system.full_names().into_iter().filter(|name| here.contains(name)).collect();
    Ok((!there.is_empty()).then(|| {
        format!(
            "{} already there, of another system: their messages mix with ours; give one of the two another \
             ROS_DOMAIN_ID, or another `namespace` in its system file",
            there.join(", ")
        )
    }))
}

/// The topic on which nodes of this system send a type.
fn topic_by_type<'a>(system: &'a System, type_name: &str) -> Option<&'a str> {
    system.nodes.values().find_map(|node| {
        let kind = kinds::find(node.get_ref().kind.get_ref())?;
        kind.outputs()
            .iter()
            .find(|spec| spec.ty.name == type_name)
            .map(|spec| topic_of(node.get_ref(), spec))
    })
}

/// Subscribes to all that the dashboard shows.
fn watch(
    edge: &Edge,
    system: &System,
    dashboard: &Arc<Mutex<Dashboard>>,
) -> anyhow::Result<Vec<TypedSubscription>> {
    use troika_kit::Message;
    use troika_msgs::{
        sensor_msgs::Image,
        troika::{
            CommandResult, DriverAlert, DriverState, DriverTruth, LinkState, SafetyState, Transcript,
            Understanding, VehicleCommand, VehicleSignals, VoiceReply,
        },
    };
    fn on<T: Message>(
        edge: &Edge,
        system: &System,
        dashboard: &Arc<Mutex<Dashboard>>,
        into: &mut Vec<TypedSubscription>,
        take: fn(&mut Dashboard, Sample<T>),
    ) -> anyhow::Result<()> {
        let topic = if T::TYPE.name == Heartbeat::TYPE.name {
            Some(heartbeat::TOPIC)
        } else {
            topic_by_type(system, T::TYPE.name)
        };
        if let Some(topic) = topic {
            let dashboard = dashboard.clone();
            let qos = Qos { depth: 100, ..Qos::DEFAULT };
            into.push(edge.subscribe::<T>(topic, qos, move |sample| take(&mut lock(&dashboard), sample))?);
        }
        Ok(())
    }
    let mut all = Vec::new();
    on::<Image>(edge, system, dashboard, &mut all, |to, image| to.image(&image.value))?;
    on::<DriverTruth>(edge, system, dashboard, &mut all, |to, truth| to.record.truth(&truth.value))?;
    on::<DriverState>(edge, system, dashboard, &mut all, |to, state| to.driver(state))?;
    on::<DriverAlert>(edge, system, dashboard, &mut all, |to, alert| to.alert(alert.value))?;
    on::<VehicleSignals>(edge, system, dashboard, &mut all, |to, signals| to.signals = Some(signals.value))?;
    on::<Transcript>(edge, system, dashboard, &mut all, |to, transcript| to.transcript(&transcript.value))?;
    on::<Understanding>(edge, system, dashboard, &mut all, |to, one| to.understanding(one.value))?;
    on::<VoiceReply>(edge, system, dashboard, &mut all, |to, reply| to.reply(reply.value))?;
    on::<VehicleCommand>(edge, system, dashboard, &mut all, |to, command| to.command(command.value))?;
    on::<CommandResult>(edge, system, dashboard, &mut all, |to, result| to.result(result.value))?;
    on::<LinkState>(edge, system, dashboard, &mut all, |to, link| to.link = Some(link.value))?;
    on::<SafetyState>(edge, system, dashboard, &mut all, |to, state| to.safety(&state.value))?;
    on::<Heartbeat>(edge, system, dashboard, &mut all, |to, beat| {
        drop(to.nodes.insert(beat.value.node.clone(), beat.value))
    })?;
    Ok(all)
}

fn report(
    source: &Source,
    system: &System,
    dashboard: &Dashboard,
    figures: Vec<ProcessFigures>,
    seconds: f64,
    transport: String,
) -> anyhow::Result<Report> {
    let nodes: Vec<_> = figures.iter().flat_map(|process| process.nodes.clone()).collect();
    let hosted = system.nodes.values().zip(system.full_names()).filter_map(|(node, name)| {
        let kind = kinds::find(node.get_ref().kind.get_ref())?;
        kind.program().is_none().then_some(name)
    });
    let missing: Vec<String> = hosted.filter(|name| !nodes.iter().any(|node| node.node == *name)).collect();
    let silent = (!missing.is_empty())
        .then(|| format!("no figures of {}: their process ended before it wrote them", missing.join(", ")));
    let of_kind = |kind: &[&str]| nodes.iter().find(|node| kind.contains(&node.kind.as_str()));
    let driver = of_kind(&["driver_state"]);
    let scores = match dashboard.record.last_truth() {
        Some(_) => {
            let due = virtual_time::due(source, system, &dashboard.record)?;
            // A simulator's truth is one a step that worked, unless its process ended and took its count along.
            let sent = of_kind(&["sim_driver"]).map(|node| node.worked);
            Some((dashboard.record.score(&due), Heard::of(&dashboard.record, sent)))
        }
        None => None,
    };
    Ok(Report {
        system: system.system.name.clone(),
        seconds,
        transport,
        networks: kinds::networks_on(system),
        // A simulator steps once a frame; a camera is looked at far more often, and what it gives is what is due.
        frames_due: match (of_kind(&["sim_driver", "sim_hand"]), of_kind(&["camera"])) {
            (Some(simulator), _) => simulator.steps,
            (None, camera) => camera.map_or(0, |node| node.worked),
        },
        frames_in: of_kind(&["sim_driver", "sim_hand", "camera"]).map_or(0, |node| node.worked),
        frames_done: driver.map_or(0, |node| node.worked),
        driver_state: driver.is_some().then(|| {
            let scored = scores.as_ref().map(|(scores, heard)| (scores, *heard, &dashboard.record));
            let mut figures = DriverStateFigures::new(scored, driver);
            // By the simulation's clock the way here takes no time, or any.
            figures.age_ms = dashboard.ages().filter(|_| !system.system.use_sim_time);
            figures
        }),
        voice: voice::figures(source, system, dashboard)?,
        machine: Machine {
            floor_us: figures.iter().find_map(|process| process.floor_us),
            floor_counts: figures.iter().find_map(|process| process.floor_counts),
            cores: crate::cores(),
        },
        safety: dashboard.safety,
        chains: chains(system, &nodes),
        nodes,
        watchdogs: figures.iter().filter_map(|process| process.watchdog.clone()).collect(),
        notices: figures.into_iter().flat_map(|process| process.notices).chain(silent).collect(),
    })
}

/// Each chain of the system file, held against what its nodes took.
fn chains(system: &System, nodes: &[NodeFigures]) -> Vec<ChainFigures> {
    let one = |(name, chain): (&String, &Spanned<Chain>)| {
        let chain = chain.get_ref();
        let of = |place: usize, name: &String| {
            let node = system.nodes.get(name)?.get_ref();
            let kind = kinds::find(node.kind.get_ref())?;
            let contract = check::contract(node, kind).ok()??;
            // One that looks by the clock may let a message wait for a period before that.
            let waits = match contract.spec().wake {
                Wake::Period if place > 0 => contract.spec().period,
                Wake::Period | Wake::Input(_) => Duration::ZERO,
            };
            let full = system.full_name(name);
            let latency = nodes.iter().find(|figures| figures.node == full && figures.worked > 0)?.latency_ms;
            let waits = waits.as_secs_f64() * 1e3;
            Some([latency.p50 + waits, latency.p99 + waits, latency.p999 + waits, latency.max + waits])
        };
        let all = chain.nodes.get_ref();
        let took: Vec<_> = all.iter().enumerate().map(|(place, name)| of(place, name)).collect();
        let sum = |at: usize| took.iter().map(|one| one.map(|ms| ms[at])).sum::<Option<f64>>();
        let took_ms = (|| Some(Percentiles { p50: sum(0)?, p99: sum(1)?, p999: sum(2)?, max: sum(3)? }))();
        let goal_ms = *chain.goal_ms.get_ref();
        let held = took_ms.map(|took| took.max <= goal_ms);
        ChainFigures { chain: name.clone(), nodes: all.clone(), goal_ms, took_ms, held }
    };
    system.chains.iter().map(one).collect()
}
