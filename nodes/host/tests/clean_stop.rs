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
use troika_host::{Host, HostOptions, NodeOptions, StopToken, signal::stop_on_signals};
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
    send(&child, Signal::TERM);
    assert_eq!(line(&mut out), "asked");
    // At once it is the first one, said twice.
    send(&child, Signal::INT);
    StopToken::new().wait_for(std::time::Duration::from_millis(1_500));
    assert_eq!(child.try_wait().expect("it can be asked"), None);
    send(&child, Signal::TERM);
    assert_eq!(child.wait().expect("it ends").code(), Some(128 + 15));
}
