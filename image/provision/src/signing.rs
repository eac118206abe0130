//! Keys made at random, and configurations signed.

use std::num::NonZeroU32;

use config::signed::MAGIC;
use config::{ControlKey, Signer};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::Failure;

/// The private half of a pair of keys that configurations are signed with (Ed25519).
#[derive(Debug)]
pub struct PrivateKey(SigningKey);

impl PrivateKey {
    /// A key from its 32 bytes, all of which are good.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// A key that nobody else has.
    ///
    /// # Errors
    /// If the system has no randomness.
    pub fn random() -> Result<Self, Failure> {
        random().map(|bytes| Self::new(&bytes))
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The public half.
    ///
    /// # Errors
    /// If the private one is so bad that it has none; no key that was made at random is.
    pub fn signer(&self) -> Result<Signer, Failure> {
        Signer::new(self.0.verifying_key().to_bytes()).map_err(|problem| Failure::Input(problem.to_string()))
    }

    /// A blob, signed.
    pub fn sign(&self, blob: &[u8], sequence: NonZeroU32) -> Vec<u8> {
        let mut bytes = [&MAGIC, &sequence.get().to_le_bytes()[..], blob].concat();
        let signature = self.0.sign(&bytes);
        bytes.extend(signature.to_bytes());
        bytes
    }
}

/// A secret for the control channel that nobody else has.
///
/// # Errors
/// If the system has no randomness.
pub fn control_key() -> Result<ControlKey, Failure> {
    ControlKey::new(random()?).map_err(|problem| Failure::Operation(problem.to_string()))
}

/// 32 random bytes of the system's.
pub(crate) fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Operation(format!("the system gives no randomness: {error}")))?;
    Ok(bytes)
}
