//! Answers of `sekisho-sim explain`: each golden is what one question to the reference network's box, or one with a little
//! changed, is answered; and what its hints say works.
//!
//! With `UPDATE_GOLDEN=1` the goldens are rewritten instead of compared, and the test fails: see `provision`.

use std::fs;
use std::path::Path;

use config::Config;
use host_sim::explain::{Answer, explain, report};
use host_sim::report::{Palette, WIDTH};
use host_sim::specimen::Outcome;
use napt::DropReason;
use router::Refusal;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/explain");
const REFERENCE: &str = include_str!("../../image/provision/examples/reference.toml");
const MTU: [u16; 2] = [1500, 1500];

/// What is asked, by the golden's name.
const QUESTIONS: [(&str, &str); 12] = [
    (
        "error-about-a-session",
        "udp 192.0.2.1:5000 > 198.51.100.7:53; unreachable 198.51.100.7 > 203.0.113.254 code 3 about udp @1 > 198.51.100.7:53",
    ),
    ("tunnel", "proto 47 192.0.2.1 > 198.51.100.7; answer"),
    ("dropped-no-mapping", "tcp 198.51.100.7:40000 > 203.0.113.254:8080"),
    ("dropped-filtered", "udp 192.0.2.1:5000 > 198.51.100.7:53; answer; udp 198.51.100.9:53 > @1"),
    ("dropped-other-protocol-of-a-forward", "udp 198.51.100.7:40000 > 203.0.113.254:54321"),
    (
        "dropped-spoofed",
        "udp 10.0.0.1:5000 > 198.51.100.7:53 from lan; udp 192.0.2.1:5 > 203.0.113.254:53 from wan",
    ),
    (
        "dropped-out-of-window",
        "tcp 192.0.2.1:5000 > 198.51.100.7:443; answer; answer; tcp 198.51.100.7:443 > @1 flags R seq 99999999",
    ),
    ("connection-outbound", "tcp 192.0.2.1:5000 > 198.51.100.7:443; answer; answer; answer flags F."),
    ("connection-forwarded", "tcp 198.51.100.7:40000 > 203.0.113.254:54321; answer; answer"),
    ("hairpin", "tcp 192.0.2.7:5000 > 203.0.113.254:54321; answer"),
    (
        "too-large",
        "udp 192.0.2.1:5000 > 198.51.100.7:53 len 1600 df; udp 192.0.2.1:5000 > 198.51.100.7:53 len 1600",
    ),
    (
        "fragments-reversed",
        "udp 192.0.2.1:5000 > 198.51.100.7:53 len 3000 id 7 fragment 2/3; udp 192.0.2.1:5000 > 198.51.100.7:53 len 3000 id 7 fragment 1/3",
    ),
];

fn config(text: &str) -> Config {
    provision::compile(text, "router.toml").unwrap_or_else(|report| panic!("{report}"))
}

#[track_caller]
fn ask(text: &str, question: &str) -> Vec<Answer> {
    explain(&config(text), MTU, 1, question).unwrap()
}

#[test]
fn the_filter_rule_that_decides_is_named() {
    let rules = "[[rule]]\nname = \"no mail\"\ndirection = \"lan-to-wan\"\nprotocol = \"tcp\"\nport = 25\naction = \"reject\"\n";
    let answers = ask(&format!("{REFERENCE}{rules}"), "tcp 192.0.2.1:5000 > 198.51.100.7:25");
    let told = report(&answers, &Palette::PLAIN);
    assert!(told.contains("rule       \"no mail\" rejects it, with port-unreachable"), "{told}");
    assert!(told.contains("REJECTED (rule)"), "{told}");
}

#[test]
fn every_question_is_answered_as_recorded() {
    let mut differences = Vec::new();
    for (name, question) in QUESTIONS {
        let file = Path::new(GOLDEN).join(format!("{name}.txt"));
        let answered = format!("$ {question}\n{}", report(&ask(REFERENCE, question), &Palette::PLAIN));
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if answered != expected && std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, &answered).unwrap();
        }
        if answered != expected {
            differences.push(format!("{}\n--- expected\n{expected}\n--- actual\n{answered}", file.display()));
        }
        let widest = answered.lines().skip(1).map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= WIDTH), "{name}: {widest:?} columns");
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_a_hint_says_to_write_lets_the_packet_pass() {
    let ends = "[wan]\naddress = \"203.0.113.254/24\"\ninterface = \"gw1\"\n";
    let lan = "[lan]\naddress = \"192.0.2.254/24\"\ninterface = \"gw0\"\n";
    for (configuration, question, why) in [
        (
            format!("{ends}{lan}"),
            "tcp 203.0.113.7:4 > 203.0.113.254:8080",
            Outcome::Dropped(DropReason::NoMapping),
        ),
        (
            format!("{ends}{lan}[nat]\n"),
            "udp 192.0.2.1:5000 > 203.0.113.7:53; udp 203.0.113.9:53 > @1",
            Outcome::Dropped(DropReason::Filtered),
        ),
        (
            format!("{ends}{lan}[nat]\nother-protocols = false\n"),
            "proto 47 192.0.2.1 > 203.0.113.7",
            Outcome::Dropped(DropReason::Protocol),
        ),
        (format!("{lan}{ends}"), "udp 192.0.2.1:5000 > 198.51.100.7:53", Outcome::Refused(Refusal::NoRoute)),
        (
            format!(
                "{ends}{lan}[[forward]]\nname = \"a\"\nexternal = \"53\"\ninternal = \"192.0.2.1:53\"\nprotocol = \"tcp\"\n"
            ),
            "udp 203.0.113.7:5000 > 203.0.113.254:53",
            Outcome::Dropped(DropReason::NoMapping),
        ),
    ] {
        let answers = ask(&configuration, question);
        let last = answers.last().unwrap();
        assert_eq!(last.outcome, Some(why), "{question}");
        let hint = last.steps.iter().find(|step| step.what == "hint").unwrap();

        let written: String = hint.says.lines().skip(1).map(|line| format!("{line}\n")).collect();
        let key = written.split(" = ").next().unwrap();
        let others = configuration.lines().filter(|line| !line.starts_with(key) || key.starts_with('['));
        let changed: String = others.map(|line| format!("{line}\n")).chain([written.clone()]).collect();

        let answers = ask(&changed, question);
        assert_eq!(answers.last().unwrap().outcome, Some(Outcome::Forwarded), "{changed}");
    }
}

#[test]
fn time_passes_where_the_question_says_so() {
    for (question, passes) in [
        ("udp 192.0.2.1:5000 > 198.51.100.7:53; after 299s answer", true),
        ("udp 192.0.2.1:5000 > 198.51.100.7:53; after 301s answer", false),
    ] {
        let answers = ask(REFERENCE, question);
        assert_eq!(answers[1].outcome == Some(Outcome::Forwarded), passes, "{question}");
    }
}

#[test]
fn an_answer_to_what_nobody_has_received_is_no_packet() {
    let answers = ask(REFERENCE, "udp 198.51.100.7:1 > 203.0.113.254:2; answer; udp 198.51.100.7:1 > @1");

    assert_eq!([answers[1].outcome, answers[2].outcome], [None, None]);
    assert!(answers[1].steps[0].says.contains("an answer to a packet that nobody has received"));
    assert!(answers[2].steps[0].says.contains("packet 1 has not left the box"));
}

#[test]
fn another_seed_has_another_external_port_and_the_same_seed_the_same() {
    let ports = [1, 1, 2].map(|seed| {
        let answers = explain(&config(REFERENCE), MTU, seed, "udp 192.0.2.1:5000 > 198.51.100.7:53").unwrap();
        answers[0].steps.iter().find(|step| step.what == "rewritten").unwrap().says.clone()
    });
    assert_eq!(ports[0], ports[1]);
    assert_ne!(ports[0], ports[2]);
}
