//! Filter rules by chance, over the alphabet's few hosts and ports.

use napt::policy::{Action, Addresses, Matched, Policy, Rate, Rejection, Rule, Way};
use napt::{PortRange, Realm};
use proptest::prelude::*;
use sekisho_tests::range;

/// Mostly none, else a few.
pub(crate) fn policy() -> impl Strategy<Value = Vec<Rule>> {
    prop_oneof![2 => Just(vec![]), 1 => proptest::collection::vec(rule(), 1..5)]
}

/// The rules in their order.
pub(crate) fn of(rules: &[Rule]) -> Policy {
    let mut policy = Policy::default();
    rules.iter().for_each(|rule| policy.push(*rule).unwrap());
    policy
}

fn rule() -> impl Strategy<Value = Rule> {
    let ways = [Way::Outbound, Way::Outbound, Way::Inbound, Way::Own(Realm::External)];
    let rate = Rate { count: 1, seconds: 60, burst: 2 };
    let rates = prop_oneof![4 => Just(None), 1 => Just(Some(rate))];
    let (addresses, ports) = (|| addresses(), || ports());
    (
        proptest::sample::select(ways.to_vec()),
        matched(),
        (addresses(), addresses()),
        (ports(), ports()),
        action(),
        rates,
    )
        .prop_map(|(way, protocol, (source, destination), (source_ports, ports), action, rate)| {
            let has_ports = [Matched::TcpOrUdp, Matched::Number(6), Matched::Number(17)].contains(&protocol);
            let ports_of = |ports| if has_ports { ports } else { PortRange::ALL };
            let (source_ports, ports) = (ports_of(source_ports), ports_of(ports));
            Rule { way, protocol, source, source_ports, destination, ports, action, rate, log: false }
        })
}

fn matched() -> impl Strategy<Value = Matched> {
    let some = [Matched::Any, Matched::Any, Matched::TcpOrUdp, Matched::Number(6), Matched::Number(17)];
    let more = [Matched::Number(1), Matched::Number(47)];
    proptest::sample::select([&some[..], &more].concat())
}

/// All; a half of the alphabet's hosts; one of two.
fn addresses() -> impl Strategy<Value = Addresses> {
    let prefix = (any::<[u8; 4]>(), proptest::sample::select(vec![8_u32, 24, 31, 32]), any::<bool>());
    let near = [[192, 0, 2, 1], [192, 0, 2, 4], [198, 51, 100, 7], [203, 0, 113, 1]];
    let known = (
        proptest::sample::select(near.to_vec()),
        proptest::sample::select(vec![24_u32, 31, 32]),
        any::<bool>(),
    );
    let of = |(address, len, is_negated): ([u8; 4], u32, bool)| {
        let mask = u32::MAX << (32 - len);
        Addresses { network: u32::from_be_bytes(address) & mask, mask, is_negated }
    };
    prop_oneof![3 => Just(Addresses::ALL), 2 => known.prop_map(of), 1 => prefix.prop_map(of)]
}

fn ports() -> impl Strategy<Value = PortRange> {
    let some = [(80, 80), (5000, 5001), (1, 1023), (1024, 65535), (443, 5060)];
    prop_oneof![
        2 => Just(PortRange::ALL),
        1 => proptest::sample::select(some.to_vec()).prop_map(|(first, last)| range(first, last)),
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let all = [
        Action::Accept,
        Action::Accept,
        Action::Drop,
        Action::Reject(Rejection::AdminProhibited),
        Action::Reject(Rejection::TcpReset),
    ];
    proptest::sample::select(all.to_vec())
}
