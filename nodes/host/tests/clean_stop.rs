//! SIGINT and SIGTERM end a host in order, with exit code 0; a second signal ends a process that does not listen. The
//! process that is stopped is this test itself, started again.
#![allow(missing_docs, reason = "a test")]

mod common;

use std::{
    env,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use common::Counting;
use rustix::process::{Pid, Signal, kill_process};
use troika_host::{Host, HostClock, HostOptions, NodeOptions, StopToken, signal::stop_on_signals};
use troika_transport_mem::MemTransport;

fn main() {
    match env::args().nth(1).as_deref() {
        Some("as-a-host") => as_a_host(),
        Some("as-a-deaf-process") => as_a_deaf_process(),
        _ => {
            for (name, signal) in [("SIGTERM", Signal::TERM), ("SIGINT", Signal::INT)] {
                one_signal_ends_a_host_in_order(signal);
                println!("test one_signal_ends_a_host_in_order ({name}) ... ok");
            }
            a_second_signal_ends_a_process_that_does_not_listen();
            println!("test a_second_signal_ends_a_process_that_does_not_listen ... ok");
        }
    }
}

fn as_a_host() {
    let stop = stop_on_signals().expect("handlers");
    let mut host =
        Host::new(HostOptions { mlock: false, ..HostOptions::default() }, Arc::new(MemTransport::new()));
    host.spawn(Counting::<true>::default(), NodeOptions::new("counting")).expect("a node");
    host.start();
    while host.stats()[0].steps < 3 {
        stop.wait_for(std::time::Duration::from_millis(1));
    }
    println!("running");
    let report = host.run_until(&stop);
    println!("stopped, {} died", report.died.len());
}

fn as_a_deaf_process() {
    let stop = stop_on_signals().expect("handlers");
    println!("running");
    stop.wait();
    println!("asked");
    loop {
        std::thread::park();
    }
}

fn start(role: &str) -> (Child, BufReader<impl Read>) {
    let this = env::current_exe().expect("this test is a file");
    let mut child = Command::new(this).arg(role).stdout(Stdio::piped()).spawn().expect("it starts");
    let out = BufReader::new(child.stdout.take().expect("piped"));
    (child, out)
}

fn line(out: &mut impl BufRead) -> String {
    let mut line = String::new();
    out.read_line(&mut line).expect("text");
    line.trim().to_owned()
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it is alive");
}

fn one_signal_ends_a_host_in_order(signal: Signal) {
    let (mut child, mut out) = start("as-a-host");
    assert_eq!(line(&mut out), "running");
    send(&child, signal);
    assert_eq!(line(&mut out), "stopped, 0 died");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

fn a_second_signal_ends_a_process_that_does_not_listen() {
    let (mut child, mut out) = start("as-a-deaf-process");
    assert_eq!(line(&mut out), "running");
    let clock = HostClock::start();
    let begin = clock.now();
    // At once the other one is the same request, said twice.
    send(&child, Signal::TERM);
    send(&child, Signal::INT);
    assert_eq!(line(&mut out), "asked");
    // From a second on after it took the first, whenever that is, it ends by the next.
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be asked") {
            break status;
        }
        send(&child, Signal::TERM);
        StopToken::new().wait_for(std::time::Duration::from_millis(20));
    };
    let lasted = clock.now().since(begin);
    assert_eq!(status.code(), Some(128 + 15), "after {lasted:?}");
    assert!(lasted >= std::time::Duration::from_secs(1), "{lasted:?}: what is said twice is said once");
}
