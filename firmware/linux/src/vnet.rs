//! The virtio-net header that travels with every frame (virtio 1.2, 5.1.6; `linux/virtio_net.h`).
//!
//! Ten bytes: flags, GSO type, header length, GSO size, checksum start, checksum offset. A packet socket uses the
//! machine's byte order for them. We pass it through with the forwarded frame, so that an unfinished checksum and the
//! segmentation of a large frame stay the business of whoever does them best: the last device on the way.

use core::num::NonZeroU16;

/// The checksum field holds only the sum of the pseudo-header.
const NEEDS_CSUM: u8 = 1;
const GSO_NONE: u8 = 0;
/// Set beside a TCP type when CWR must not be copied to each segment (RFC 3168).
const GSO_ECN: u8 = 0x80;

/// What a frame's sender left for others to finish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VnetHeader([u8; Self::BYTES]);

impl VnetHeader {
    /// Its size on a packet socket.
    pub const BYTES: usize = 10;

    /// The header of a finished frame: nothing to sum, nothing to cut.
    pub const FINISHED: Self = Self([0; Self::BYTES]);

    /// Takes the header as the kernel wrote it.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The header as the kernel reads it.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// Whether the TCP or UDP checksum is still the uninverted sum of the pseudo-header.
    pub const fn checksum_partial(&self) -> bool {
        self.0[0] & NEEDS_CSUM != 0
    }

    /// For a frame that stands for many: the payload bytes of each TCP segment or UDP datagram.
    pub const fn gso_size(&self) -> Option<NonZeroU16> {
        if self.0[1] & !GSO_ECN == GSO_NONE {
            return None;
        }
        NonZeroU16::new(u16::from_ne_bytes([self.0[4], self.0[5]]))
    }

    /// The same header, with so many payload bytes in each segment.
    pub const fn with_gso_size(self, bytes: NonZeroU16) -> Self {
        let mut header = self.0;
        [header[4], header[5]] = bytes.get().to_ne_bytes();
        Self(header)
    }

    /// The same header, asking the kernel to copy the first `bytes` of the frame instead of referring to them.
    pub(crate) const fn with_linear(self, bytes: u16) -> Self {
        let mut header = self.0;
        [header[2], header[3]] = bytes.to_ne_bytes();
        Self(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(flags: u8, gso_type: u8, gso_size: u16) -> VnetHeader {
        let [low, high] = gso_size.to_ne_bytes();
        VnetHeader::from_bytes([flags, gso_type, 0, 0, low, high, 0, 0, 0, 0])
    }

    #[test]
    fn a_finished_frame_has_nothing_left_to_do() {
        assert!(!VnetHeader::FINISHED.checksum_partial());
        assert_eq!(VnetHeader::FINISHED.gso_size(), None);
        assert_eq!(VnetHeader::FINISHED, VnetHeader::default());
    }

    #[test]
    fn the_checksum_flag_is_needs_csum_and_not_data_valid() {
        assert!(header(1, 0, 0).checksum_partial());
        assert!(!header(2, 0, 0).checksum_partial());
        assert!(header(3, 0, 0).checksum_partial());
    }

    #[test]
    fn a_gso_size_counts_only_with_a_gso_type() {
        assert_eq!(header(1, 1, 1448).gso_size(), NonZeroU16::new(1448));
        assert_eq!(header(1, 0x81, 1448).gso_size(), NonZeroU16::new(1448));
        assert_eq!(header(1, 5, 1200).gso_size(), NonZeroU16::new(1200));
        assert_eq!(header(1, 0, 1448).gso_size(), None);
        assert_eq!(header(1, 0x80, 1448).gso_size(), None);
        assert_eq!(header(1, 1, 0).gso_size(), None);
    }

    #[test]
    fn another_gso_size_changes_nothing_else() {
        let size = NonZeroU16::new(1240).unwrap();
        assert_eq!(header(1, 1, 1448).with_gso_size(size), header(1, 1, 1240));
    }

    #[test]
    fn asking_for_a_linear_frame_changes_the_header_length_alone() {
        let header = header(1, 1, 1448);
        let linear = header.with_linear(0x1234);
        assert_eq!(u16::from_ne_bytes([linear.as_bytes()[2], linear.as_bytes()[3]]), 0x1234);
        assert_eq!(linear.with_linear(0), header);
    }
}
