//! The control channel: who may ask the box how it is, and give it another configuration.

use core::fmt;
use core::num::NonZeroU16;

use ed25519_dalek::VerifyingKey;

use crate::Problem;

/// The control channel's settings. Without them the box has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Control {
    /// What the box and those who speak with it have in common.
    pub key: ControlKey,
    /// The TCP port of the box's lan address that it listens at. Nothing, if the channel is not on the lan.
    pub lan_port: Option<NonZeroU16>,
    /// Who signs the configurations that the box takes. Nothing, if it takes any.
    pub signer: Option<Signer>,
}

/// A secret of 32 bytes, which are not all 0. It does not show in what is written for debugging.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ControlKey([u8; 32]);

impl ControlKey {
    /// Takes a secret.
    ///
    /// # Errors
    /// [`Problem::ZeroKey`] if it is none: all zeros.
    pub fn new(bytes: [u8; 32]) -> Result<Self, Problem> {
        if bytes == [0; 32] { Err(Problem::ZeroKey) } else { Ok(Self(bytes)) }
    }

    /// The secret itself.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for ControlKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ControlKey(..)")
    }
}

/// The public key of whoever signs configurations (Ed25519, RFC 8032, section 5.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer([u8; 32]);

impl Signer {
    /// Takes a public key.
    ///
    /// # Errors
    /// [`Problem::NotAPublicKey`] if it is none, or one whose signatures anybody could make.
    pub fn new(bytes: [u8; 32]) -> Result<Self, Problem> {
        match VerifyingKey::from_bytes(&bytes) {
            Ok(key) if !key.is_weak() => Ok(Self(bytes)),
            _ => Err(Problem::NotAPublicKey),
        }
    }

    /// The key itself.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
