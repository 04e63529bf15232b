//! `troika-gateway`: the fleet's certificates, and the server.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{CommandFactory as _, Parser, Subcommand};
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use troika_gateway::{
    clock,
    config::Config,
    fleet::{AUTHORITY_DAYS, Fleet, VEHICLE_DAYS},
    gateway::Gateway,
    page, serve,
};

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
        #[arg(long, default_value_t = AUTHORITY_DAYS)]
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
        #[arg(long, default_value_t = AUTHORITY_DAYS)]
        days: u32,
        /// As with `init`.
        #[arg(long, num_args = 1..)]
        server_name: Vec<String>,
    },
    /// A vehicle's certificate and key; again, before it ends, to renew it.
    Enrol {
        /// The fleet's folder.
        dir: PathBuf,
        /// 1 to 64 of A-Z a-z 0-9 . _ -
        vehicle: String,
        /// How long it holds.
        #[arg(long, default_value_t = VEHICLE_DAYS)]
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

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
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
            let config = Config::read(&config)?;
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(server(config, check))
        }
    }
}

fn fleet(command: FleetCommand) -> anyhow::Result<()> {
    let now = clock::seconds(clock::wall());
    match command {
        FleetCommand::Init { dir, name, days, server_name } => {
            Fleet::init(&dir, &name, days, &server_name, now)?;
            println!("{0} has a fleet; a gateway is given {0}/gateway, and ca.key stays here", dir.display());
        }
        FleetCommand::Server { dir, days, server_name } => {
            Fleet::open(&dir)?.server(&server_name, days, now)?;
            println!("{}/gateway/server.pem is new", dir.display());
        }
        FleetCommand::Enrol { dir, vehicle, days, out } => {
            let folder = Fleet::open(&dir)?.enrol(&vehicle, days, out.as_deref(), now)?;
            println!("{} has ca.pem, certificate.pem and key.pem for {days} days", folder.display());
        }
        FleetCommand::Revoke { dir, vehicle } => {
            let count = Fleet::open(&dir)?.revoke(&vehicle, now)?;
            println!(
                "{count} certificates of {vehicle} revoked; gateways elsewhere are to be given gateway/crl.pem"
            );
        }
        FleetCommand::List { dir, json } => {
            let fleet = Fleet::open(&dir)?;
            let mut out = std::io::stdout().lock();
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
                writeln!(out, "{line}")?;
            }
        }
    }
    Ok(())
}

async fn server(config: Config, check: bool) -> anyhow::Result<()> {
    if check {
        Gateway::check(&config)?;
        println!(
            "fine: {} upstreams, models {:?}",
            config.upstreams.len(),
            config.models().keys().collect::<Vec<_>>()
        );
        return Ok(());
    }
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let bind = async |address| {
        TcpListener::bind(address).await.with_context(|| format!("cannot listen at {address}"))
    };
    let (vehicles, admin) = (bind(config.listen).await?, bind(config.admin.listen).await?);
    let gateway = Gateway::start(config).await?;
    println!("vehicles: https://{}  page: http://{}", vehicles.local_addr()?, admin.local_addr()?);
    let serving = tokio::spawn(serve::serve(gateway.clone(), vehicles));
    let paging = tokio::spawn(page::serve(gateway.clone(), admin));
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
    }
    eprintln!("notice: going; what runs may end within {} ms", gateway.config.times.drain_ms);
    gateway.end();
    let _ = serving.await;
    let _ = paging.await;
    gateway.share().await;
    Ok(())
}
