//! Files: read whole, and written all or nothing.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process;

use provision::Failure;

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::to_read(path.display(), &error))
}

/// Puts an image at `path`: beside it first, and then in its place.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(Failure::Input(format!("{}: is no file; name one for the image", path.display())));
    }
    let draft = beside(path).map_err(|error| Failure::to_write(path.display(), &error))?;
    let written = write_new(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    written.map_err(|error| {
        // Leave nothing behind; that the write failed is what matters.
        let _ = fs::remove_file(&draft);
        Failure::to_write(path.display(), &error)
    })
}

/// Writes what the command was asked for.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| Failure::to_write("<stdout>", &error))
}

/// Says how far it is.
pub(crate) fn tell(text: &str) {
    // There is nobody to tell if this fails, and the rest goes on all the same.
    let _ = writeln!(io::stderr(), "{text}");
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// A name in the same directory, so that the rename stays within one file system.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    Ok(path.with_file_name(format!(".{name}.{}", process::id())))
}
