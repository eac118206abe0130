//! The engine's verdicts, as far as it counts them.

use napt::{Counters, DropReason, Realm, RejectReason, Verdict};

/// The verdicts on a packet that came by one side and on those that have waited for it.
#[derive(Debug)]
pub(super) struct Told(Vec<Verdict>);

impl Told {
    /// Those that the counters of a side tell between two moments. What is sent on goes into the realm `to`.
    pub(super) fn between(before: &Counters, after: &Counters, to: Realm) -> Self {
        let mut told = Vec::new();
        let mut add = |verdict, before: u64, after: u64| told.extend((before..after).map(|_| verdict));
        add(Verdict::Forward(to), before.forwarded, after.forwarded);
        add(Verdict::Local, before.local, after.local);
        for reason in RejectReason::ALL {
            let at = reason.index();
            add(Verdict::Reject(on_the_way(reason, to)), before.rejected[at], after.rejected[at]);
        }
        for reason in DropReason::ALL.into_iter().filter(|reason| !is_of_router(*reason)) {
            let at = reason.index();
            add(Verdict::Drop(reason), before.dropped[at], after.dropped[at]);
        }
        Self(told)
    }

    /// The verdict on the packet itself: if it was sent on, others may have been after it; if not, there is but one.
    pub(super) fn take_first(&mut self) -> Option<Verdict> {
        (!self.0.is_empty()).then(|| self.0.remove(0))
    }

    /// One that fits.
    pub(super) fn take(&mut self, fits: impl Fn(Verdict) -> bool) -> Option<Verdict> {
        let at = self.0.iter().position(|verdict| fits(*verdict))?;
        Some(self.0.remove(at))
    }

    /// Whether all have been explained.
    pub(super) fn must_be_empty(&self) -> Result<(), String> {
        let left = &self.0;
        left.is_empty().then_some(()).ok_or_else(|| format!("{left:?}, and nobody knows about what"))
    }
}

/// The counters do not say which link a packet is too large for.
fn on_the_way(reason: RejectReason, to: Realm) -> RejectReason {
    match reason {
        RejectReason::FragmentationNeeded(_) => RejectReason::FragmentationNeeded(to),
        other => other,
    }
}

/// What the router counts in the engine's books, about fragments that have waited there.
fn is_of_router(reason: DropReason) -> bool {
    matches!(reason, DropReason::Fragment | DropReason::FragmentEarly)
}
