//! What forwarding asks of a packet, whatever its transport (RFC 1812 s.5.3.1, RFC 1191).

use core::net::Ipv4Addr;

use crate::Realm;
use crate::endpoint::Endpoint;
use crate::engine::Engine;
use crate::packet::{self, HEADER, Shape, word};
use crate::transport::Heading;
use crate::verdict::{DropReason, RejectReason, Verdict};

/// A packet, as far as forwarding looks at it.
#[derive(Clone, Copy)]
pub(crate) struct Transit {
    pub(crate) source: Ipv4Addr,
    pub(crate) destination: Ipv4Addr,
    ttl: u8,
    dont_fragment: bool,
    total_len: usize,
    /// For a packet that stands for many: how long each of them is, the transport header not included.
    segment_len: Option<usize>,
}

/// Whether [`Transit::check`] has nothing to say of a packet, where that is plain.
#[inline(always)]
pub(crate) fn passes(header: &[u8; HEADER], mtu: u16) -> bool {
    header[8] > 1 && word(header, 2) <= mtu
}

impl Transit {
    #[inline(always)]
    pub(crate) fn of(header: &[u8; HEADER], payload: &[u8], shape: Shape) -> Self {
        let total_len = usize::from(word(header, 2));
        let header_len = total_len - payload.len();
        Self {
            source: packet::source(header),
            destination: packet::destination(header),
            ttl: header[8],
            dont_fragment: packet::must_stay_whole(header),
            total_len,
            segment_len: shape.segment.map(|segment| header_len + usize::from(segment.get())),
        }
    }

    /// Its length, in bytes.
    pub(crate) const fn len(self) -> usize {
        self.total_len
    }

    /// Source and destination of a flow.
    #[inline]
    pub(crate) fn ends(self, flow: Heading) -> (Endpoint, Endpoint) {
        (
            Endpoint::new(self.source, flow.ports.source),
            Endpoint::new(self.destination, flow.ports.destination),
        )
    }

    /// Whether the packet may be fragmented, by whoever sends it on or behind us: then its identification has to be ours
    /// where its source is (RFC 6864 s.5.3.1). Large frames keep theirs, from which their driver counts on.
    #[inline(always)]
    pub(crate) fn may_be_fragmented(self) -> bool {
        !self.dont_fragment && self.segment_len.is_none()
    }

    /// Whether the packet may go one hop further (RFC 1812 s.5.3.1), over the link into a realm with `mtu` (RFC 1191).
    #[inline(always)]
    fn check(self, transport_header_len: usize, to: Realm, mtu: u16) -> Result<(), Verdict> {
        if self.ttl <= 1 {
            return Err(RejectReason::TtlExpired.into());
        }
        if self.total_len <= usize::from(mtu) {
            return Ok(());
        }
        match self.segment_len {
            Some(len) if len + transport_header_len <= usize::from(mtu) => Ok(()),
            _ if self.dont_fragment => Err(RejectReason::FragmentationNeeded(to).into()),
            Some(_) => Err(DropReason::TooLarge.into()),
            // Whoever sends it fragments it (RFC 4787 REQ-13a).
            None => Ok(()),
        }
    }
}

impl<const SESSIONS: usize> Engine<'_, SESSIONS> {
    /// Whether a packet may go one hop further, into a realm.
    #[inline]
    pub(crate) fn may_pass(
        &self,
        transit: Transit,
        transport_header_len: usize,
        to: Realm,
    ) -> Result<(), Verdict> {
        transit.check(transport_header_len, to, self.mtu(to))
    }

    /// The largest packet that the link into a realm carries, in bytes.
    #[inline]
    pub(crate) fn mtu(&self, of: Realm) -> u16 {
        match of {
            Realm::Internal => self.settings.internal_mtu,
            Realm::External => self.settings.external_mtu,
        }
    }
}
