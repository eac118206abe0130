//! The oracle agrees: the engine makes of every packet that it is given what a naive NAT would ([`crate::oracle`]).
//!
//! The router hands packets to its engine and carries the *verdicts* out. The engine counts each but `Hold`, so its
//! counters tell which there were (`verdicts`); the frame tells what has become of the packet, whether it has left, or
//! waits for its next hop, or was cut, because it is translated where it lies (`after`).
//!
//! Fragments that come before their datagram's first are *early*: they wait in the router, and are given to the engine
//! again, as *followers*, when the first has passed. Those that wait there are remembered here (`early`). If a follower
//! leaves, it is compared; if it has to wait once more, for its next hop, its verdict alone is judged.
//!
//! What the box is sent itself never meets the engine on the lan. On the wan the first fragment of a ping does, and the
//! others of it are the router's to put together.
//!
//! An oracle lives as long as its router, until that is restarted or gets another lan. Before that it is *lost*, and
//! silent, once it has found something wrong, and where nobody can see what the engine has done
//! ([`Oracle::is_open`]): a hairpin was refused whose sender had got a port for it.

mod after;
mod early;
mod verdicts;

use config::InterfaceAddress;
use std::time::Duration;

use napt::{Checksum, Counters, DropReason, Instant, Occupancy, Realm, Verdict};
use router::{Side, Summary};

use self::after::{after, translated};
use self::early::{Early, Key};
use self::verdicts::Told;
use super::{Cause, Checker, Deed, Passage, View};
use crate::oracle::{Oracle, Packet, TICK};

/// Where a packet begins in its frame.
const ETHERNET: usize = 14;

/// An oracle for each life of a router.
#[derive(Default)]
pub(super) struct Agreement {
    begun: bool,
    /// `None` if it is lost.
    witness: Option<Witness>,
}

impl Checker for Agreement {
    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<(), String> {
        if !self.begun || matches!(passage.cause, Cause::Operator(Deed::Restarted)) {
            (self.begun, self.witness) = (true, Some(Witness::new(passage)));
        }
        let Some(witness) = &mut self.witness else { return Ok(()) };
        let seen = witness.see(passage);
        if seen != Ok(Sight::Clear) {
            self.witness = None;
        }
        seen.map(|_| ())
    }
}

/// Whether the oracle still knows what the engine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    Clear,
    Lost,
}

/// How long the box puts a datagram for itself together.
const GATHERED: Duration = Duration::from_secs(60);

/// An oracle, and what was seen last.
struct Witness {
    oracle: Oracle,
    lan: InterfaceAddress,
    counted: [Counters; 2],
    waited: u64,
    occupancy: Occupancy,
    early: Early,
    /// The datagrams in pieces for the box itself whose first has come, and until when it waits for the others.
    own: Vec<(Key, Instant)>,
}

/// A packet that came.
#[derive(Clone, Copy)]
struct Arrival<'a> {
    now: Instant,
    side: Side,
    /// The packet, and whatever is behind it.
    bytes: &'a [u8],
    /// `None` if its header makes no sense.
    view: Option<View<'a>>,
}

impl Witness {
    fn new(passage: &Passage<'_, '_>) -> Self {
        let (router, summary) = (passage.router, passage.router.summary());
        Self {
            oracle: Oracle::new(router.settings(), summary.occupancy.capacity as usize, TICK),
            lan: router.config().lan().address(),
            counted: summary.engine.map(Counters::clone),
            waited: waited(&summary),
            occupancy: summary.occupancy,
            early: Early::default(),
            own: Vec::new(),
        }
    }

    fn see(&mut self, passage: &Passage<'_, '_>) -> Result<Sight, String> {
        let (router, now) = (passage.router, passage.router.clock(passage.at));
        match passage.cause {
            Cause::Operator(Deed::Reconfigured) if self.lan != router.config().lan().address() => {
                *self = Self::new(passage);
            }
            Cause::Operator(Deed::Reconfigured) => self.oracle.reconfigure(now, router.settings()),
            Cause::Frame { side, before, .. } => {
                if self.see_frame(passage, now, side, before)? == Sight::Lost {
                    return Ok(Sight::Lost);
                }
            }
            Cause::Timer { .. } => self.early.forget(now),
            Cause::Operator(Deed::Restarted) | Cause::LinkUp => (),
        }
        self.see_counters(passage, now)?;
        Ok(Sight::Clear)
    }

    fn see_counters(&mut self, passage: &Passage<'_, '_>, now: Instant) -> Result<(), String> {
        let summary = passage.router.summary();
        if self.occupancy != summary.occupancy || matches!(passage.cause, Cause::Timer { .. }) {
            self.oracle.check_occupancy(now, summary.occupancy)?;
        }
        self.occupancy = summary.occupancy;
        self.waited = waited(&summary);
        for (known, counters) in self.counted.iter_mut().zip(summary.engine) {
            known.clone_from(counters);
        }
        Ok(())
    }

    fn see_frame(
        &mut self,
        passage: &Passage<'_, '_>,
        now: Instant,
        side: Side,
        frame: &[u8],
    ) -> Result<Sight, String> {
        let Some((header, bytes)) = frame.split_at_checked(ETHERNET) else { return Ok(Sight::Clear) };
        let arrival = Arrival { now, side, bytes, view: View::of(frame) };
        if !header.ends_with(&[8, 0]) || self.is_own(&arrival) {
            return Ok(Sight::Clear);
        }
        let to = self.leads_to(passage, &arrival);
        let mut told =
            Told::between(&self.counted[side as usize], passage.router.summary().engine[side as usize], to);
        match (told.take_first(), arrival.view) {
            (None, _) => self.see_uncounted(passage, &arrival).map(|()| Sight::Clear),
            (Some(verdict), None) => self
                .oracle
                .judge(now, side.realm(), plain(bytes), verdict, plain(bytes))
                .map(|()| Sight::Clear),
            (Some(verdict), Some(view)) => self.see_packet(passage, &arrival, view, verdict, told),
        }
    }

    /// Whether a packet is for the box itself, by its address inside.
    fn is_own(&self, arrival: &Arrival<'_>) -> bool {
        let is_to_us = |view: View<'_>| view.destination() == self.lan.address();
        arrival.side == Side::Lan && arrival.view.is_some_and(is_to_us)
    }

    /// Whether a datagram for the box itself is being put together.
    fn gathers(&self, now: Instant, key: Key) -> bool {
        self.own.iter().any(|(known, until)| *known == key && *until > now)
    }

    /// Into which realm a packet goes if it goes on.
    fn leads_to(&self, passage: &Passage<'_, '_>, arrival: &Arrival<'_>) -> Realm {
        let external = passage.router.config().wan().address().address();
        match arrival.side {
            Side::Lan if arrival.view.is_none_or(|view| view.destination() != external) => Realm::External,
            Side::Lan | Side::Wan => Realm::Internal,
        }
    }

    /// A packet on which the engine has a verdict.
    fn see_packet(
        &mut self,
        passage: &Passage<'_, '_>,
        arrival: &Arrival<'_>,
        view: View<'_>,
        verdict: Verdict,
        mut told: Told,
    ) -> Result<Sight, String> {
        let (now, side, key) = (arrival.now, arrival.side, Key::of(arrival.side, &view));
        if verdict == Verdict::Local && view.is_fragment() {
            self.own.retain(|(_, until)| *until > now);
            self.own.push((key, now + GATHERED));
        }
        // One of the others, which the router could not put to the first.
        if matches!(verdict, Verdict::Drop(_)) && !view.is_first() && self.gathers(now, key) {
            return Ok(Sight::Clear);
        }
        let before = plain(view.bytes);
        if verdict == Verdict::Drop(DropReason::Ambiguous) && self.oracle.is_open(side.realm(), before) {
            return Ok(Sight::Lost);
        }
        self.oracle.judge(now, side.realm(), before, verdict, plain(&after(passage, verdict, &view)))?;
        if matches!(verdict, Verdict::Forward(_)) {
            if view.is_fragment() && view.is_first() {
                self.see_followers(passage, now, key, &mut told)?;
            }
            told.must_be_empty()?;
        }
        Ok(Sight::Clear)
    }

    /// A packet about which nothing is counted: one that has never met the engine, or that the engine wants held.
    fn see_uncounted(&mut self, passage: &Passage<'_, '_>, arrival: &Arrival<'_>) -> Result<(), String> {
        let Arrival { now, side, bytes, view } = *arrival;
        let is_held = waited(&passage.router.summary()) > self.waited;
        let Some(view) = view.filter(|_| is_held) else { return Ok(()) };
        self.oracle.judge(now, side.realm(), plain(bytes), Verdict::Hold, plain(bytes))?;
        let key = Key::of(side, &view);
        if !self.gathers(now, key) {
            self.early.push(now, key, view.bytes);
        }
        Ok(())
    }

    /// The fragments that have waited for the first of their datagram, which has just passed.
    fn see_followers(
        &mut self,
        passage: &Passage<'_, '_>,
        now: Instant,
        key: Key,
        told: &mut Told,
    ) -> Result<(), String> {
        let from = key.side.realm();
        while let Some(fragment) = self.early.take(key) {
            let before = plain(&fragment);
            let is_its = |verdict| self.oracle.clone().judge_unseen(now, from, before, verdict).is_ok();
            // One that comes again when all of its datagram has passed is held for good.
            let hold = || is_its(Verdict::Hold).then_some(Verdict::Hold);
            let verdict = told.take(is_its).or_else(hold);
            let verdict = verdict.ok_or("a fragment that has waited for its first is lost")?;
            let sent = passage.sent().find_map(|(_, sent)| translated(&fragment, &sent.frame));
            match sent.filter(|_| matches!(verdict, Verdict::Forward(_))) {
                Some(after) => self.oracle.judge(now, from, before, verdict, plain(after))?,
                None => self.oracle.judge_unseen(now, from, before, verdict)?,
            }
        }
        Ok(())
    }
}

/// How many fragments wait for their first, or have waited in vain: one more with each that is held, even if another has
/// to go for it.
fn waited(summary: &Summary<'_>) -> u64 {
    let in_vain = summary.engine.map(|counters| counters.dropped[DropReason::FragmentEarly.index()]);
    summary.router.iter().map(|counters| counters.held).chain(in_vain).sum()
}

/// A packet as a simulated link carries it: nothing in it is left to hardware.
fn plain(bytes: &[u8]) -> Packet<'_> {
    Packet { bytes, checksum: Checksum::Complete, segment: None }
}
