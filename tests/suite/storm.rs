//! Storms: frames that nobody would send, on both ports (A21, A29, V1, V4).
//!
//! Everything is decided by the seeds in here. The desk checks every packet that leaves: no panic, intact headers, no
//! untranslated source on the wan; the counters have to account for every frame.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use router::{Offload, Side};
use sekisho_tests::{ALICE, BOB, DAVE, Desk, INSIDE, OUTSIDE, Packet, echo, error, frame_for, tcp, udp};

const FRAMES: usize = 100_000;

#[test]
fn a21_a_hundred_thousand_frames_of_noise_on_each_port() {
    storm(1, |rng, _| {
        let mut frame = vec![0; rng.next_u32() as usize % 200];
        rng.fill_bytes(&mut frame);
        frame
    });
}

#[test]
fn a21_a_hundred_thousand_frames_of_noise_in_an_ipv4_frame_on_each_port() {
    storm(2, |rng, side| {
        let mut packet = sample(rng, side);
        let keep = 1 + rng.next_u32() as usize % packet.bytes.len().min(40);
        rng.fill_bytes(&mut packet.bytes[keep..]);
        packet.fix_header();
        frame_for(side, &packet)
    });
}

#[test]
fn a21_a_hundred_thousand_truncated_frames_on_each_port() {
    storm(3, |rng, side| {
        let mut frame = frame_for(side, &sample(rng, side));
        frame.truncate(rng.next_u32() as usize % (frame.len() + 1));
        frame
    });
}

#[test]
fn a21_a_hundred_thousand_bit_flipped_frames_on_each_port() {
    storm(4, |rng, side| {
        let mut packet = sample(rng, side);
        for _ in 0..1 + rng.next_u32() % 3 {
            let bit = rng.next_u32() as usize % (packet.bytes.len() * 8);
            packet.bytes[bit / 8] ^= 1 << (bit % 8);
        }
        // Half of them with a header that is right again, so that they get past the first check.
        if rng.next_u32().is_multiple_of(2) {
            packet.fix_header();
        }
        frame_for(side, &packet)
    });
}

#[test]
fn a21_f15_a_hundred_thousand_fragments_and_options_for_the_box_on_each_port() {
    storm(5, |rng, side| {
        let (near, own) = if side == Side::Lan { (ALICE, INSIDE) } else { (BOB, OUTSIDE) };
        let ping =
            echo(1, near.0, own.0).with_payload(2000).with_id((rng.next_u32() % 8) as u16).may_fragment();
        let from = rng.next_u32() as usize % 251 * 8;
        let to = (from + 8 + rng.next_u32() as usize % 100 * 8).min(2008);
        let mut options = [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 68, 12, 5, 1, 0, 0, 0, 0, 0];
        let at = rng.next_u32() as usize % options.len();
        options[at] = rng.next_u32() as u8 % 16;
        let piece = ping.fragment(from, to);
        frame_for(side, &if rng.next_u32().is_multiple_of(2) { piece.with_options(&options) } else { piece })
    });
}

fn storm(seed: u64, mut frame: impl FnMut(&mut StdRng, Side) -> Vec<u8>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut desk = Desk::new();
    for _ in 0..FRAMES {
        for side in Side::ALL {
            let frame = frame(&mut rng, side);
            desk.arrive_frame(side, frame, offload(&mut rng));
        }
        desk.wait(Duration::from_millis(u64::from(rng.next_u32() % 20)));
    }
    assert!(desk.adds_up(), "{}", desk.router.summary());
    let summary = desk.router.summary();
    assert!(summary.router.iter().all(|counters| counters.received >= FRAMES as u64));
}

fn offload(rng: &mut StdRng) -> Offload {
    let checksum =
        if rng.next_u32().is_multiple_of(8) { napt::Checksum::Partial } else { napt::Checksum::Complete };
    let segment =
        if rng.next_u32().is_multiple_of(8) { (rng.next_u32() as u16).try_into().ok() } else { None };
    Offload { checksum, segment }
}

/// A sound packet that could arrive on `side`, often one of a session there is.
fn sample(rng: &mut StdRng, side: Side) -> Packet {
    let port = 2000 + (rng.next_u32() % 40) as u16;
    let flags = ["S", "S.", ".", "P.", "F.", "R"][rng.next_u32() as usize % 6];
    let (near, far) = match side {
        Side::Lan => ([ALICE, DAVE][rng.next_u32() as usize % 2].port(port), BOB.port(80)),
        Side::Wan => {
            (BOB.port(port), OUTSIDE.port([54321, 1024 + (rng.next_u32() as u16 >> 1)][port as usize % 2]))
        }
    };
    match rng.next_u32() % 5 {
        0 => udp(near, far),
        1 | 2 => tcp(flags, near, far),
        3 => echo(port, *near.ip(), *far.ip()),
        _ => error(3, (rng.next_u32() % 5) as u8, *near.ip(), &udp(far, near)),
    }
}
