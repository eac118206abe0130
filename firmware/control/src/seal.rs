//! Seals: who may speak, that nobody else reads it, and that nothing is heard twice.
//!
//! Everything after the greetings is sealed with XChaCha20-Poly1305 (RFC 8439; draft-irtf-cfrg-xchacha) under the key that box and
//! tool share. The nonce of a frame is, in this order, the eight random bytes of the tool's greeting, the eight of the box's, who
//! speaks, and the frame's number. So a frame of another conversation, of the other side, or with another number does not open; and
//! a number is taken only if it is higher than the one before. Whoever records a conversation can make nothing of it later, unless
//! they come by the key.

use chacha20poly1305::aead::AeadInPlace as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};

use crate::frame::MAX_CONTENT;

/// The key that box and tool share.
pub type Key = [u8; 32];

/// The random bytes of a greeting.
pub type Nonce = [u8; 8];

/// How much longer a message is when it is sealed: its number and its tag.
pub const OVERHEAD: usize = NUMBER + TAG;

/// The longest message, in bytes.
pub const MAX_MESSAGE: usize = MAX_CONTENT - OVERHEAD;

/// Where the message begins in what is sealed: behind its number.
pub const NUMBER: usize = 4;

/// How long the tag is, with which it ends.
pub const TAG: usize = 16;

/// Whose end of the conversation it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum End {
    /// The operator's. (Not zero: so is no conversation, and a box begins with many of those.)
    Tool = 1,
    /// The box's.
    Box,
}

/// One end of a conversation.
pub struct Conversation {
    cipher: XChaCha20Poly1305,
    nonces: [Nonce; 2],
    own: End,
    sent: u32,
    heard: u32,
}

impl Conversation {
    /// The end of `own`, after the greetings of tool and box.
    pub fn new(key: &Key, own: End, tool: Nonce, the_box: Nonce) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()), nonces: [tool, the_box], own, sent: 0, heard: 0 }
    }

    /// Seals what begins at [`NUMBER`] bytes of `content` and is `len` bytes long, for the next frame; the content's length. Nothing
    /// if there is no room, or no number left: then a new conversation has to begin.
    pub fn seal(&mut self, content: &mut [u8; MAX_CONTENT], len: usize) -> Option<usize> {
        let number = self.sent.checked_add(1)?;
        let nonce = self.nonce(self.own, number);
        let (place, rest) = content.split_first_chunk_mut()?;
        let (message, rest) = rest.split_at_mut_checked(len)?;
        let tag_place = rest.first_chunk_mut::<TAG>()?;
        *place = number.to_le_bytes();
        *tag_place = self.cipher.encrypt_in_place_detached((&nonce).into(), &[], message).ok()?.into();
        self.sent = number;
        Some(OVERHEAD + len)
    }

    /// Opens the content of a frame: the message in it. Nothing if it is not for us, was not sealed with the key, or was heard
    /// before.
    pub fn open<'c>(&mut self, content: &'c mut [u8]) -> Option<&'c [u8]> {
        let (number, rest) = content.split_first_chunk_mut()?;
        let (message, tag) = rest.split_last_chunk_mut::<TAG>()?;
        let number = u32::from_le_bytes(*number);
        let other = if self.own == End::Box { End::Tool } else { End::Box };
        let nonce = self.nonce(other, number);
        if number <= self.heard {
            return None;
        }
        self.cipher.decrypt_in_place_detached((&nonce).into(), &[], message, (&*tag).into()).ok()?;
        self.heard = number;
        Some(message)
    }

    fn nonce(&self, speaker: End, number: u32) -> [u8; 24] {
        let [tool, the_box] = self.nonces;
        let mut nonce = [0; 24];
        let parts =
            tool.into_iter().chain(the_box).chain([speaker as u8, 0, 0, 0]).chain(number.to_le_bytes());
        nonce.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        nonce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: Key = [7; 32];

    fn pair(keys: [&Key; 2]) -> [Conversation; 2] {
        let [tool, other] = keys;
        [
            Conversation::new(tool, End::Tool, [1; 8], [2; 8]),
            Conversation::new(other, End::Box, [1; 8], [2; 8]),
        ]
    }

    fn sealed(from: &mut Conversation, message: &[u8]) -> ([u8; MAX_CONTENT], usize) {
        let mut content = [0; MAX_CONTENT];
        content[NUMBER..NUMBER + message.len()].copy_from_slice(message);
        let len = from.seal(&mut content, message.len()).unwrap_or(0);
        (content, len)
    }

    #[test]
    fn what_one_end_seals_the_other_opens_once() {
        let [mut tool, mut the_box] = pair([&KEY, &KEY]);
        let (content, len) = sealed(&mut tool, b"status");
        assert_ne!(&content[NUMBER..10], b"status");
        assert_eq!(the_box.open(&mut { content }[..len]), Some(&b"status"[..]));
        assert_eq!(the_box.open(&mut { content }[..len]), None, "heard twice");
        let (answer, len) = sealed(&mut the_box, &[9; MAX_MESSAGE]);
        assert_eq!(tool.open(&mut { answer }[..len]), Some(&[9; MAX_MESSAGE][..]));
    }

    #[test]
    fn a27_another_key_another_conversation_and_a_mirror_open_nothing() {
        let [mut tool, _] = pair([&KEY, &KEY]);
        let (content, len) = sealed(&mut tool, b"kill");
        let opened = |mut by: Conversation| by.open(&mut { content }[..len]).is_some();
        assert!(opened(Conversation::new(&KEY, End::Box, [1; 8], [2; 8])));
        assert!(!opened(Conversation::new(&[8; 32], End::Box, [1; 8], [2; 8])));
        assert!(!opened(Conversation::new(&KEY, End::Box, [1; 8], [3; 8])));
        assert!(!opened(Conversation::new(&KEY, End::Box, [3; 8], [2; 8])));
        assert!(!opened(Conversation::new(&KEY, End::Tool, [1; 8], [2; 8])));
    }

    #[test]
    fn a27_no_change_of_a_bit_goes_unnoticed() {
        let [mut tool, mut the_box] = pair([&KEY, &KEY]);
        let (content, len) = sealed(&mut tool, b"confirm");
        for bit in 0..len * 8 {
            let mut changed = content;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(the_box.open(&mut changed[..len]), None, "bit {bit}");
        }
        assert!(the_box.open(&mut { content }[..len]).is_some());
    }
}
