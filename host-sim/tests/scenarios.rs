#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! The scenarios that come with the simulator, played; hole punching in all its variants; and what is said of scenarios
//! that are wrong.

use std::fs;
use std::path::Path;

use host_sim::scenario::{Outcome, SHIPPED, Scenario, play, read, shipped};

#[test]
fn every_scenario_comes_out_as_it_says_with_any_seed() {
    for (name, _) in SHIPPED {
        for seed in [1, 2, 0x58de_6dab_29f3_b0d0] {
            let outcome = play(&shipped(name).unwrap().unwrap(), seed);

            assert!(outcome.passed(), "{name} with seed {seed}\n{}", broken(&outcome));
            assert!(!outcome.checks.is_empty(), "{name} checks nothing");
        }
    }
}

#[test]
fn every_file_among_the_scenarios_is_shipped() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap().replace(".toml", ""))
        .collect();
    let mut names: Vec<_> = SHIPPED.iter().map(|(name, _)| (*name).to_owned()).collect();
    files.sort();
    names.sort();
    assert_eq!(files, names);
}

#[test]
fn m20_holes_are_punched_wherever_two_behaviours_allow_it() {
    const ALL: [&str; 3] = ["endpoint-independent", "address-dependent", "address-and-port-dependent"];
    let pairs = || ALL.into_iter().flat_map(|mapping| ALL.map(|filtering| (mapping, filtering)));
    for (hers, his) in pairs().flat_map(|hers| pairs().map(move |his| (hers, his))) {
        let outcome = play(&grid(hers, his), 1);

        let heard = |name: &str| outcome.checks.iter().find(|check| check.what.contains(name)).unwrap().held;
        assert_eq!(heard("bob hears"), lets_in(his, hers), "hers {hers:?}, his {his:?}");
        // Ours tells answers apart: a second port of hers leads nowhere for whom she has spoken to through another.
        let ambiguous = hers.0 == ALL[1] || (hers.0 == ALL[2] && his.0 == ALL[0]);
        assert_eq!(heard("alice hears"), !ambiguous && lets_in(hers, his), "hers {hers:?}, his {his:?}");
    }
}

/// The scenario of hole punching, with other behaviours.
fn grid(hers: (&str, &str), his: (&str, &str)) -> Scenario {
    let (_, text) = SHIPPED.iter().find(|(name, _)| *name == "hole-punching").unwrap();
    let text = text.replace(
        "filtering = \"address-and-port-dependent\"",
        &format!("mapping = \"{}\"\nfiltering = \"{}\"", his.0, his.1),
    );
    let ours = "wan.address = \"203.0.113.10/24\"";
    let text =
        text.replace(ours, &format!("{ours}\nnat.mapping = \"{}\"\nnat.filtering = \"{}\"", hers.0, hers.1));
    read(&text, "grid", "grid.toml", &|_: &str| Err(String::new())).unwrap()
}

/// Whether a NAT lets a datagram in that is sent to the endpoint the introducer has seen, after its own host has sent
/// one to the endpoint of the sender's that the introducer has seen (RFC 4787 s.4.1, s.5; RFC 5128 s.3.3).
fn lets_in((mapping, filtering): (&str, &str), (others_mapping, _): (&str, &str)) -> bool {
    let independent = "endpoint-independent";
    match filtering {
        _ if filtering == independent => true,
        // What it sent went through another mapping, which is not known to anybody.
        _ if mapping != independent => false,
        "address-dependent" => true,
        _ => others_mapping == independent,
    }
}

#[test]
fn what_is_wrong_with_a_scenario_is_told_with_its_line_and_the_way_out() {
    let cases = [
        ("[[hots]]\n", "test.toml:1: unknown section \"hots\"; did you mean \"host\"?"),
        (
            "[[host]]\nname = \"a\"\n",
            "test.toml:1: host \"a\": address is missing; add address = \"192.0.2.1/24\"",
        ),
        (
            "[[switch]]\nname = \"a b\"\n",
            "test.toml:2: switch \"a b\": name = \"a b\" is not a name; use letters",
        ),
        (
            "[[switch]]\nname = \"a\"\n[[switch]]\nname = \"a\"\n",
            "test.toml:4: switch \"a\": name = \"a\" is a name in line 2 already",
        ),
        (
            "[[switch]]\nname = \"one\"\n[[link]]\nends = [\"one\", \"ome\"]\n",
            "test.toml:4: link 1: ends = [\"one\", \"ome\"] is not the name of a host or switch or router or nat or station; did you mean \"one\"?",
        ),
        (
            "[[step]]\nat = \"1s\"\n",
            "test.toml:1: step 1: nothing is done; say what, with one of ping, connect",
        ),
        (
            "[[step]]\nfaults = true\nup = true\n",
            "test.toml:1: step 1: both up and faults; make two steps of it",
        ),
        (
            "[[step]]\nfaults = true\ndata = \"x\"\n",
            "test.toml:1: step 1: data means nothing beside faults; leave it out",
        ),
        (
            "[[step]]\nfaults = true\nat = 1\n",
            "test.toml:3: step 1: at = 1 is an integer; write the unit too: \"1s\"",
        ),
        (
            "[[host]]\nname = \"a\"\naddress = \"1.1.1.1/8\"\n[[step]]\nhost = \"a\"\nping = \"b\"\n",
            "test.toml:6: step 1: ping = \"b\" is not an IPv4 address",
        ),
        (
            "[[router]]\nname = \"a\"\nlan.address = \"192.0.2.254/24\"\nwan.addres = \"203.0.113.1/24\"\n",
            "test.toml:4: wan: unknown key \"addres\"; did you mean \"address\"?",
        ),
        (
            "[[router]]\nname = \"a\"\nconfig = \"x.toml\"\n",
            "test.toml:3: router \"a\": config = \"x.toml\" cannot be read: there is no such file",
        ),
        (
            "[[station]]\nname = \"a\"\naddress = \"1.1.1.1/8\"\n[[step]]\nstation = \"a\"\npacket = \"upd\"\n",
            "test.toml:6: step 1: packet = \"upd\" begins with \"upd\"; begin with one of udp, tcp",
        ),
        ("[[expect]]\nsessions = 1\n", "test.toml:1: expect 1: of whom? add router"),
        ("[[link]\n", "test.toml:1: not TOML:"),
    ];
    for (text, expected) in cases {
        let find = |_: &str| Err("there is no such file".to_owned());
        let report = read(text, "test", "test.toml", &find).unwrap_err().to_string();
        assert!(
            report.lines().any(|line| line.starts_with(expected)),
            "{text}\nis told\n{report}\nnot\n{expected}"
        );
    }
}

#[test]
fn what_does_not_come_out_is_told() {
    let text = SHIPPED[1]
        .1
        .replace("sessions = 3", "sessions = 4")
        .replace("Your papers, please.\\n\"\n\n[[step]]\nat", "Welcome.\"\n\n[[step]]\nat");
    let example = include_str!("../../image/provision/examples/reference.toml");
    let scenario = read(&text, "test", "test.toml", &|_: &str| Ok(example.to_owned())).unwrap();

    let outcome = play(&scenario, 1);

    assert!(!outcome.passed());
    let told = broken(&outcome);
    assert!(told.contains("sessions of box: 3, of 4"), "{told}");
    assert!(told.contains("Welcome.\" arrives on page within 5s"), "{told}");
    assert_eq!(outcome.checks.iter().filter(|check| !check.held).count(), 2);
}

fn broken(outcome: &Outcome) -> String {
    let broken = outcome.checks.iter().filter(|check| !check.held);
    let lines: Vec<_> =
        broken.map(|check| format!("line {} at {}: {}", check.line, check.at, check.what)).collect();
    format!("{}\n{:?}\n{:?}", lines.join("\n"), outcome.violations, outcome.summaries)
}
