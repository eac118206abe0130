//! What `provision top` draws, and how it comes to its rates.
//!
//! With `UPDATE_GOLDEN=1` the goldens are rewritten instead of compared, and the test fails: see `provision`.

use std::net::Ipv4Addr;
use std::path::Path;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Cell;

use ::provision::operate::top::{Model, Sample, draw};
use ::provision::operate::view::{Control, CounterLine, HostLine, Side, Status, UseLine};

use crate::provision::compare;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/top");

/// A box that has counted so much at a time, in milliseconds, of its clock.
fn sample(now: u64, [lan, wan]: [u64; 2], dropped: u64) -> Sample {
    let side = |side, interface: &str, address: &str, received_bytes| Side {
        side,
        interface: interface.to_owned(),
        address: address.to_owned(),
        mtu: 1500,
        received: received_bytes / 1_000,
        received_bytes,
        forwarded: received_bytes / 1_000,
    };
    let counter = |side, what, reason, count| CounterLine { side, what, reason, count };
    let host = |last, sessions, most| HostLine { address: Ipv4Addr::new(192, 0, 2, last), sessions, most };
    let used = |name: &str, packets| UseLine {
        number: 1,
        name: name.to_owned(),
        rule: String::new(),
        packets,
        bytes: 0,
        last_seconds: None,
    };
    Sample {
        status: Status {
            version: "0.1.0".to_owned(),
            schema: 4,
            now,
            began: 2_000,
            up_seconds: (now - 2_000) as f64 / 1_000.0,
            sides: vec![
                side("lan", "gw0", "192.0.2.254/24", lan),
                side("wan", "gw1", "203.0.113.254/24", wan),
            ],
            sessions: 1_234,
            most_sessions: 2_000,
            mappings: 1_300,
            capacity: 65_536,
            confirm_within_seconds: None,
            is_kept: true,
            control: Control { answered: now / 100, greeted: 2, strays: 0, unopened: 1, throttled: 0 },
        },
        counters: vec![
            counter("lan", "received", None, 99),
            counter("lan", "dropped", Some("ttl expired"), 0),
            counter("lan", "rejected", Some("rule"), 1_000),
            counter("wan", "dropped", Some("no mapping"), dropped),
            counter("wan", "dropped", Some("embedded out of window"), 7),
        ],
        hosts: vec![host(7, 12, 1_900), host(1, 1_200, 1_800), host(20, 22, 22)],
        uses: vec![used("no mail", 3), used("never", 0), used("web", 20_000_000 + dropped)],
        kinds: vec![("tcp established".to_owned(), 800), ("udp".to_owned(), 430), ("icmp".to_owned(), 4)],
    }
}

/// A box that was looked at for so many seconds, with more and more sessions and with traffic that comes and goes.
fn watched(seconds: u64) -> Model {
    let mut bytes = [0, 0];
    let mut model = None;
    for second in 0..seconds {
        // Lags behind at times: what counts is the box's clock.
        let now = 10_000 + second * 1_000 + second % 3 * 7;
        let mut seen = sample(now, bytes, 20 * second);
        seen.status.sessions = 1_000 + (second * second) as u32;
        seen.status.most_sessions = seen.status.sessions;
        match &mut model {
            None => model = Some(Model::new("/run/sekisho.sock".to_owned(), seen)),
            Some(model) => model.see(seen),
        }
        bytes = [bytes[0] + 1_000_000 + second % 20 * 100_000, bytes[1] + (second + 15) % 30 * 4_000_000];
    }
    model.unwrap()
}

fn picture(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(model, frame)).unwrap();
    let cells = &terminal.backend().buffer().content;
    let line = |row: &[Cell]| row.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned() + "\n";
    cells.chunks(width.into()).map(line).collect()
}

#[track_caller]
fn assert_golden(name: &str, picture: &str) {
    let difference = compare(&Path::new(GOLDEN).join(name), Some(picture));
    assert!(difference.is_none(), "{}", difference.unwrap());
}

#[test]
fn a_terminal_of_any_size_is_filled() {
    let model = watched(90);

    assert_golden("80x24.txt", &picture(&model, 80, 24));
    assert_golden("120x40.txt", &picture(&model, 120, 40));
    // There is not room for everything, and nothing comes of that.
    for (width, height) in [(1, 1), (20, 5), (300, 3), (500, 100)] {
        picture(&model, width, height);
    }
}

#[test]
fn a_configuration_that_waits_to_be_confirmed_and_a_lost_box_are_seen() {
    let mut model = watched(30);
    let mut pending = sample(50_000, [9, 9], 0);
    pending.status.confirm_within_seconds = Some(126.3);
    model.see(pending.clone());
    assert!(picture(&model, 80, 24).contains("configuration NOT CONFIRMED: taken back in 2:07"));

    model.lose("/run/sekisho.sock: the box has hung up".to_owned());
    assert_golden("lost.txt", &picture(&model, 80, 24));

    pending.status.now += 1_000;
    model.see(pending);
    assert!(!picture(&model, 80, 24).contains("lost"));
}

#[test]
fn a_rate_is_what_came_in_the_time_that_passed_by_the_boxs_clock() {
    let mut model = Model::new(String::new(), sample(10_000, [500, 0], 100));
    let first = *model.points().next().unwrap();
    assert_eq!((first.bits, first.frames), ([None; 2], [None; 2]));

    model.see(sample(12_500, [2_500_500, 1_000], 150));

    let point = model.points().next().unwrap();
    assert_eq!(point.bits, [Some(8_000_000.0), Some(3_200.0)]);
    assert_eq!(point.frames, [Some(1_000.0), Some(0.4)]);
    let drops: Vec<_> = model.drops().into_iter().map(|it| (it.name, it.count, it.rate)).collect();
    let expected = [
        ("wan no mapping".to_owned(), 150, Some(20.0)),
        ("lan rule, rejected".to_owned(), 1_000, Some(0.0)),
        ("wan embedded out of window".to_owned(), 7, Some(0.0)),
    ];
    assert_eq!(drops, expected);
    let uses: Vec<_> = model.uses().into_iter().map(|it| (it.name, it.rate)).collect();
    assert_eq!(uses, [("web".to_owned(), Some(20.0)), ("no mail".to_owned(), Some(0.0))]);
}

#[test]
fn a_box_that_started_again_has_no_rate_until_it_is_seen_twice() {
    let mut model = Model::new(String::new(), sample(500_000, [1_000_000, 1_000_000], 100));
    let none = |model: &Model| {
        let point = model.points().next().unwrap();
        assert_eq!((point.bits, point.frames), ([None; 2], [None; 2]));
        assert!(model.drops().iter().chain(&model.uses()).all(|it| it.rate.is_none()));
    };
    // Its machine, whose clock begins anew ...
    model.see(sample(4_000, [2_000, 2_000], 1));
    none(&model);
    model.see(sample(5_000, [3_000, 2_000], 2));
    assert_eq!(model.points().next().unwrap().bits, [Some(8_000.0), Some(0.0)]);
    // ... or the program alone, which by now may have counted more than the one before.
    let mut again = sample(9_000, [9_000, 9_000], 9);
    again.status.began = 6_000;
    model.see(again.clone());
    none(&model);
    // The same answer twice.
    model.see(again);
    none(&model);
}

#[test]
fn a_count_that_goes_back_has_no_rate_and_spoils_no_other() {
    let mut model = Model::new(String::new(), sample(10_000, [5_000, 5_000], 100));

    model.see(sample(11_000, [6_000, 4_000], 0));

    assert_eq!(model.points().next().unwrap().bits, [Some(8_000.0), None]);
}
