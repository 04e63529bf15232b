//! How late nodes run on this machine: a 5 ms timer node and a node woken by it, beside the floor, for some seconds.
//! `cargo run -p troika-host --example lateness -- [SECONDS] [other | couriers]`; `other` asks for no real-time priority,
//! `couriers` for a low one for the threads that put outputs on the transport, too.
#![allow(missing_docs, reason = "an example")]

use std::{env, sync::Arc, time::Duration};

use troika_host::{
    Host, HostOptions, NodeOptions, Policy, StopToken, floor::Floor, stats::quantiles, sync::Snapshot,
};
use troika_kit::{
    Class, Contract, ContractSpec, Done, Fault, Latest, Out, Step, Tick, Wake, ports, requirements,
};
use troika_msgs::{std_msgs::Header, troika::VehicleSignals};
use troika_transport_mem::MemTransport;

const fn contract(node: &'static str, wake: Wake) -> Contract {
    Contract::new(ContractSpec {
        node,
        wake,
        period: Duration::from_millis(5),
        deadline: Duration::from_millis(2),
        budget: Duration::from_millis(1),
        class: Class::Hard,
        requirements: &[requirements::SR_TIM_004],
    })
}

ports! {
    /// None.
    pub struct Nothing {}
}

ports! {
    /// Out of the first, into the second.
    pub struct Signals {
        /// Something to send.
        signals: Out<VehicleSignals> = "/vehicle/signals",
    }
}

ports! {
    /// Into the second.
    pub struct Heard {
        /// What the first sent.
        signals: Latest<VehicleSignals> = "/vehicle/signals",
    }
}

ports! {
    /// Out of the second.
    pub struct Echo {
        /// The same again.
        echo: Out<VehicleSignals> = "/vehicle/echo",
    }
}

struct Timer;

impl Step for Timer {
    type Inputs = Nothing;
    type Outputs = Signals;
    const CONTRACT: Contract = contract("timer", Wake::Period);
    fn step(&mut self, tick: &Tick, _: &Nothing, outputs: &mut Signals) -> Result<Done, Fault> {
        outputs.signals.send(VehicleSignals { header: Header::at(tick.now), ..VehicleSignals::default() });
        Ok(Done::Worked)
    }
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Signals) {}
}

struct Woken;

impl Step for Woken {
    type Inputs = Heard;
    type Outputs = Echo;
    const CONTRACT: Contract = contract("woken", Wake::Input("signals"));
    fn step(&mut self, _: &Tick, inputs: &Heard, outputs: &mut Echo) -> Result<Done, Fault> {
        let sample = inputs.signals.fresh().ok_or(Fault::StaleInput { port: "signals" })?;
        outputs.echo.send(sample.value.clone());
        Ok(Done::Worked)
    }
    fn fall_back(&mut self, _: &Tick, _: &Fault, _: &mut Echo) {}
}

fn show(what: &str, of: &Snapshot) {
    let [p50, p99, p999, max] = quantiles(of).map(|duration| duration.as_micros());
    println!("{what:<26} n {:>6}  p50 {p50:>6}  p99 {p99:>6}  p99.9 {p999:>6}  max {max:>6} us", of.count());
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = env::args().nth(1).map_or(Ok(5), |text| text.parse())?;
    let how = env::args().nth(2).unwrap_or_default();
    let real_time = how != "other";
    let courier = if how == "couriers" { Policy::Fifo(1) } else { Policy::Other };
    let options = HostOptions { courier, ..HostOptions::default() };
    let mut host = Host::new(options, Arc::new(MemTransport::new()));
    let policy = |priority| if real_time { Policy::Fifo(priority) } else { Policy::Other };
    host.spawn(Timer, NodeOptions::new("timer").sched(policy(80)))?;
    host.spawn(Woken, NodeOptions::new("woken").sched(policy(81)))?;
    let floor = Floor::start()?;
    host.start();
    StopToken::new().wait_for(Duration::from_secs(seconds));
    let recorded = floor.finish();
    let (floor, mut notices) = (recorded.lateness, recorded.notices);
    let report = host.stop();
    notices.extend(report.notices);
    notices.iter().for_each(|notice| println!("notice: {notice}"));
    show("floor (1 ms)", &floor);
    for stats in &report.stats {
        show(&format!("{} release to start", stats.node), &stats.lateness);
        show(&format!("{} release to left", stats.node), &stats.latency);
        show(&format!("{} release to put", stats.node), &stats.put);
        println!(
            "{:<26} steps {} late {} too late {} missed {} real-time {}",
            stats.node, stats.steps, stats.late, stats.too_late, stats.missed, stats.real_time
        );
    }
    Ok(())
}
