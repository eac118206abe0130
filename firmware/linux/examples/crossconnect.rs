//! A cable made of two ports: every frame received on one goes out of the other, unchanged.
//!
//! It shows what the packet rings can do without a router in between, and is what their tests run.
//! `crossconnect gw0 gw1`; SIGINT and SIGTERM end it, SIGUSR1 shows the counters.

use std::process::ExitCode;

use linux::{Error, Events, Port, Receiver, Signal, Transmitter, console};

/// Frames taken from a port before the other has its turn.
const BATCH: usize = 64;

fn main() -> ExitCode {
    console::start_log();
    let names: Vec<String> = std::env::args().skip(1).collect();
    let [first, second] = names.as_slice() else {
        console::complain("usage: crossconnect <interface> <interface>");
        return ExitCode::from(2);
    };
    match run(first, second) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::complain(format_args!("crossconnect: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(first: &str, second: &str) -> Result<(), Error> {
    let mut ports = [Port::open(first)?, Port::open(second)?];
    let events = Events::open()?;
    console::say(format_args!("ready {first} {second}"));
    let mut timeout = None;
    loop {
        let wake = events.wait([&ports[0].rx, &ports[1].rx], timeout)?;
        if wake.links {
            for port in &mut ports {
                port.check_link();
            }
        }
        if let Some(signal) = wake.signal {
            report(&mut ports);
            if signal == Signal::Stop {
                return Ok(());
            }
        }
        let [a, b] = &mut ports;
        let more = forward(&mut a.rx, &mut b.tx) | forward(&mut b.rx, &mut a.tx);
        timeout = more.then_some(0);
    }
}

/// Moves a batch; whether it was a full one.
fn forward(from: &mut Receiver, to: &mut Transmitter) -> bool {
    for _ in 0..BATCH {
        let Some(mut received) = from.receive() else {
            to.flush();
            return false;
        };
        // What cannot be sent has been counted.
        let vnet = received.vnet;
        let _ = to.transmit(&vnet, received.frame());
    }
    to.flush();
    true
}

fn report(ports: &mut [Port; 2]) {
    for port in ports {
        let stats = port.stats();
        console::complain(format_args!("{}: {stats}", port.name()));
    }
}
