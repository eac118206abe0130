//! Greetings: what a conversation begins with, and all of it that is in clear.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the protocol's number |
//! | 8 | random bytes, other ones each time |
//!
//! The tool greets first. The box greets back if it has a key, whatever the tool's protocol is, so that the tool can say which of them
//! is too old; what does not agree with it, it hears no further.

use crate::frame::MAX_CONTENT;
use crate::message::PROTOCOL;
use crate::seal::Nonce;

/// The kind of a frame that is a greeting of the tool.
pub const HELLO: u8 = 1;
/// The kind of a frame that is one of the box.
pub const WELCOME: u8 = 2;
/// The kind of any frame after them.
pub const SEALED: u8 = 3;

/// Writes a greeting; its length.
pub fn write(nonce: Nonce, content: &mut [u8; MAX_CONTENT]) -> usize {
    let parts = [PROTOCOL].into_iter().chain(nonce);
    content.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    1 + nonce.len()
}

/// Reads a greeting: the protocol of who greets, and its random bytes.
pub fn read(content: &[u8]) -> Option<(u8, Nonce)> {
    let (protocol, nonce) = content.split_first()?;
    Some((*protocol, nonce.try_into().ok()?))
}
