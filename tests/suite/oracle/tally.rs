//! What has been met so far: so many packets, and so many of each verdict. A search that no longer meets some verdict
//! has lost its way there.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use napt::{DropReason, Realm, RejectReason, Verdict};

/// After so many packets a line of progress is printed.
const MILESTONE: u64 = 1_000_000;

/// Counts of packets, by verdict.
#[derive(Default)]
pub(crate) struct Tally {
    counts: RefCell<BTreeMap<&'static str, u64>>,
    left_out: Cell<u64>,
}

impl Tally {
    /// Counts one packet.
    pub(crate) fn count(&self, verdict: Verdict) {
        *self.counts.borrow_mut().entry(name(verdict)).or_default() += 1;
        if self.packets().is_multiple_of(MILESTONE) {
            println!("{} packets", self.packets());
        }
    }

    /// Counts a packet that was not sent, because the oracle leaves open what becomes of it.
    pub(crate) fn leave_out(&self) {
        self.left_out.set(self.left_out.get() + 1);
    }

    /// How many there have been.
    pub(crate) fn packets(&self) -> u64 {
        self.counts.borrow().values().sum()
    }

    /// How many of each verdict, for a person to read.
    pub(crate) fn summary(&self) -> String {
        let counts = self.counts.borrow();
        let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
        format!("{} packets ({} left out): {}", self.packets(), self.left_out.get(), counts.join(", "))
    }

    /// The reasons that have not been met. The engine always has an address, no datagram is in so many pieces, and
    /// whether a fragment comes too early, or for the box in vain, is the router's to say.
    pub(crate) fn unmet(&self) -> Vec<&'static str> {
        let router = [DropReason::FragmentEarly, DropReason::Fragment];
        let left_out = [[DropReason::NoAddress, DropReason::FragmentsTooMany], router].concat();
        let left_out: Vec<_> = left_out.iter().map(|reason| DropReason::NAMES[reason.index()]).collect();
        let counts = self.counts.borrow();
        let all = DropReason::NAMES.into_iter().chain(RejectReason::NAMES);
        all.filter(|name| !counts.contains_key(name) && !left_out.contains(name)).collect()
    }
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Forward(Realm::Internal) => "inwards",
        Verdict::Forward(Realm::External) => "outwards",
        Verdict::Local => "local",
        Verdict::Hold => "held",
        Verdict::Reject(reason) => RejectReason::NAMES[reason.index()],
        Verdict::Drop(reason) => DropReason::NAMES[reason.index()],
    }
}
