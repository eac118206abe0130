//! Signed configurations: a blob, its number in the order of signing, and the signature of whoever may configure the box.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | magic, the letters `SKSG` |
//! | 4 | 4 | sequence, from 1, little-endian |
//! | 8 | all but the last 64 | the blob |
//! | … | 64 | Ed25519 signature (RFC 8032, section 5.1.6) of all before it |
//!
//! Words: a *seal* is sequence and signature. What has none is a bare blob, and is taken here as well.
//!
//! Invariants: whoever has the key's public half can tell every change of a byte. A signature is good for one sequence and
//! one blob, so that two seals that are equal, and right, are of the same bytes.
//!
//! Read first: RFC 8032, sections 5.1 and 8.4.

use core::fmt;
use core::num::NonZeroU32;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::{Config, Error, MAX_BLOB, Signer};

/// The longest signed configuration in bytes.
pub const MAX_SIGNED: usize = HEADER + MAX_BLOB + SIGNATURE;

/// What a signed configuration begins with.
pub const MAGIC: [u8; 4] = *b"SKSG";

const HEADER: usize = 8;
const SIGNATURE: usize = 64;

/// A number in the order of signing, and the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The higher, the later.
    pub sequence: NonZeroU32,
    /// Of all that comes before it.
    pub signature: [u8; SIGNATURE],
}

/// A configuration in either form, taken apart. Whose signature it is, is yet to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened<'b> {
    /// The blob.
    pub blob: &'b [u8],
    /// The seal. Nothing, if it is a bare blob.
    pub seal: Option<Seal>,
    /// What the signature is of.
    covered: &'b [u8],
}

/// What a box is to do with a configuration that it is offered and takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission<'b> {
    /// It is another than the box has.
    New(Opened<'b>),
    /// It is the very one that it has as its latest.
    Same,
}

/// Why a box does not take a configuration that it is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is in neither form.
    Unreadable(Error),
    /// The box takes signed ones alone, and this one is not.
    NotSigned,
    /// The signature is somebody else's, or of something else.
    WrongSignature,
    /// The box has one whose sequence, given here, is as high or higher.
    NotHigher(NonZeroU32),
}

/// Takes a configuration apart: a signed one, or a bare blob, which is not looked at.
///
/// # Errors
/// [`Error::WrongLength`] if a signed one is shorter or longer than any; [`Error::NoSequence`].
pub fn open(bytes: &[u8]) -> Result<Opened<'_>, Error> {
    let Some(rest) = bytes.strip_prefix(&MAGIC) else {
        return Ok(Opened { blob: bytes, seal: None, covered: bytes });
    };
    let (covered, signature) = bytes.split_last_chunk().ok_or(Error::WrongLength)?;
    let (sequence, rest) = rest.split_first_chunk().ok_or(Error::WrongLength)?;
    let (blob, _) = rest.split_last_chunk::<SIGNATURE>().ok_or(Error::WrongLength)?;
    if bytes.len() > MAX_SIGNED {
        return Err(Error::WrongLength);
    }
    let sequence = NonZeroU32::new(u32::from_le_bytes(*sequence)).ok_or(Error::NoSequence)?;
    Ok(Opened { blob, seal: Some(Seal { sequence, signature: *signature }), covered })
}

/// Whether a box takes what it is offered: the signer is that of the configuration that it runs with, `latest` the seal with
/// the highest sequence of those that it has. Whether the blob is a configuration is another question.
///
/// # Errors
/// The reason why not.
pub fn admit<'b>(
    signer: Option<&Signer>,
    latest: Option<&Seal>,
    offered: &'b [u8],
) -> Result<Admission<'b>, Refusal> {
    let opened = open(offered).map_err(Refusal::Unreadable)?;
    let Some(signer) = signer else { return Ok(Admission::New(opened)) };
    opened.verify(signer)?;
    match (opened.seal, latest) {
        (Some(seal), Some(latest)) if seal == *latest => Ok(Admission::Same),
        (Some(seal), Some(latest)) if seal.sequence <= latest.sequence => {
            Err(Refusal::NotHigher(latest.sequence))
        }
        _ => Ok(Admission::New(opened)),
    }
}

impl Opened<'_> {
    /// The configuration itself.
    ///
    /// # Errors
    /// As [`Config::decode`].
    pub fn config(&self) -> Result<Config, Error> {
        Config::decode(self.blob)
    }

    /// Whether it is signed, and by whom it should be.
    ///
    /// # Errors
    /// [`Refusal::NotSigned`] or [`Refusal::WrongSignature`].
    pub fn verify(&self, signer: &Signer) -> Result<(), Refusal> {
        let seal = self.seal.ok_or(Refusal::NotSigned)?;
        let signature = Signature::from_bytes(&seal.signature);
        // Strictly: of what is known of a key or a signature that fits several texts, nothing passes.
        VerifyingKey::from_bytes(signer.bytes())
            .and_then(|key| key.verify_strict(self.covered, &signature))
            .map_err(|_| Refusal::WrongSignature)
    }
}

impl core::error::Error for Refusal {}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => error.fmt(f),
            Self::NotSigned => f.write_str("not signed"),
            Self::WrongSignature => f.write_str("wrong signature: of somebody else, or of something else"),
            Self::NotHigher(latest) => {
                write!(f, "the sequence is not higher than {latest}, which the box has")
            }
        }
    }
}
