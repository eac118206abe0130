//! A configuration in its readable form: every setting, in a fixed order, defaults too.

use std::fmt::Write as _;

use config::{Config, Forward, Timer};

/// The configuration as TOML. It compiles to the same configuration, and equal configurations read the same.
pub fn show(config: &Config) -> String {
    let mut text = String::new();
    let (wan, lan, nat) = (config.wan(), config.lan(), config.nat());

    text.push_str("[wan]\n");
    setting(&mut text, "interface", wan.interface().as_str());
    setting(&mut text, "address", &wan.address().to_string());
    if let Some(gateway) = wan.gateway() {
        setting(&mut text, "gateway", &gateway.to_string());
    }

    text.push_str("\n[lan]\n");
    setting(&mut text, "interface", lan.interface().as_str());
    setting(&mut text, "address", &lan.address().to_string());

    text.push_str("\n[nat]\n");
    setting(&mut text, "ports", &nat.ports().to_string());
    setting(&mut text, "mapping", nat.mapping().name());
    setting(&mut text, "filtering", nat.filtering().name());

    text.push_str("\n[timers]\n");
    for timer in Timer::ALL {
        let seconds = config.timers().duration(timer).as_secs();
        setting(&mut text, timer.name(), &format!("{seconds}s"));
    }

    for forward in config.forwards() {
        show_forward(&mut text, forward);
    }
    text
}

fn show_forward(text: &mut String, forward: &Forward) {
    let first_port = forward.internal_ports().first();
    text.push_str("\n[[forward]]\n");
    setting(text, "name", forward.name().as_str());
    setting(text, "protocol", forward.protocols().name());
    setting(text, "external", &forward.external().to_string());
    setting(text, "internal", &format!("{}:{first_port}", forward.internal()));
}

fn setting(text: &mut String, key: &str, value: &str) {
    // All values are visible ASCII, so these two are all that a basic string of TOML has to escape.
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{key} = \"{value}\"");
}
