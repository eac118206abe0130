//! Files and standard streams: read with a bound, written all or nothing.
//!
//! `-` stands for a standard stream. A blob is written to a file beside its place, which then takes the place:
//! whoever reads it, a box that boots at that moment too, finds the old blob or the new one and never a half.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process;

use config::signed::MAX_SIGNED;

use crate::Failure;

/// The longest text that is read, in bytes: some hundred times what 64 forwards take, and more than firewalls have.
const MAX_TEXT: usize = 1 << 20;

/// The longest key's file that is read, in bytes: some ten times what any key takes.
const MAX_KEY: usize = 1 << 10;

/// Whether `path` stands for a standard stream.
pub fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether both paths lead to one file.
pub fn is_same(one: &Path, other: &Path) -> bool {
    match (fs::canonicalize(one), fs::canonicalize(other)) {
        (Ok(one), Ok(other)) => one == other && one.is_file(),
        _ => false,
    }
}

/// What messages call the file.
pub fn name(path: &Path, stream: &str) -> String {
    if is_stream(path) {
        return stream.to_owned();
    }
    path.display().to_string()
}

/// The text of a file, which is to be `what`.
///
/// # Errors
/// It cannot be read, is too long, or no text.
pub fn read_text(path: &Path, what: &str) -> Result<String, Failure> {
    text(&name(path, "<stdin>"), read_all(path, what)?, what)
}

/// The bytes of a file, which is to be `what`, or perhaps a blob.
///
/// # Errors
/// It cannot be read, or is too long.
pub fn read_all(path: &Path, what: &str) -> Result<Vec<u8>, Failure> {
    read_within(path, MAX_TEXT, what)
}

/// The text of a key's file, which is to be `what`.
///
/// # Errors
/// It cannot be read, is longer than any key, or no text.
pub fn read_key(path: &Path, what: &str) -> Result<String, Failure> {
    text(&name(path, "<stdin>"), read_within(path, MAX_KEY, what)?, what)
}

/// The same of a secret key's file, with a warning if others can read it.
///
/// # Errors
/// As for [`read_key`].
pub fn read_secret(path: &Path, what: &str) -> Result<String, Failure> {
    let text = read_key(path, what)?;
    if fs::metadata(path).is_ok_and(|it| it.is_file() && it.mode() & 0o004 != 0) {
        let name = path.display();
        explain(&format!("warning: {name}: everybody can read this key; chmod 600 {name}\n"))?;
    }
    Ok(text)
}

/// The text that the bytes of a file are, which is to be `what`.
///
/// # Errors
/// They are no text.
pub fn text(name: &str, bytes: Vec<u8>, what: &str) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes().iter().take(valid).filter(|byte| **byte == b'\n').count();
        Failure::Input(format!("{name}:{line}: not UTF-8 text; give {what}"))
    })
}

/// The bytes of a blob, signed or bare, or just enough of a longer file to see that it is none.
///
/// # Errors
/// It cannot be read.
pub fn read_blob(path: &Path) -> Result<Vec<u8>, Failure> {
    read(path, MAX_SIGNED)
}

/// Puts a blob or a text at `path`, all or nothing. A new file with a `secret` in it is its owner's alone; one that is there keeps its
/// mode.
///
/// # Errors
/// It cannot be written.
pub fn write(path: &Path, blob: &[u8], secret: bool) -> Result<(), Failure> {
    let written =
        if is_stream(path) { write_stream(io::stdout(), blob) } else { write_file(path, blob, secret) };
    written.map_err(|error| Failure::to_print(name(path, "<stdout>"), &error))
}

/// Makes a file that its owner alone can read; what is there already is not overwritten.
///
/// # Errors
/// It is there already, or cannot be written.
pub fn write_secret(path: &Path, text: &str) -> Result<(), Failure> {
    let made = File::options().write(true).create_new(true).mode(0o600).open(path);
    let written = made.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            let name = path.display();
            Failure::Input(format!("{name}: is there already, and no key is overwritten; name another file"))
        }
        _ => Failure::to_write(path.display(), &error),
    })
}

/// Writes what the command was asked for.
///
/// # Errors
/// It cannot be written.
pub fn print(text: &str) -> Result<(), Failure> {
    write_stream(io::stdout(), text.as_bytes()).map_err(|error| Failure::to_print("<stdout>", &error))
}

/// Writes what goes beside it.
///
/// # Errors
/// It cannot be written.
pub fn explain(text: &str) -> Result<(), Failure> {
    write_stream(io::stderr(), text.as_bytes()).map_err(|error| Failure::to_print("<stderr>", &error))
}

fn read_within(path: &Path, limit: usize, what: &str) -> Result<Vec<u8>, Failure> {
    let bytes = read(path, limit)?;
    if bytes.len() > limit {
        let name = name(path, "<stdin>");
        return Err(Failure::Input(format!("{name}: longer than {limit} bytes; give {what}")));
    }
    Ok(bytes)
}

/// At most one byte more than `limit`, which shows that the input is longer.
fn read(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let limit = limit as u64 + 1;
    let done = if is_stream(path) {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    done.map_err(|error| Failure::to_read(name(path, "<stdin>"), &error))?;
    Ok(bytes)
}

fn write_stream(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes)?;
    stream.flush()
}

fn write_file(path: &Path, blob: &[u8], secret: bool) -> io::Result<()> {
    // Through a link to what it points at; a device is written to and not replaced.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let there = fs::metadata(&target).ok();
    if there.as_ref().is_some_and(|metadata| !metadata.is_file()) {
        return File::options().write(true).open(&target)?.write_all(blob);
    }
    let draft = beside(&target)?;
    let written = write_new(&draft, blob, secret).and_then(|()| {
        if let Some(metadata) = there {
            fs::set_permissions(&draft, metadata.permissions())?;
        }
        fs::rename(&draft, &target)
    });
    if written.is_err() {
        // Leave nothing behind; that the write failed is what matters.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_new(path: &Path, blob: &[u8], secret: bool) -> io::Result<()> {
    let mode = if secret { 0o600 } else { 0o666 };
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(blob)?;
    file.sync_all()
}

/// A name in the same directory, so that the rename stays within one file system.
fn beside(target: &Path) -> io::Result<PathBuf> {
    let name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut draft = OsString::from(".");
    draft.push(name);
    draft.push(format!(".{}", process::id()));
    Ok(target.with_file_name(draft))
}
