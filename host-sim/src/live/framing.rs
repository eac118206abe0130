//! Frames on a stream, as QEMU's `-netdev stream` has them: each after its length in bytes, 32 bits, big endian.

/// The longest frame that anybody means: no Ethernet frame of an IPv4 packet is longer, large ones included.
pub(super) const LONGEST: usize = 65_536;

/// How many bytes a length takes.
pub(super) const LENGTH: usize = 4;

/// A length that no frame has. Whoever sends it does not speak of frames, and where the next one begins nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Nonsense(pub(super) u32);

/// A frame with its length before it.
pub(super) fn framed(frame: &[u8]) -> impl Iterator<Item = u8> {
    (frame.len() as u32).to_be_bytes().into_iter().chain(frame.iter().copied())
}

/// What has come of a stream, and was not taken out yet: less than a frame, once all whole ones are.
#[derive(Debug, Default)]
pub(super) struct Stream {
    bytes: Vec<u8>,
}

impl Stream {
    /// More has come.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Takes out every frame that is whole, empty ones too.
    pub(super) fn take(&mut self, each: &mut impl FnMut(Vec<u8>)) -> Result<(), Nonsense> {
        let mut rest = &self.bytes[..];
        while let Some((length, behind)) = rest.split_first_chunk::<LENGTH>() {
            let length = u32::from_be_bytes(*length);
            if length as usize > LONGEST {
                return Err(Nonsense(length));
            }
            let Some((frame, behind)) = behind.split_at_checked(length as usize) else { break };
            each(frame.to_vec());
            rest = behind;
        }
        let taken = self.bytes.len() - rest.len();
        self.bytes.drain(..taken);
        Ok(())
    }

    /// Whether a frame has begun that is not whole.
    pub(super) fn is_within_a_frame(&self) -> bool {
        !self.bytes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(stream: &mut Stream) -> Result<Vec<Vec<u8>>, Nonsense> {
        let mut frames = Vec::new();
        stream.take(&mut |frame| frames.push(frame)).map(|()| frames)
    }

    #[test]
    fn frames_are_taken_out_whole_however_they_come() {
        let frames = [vec![1; 60], vec![], vec![2; LONGEST], vec![3; 14]];
        let bytes: Vec<_> = frames.iter().flat_map(|frame| framed(frame).collect::<Vec<_>>()).collect();
        for piece in [1, 3, 7, 4096, bytes.len()] {
            let (mut stream, mut came) = (Stream::default(), Vec::new());
            for bytes in bytes.chunks(piece) {
                stream.push(bytes);
                came.extend(taken(&mut stream).unwrap());
            }

            assert_eq!(came, frames, "in pieces of {piece}");
            assert!(!stream.is_within_a_frame());
        }
    }

    #[test]
    fn the_wire_has_the_length_first_and_big_endian() {
        assert_eq!(framed(&[7; 260]).take(6).collect::<Vec<_>>(), [0, 0, 1, 4, 7, 7]);
    }

    #[test]
    fn a_length_that_no_frame_has_is_told_and_nothing_is_kept_for_it() {
        for length in [LONGEST as u32 + 1, u32::from_be_bytes(*b"GET "), u32::MAX] {
            let mut stream = Stream::default();
            stream.push(&framed(&[1; 20]).collect::<Vec<_>>());
            stream.push(&length.to_be_bytes());
            stream.push(&[0; 100]);

            let mut before = 0;
            let told = stream.take(&mut |_| before += 1);

            assert_eq!((told, before), (Err(Nonsense(length)), 1));
        }
    }

    #[test]
    fn half_a_frame_waits_for_the_other_half() {
        let mut stream = Stream::default();
        stream.push(&[0, 0, 0]);
        assert_eq!(taken(&mut stream), Ok(vec![]));
        stream.push(&[2, 9]);
        assert_eq!(taken(&mut stream), Ok(vec![]));
        assert!(stream.is_within_a_frame());
        stream.push(&[8]);
        assert_eq!(taken(&mut stream), Ok(vec![vec![9, 8]]));
    }
}
