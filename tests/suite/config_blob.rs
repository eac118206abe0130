//! The configuration blob: nothing damaged is taken, nothing crashes, everything valid survives the way through.
//!
//! The firmware reads these bytes at boot with nobody there to help it, so every refusal has to be an error with a
//! name. The checksum and the wire format are written a second time here, by hand, to check the crate's.

use std::net::Ipv4Addr;
use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use config::{
    Action, Addresses, Behaviour, Behaviours, Config, Control, ControlKey, Direction, Draft, Error, Field,
    Forward, InterfaceAddress, InterfaceName, MAX_BLOB, MAX_FORWARDS, MAX_RULES, Name, Nat, Per, PortRange,
    Problem, Protocols, Rate, Rejection, Response, Rule, RuleProtocol, SCHEMA_VERSION, Share, Shares, Signer,
    Timer, Timers,
};
use proptest::prelude::*;

const HEADER: usize = 12;

/// The first public key of RFC 8032, section 7.1.
const SIGNER: [u8; 32] = [
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
    0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
];

/// A blob that a release with schema version 1 wrote: the reference network with other settings wherever there were
/// settings then, and one forward.
const VERSION_1: &[u8] = include_bytes!("../golden/blob/version-1");

/// The same of version 2, of `golden/provision/good-everything`.
const VERSION_2: &[u8] = include_bytes!("../golden/blob/version-2");

/// The same of version 3, of `golden/provision/good-rules`.
const VERSION_3: &[u8] = include_bytes!("../golden/blob/version-3");

/// A blob of every version that there is, with the version; of the newest with all that came with it.
fn blobs() -> [(u16, Vec<u8>); 4] {
    let newest = provision::blob(&with_control());
    [(1, VERSION_1.to_vec()), (2, VERSION_2.to_vec()), (3, VERSION_3.to_vec()), (SCHEMA_VERSION, newest)]
}

#[test]
fn every_change_of_one_byte_is_refused() {
    for (_, blob) in blobs() {
        for offset in 0..blob.len() {
            for change in 1..=255 {
                let mut damaged = blob.clone();
                damaged[offset] ^= change;

                let error = Config::decode(&damaged).expect_err("a damaged blob was taken");

                // Where the version has become another that is known, the checksum tells.
                let is_known = (1..=4).contains(&damaged[4]) && damaged[5] == 0;
                assert!(
                    match offset {
                        0..4 => error == Error::WrongMagic,
                        4..6 if !is_known => matches!(error, Error::UnsupportedVersion(_)),
                        6..8 => error == Error::WrongLength,
                        _ => error == Error::WrongChecksum,
                    },
                    "byte {offset} ^ {change:#04x}: {error}"
                );
            }
        }
    }
}

#[test]
fn a_blob_of_version_1_is_read_as_the_same_settings_with_the_defaults_of_what_came_later() {
    let config = Config::decode(VERSION_1).unwrap();

    let Nat { ports, mapping, filtering, .. } = config.nat();
    assert_eq!((ports.first().get(), ports.last().get()), (50_000, 50_001));
    assert_eq!(mapping, Behaviours::all(Behaviour::AddressDependent));
    assert_eq!(filtering, Behaviours::all(Behaviour::AddressAndPortDependent));
    assert_eq!(config.nat(), Nat { ports, mapping, filtering, ..Nat::default() });
    let timers = Timer::ALL.map(|timer| config.timers().duration(timer).as_secs());
    assert_eq!(timers, [301, 7441, 241, 242, 61, 600, 5, 121]);
    assert_eq!(config.forwards(), [forward("web", "192.0.2.1")]);

    // It is written as of today, and means the same.
    let blob = provision::blob(&config);
    assert_eq!(blob[4..6], SCHEMA_VERSION.to_le_bytes());
    assert_eq!(Config::decode(&blob), Ok(config));
}

#[test]
fn a_blob_of_version_2_is_read_as_the_same_settings() {
    let readable = include_str!("../golden/provision/good-everything/router.toml");
    let config = Config::decode(VERSION_2).unwrap();
    assert_eq!(Ok(config), provision::compile(readable, "router.toml").map_err(|report| report.to_string()));
}

#[test]
fn a_blob_of_version_3_is_read_as_the_same_settings_without_control() {
    let readable = include_str!("../golden/provision/good-rules/router.toml");
    let config = Config::decode(VERSION_3).unwrap();
    assert_eq!(config.control(), None);
    assert_eq!(Ok(config), provision::compile(readable, "router.toml").map_err(|report| report.to_string()));
}

#[test]
fn version_4_has_the_bytes_of_version_3_and_then_the_control_channel() {
    let config = Config::decode(VERSION_3).unwrap();
    let blob = provision::blob(&config);
    assert_eq!((blob[4], &blob[HEADER..]), (4, &[&VERSION_3[HEADER..], &[0]].concat()[..]));

    let controlled = provision::blob(&with_control());
    let control = [&[1][..], &[0xa5; 32], &[1, 0xd1, 0x39, 1], &SIGNER].concat();
    let (none, before) =
        provision::blob(&reference())[HEADER..].split_last().map(|(none, it)| (*none, it.to_vec())).unwrap();
    assert_eq!((none, &controlled[HEADER..]), (0, &[before, control].concat()[..]));
    assert_eq!(Config::decode(&controlled), Ok(with_control()));
}

#[test]
fn the_key_of_the_control_channel_is_no_zeros_and_is_never_shown_for_debugging() {
    assert_eq!(ControlKey::new([0; 32]), Err(Problem::ZeroKey));
    let shown = format!("{:?}", with_control());
    assert!(shown.contains("ControlKey(..)") && !shown.contains("165, 165"), "{shown}");

    let mut body = provision::blob(&with_control())[HEADER..].to_vec();
    let key = body.windows(32).position(|bytes| bytes == [0xa5; 32]).unwrap();
    body[key..key + 32].fill(0);
    assert_eq!(Config::decode(&sealed(&body)), Err(Problem::ZeroKey.with(Field::ControlKey)));
}

#[test]
fn a_side_may_leave_its_interface_to_the_board() {
    let config = Config::new(Draft { wan_interface: None, lan_interface: None, ..draft() }).unwrap();
    assert_eq!((config.wan().interface(), config.lan().interface()), (None, None));
    assert_eq!(Config::decode(&provision::blob(&config)), Ok(config));
}

#[test]
fn the_settings_of_one_version_are_none_of_another() {
    for ((own, blob), other) in blobs().iter().flat_map(|blob| (1..=SCHEMA_VERSION).map(move |it| (blob, it)))
    {
        let read = Config::decode(&sealed_as(other, &blob[HEADER..]));

        assert_eq!(read.is_ok(), *own == other, "the settings of version {own} as those of {other}");
        let named = |error| matches!(error, Error::MalformedBody | Error::NotCanonical | Error::Invalid(..));
        assert!(read.is_ok() || read.is_err_and(named));
    }
    for version in [0, 5, u16::MAX] {
        let blob = sealed_as(version, &provision::blob(&reference())[HEADER..]);
        assert_eq!(Config::decode(&blob), Err(Error::UnsupportedVersion(version)));
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    for (_, blob) in blobs() {
        for length in 0..blob.len() {
            let expected = if length < 4 { Error::WrongMagic } else { Error::WrongLength };
            assert_eq!(Config::decode(&blob[..length]), Err(expected), "{length} bytes");
        }
        for surplus in [1, 2, 255, 256, 65_536, 1 << 20] {
            let mut longer = blob.clone();
            longer.resize(blob.len() + surplus, 0);
            assert_eq!(Config::decode(&longer), Err(Error::WrongLength), "{surplus} bytes too many");
        }
    }
}

#[test]
fn a_body_cut_short_or_extended_within_a_sound_envelope_is_malformed() {
    for (version, blob) in blobs() {
        let body = &blob[HEADER..];

        for length in 0..body.len() {
            let cut = sealed_as(version, &body[..length]);
            assert_eq!(
                Config::decode(&cut),
                Err(Error::MalformedBody),
                "{length} bytes of version {version}"
            );
        }
        let longer = [body, &[0]].concat();
        assert_eq!(Config::decode(&sealed_as(version, &longer)), Err(Error::MalformedBody));
    }
}

#[test]
fn a_number_with_superfluous_zeros_is_not_canonical() {
    // Without forwards, a body of version 1 ends with their number, a zero; one of today's has a byte for the control channel
    // behind the number of rules.
    let today = provision::blob(&Config::new(draft()).unwrap())[HEADER..].to_vec();
    let forwards = VERSION_1.windows(5).position(|bytes| bytes == b"\x01\x03web").unwrap();
    let before = [&VERSION_1[HEADER..forwards], &[0]].concat();
    for (version, body, behind) in [(SCHEMA_VERSION, today, 1), (1, before, 0)] {
        assert!(Config::decode(&sealed_as(version, &body)).is_ok());

        let (numbers, rest) = body.split_at(body.len() - behind);
        let longer = [&numbers[..numbers.len() - 1], &[0x80, 0], rest].concat();

        assert_eq!(Config::decode(&sealed_as(version, &longer)), Err(Error::NotCanonical));
    }
}

#[test]
fn no_byte_of_a_body_can_be_spelled_with_a_superfluous_zero() {
    for (version, blob) in blobs() {
        let body = &blob[HEADER..];
        for at in 0..body.len() {
            let longer = [&body[..at], &[body[at] | 0x80, 0], &body[at + 1..]].concat();

            let read = Config::decode(&sealed_as(version, &longer));

            assert!(read.is_err(), "byte {at} of version {version}");
        }
    }
}

#[test]
fn a_share_of_no_sessions_is_refused() {
    let shares = Shares::default().with(Share::Host, NonZeroU32::new(77));
    let config = Config::new(Draft { nat: Nat { shares, ..Nat::default() }, ..draft() }).unwrap();
    let mut body = provision::blob(&config)[HEADER..].to_vec();
    let host = body.windows(2).position(|bytes| bytes == [1, 77]).unwrap() + 1;

    body[host] = 0;

    let expected = Problem::NoSessions.with(Field::Share(Share::Host));
    assert_eq!(Config::decode(&sealed(&body)), Err(expected));
}

#[test]
fn a_body_longer_than_any_is_refused_before_it_is_read() {
    assert_eq!(Config::decode(&sealed(&vec![0; MAX_BLOB])), Err(Error::WrongLength));
    assert_eq!(Config::decode(&vec![0; 1 << 20]), Err(Error::WrongMagic));
}

#[test]
fn a_million_random_blobs_never_panic() {
    let all = blobs();
    let mut random = Random(0x5eed);
    let mut taken = 0;
    let mut reached_rules = 0;

    for round in 0..1_000_000 {
        let (version, like) = &all[round / 3 % all.len()];
        let version = *version;
        let blob = match round % 3 {
            0 => random.bytes(64),
            1 => sealed_as(version, &random.bytes(96)),
            _ => sealed_as(version, &mutated(&like[HEADER..], &mut random)),
        };
        match Config::decode(&blob) {
            Ok(config) => {
                let written = provision::blob(&config);
                assert!(
                    written == blob || version < SCHEMA_VERSION && Config::decode(&written) == Ok(config)
                );
                taken += 1;
            }
            Err(Error::Invalid(..)) => reached_rules += 1,
            Err(_) => {}
        }
    }

    // The noise has to come through the outer layers often enough to be a test of the inner ones.
    assert!(taken > 10_000, "{taken} taken");
    assert!(reached_rules > 10_000, "{reached_rules} refused by a rule");
}

#[test]
fn the_largest_configuration_fits_and_a_smaller_buffer_is_refused() {
    let port = |port: usize| NonZeroU16::new(port as u16).unwrap();
    let mut draft = draft();
    draft.wan_interface = InterfaceName::new("fifteen-letters").ok();
    draft.lan_interface = InterfaceName::new("fifteen_letters").ok();
    for index in 0..MAX_FORWARDS {
        let name = Name::new(&format!("{index:031}")).unwrap();
        let range = PortRange::new(port(40_000 + 2 * index), port(40_001 + 2 * index)).unwrap();
        let host = Ipv4Addr::new(192, 0, 2, 1);
        let forward = Forward::new(name, Protocols::Both, range, host, port(50_000)).unwrap();
        draft.forwards.push(forward).unwrap();
    }
    for index in 0..MAX_RULES {
        let addresses = Addresses::new([198, 51, 100, 0].into(), 24, true).unwrap();
        let ports = PortRange::new(port(40_000), port(50_000)).ok();
        let most = NonZeroU16::MAX;
        let rule = Rule {
            name: Name::new(&format!("{index:031}")).unwrap(),
            direction: Direction::LanToWan,
            protocol: RuleProtocol::Tcp,
            source: addresses,
            source_port: ports,
            destination: addresses,
            port: ports,
            action: Action::Reject(Rejection::TcpReset),
            rate: Some(Rate { count: most, per: Per::Hour, burst: most }),
            log: true,
        };
        draft.rules.push(rule).unwrap();
    }
    let most = |shares: Shares, share| shares.with(share, Some(NonZeroU32::MAX));
    draft.nat.shares = Share::ALL.into_iter().fold(Shares::default(), most);
    draft.control = Some(control());
    let config = Config::new(draft).unwrap();

    let blob = provision::blob(&config);

    assert!(blob.len() > MAX_BLOB * 9 / 10, "MAX_BLOB is {MAX_BLOB}, far more than {}", blob.len());
    for size in [0, 3, HEADER, blob.len() - 1] {
        assert_eq!(config.encode(&mut vec![0; size]), Err(Error::BufferTooSmall), "{size} bytes");
    }
    assert_eq!(config.encode(&mut vec![0; blob.len()]), Ok(blob.len()));
    assert_eq!(Config::decode(&blob), Ok(config));
}

#[test]
fn a_draft_is_told_everything_that_is_wrong_with_it() {
    let mut draft = draft();
    draft.lan_interface = draft.wan_interface.clone();
    draft.wan_address = None;
    draft.nat.shares = shares([Some(10), Some(11), None, None]);
    draft.forwards.push(forward("web", "198.51.100.1")).unwrap();
    draft.forwards.push(forward("web", "192.0.2.254")).unwrap();

    let mut errors = Vec::new();
    draft.check(&mut |error| errors.push(error));

    let expected = [
        Problem::Missing.with(Field::WanAddress),
        Problem::SameInterface.with(Field::LanInterface),
        Problem::AboveHostShare.with(Field::Share(Share::Guaranteed)),
        Problem::OutsideLan.with(Field::ForwardInternal(0)),
        Problem::OwnAddress.with(Field::ForwardInternal(1)),
        Problem::DuplicateName(0).with(Field::ForwardName(1)),
        Problem::Overlaps(0).with(Field::ForwardExternal(1)),
    ];
    assert_eq!(errors, expected);
    assert_eq!(Config::new(draft), Err(expected[0]));
}

#[test]
fn the_last_of_all_rules_is_named_by_its_number() {
    let rule = |name: &str| Rule {
        name: Name::new(name).unwrap(),
        direction: Direction::LanToWan,
        protocol: RuleProtocol::Any,
        source: Addresses::ALL,
        source_port: None,
        destination: Addresses::ALL,
        port: None,
        action: Action::Accept,
        rate: None,
        log: false,
    };
    let mut draft = draft();
    for index in 0..MAX_RULES - 1 {
        draft.rules.push(rule(&index.to_string())).unwrap();
    }
    draft.rules.push(rule("254")).unwrap();

    let expected = Problem::DuplicateName(254).with(Field::RuleName(255));
    assert_eq!(Config::new(draft), Err(expected));
    assert_eq!(expected.to_string(), "name of rule 255 is also the name of number 254");
}

#[test]
fn the_box_refuses_a_sound_blob_that_breaks_a_rule() {
    // The reference blob with its LAN address, 192.0.2.254, moved into the WAN prefix 203.0.113.0/24.
    let body = provision::blob(&reference())[HEADER..].to_vec();
    let lan = body.windows(4).position(|bytes| bytes == [192, 0, 2, 254]).unwrap();
    let mut moved = body;
    moved[lan..lan + 4].copy_from_slice(&[203, 0, 113, 7]);

    let refused = Config::decode(&sealed(&moved));

    assert_eq!(refused, Err(Problem::PrefixesOverlap.with(Field::WanAddress)));
}

#[test]
fn a_prefix_of_two_hosts_has_no_broadcast_address() {
    let link = |text: &str, prefix_len| InterfaceAddress::new(text.parse().unwrap(), prefix_len);

    assert_eq!(link("198.51.100.0", 31).map(InterfaceAddress::broadcast), Ok(None));
    assert_eq!(link("198.51.100.7", 32).map(InterfaceAddress::broadcast), Ok(None));
    assert_eq!(link("198.51.100.0", 30), Err(Problem::NetworkAddress));
    assert_eq!(link("198.51.100.3", 30), Err(Problem::BroadcastAddress));
    assert_eq!(link("198.51.100.1", 0), Err(Problem::PrefixLength));
    let lan = link("198.51.100.1", 30).unwrap();
    assert_eq!((lan.network(), lan.broadcast()), ([198, 51, 100, 0].into(), Some([198, 51, 100, 3].into())));
    assert!(lan.contains([198, 51, 100, 3].into()) && !lan.contains([198, 51, 100, 4].into()));
}

#[test]
fn timers_stop_at_their_floor_and_their_ceiling() {
    for timer in Timer::ALL {
        let bounds = timer.bounds();
        let second = Duration::from_secs(1);
        let set = |duration| Timers::default().with(timer, duration).map(|timers| timers.duration(timer));

        assert_eq!(set(bounds.floor), Ok(bounds.floor));
        assert_eq!(set(bounds.ceiling), Ok(bounds.ceiling));
        assert_eq!(set(bounds.ceiling + second), Err(Problem::AboveCeiling));
        assert_eq!(set(bounds.default + second / 2), Err(Problem::NotWholeSeconds));
        assert_eq!(Timers::default().duration(timer), bounds.default);
        if let Some(shorter) = bounds.floor.checked_sub(second) {
            assert_eq!(set(shorter), Err(Problem::BelowFloor));
        }
    }
}

#[test]
fn ports_of_a_forwarded_range_keep_their_offset() {
    let port = |port| NonZeroU16::new(port).unwrap();
    let external = PortRange::new(port(5000), port(5099)).unwrap();
    let name = Name::new("voice").unwrap();
    let voice = Forward::new(name, Protocols::Udp, external, [192, 0, 2, 1].into(), port(6000)).unwrap();

    assert_eq!(
        [4999, 5000, 5099, 5100].map(|port| voice.internal_port(port)),
        [None, Some(port(6000)), Some(port(6099)), None]
    );
    assert_eq!(
        [5999, 6000, 6099, 6100].map(|port| voice.external_port(port)),
        [None, Some(port(5000)), Some(port(5099)), None]
    );
}

proptest! {
    #[test]
    fn every_valid_configuration_survives_the_way_through_its_blob_and_its_text(draft in drafts()) {
        let config = Config::new(draft).unwrap();
        let mut buffer = [0; MAX_BLOB];

        let length = config.encode(&mut buffer).unwrap();

        let shown = provision::show(&config);
        prop_assert_eq!(Config::decode(&buffer[..length]), Ok(config.clone()));
        prop_assert_eq!(provision::compile(&shown, "shown.toml").map_err(|report| report.to_string()), Ok(config));
    }

    #[test]
    fn any_text_compiles_or_is_refused_without_panic(text in "(\\PC|[\\[\\]=\".\n]|wan|lan|nat|forward){0,60}") {
        let _ = provision::compile(&text, "router.toml");
    }
}

/// Valid drafts: names and external ports are made different by the forward's index, the rest is free.
fn drafts() -> impl Strategy<Value = Draft> {
    let forwards = prop::collection::vec(forward_parts(), 0..=MAX_FORWARDS);
    let names = ("[!-.0-9;-~]{1,14}", "[!-.0-9;-~]{1,14}");
    let rules = prop::collection::vec(rules(), 0..20);
    let links = (names, 1_u8..=250, prop::option::of(1_u8..=250));
    (links, nats(), timers(), forwards, rules, prop::option::of(controls())).prop_map(
        |(((wan, lan), host, gateway), nat, timers, forwards, rules, control)| {
            let mut draft = draft();
            draft.wan_interface = InterfaceName::new(&format!("{wan}0")).ok();
            draft.lan_interface = InterfaceName::new(&format!("{lan}1")).ok();
            draft.wan_address = InterfaceAddress::new([203, 0, 113, host].into(), 24).ok();
            draft.wan_gateway =
                gateway.filter(|gateway| *gateway != host).map(|last| [203, 0, 113, last].into());
            draft.nat = nat;
            draft.timers = timers;
            draft.control = control;
            for (index, parts) in forwards.into_iter().enumerate() {
                draft.forwards.push(distinct_forward(index, parts)).unwrap();
            }
            for (index, rule) in rules.into_iter().enumerate() {
                let name = Name::new(&format!("{}-{index}", rule.name)).unwrap();
                draft.rules.push(Rule { name, ..rule }).unwrap();
            }
            draft
        },
    )
}

/// Valid rules, whose names need not be different.
fn rules() -> impl Strategy<Value = Rule> {
    let addresses = || {
        (any::<u32>(), 0..=32_u8, any::<bool>()).prop_map(|(bits, len, is_negated)| {
            let network = Ipv4Addr::from_bits(bits & u32::MAX.unbounded_shl(32 - u32::from(len)));
            Addresses::new(network, len, is_negated && len > 0).unwrap()
        })
    };
    let protocol = (any::<u8>(), 0..RuleProtocol::NAMED.len() + 1).prop_map(|(number, at)| {
        RuleProtocol::NAMED.get(at).map_or(RuleProtocol::of_number(number), |(_, named)| *named)
    });
    let action = prop_oneof![
        Just(Action::Accept),
        Just(Action::Drop),
        prop::sample::select(Rejection::ALL.to_vec()).prop_map(Action::Reject),
    ];
    let rate = (1_u16.., prop::sample::select(Per::ALL.to_vec()), 1_u16..).prop_map(|(count, per, burst)| {
        let [count, burst] = [count, burst].map(|number| NonZeroU16::new(number).unwrap());
        Rate { count, per, burst }
    });
    (
        "[!#-&(-_a-~]([ #-&(-_a-~]{0,24}[!#-&(-_a-~])?",
        (prop::sample::select(Direction::ALL.to_vec()), protocol, action),
        (addresses(), prop::option::of(ranges())),
        (addresses(), prop::option::of(ranges())),
        prop::option::of(rate),
        any::<bool>(),
    )
        .prop_map(
            |(name, (direction, protocol, action), (source, source_port), (destination, port), rate, log)| {
                let resets = action == Action::Reject(Rejection::TcpReset);
                Rule {
                    name: Name::new(&name).unwrap(),
                    direction,
                    protocol: if resets { RuleProtocol::Tcp } else { protocol },
                    source,
                    source_port: source_port.filter(|_| resets || protocol.has_ports()),
                    destination,
                    port: port.filter(|_| resets || protocol.has_ports()),
                    action,
                    rate,
                    log,
                }
            },
        )
}

fn controls() -> impl Strategy<Value = Control> {
    (any::<[u8; 31]>(), any::<u16>(), any::<bool>()).prop_map(|(rest, port, is_signed)| {
        let mut bytes = [1; 32];
        bytes[1..].copy_from_slice(&rest);
        let signer = is_signed.then_some(Signer::new(SIGNER).unwrap());
        Control { key: ControlKey::new(bytes).unwrap(), lan_port: NonZeroU16::new(port), signer }
    })
}

fn nats() -> impl Strategy<Value = Nat> {
    let any_shares =
        prop::array::uniform4(prop::option::of(1_u32..)).prop_map(|[host, guaranteed, source, forward]| {
            let guaranteed = guaranteed.map(|guaranteed| guaranteed.min(host.unwrap_or(u32::MAX)));
            shares([host, guaranteed, source, forward])
        });
    let choices = (prop::array::uniform3(any::<bool>()), responses(), responses());
    (ranges(), behaviours(), behaviours(), choices, any_shares).prop_map(
        |(ports, mapping, filtering, ([one, two, three], refusals, unsolicited_syn), shares)| Nat {
            ports,
            mapping,
            filtering,
            preserve_ports: one,
            other_protocols: two,
            clamp_mss: three,
            refusals,
            unsolicited_syn,
            shares,
        },
    )
}

fn responses() -> impl Strategy<Value = Response> {
    prop::sample::select(Response::ALL.to_vec())
}

/// Shares in their order.
fn shares(sessions: [Option<u32>; 4]) -> Shares {
    let with = |shares: Shares, (share, sessions): (_, Option<u32>)| {
        shares.with(share, sessions.map(|sessions| NonZeroU32::new(sessions).unwrap()))
    };
    Share::ALL.into_iter().zip(sessions).fold(Shares::default(), with)
}

type ForwardParts = (String, Protocols, u16, u16, u8, u16);

fn forward_parts() -> impl Strategy<Value = ForwardParts> {
    let protocols = prop::sample::select(Protocols::ALL.to_vec());
    (
        "[!#-&(-_a-~]([ #-&(-_a-~]{0,26}[!#-&(-_a-~])?",
        protocols,
        0_u16..1000,
        0_u16..1000,
        1_u8..=253,
        1_u16..64_000,
    )
}

/// The forward `index` has the thousand external ports from 1000 * (`index` + 1) to itself.
fn distinct_forward(index: usize, (name, protocols, one, other, host, inside): ForwardParts) -> Forward {
    let base = 1000 * (index as u16 + 1);
    let port = |offset| NonZeroU16::new(base + offset).unwrap();
    let external = PortRange::new(port(one.min(other)), port(one.max(other))).unwrap();
    let name = Name::new(&format!("{name}-{index}")).unwrap();
    Forward::new(name, protocols, external, [192, 0, 2, host].into(), NonZeroU16::new(inside).unwrap())
        .unwrap()
}

fn timers() -> impl Strategy<Value = Timers> {
    prop::array::uniform8(0.0..=1.0).prop_map(|shares| {
        Timer::ALL.into_iter().zip(shares).fold(Timers::default(), |timers, (timer, share): (_, f64)| {
            let bounds = timer.bounds();
            let seconds = bounds.floor + (bounds.ceiling - bounds.floor).mul_f64(share);
            timers.with(timer, Duration::from_secs(seconds.as_secs())).unwrap()
        })
    })
}

fn ranges() -> impl Strategy<Value = PortRange> {
    (1_u16.., 1_u16..).prop_map(|(one, other)| {
        let port = |port| NonZeroU16::new(port).unwrap();
        PortRange::new(port(one.min(other)), port(one.max(other))).unwrap()
    })
}

fn behaviours() -> impl Strategy<Value = Behaviours> {
    let one = || prop::sample::select(Behaviour::ALL.to_vec());
    (one(), one(), one()).prop_map(|(tcp, udp, icmp)| Behaviours { tcp, udp, icmp })
}

/// The reference network without forwards.
fn draft() -> Draft {
    Draft {
        wan_interface: InterfaceName::new("gw1").ok(),
        wan_address: InterfaceAddress::new([203, 0, 113, 254].into(), 24).ok(),
        wan_gateway: Some([203, 0, 113, 1].into()),
        lan_interface: InterfaceName::new("gw0").ok(),
        lan_address: InterfaceAddress::new([192, 0, 2, 254].into(), 24).ok(),
        ..Draft::default()
    }
}

fn reference() -> Config {
    let mut draft = draft();
    draft.forwards.push(forward("web", "192.0.2.1")).unwrap();
    Config::new(draft).unwrap()
}

/// The reference network with a control channel.
fn with_control() -> Config {
    let mut draft = draft();
    draft.forwards.push(forward("web", "192.0.2.1")).unwrap();
    Config::new(Draft { control: Some(control()), ..draft }).unwrap()
}

fn control() -> Control {
    Control {
        key: ControlKey::new([0xa5; 32]).unwrap(),
        lan_port: NonZeroU16::new(7377),
        signer: Some(Signer::new(SIGNER).unwrap()),
    }
}

fn forward(name: &str, host: &str) -> Forward {
    let port = NonZeroU16::new(54321).unwrap();
    let name = Name::new(name).unwrap();
    Forward::new(name, Protocols::Tcp, PortRange::single(port), host.parse().unwrap(), port).unwrap()
}

/// A sound envelope around any body.
fn sealed(body: &[u8]) -> Vec<u8> {
    sealed_as(SCHEMA_VERSION, body)
}

/// A sound envelope around any body, as of a schema version.
fn sealed_as(version: u16, body: &[u8]) -> Vec<u8> {
    let covered = [&version.to_le_bytes(), &(body.len() as u16).to_le_bytes(), body].concat();
    [b"SKSH".as_slice(), &covered[..4], &crc32(&covered).to_le_bytes(), body].concat()
}

/// CRC-32/ISO-HDLC, bit by bit.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), |sum, _| step(sum)))
}

/// A body with one to three of its bytes changed.
fn mutated(body: &[u8], random: &mut Random) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..=random.next() % 3 {
        let offset = random.next() as usize % body.len();
        body[offset] = random.next() as u8;
    }
    body
}

/// SplitMix64: small, seeded, and good enough for noise.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Fewer than `limit` bytes.
    fn bytes(&mut self, limit: usize) -> Vec<u8> {
        let length = self.next() as usize % limit;
        (0..length).map(|_| self.next() as u8).collect()
    }
}
