#![no_std]
#![forbid(unsafe_code)]
//! The control channel: how an operator's tool speaks with a running box, over any stream of bytes.
//!
//! The tool asks, the box answers, one question at a time. Both know a secret *key*; nothing is said in clear that is worth
//! hearing, and nobody without the key is answered anything but a greeting.
//!
//! | room | what it owns |
//! |---|---|
//! | `frame` | where a message begins and ends in a stream, and whether it came whole |
//! | `greeting` | how a conversation begins |
//! | `seal` | who may speak, and that nothing is heard twice |
//! | `message` | what is said: requests and responses |
//! | `link` | the box's end of one stream |
//! | `desk` | what the box answers; a configuration on trial |
//!
//! Words: a *frame* is a message on the wire; a *stream* carries frames both ways: a socket, a serial port, a TCP connection; a
//! *conversation* begins with a *greeting* from each side and has a number for each frame after it.
//!
//! Invariants: no bytes from a stream make anything here panic or grow; what does not bear the key changes nothing but a counter;
//! nothing allocates; a configuration that nobody confirms is taken back, whatever else happens.
//!
//! Read first: RFC 8439 (ChaCha20-Poly1305); Cheshire and Baker, *Consistent Overhead Byte Stuffing* (1999).

mod desk;
pub mod frame;
pub mod greeting;
mod link;
pub mod message;
pub mod seal;

pub use desk::{Desk, Kept, Surroundings};
pub use link::{Hearing, Link, Tally};
