//! Other firewalls' rules, by example: every case in `golden/import` is what another system printed, and what becomes of
//! it.
//!
//! A case has the files, and in `args` what is on the command line: options, and the files in their order. It has
//! `report.txt`, and `router.toml`, or `refused.txt` where no configuration comes of it. With `UPDATE_GOLDEN=1` they are
//! written anew, as those of the readable configuration are.

use std::fs;
use std::path::{Path, PathBuf};

use config::{Action, Config, Direction, InterfaceAddress, InterfaceName, Rejection};
use proptest::prelude::*;
use provision::import::{Format, Imported, Known, Source, import};

pub(crate) const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/import");

#[test]
fn every_golden_firewall_is_imported_as_recorded() {
    let mut differences = Vec::new();
    for case in cases() {
        let Imported { toml, report, .. } = imported(&case);
        let (good, refused) = match toml {
            Ok(toml) => (Some(toml), None),
            Err(why) => (None, Some(format!("{why}\n"))),
        };
        for (file, actual) in [("report.txt", Some(report)), ("router.toml", good), ("refused.txt", refused)]
        {
            differences.extend(crate::provision::compare(&case.join(file), actual.as_deref()));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn what_the_two_systems_to_be_replaced_say_has_a_counterpart_to_the_last_line() {
    for case in ["centos6-save", "centos6-listing", "reference-nft", "reference-nft-json", "reference-snat"] {
        let imported = imported(&Path::new(CASES).join(case));
        assert_eq!(imported.without_counterpart, 0, "{case}:\n{}", imported.report);
        assert!(imported.toml.is_ok(), "{case}: {:?}", imported.toml);
    }
}

#[test]
fn what_others_write_for_a_masquerading_network_has_a_counterpart_to_the_last_line() {
    for case in ["libvirt", "docker", "openwrt-fw4", "firewalld"] {
        let imported = imported(&Path::new(CASES).join(case));
        assert_eq!(imported.without_counterpart, 0, "{case}:\n{}", imported.report);
    }
}

#[test]
fn two_notations_of_the_same_rules_become_the_same() {
    for (one, other) in [
        ("centos6-save", "centos6-listing"),
        ("reference-nft", "reference-nft-json"),
        ("filter-nft", "filter-json"),
        ("statements-nft", "statements-json"),
    ] {
        assert_eq!(config(one), config(other), "{one} and {other}");
        let [one, other] =
            [one, other].map(|case| imported(&Path::new(CASES).join(case)).without_counterpart);
        assert_eq!(one, other);
    }
}

#[test]
fn the_napt_of_old_is_what_comes_of_it() {
    let config = config("centos6-save");
    assert_eq!(config.nat().ports.to_string(), "1024-65535");
    assert_eq!(config.forwards().len(), 1);
    let forward = &config.forwards()[0];
    assert_eq!(
        (forward.external().to_string(), forward.internal_ports().to_string()),
        ("54321".to_owned(), "22".to_owned())
    );
    let ways: Vec<_> = config.rules().iter().map(|rule| (rule.direction, rule.action)).collect();
    let accepted = (Direction::LanToBox, Action::Accept);
    let rejected = (Direction::WanToLan, Action::Reject(Rejection::PortUnreachable));
    assert_eq!(ways, [rejected, accepted, accepted, accepted, accepted]);
}

#[test]
fn each_notation_is_known_by_its_first_lines() {
    for (text, format) in [
        ("# Generated\n*nat\n:PREROUTING ACCEPT [0:0]\n", Some(Format::IptablesSave)),
        ("-P INPUT ACCEPT\n", Some(Format::IptablesSave)),
        ("Chain INPUT (policy ACCEPT)\n", Some(Format::IptablesList)),
        ("\n# by hand\ntable inet filter {\n", Some(Format::Nft)),
        (" {\"nftables\": []}", Some(Format::NftJson)),
        ("# a = b\nnet.ipv4.ip_forward=1\n", Some(Format::Sysctl)),
        ("nf_conntrack_udp_timeout = 30\n", Some(Format::Sysctl)),
        ("[wan]\naddress = \"203.0.113.254/24\"\n", None),
        ("", None),
    ] {
        assert_eq!(Format::of(text), format, "{text}");
    }
}

#[test]
fn what_cannot_be_understood_as_a_whole_is_refused() {
    for text in [
        "hello\n",
        "{\"nftables\": [",
        "{}",
        "Chain FORWARD (policy ACCEPT)\ntarget prot opt source destination\nACCEPT all -- 0.0.0.0/0 0.0.0.0/0\n",
    ] {
        let refused = import(&[source("x", text)], &Known::default());
        assert!(matches!(refused, Err(provision::Failure::Input(_))), "{text}");
    }
}

#[test]
fn of_what_is_no_routed_ipv4_nothing_is_taken_and_each_line_is_told() {
    for (family, fate) in [
        ("ip6", "needless"),
        ("bridge", "no counterpart"),
        ("arp", "no counterpart"),
        ("netdev", "no counterpart"),
    ] {
        // Chains of the same names as in the table that counts.
        let text = format!(
            "table ip t {{\nchain c {{\ntcp dport 25 drop\n}}\nchain f {{\n\
             type filter hook forward priority 0; policy accept;\njump c\n}}\n}}\n\
             table {family} t {{\nchain c {{\nreject\n}}\nchain f {{\n\
             type filter hook forward priority 0; policy drop;\njump c\n}}\n}}\n"
        );
        let chains = |family: &str, policy: &str, verdict: &str| {
            format!(
                r#"{{"chain": {{"family": "{family}", "table": "t", "name": "c"}}}},
                {{"chain": {{"family": "{family}", "table": "t", "name": "f", "type": "filter", "hook": "forward",
                             "prio": 0, "policy": "{policy}"}}}},
                {{"rule": {{"family": "{family}", "table": "t", "chain": "c", "expr": [{verdict}]}}}},
                {{"rule": {{"family": "{family}", "table": "t", "chain": "f", "expr": [{{"jump": {{"target": "c"}}}}]}}}}"#
            )
        };
        let smtp = r#"{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 25}},
            {"drop": null}"#;
        let others = chains(family, "drop", r#"{"reject": null}"#);
        let json = format!(r#"{{"nftables": [{}, {others}]}}"#, chains("ip", "accept", smtp));
        for (text, lines) in [(text, [12, 15, 16]), (json, [6, 7, 8])] {
            let Imported { toml, report, .. } = import_of(&text);
            let rules = provision::compile(&toml.unwrap(), "x").unwrap().rules().to_vec();
            let taken: Vec<_> = rules.iter().map(|rule| (rule.name.as_str(), rule.action)).collect();
            assert_eq!(taken, [("c 1", Action::Drop), ("c 1 (2)", Action::Drop)]);
            for line in lines {
                assert!(report.contains(&format!("x:{line}: {fate}: ")), "{family} {line}:\n{report}");
            }
        }
    }
}

#[test]
fn of_what_ip6tables_saved_nothing_is_taken_and_each_line_is_told() {
    let four = "# Generated by iptables-save v1.8.9 (nf_tables) on Mon Nov 30 07:00:00 2026\n*filter\n:FORWARD ACCEPT [0:0]\n\
                -A FORWARD -p tcp --dport 25 -j DROP\nCOMMIT\n# Completed on Mon Nov 30 07:00:00 2026\n";
    let six = four.replace("by iptables", "by ip6tables").replace("ACCEPT", "DROP").replace("25", "26")
        + "ip6tables -A FORWARD -j REJECT\n";
    let alone = import_of(four).toml;
    for (text, lines) in [(six.clone() + four, [3, 4, 7]), (four.to_owned() + &six, [9, 10, 13])] {
        let Imported { toml, report, without_counterpart } = import_of(&text);
        assert_eq!((&toml, without_counterpart), (&alone, 0), "{report}");
        for line in lines {
            assert!(report.contains(&format!("x:{line}: needless: ")), "{line}:\n{report}");
        }
    }
}

/// Every line that `nft list ruleset` and `nft -a list ruleset` write besides the rules.
const WITH_HANDLES: &str = r#"# Warning: table ip filter is managed by iptables-nft, do not touch!
table inet filter { # progname firewalld handle 4
	flags owner,persist
	comment "by { hand"

	counter c1 { # handle 3
		comment "x # y"
		packets 0 bytes 0
	}

	ct helper h1 { # handle 7
		type "ftp" protocol tcp
		l3proto inet
	}

	set s1 { # handle 8
		type ipv4_addr
		flags interval,timeout
		elements = { 10.0.0.1 timeout 1h expires 59m59s956ms comment "a { b",
			     10.0.1.0/24 }
	}

	flowtable f { # handle 9
		hook ingress priority filter
		devices = { "eth0", "eth1" }
		flags offload
	}

	chain empty { # handle 1
	}

	chain forward { # handle 2
		comment "of { ways"
		type filter hook forward priority filter; policy accept;
		ip daddr @s1 counter name "c1" drop # handle 11
		tcp dport 25 log prefix "a # b" drop comment "c # d" # handle 12
		tcp dport { 26, 27 } drop # handle 13
		tcp dport 28 # xt_string counter packets 0 bytes 0 drop # handle 14
	}
}
table ip sleeping { # handle 5
	flags dormant

	chain forward { # handle 1
		type filter hook forward priority filter; policy drop;
		reject # handle 2
	}
}
"#;

#[test]
fn handles_comments_and_flags_among_the_rules_of_nftables_take_nothing_away() {
    assert_eq!(Format::of(WITH_HANDLES), Some(Format::Nft));
    let Imported { toml, report, without_counterpart } = import_of(WITH_HANDLES);
    let config = provision::compile(&toml.unwrap(), "x").unwrap();
    let taken = |direction| {
        let rules = config.rules().iter().filter(move |rule| rule.direction == direction);
        rules.map(|rule| rule.name.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        taken(Direction::LanToWan),
        ["forward 1", "forward 1 (2)", "c # d", "forward 3", "forward 3 (2)"]
    );
    assert_eq!(report.lines().filter(|line| line.starts_with("x:")).count(), 8, "{report}");
    assert_eq!(without_counterpart, 1, "{report}");
    assert_eq!(report.matches("x does not show what iptables made").count(), 1, "{report}");
}

#[test]
fn a_dormant_table_is_not_asked() {
    let json = r#"{"nftables": [{"table": {"family": "ip", "name": "t", "flags": FLAGS}},
        {"chain": {"family": "ip", "table": "t", "name": "f", "type": "filter", "hook": "forward", "prio": 0,
                   "policy": "drop"}},
        {"rule": {"family": "ip", "table": "t", "chain": "f", "expr": [{"reject": null}]}}]}"#;
    let jsons =
        ["\"dormant\"", "\"d\"", "[\"owner\", \"dormant\"]"].map(|flags| json.replace("FLAGS", flags));
    let text = "table t {\nflags dormant\nchain f {\ntype filter hook forward priority 0; policy drop;\nreject\n}\n}\n";
    for text in jsons.into_iter().chain([text.to_owned()]) {
        let Imported { toml, report, .. } = import_of(&text);
        assert_eq!(provision::compile(&toml.unwrap(), "x").unwrap().rules(), [], "{text}");
        assert_eq!(report.matches("is of a dormant table").count(), 2, "{report}");
    }
}

/// Docker's, which begins with `-i docker0 -j RETURN`; and two of the same port, each of its own interface.
const WITHOUT_INTERFACES: &str = "\
Chain PREROUTING (policy ACCEPT)
target     prot opt source               destination
DOCKER     all  --  0.0.0.0/0            0.0.0.0/0            ADDRTYPE match dst-type LOCAL

Chain INPUT (policy ACCEPT)
target     prot opt source               destination

Chain OUTPUT (policy ACCEPT)
target     prot opt source               destination
DOCKER     all  --  0.0.0.0/0           !127.0.0.0/8          ADDRTYPE match dst-type LOCAL

Chain POSTROUTING (policy ACCEPT)
target     prot opt source               destination
MASQUERADE  all  --  172.17.0.0/16        0.0.0.0/0

Chain DOCKER (2 references)
target     prot opt source               destination
RETURN     all  --  0.0.0.0/0            0.0.0.0/0
DNAT       tcp  --  0.0.0.0/0            0.0.0.0/0            tcp dpt:8080 to:172.17.0.2:80
DNAT       udp  --  0.0.0.0/0            0.0.0.0/0            udp dpt:5353 to:172.17.0.3:53
DNAT       all  --  0.0.0.0/0            0.0.0.0/0            to:172.17.0.4
DNAT       tcp  --  0.0.0.0/0            0.0.0.0/0            tcp dpt:9090 to:172.17.0.5:90
";

#[test]
fn a_listing_without_interfaces_says_so_once_and_nothing_in_it_is_needless_for_want_of_them() {
    let known = Known {
        lan_address: address("172.17.0.1/16"),
        wan_address: address("203.0.113.254/24"),
        ..Known::default()
    };
    let Imported { toml, report, without_counterpart } =
        import(&[source("x", WITHOUT_INTERFACES)], &known).unwrap();
    let config = provision::compile(&toml.unwrap(), "x").unwrap();
    let forwards: Vec<_> = config.forwards().iter().map(|forward| forward.external().to_string()).collect();
    assert_eq!(forwards, ["8080", "5353"]);
    assert_eq!(
        report.matches("x does not show interfaces; iptables-save does, or iptables -L -v").count(),
        1
    );
    let needless: Vec<_> = report.lines().filter(|line| line.contains(": needless: ")).collect();
    assert!(needless.iter().all(|line| line.starts_with("x:10: ")), "{report}");
    // That which returns, that which is no forward, and that behind it.
    for line in [18, 21, 22] {
        assert!(report.contains(&format!("x:{line}: no counterpart: ")), "{line}:\n{report}");
    }
    assert_eq!(without_counterpart, 3, "{report}");
}

#[test]
fn what_nft_hides_of_iptables_is_said_once() {
    // As `iptables-nft -A FORWARD -p tcp -m ttl --ttl-lt 5 -j DROP` and a DNAT are listed.
    let text = r#"{"nftables": [
        {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "type": "filter", "hook": "forward", "prio": 0,
                   "policy": "accept"}},
        {"chain": {"family": "ip", "table": "nat", "name": "PREROUTING", "type": "nat", "hook": "prerouting",
                   "prio": -100, "policy": "accept"}},
        {"rule": {"family": "ip", "table": "filter", "chain": "FORWARD", "expr": [
            {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}},
            {"xt": {"type": "match", "name": "ttl"}}, {"counter": {"packets": 0, "bytes": 0}}, {"drop": null}]}},
        {"rule": {"family": "ip", "table": "nat", "chain": "PREROUTING", "expr": [
            {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}},
            {"xt": {"type": "target", "name": "DNAT"}}]}}]}"#;
    let Imported { toml, report, without_counterpart } = import_of(text);
    assert_eq!(provision::compile(&toml.unwrap(), "x").unwrap().rules(), []);
    let said = "note: x does not show what iptables made (\"xt\"); iptables-save does\n";
    assert_eq!(report.matches(said).count(), 1, "{report}");
    assert!(
        report.contains("nothing asks for: xt match ttl") && report.contains("xt target DNAT"),
        "{report}"
    );
    assert_eq!(without_counterpart, 2, "{report}");
}

#[test]
fn the_last_line_of_a_report_says_how_much_became_of_what() {
    for case in cases() {
        let Imported { report, without_counterpart, .. } = imported(&case);
        let (lines, last) = report.trim_end().rsplit_once('\n').unwrap();
        let count = |fate: &str| {
            let is_it = |line: &&str| line.starts_with(fate) || line.contains(&format!(": {fate}"));
            lines.lines().filter(is_it).count()
        };
        let counts = ["taken: ", "ours: ", "needless: ", "no counterpart: "].map(count);
        let [taken, ours, needless, none] = counts;
        assert_eq!(none, without_counterpart);
        assert_eq!(
            last,
            format!("{taken} taken, {ours} ours, {needless} needless, {none} without a counterpart")
        );
    }
}

#[test]
fn every_setting_of_the_kernel_has_its_line() {
    let settings = [
        ("nf_conntrack_udp_timeout = 30", "needless: is the kernel's default"),
        ("net.netfilter.nf_conntrack_udp_timeout = 31", "no counterpart: the nearest is timers.udp"),
        ("net.netfilter.nf_conntrack_udp_timeout_stream = 150", "taken: timers.udp"),
        (
            "net.netfilter.nf_conntrack_tcp_timeout_time_wait = 99999999999999999999",
            "no counterpart: has a value that cannot be read as seconds",
        ),
        ("net.netfilter.nf_conntrack_acct = 1", "needless: is not about routing"),
        ("-net.ipv4.conf.default.accept_source_route = 0", "ours: source routes are dropped"),
        ("net.ipv4.conf.all.accept_source_route = 1", "no counterpart: source routes are dropped"),
        ("net/ipv4/conf/eth0.100/rp_filter = 0", "needless: is the kernel's default; sources"),
        ("net.ipv4.conf.all.rp_filter = on", "no counterpart: has a value that cannot be read"),
        ("net.ipv4.conf.all.proxy_arp = 1", "no counterpart: ARP is answered for the box itself alone"),
        ("net.ipv4.conf.all.forwarding = 0", "no counterpart: the box always forwards"),
        ("net.ipv6.conf.all.forwarding=1", "needless: is about IPv6"),
        ("net.ipv4.ip_local_port_range = 32768\t60999", "needless: the box begins nothing of its own"),
        ("net.ipv4.tcp_syncookies = 1", "needless: is about the kernel's own connections"),
        ("kernel.pid_max = 4194304", "needless: is not about routing"),
        ("kernel.pid_max", "no counterpart: is not understood"),
    ];
    let mut text = settings.map(|(line, _)| format!("{line}\n")).concat();
    let known = Known { format: Some(Format::Sysctl), ..Known::default() };
    let report = import(&[source("x", &text)], &known).unwrap().report;
    for (index, (line, told)) in settings.iter().enumerate() {
        let (fate, why) = told.split_once(": ").unwrap();
        assert!(report.contains(&format!("x:{}: {fate}: {line}: {why}", index + 1)), "{line}:\n{report}");
    }
    // What `sysctl -a` prints besides is told by its number.
    let lines = report.lines().filter(|line| line.starts_with("x:")).count();
    (0..1000).for_each(|n| text += &format!("fs.quota.n{n} = 0\n"));
    let report = import(&[source("x", &text)], &known).unwrap().report;
    assert_eq!(report.lines().filter(|line| line.starts_with("x:")).count(), lines - 3, "{report}");
    assert!(report.contains("needless: x has 1003 more settings, not about routing IPv4\n"), "{report}");
}

#[test]
fn loops_and_thickets_of_chains_come_to_an_end() {
    // A loop through three chains, each left on a condition.
    let mut text = String::from("*filter\n");
    for (chain, next) in [("FORWARD", "A"), ("A", "B"), ("B", "C"), ("C", "A")] {
        for port in 1..40 {
            text += &format!("-A {chain} -d 10.0.{port}.0/24 -p tcp --dport {port} -j RETURN\n");
        }
        text += &format!("-A {chain} -p tcp -j {next}\n");
    }
    let report = import(&[source("loop", &text)], &Known::default()).unwrap().report;
    assert!(report.contains("leads back to where it came from"), "{report}");
    // Twice two to the thirtieth ways.
    let mut text = String::from("*filter\n-A FORWARD -j C0\n-A FORWARD -j C0\n");
    for chain in 0..30 {
        text += &format!(
            "-A C{chain} -p tcp -j C{0}\n-A C{chain} -p udp -j C{0}\n-A C{chain} -j C{0}\n",
            chain + 1
        );
    }
    text += "-A C30 -j ACCEPT\n";
    import(&[source("thicket", &text)], &Known::default()).unwrap();
    // And one that is left and left again.
    let mut text = String::from("*filter\n");
    for port in 1..5000 {
        text += &format!("-A FORWARD -p tcp --dport {port} -j R\n");
    }
    text += "-A R -s 10.0.0.0/8 -j RETURN\n-A R -d 10.0.0.0/8 -j RETURN\n-A R -j DROP\n";
    import(&[source("returns", &text)], &Known::default()).unwrap();
}

/// Words of all notations, and some of none.
const WORDS: [&str; 100] = [
    "*nat",
    "*filter",
    ":FORWARD DROP [0:0]",
    "-A",
    "FORWARD",
    "INPUT",
    "PREROUTING",
    "POSTROUTING",
    "X",
    "Y",
    "-P",
    "-j",
    "-g",
    "ACCEPT",
    "DROP",
    "REJECT",
    "--reject-with",
    "tcp-reset",
    "RETURN",
    "LOG",
    "DNAT",
    "--to-destination",
    "SNAT",
    "--to-source",
    "MASQUERADE",
    "--to-ports",
    "1024-65535",
    "0-0",
    "70000",
    "!",
    "-s",
    "-d",
    "-i",
    "-o",
    "eth0",
    "eth1",
    "10.0.0.0/8",
    "0.0.0.0/0",
    "255.255.255.255-255.255.255.255",
    "0.0.0.0-255.255.255.255",
    "10.0.0.1/33",
    "-p",
    "tcp",
    "udp",
    "icmp",
    "-m",
    "limit",
    "--limit",
    "10/sec",
    "--limit-burst",
    "0",
    "multiport",
    "--dports",
    "80,443",
    "--state",
    "NEW,ESTABLISHED",
    "\"",
    "Chain",
    "Chain FORWARD (policy DROP)",
    "target prot opt in out source destination",
    "--",
    "*",
    "/*",
    "*/",
    "dpt:80",
    "to:",
    "to:10.0.0.1:80-",
    "masq",
    "ports:",
    "table ip x {",
    "chain c {",
    "}",
    "{",
    ";",
    ",",
    ":",
    "type filter hook forward priority filter - 9223372036854775807; policy drop;",
    "type nat hook prerouting priority 0;",
    "ip",
    "saddr",
    "daddr",
    "iifname",
    "vmap",
    "jump",
    "goto",
    "c",
    "dnat",
    "snat",
    "masquerade",
    "limit rate over",
    "ct",
    "state",
    "@s",
    "set s {",
    "elements = {",
    "meta",
    "tcp dport",
    "!=",
    "net.ipv4.ip_forward = 1",
    "\u{1F980}",
];

proptest! {
    #[test]
    fn no_words_make_the_import_panic(
        lines in prop::collection::vec(prop::collection::vec(prop::sample::select(&WORDS[..]), 0..12), 0..24),
        format in 0..Format::ALL.len(),
    ) {
        let text: String = lines.iter().map(|words| words.join(" ") + "\n").collect();
        let format = Format::ALL[format];
        let known = Known { format: Some(format), lan_address: address("192.0.2.254/24"), ..Known::default() };
        if let Ok(Imported { toml: Ok(toml), .. }) = import(&[source("x", &text)], &known) {
            prop_assert!(provision::compile(&toml, "x").is_ok(), "{}", toml);
        }
    }

    #[test]
    fn no_text_makes_the_import_panic(text in "\\PC*", format in 0..Format::ALL.len()) {
        let known = Known { format: Some(Format::ALL[format]), ..Known::default() };
        let _ = import(&[source("x", &text)], &known);
    }

    /// A damaged file is read as far as it goes.
    #[test]
    fn no_damage_makes_the_import_panic(at in 0..8000_usize, len in 0..40_usize, case in 0..13_usize) {
        let case = &cases()[case];
        let (known, mut sources) = arguments(case);
        for source in &mut sources {
            let end = at.saturating_add(len).min(source.text.len());
            if source.text.is_char_boundary(at.min(end)) && source.text.is_char_boundary(end) {
                source.text.replace_range(at.min(end)..end, "");
            }
        }
        let _ = import(&sources, &known);
    }
}

fn cases() -> Vec<PathBuf> {
    let mut cases: Vec<_> = fs::read_dir(CASES).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

fn imported(case: &Path) -> Imported {
    let (known, sources) = arguments(case);
    import(&sources, &known).unwrap_or_else(|failure| panic!("{}: {failure}", case.display()))
}

pub(crate) fn config(case: &str) -> Config {
    let imported = imported(&Path::new(CASES).join(case));
    provision::compile(&imported.toml.unwrap(), case).unwrap()
}

/// What a case's command line says.
fn arguments(case: &Path) -> (Known, Vec<Source>) {
    let line = fs::read_to_string(case.join("args")).unwrap();
    let (mut known, mut sources) = (Known::default(), Vec::new());
    let mut words = line.split_whitespace();
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap();
        match word {
            "--wan-interface" => known.wan_interface = InterfaceName::new(value()).ok(),
            "--lan-interface" => known.lan_interface = InterfaceName::new(value()).ok(),
            "--wan-address" => known.wan_address = address(value()),
            "--lan-address" => known.lan_address = address(value()),
            "--gateway" => known.gateway = value().parse().ok(),
            file => sources.push(source(file, &fs::read_to_string(case.join(file)).unwrap())),
        }
    }
    (known, sources)
}

/// With what no rules say.
fn import_of(text: &str) -> Imported {
    let (lan_address, wan_address) = (address("192.0.2.254/24"), address("203.0.113.254/24"));
    import(&[source("x", text)], &Known { lan_address, wan_address, ..Known::default() }).unwrap()
}

pub(crate) fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

pub(crate) fn address(text: &str) -> Option<InterfaceAddress> {
    let (address, len) = text.split_once('/')?;
    InterfaceAddress::new(address.parse().ok()?, len.parse().ok()?).ok()
}
