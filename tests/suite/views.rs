//! What an operator sees of the tables: the same sessions and mappings that packets find, with the time they have left.

use std::net::SocketAddrV4;
use std::time::Duration;

use napt::{Begun, Dependence, Endpoint, MappingPhase, MappingView, Protocol, Remote, SessionView, TcpState};
use sekisho_tests::{ALICE, BOB, CAROL, Lab, tcp, udp};

fn sessions(lab: &Lab) -> Vec<SessionView> {
    lab.engine.sessions(lab.now()).collect()
}

fn endpoint(at: SocketAddrV4) -> Endpoint {
    Endpoint::new(*at.ip(), at.port())
}

fn mappings(lab: &Lab) -> Vec<MappingView> {
    lab.engine.mappings(lab.now()).collect()
}

#[test]
fn rfc4787_req5_a_session_is_shown_with_its_ends_and_the_time_it_has_left() {
    let mut lab = Lab::new();
    let external = lab.send(udp(ALICE.port(5000), BOB.port(53))).source();
    lab.wait_secs(100);

    let shown = sessions(&lab);

    let expected = SessionView {
        protocol: Protocol::Udp,
        internal: endpoint(ALICE.port(5000)),
        external: external.port(),
        remote: Remote::Address(BOB.0),
        begun: Begun::Inside,
        state: None,
        left: Duration::from_secs(200),
    };
    assert_eq!(shown, [expected]);
}

#[test]
fn c01_a_connection_is_shown_with_its_state_and_its_whole_remote_end() {
    let mut lab = Lab::new();
    let external = lab.send(tcp("S", ALICE.port(5000), BOB.port(80))).source();
    let state = |lab: &Lab| sessions(lab).first().and_then(|session| session.state);
    assert_eq!(state(&lab), Some(TcpState::SynOut));

    lab.deliver(tcp("S.", BOB.port(80), external));

    assert_eq!(state(&lab), Some(TcpState::Established));
    assert_eq!(sessions(&lab)[0].remote, Remote::Endpoint(endpoint(BOB.port(80))));
    assert_eq!(sessions(&lab)[0].left, Duration::from_secs(7440));
}

#[test]
fn m11_as_much_of_the_remote_end_is_shown_as_the_behaviours_look_at() {
    for (dependence, remote) in [
        (Dependence::Endpoint, Remote::Any),
        (Dependence::Address, Remote::Address(BOB.0)),
        (Dependence::AddressAndPort, Remote::Endpoint(endpoint(BOB.port(53)))),
    ] {
        let mut lab = Lab::with(|settings| settings.filtering = dependence.into());
        lab.send(udp(ALICE.port(5000), BOB.port(53)));
        assert_eq!(sessions(&lab)[0].remote, remote);
    }
}

#[test]
fn t15_what_has_expired_is_not_shown_even_before_the_clock_has_met_it() {
    let mut lab = Lab::new();
    lab.send(udp(ALICE.port(5000), BOB.port(53)));

    let end = lab.now() + Duration::from_secs(300);

    assert_eq!(lab.engine.sessions(end).count(), 0);
    assert_eq!(lab.engine.occupancy().sessions, 1);
}

#[test]
fn rfc6888_req8_a_mapping_is_shown_while_it_is_used_and_while_it_cools() {
    let mut lab = Lab::new();
    let external = lab.send(udp(ALICE.port(5000), BOB.port(53))).source().port();
    lab.send(udp(ALICE.port(5000), CAROL.port(53)));
    let live = MappingView {
        protocol: Protocol::Udp,
        internal: endpoint(ALICE.port(5000)),
        external,
        phase: MappingPhase::Live(2),
    };
    assert_eq!(mappings(&lab), [live]);

    lab.wait_secs(302);

    let [MappingView { phase: MappingPhase::Cooling(left), .. }] = mappings(&lab)[..] else { panic!() };
    assert!((115..=120).contains(&left.as_secs()), "{left:?}");
    lab.wait_secs(120);
    assert_eq!(mappings(&lab), []);
}
