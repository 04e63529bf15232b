//! `troika-gateway`: the fleet's certificates, and the server.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};
use troika_dialogue_mesh::config::on_one_thread;
use troika_gateway::{
    clock,
    config::Config,
    fleet::{AUTHORITY_DAYS, Fleet, VEHICLE_DAYS},
    gateway::Gateway,
    mesh, page,
    route::Route,
    serve,
    tracer::LAST,
};
use troika_kit::Duration;

/// The cloud's side of Troika: many vehicles in by their certificates, any OpenAI-compatible service behind.
#[derive(Parser)]
#[command(name = "troika-gateway", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The fleet's authority, and who has a certificate of it.
    #[command(subcommand)]
    Fleet(FleetCommand),
    /// Serves vehicles until Ctrl-C or SIGTERM.
    Serve {
        /// The file; see the gateway's README.
        config: PathBuf,
        /// Only says whether the file, the certificates and the keys are fine.
        #[arg(long)]
        check: bool,
    },
    /// Prints a shell's completion.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Subcommand)]
enum FleetCommand {
    /// Makes a fleet in a folder: its authority and the gateway's certificate.
    Init {
        /// The folder; it holds no fleet yet.
        dir: PathBuf,
        /// What it is called in its certificates.
        #[arg(long, default_value = "troika")]
        name: String,
        /// How long authority and server hold.
        #[arg(long, default_value_t = AUTHORITY_DAYS, value_parser = days(), allow_negative_numbers = true)]
        days: u32,
        /// Names and addresses that vehicles reach the gateway at, beside localhost.
        #[arg(long, num_args = 1..)]
        server_name: Vec<String>,
    },
    /// A new certificate for the gateway; it takes it without a restart.
    Server {
        /// The fleet's folder.
        dir: PathBuf,
        /// How long it holds.
        #[arg(long, default_value_t = AUTHORITY_DAYS, value_parser = days(), allow_negative_numbers = true)]
        days: u32,
        /// As with `init`; without one, the names of the certificate that is there.
        #[arg(long, num_args = 1..)]
        server_name: Vec<String>,
    },
    /// What zenoh routers are given, in router/: a certificate and who may do what, which enrolling and revoking keep up to date.
    Router {
        /// The fleet's folder.
        dir: PathBuf,
        /// How long its certificate holds.
        #[arg(long, default_value_t = AUTHORITY_DAYS, value_parser = days(), allow_negative_numbers = true)]
        days: u32,
        /// Names and addresses that vehicles, gateways and other routers reach it at, beside localhost; without one, those of the certificate
        /// that is there.
        #[arg(long, num_args = 1..)]
        server_name: Vec<String>,
    },
    /// Runs a stock zenohd on a router's folder, until Ctrl-C or SIGTERM; it starts anew when who may come in changes.
    Route {
        /// The router's folder: router/ of the fleet's.
        folder: PathBuf,
        /// The program.
        #[arg(long, default_value = "zenohd")]
        zenohd: PathBuf,
        /// Where it listens.
        #[arg(long, num_args = 1.., default_values = ["tls/0.0.0.0:7447", "quic/0.0.0.0:7447"])]
        listen: Vec<String>,
        /// Another router of the fleet: tls/HOST:PORT.
        #[arg(long, num_args = 1..)]
        connect: Vec<String>,
        /// Vehicles that are new wait so long for others that are, s. Who is revoked is out at once.
        #[arg(long, default_value_t = 10)]
        settle_s: u32,
    },
    /// A vehicle's certificate and key; again, before it ends, to renew it.
    Enrol {
        /// The fleet's folder.
        dir: PathBuf,
        /// 1 to 64 of A-Z a-z 0-9 . _ -
        vehicle: String,
        /// How long it holds.
        #[arg(long, default_value_t = VEHICLE_DAYS, value_parser = days(), allow_negative_numbers = true)]
        days: u32,
        /// The folder for ca.pem, certificate.pem and key.pem, instead of vehicles/ID in the fleet's.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Takes back all that a vehicle has, and signs the list of it.
    Revoke {
        /// The fleet's folder.
        dir: PathBuf,
        /// Its id.
        vehicle: String,
    },
    /// Who has what until when.
    List {
        /// The fleet's folder.
        dir: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// How long a certificate may hold.
fn days() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(AUTHORITY_DAYS))
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads what is printed has enough, as `head` does.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let of = |one: &(dyn std::error::Error + 'static)| {
        one.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
    };
    error.chain().filter_map(of).any(|kind| kind == std::io::ErrorKind::BrokenPipe)
}

fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Fleet(command) => fleet(command),
        Command::Completions { shell } => {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "troika-gateway", &mut out);
            std::io::stdout().write_all(&out)?;
            Ok(())
        }
        Command::Serve { config, check } => {
            let file = config;
            let config = Config::read(&file)?;
            if config.mesh.as_ref().is_some_and(|mesh| mesh.routers.iter().any(|one| one.starts_with("tls/")))
            {
                on_one_thread()?;
            }
            // Read once more for its lines: where it has gone meanwhile there is nothing to point at.
            for unusual in config.unusual(&std::fs::read_to_string(&file).unwrap_or_default(), &file) {
                eprintln!("notice: {unusual}");
            }
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(server(config, check))
        }
    }
}

fn fleet(command: FleetCommand) -> anyhow::Result<()> {
    let now = clock::seconds(clock::wall());
    let mut to = std::io::stdout();
    match command {
        FleetCommand::Init { dir, name, days, server_name } => {
            Fleet::init(&dir, &name, days, &server_name, now)?;
            writeln!(
                to,
                "{0} has a fleet; a gateway is given {0}/gateway, and ca.key stays here",
                dir.display()
            )?;
        }
        FleetCommand::Server { dir, days, server_name } => {
            Fleet::open(&dir)?.server(&server_name, days, now)?;
            writeln!(to, "{0}/gateway/server.pem and mesh.pem are new", dir.display())?;
        }
        FleetCommand::Router { dir, days, server_name } => {
            let folder = Fleet::open(&dir)?.router(&server_name, days, now)?;
            writeln!(
                to,
                "{} is what a zenoh router is given; run it with: troika-gateway fleet route",
                folder.display()
            )?;
        }
        FleetCommand::Route { folder, zenohd, listen, connect, settle_s } => {
            if folder.join("fleet.json").exists() {
                let wants = folder.join("router");
                anyhow::bail!(
                    "{0} is the fleet's folder; a router runs on {1} (made by: troika-gateway fleet router {0})",
                    folder.display(),
                    wants.display()
                );
            }
            let settle = Duration::from_secs(settle_s.into());
            let route = Route { folder, program: zenohd, listen, connect, settle };
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(router(route))?;
        }
        FleetCommand::Enrol { dir, vehicle, days, out } => {
            let mut fleet = Fleet::open(&dir)?;
            let folder = fleet.enrol(&vehicle, days, out.as_deref(), now)?;
            writeln!(to, "{} has ca.pem, certificate.pem and key.pem for {days} days", folder.display())?;
            if let Some(until) = fleet.held_out_until(&vehicle, now) {
                writeln!(
                    to,
                    "an earlier certificate of {vehicle} is revoked and has not ended: zenoh's routers, which go by the name, let it in after \
                     {} (run `fleet router` then); over HTTPS it holds now",
                    clock::text(until)
                )?;
            }
        }
        FleetCommand::Revoke { dir, vehicle } => {
            let mut fleet = Fleet::open(&dir)?;
            let count = fleet.revoke(&vehicle, now)?;
            let told = match (count, fleet.last_revoked(&vehicle), fleet.last_expires(&vehicle)) {
                (0, Some(since), _) => {
                    format!("nothing of {vehicle} holds: it is revoked since {}", clock::text(since))
                }
                (0, None, ended) => {
                    format!(
                        "nothing of {vehicle} holds: the last ended at {}",
                        clock::text(ended.unwrap_or(now))
                    )
                }
                (1, ..) => format!("1 certificate of {vehicle} is revoked"),
                _ => format!("{count} certificates of {vehicle} are revoked"),
            };
            writeln!(to, "{told}; gateways elsewhere are to be given {}/gateway/crl.pem", dir.display())?;
        }
        FleetCommand::List { dir, json } => {
            let fleet = Fleet::open(&dir)?;
            if fleet.list().is_empty() {
                eprintln!("notice: nobody is enrolled; troika-gateway fleet enrol {} VEHICLE", dir.display());
            }
            for one in fleet.list() {
                let (state, expires) = (one.state(now), clock::text(one.expires));
                let state = serde_json::to_value(state)?;
                let line = if json {
                    json!({"vehicle": one.vehicle, "serial": one.serial, "issued": clock::text(one.issued),
                           "expires": expires, "revoked": one.revoked.map(clock::text), "state": state})
                    .to_string()
                } else {
                    format!(
                        "{:<32} {:<8} until {expires}  {}",
                        one.vehicle,
                        state.as_str().unwrap_or(""),
                        one.serial
                    )
                };
                writeln!(to, "{line}")?;
            }
        }
    }
    Ok(())
}

fn signals() -> std::io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

async fn router(route: Route) -> anyhow::Result<()> {
    let (mut terminated, mut interrupted) = signals()?;
    let (end, ending) = watch::channel(false);
    let mut running = std::pin::pin!(route.run(ending));
    tokio::select! {
        ended = &mut running => return Ok(ended?),
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    end.send_replace(true);
    Ok(running.await?)
}

async fn server(config: Config, check: bool) -> anyhow::Result<()> {
    if check {
        Gateway::check(&config)?;
        println!(
            "fine: upstreams {:?}, models {:?}",
            config.upstreams.iter().map(|one| &one.name).collect::<Vec<_>>(),
            config.models().keys().collect::<Vec<_>>()
        );
        return Ok(());
    }
    let (mut terminated, mut interrupted) = signals()?;
    let mesh = config.mesh.clone();
    let bind = async |address| {
        TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))
    };
    let (vehicles, admin) = (bind(config.listen).await?, bind(config.admin.listen).await?);
    let gateway = Gateway::start(config).await?;
    println!("vehicles: https://{}  page: http://{}", vehicles.local_addr()?, admin.local_addr()?);
    let serving = tokio::spawn(serve::serve(gateway.clone(), vehicles));
    let paging = tokio::spawn(page::serve(gateway.clone(), admin));
    let meshed = mesh.map(|mesh| tokio::spawn(mesh::serve(gateway.clone(), mesh)));
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    eprintln!("notice: going; what runs may end within {} ms", gateway.config.times.drain_ms);
    gateway.end();
    let _ = serving.await;
    let _ = paging.await;
    if let Some(meshed) = meshed {
        let _ = meshed.await;
    }
    gateway.share().await;
    gateway.tracer.flush(LAST).await;
    Ok(())
}
