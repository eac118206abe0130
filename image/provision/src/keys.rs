//! The commands about keys and signatures: `keygen`, `sign` and `verify`.
//!
//! A file with a secret is made for its owner alone, and never overwritten. What is in it says which kind of key it is, so that
//! none is taken for another.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use clap::Args;
use config::signed::{self, Opened};
use config::{Config, Error, Signer};

use provision::signing::{PrivateKey, control_key};
use provision::{Failure, files, hex};

use crate::way_out;

/// What stands before the digits of a private key in its file.
const PRIVATE: &str = "sekisho-signing-key ";

#[derive(Args)]
pub(crate) struct Keygen {
    /// Where to write the secret; a new file.
    path: PathBuf,
    /// Make a key to sign configurations with, instead of a control channel's.
    #[arg(long)]
    signing: bool,
}

#[derive(Args)]
pub(crate) struct Sign {
    /// The blob; - for standard input.
    blob: PathBuf,
    /// The file with the private key, which provision keygen --signing has made.
    #[arg(long)]
    key: PathBuf,
    /// The configuration's number, higher than that of each before it.
    #[arg(long, value_parser = sequence)]
    sequence: NonZeroU32,
    /// Where to write the signed blob; - for standard output.
    #[arg(short, long, value_name = "SIGNED")]
    output: PathBuf,
}

#[derive(Args)]
pub(crate) struct Verify {
    /// The signed blob; - for standard input.
    signed: PathBuf,
    /// The public key, as 64 hex digits or as a file with them.
    #[arg(long, value_name = "KEY")]
    signer: String,
}

/// Makes a key, and prints what goes into a configuration.
pub(crate) fn keygen(arguments: &Keygen) -> Result<(), Failure> {
    let Keygen { path, signing } = arguments;
    let (secret, lines) = if *signing {
        let key = PrivateKey::random()?;
        let signer = hex::digits(key.signer()?.bytes());
        (format!("{PRIVATE}{}\n", hex::digits(key.bytes())), format!("signer = \"{signer}\"\n"))
    } else {
        let key = hex::digits(control_key()?.bytes());
        (format!("{key}\n"), format!("[control]\nkey = \"{key}\"\n"))
    };
    files::write_secret(path, &secret)?;
    files::print(&lines)
}

/// Signs a blob.
pub(crate) fn sign(arguments: &Sign) -> Result<(), Failure> {
    let Sign { blob, key, sequence, output } = arguments;
    let key = private_key(key)?;
    let name = files::name(blob, "<stdin>");
    let bytes = files::read_blob(blob)?;
    let (opened, config) = read(&name, &bytes)?;
    if opened.seal.is_some() {
        return Err(Failure::Input(format!(
            "{name}: is signed already; sign the blob that it was made from"
        )));
    }
    if files::is_same(blob, output) {
        return Err(Failure::Input(format!(
            "{name}: is the blob itself; name another file for the signed one"
        )));
    }
    let signed = key.sign(&bytes, *sequence);
    files::write(output, &signed, config.control().is_some())?;
    let name = files::name(output, "<stdout>");
    let summary = format!("{name}: {} bytes, signed, sequence {sequence}\n", signed.len());
    if files::is_stream(output) { files::explain(&summary) } else { files::print(&summary) }
}

/// Says whether a configuration is signed by whom it should be.
pub(crate) fn verify(arguments: &Verify) -> Result<(), Failure> {
    let signer = signer(&arguments.signer)?;
    let name = files::name(&arguments.signed, "<stdin>");
    let bytes = files::read_blob(&arguments.signed)?;
    let (opened, _) = read(&name, &bytes)?;
    opened.verify(&signer).map_err(|refusal| Failure::Input(format!("{name}: {refusal}")))?;
    files::print(&format!("{name}: ok{}\n", seal(&opened)))
}

/// Takes a configuration apart that is to be sound, in either form.
pub(crate) fn read<'b>(name: &str, bytes: &'b [u8]) -> Result<(Opened<'b>, Config), Failure> {
    let refused = |error: Error| Failure::Input(format!("{name}: {error}; {}", way_out(error)));
    let opened = signed::open(bytes).map_err(refused)?;
    let config = opened.config().map_err(refused)?;
    Ok((opened, config))
}

/// Whether bytes say of themselves that they are a blob, signed or bare.
pub(crate) fn is_blob(bytes: &[u8]) -> bool {
    match signed::open(bytes) {
        Ok(Opened { seal: None, blob, .. }) => Config::decode(blob) != Err(Error::WrongMagic),
        _ => true,
    }
}

/// What there is to say about a seal.
pub(crate) fn seal(opened: &Opened<'_>) -> String {
    opened.seal.map_or_else(String::new, |seal| format!(", signed, sequence {}", seal.sequence))
}

fn sequence(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| format!("give a number from 1 to {}", u32::MAX))
}

fn private_key(path: &Path) -> Result<PrivateKey, Failure> {
    let name = path.display();
    let text = files::read_secret(path, "a private key")?;
    let digits = text.trim_end().strip_prefix(PRIVATE);
    let bytes = digits.and_then(hex::bytes).ok_or_else(|| {
        Failure::Input(format!("{name}: is no private key; give a file that provision keygen --signing made"))
    })?;
    Ok(PrivateKey::new(&bytes))
}

/// A public key: its digits, or a file with these, alone or as keygen prints them.
fn signer(text: &str) -> Result<Signer, Failure> {
    let not_one = || {
        Failure::Input(format!(
            "{text}: is no public key; give the 64 hex digits that provision keygen --signing printed, or a file with them"
        ))
    };
    let bytes = match hex::bytes(text) {
        Some(bytes) => bytes,
        None => {
            let file = files::read_key(Path::new(text), "a public key")?;
            let bare = file.trim().trim_start_matches("signer = ").trim_matches('"');
            hex::bytes(bare).ok_or_else(not_one)?
        }
    };
    Signer::new(bytes).map_err(|_| not_one())
}
