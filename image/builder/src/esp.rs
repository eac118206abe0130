//! The EFI system partition: a FAT file system with the one program that firmware boots.
//!
//! It is as large as its content wants it; which of the three kinds of FAT that is follows from its size. Nothing in it has
//! a time but the beginning of FAT's own, and its serial number is given.

use std::io::{self, Cursor, Read as _, Write as _};

use fatfs::{Date, DateTime, FileSystem, FormatVolumeOptions, FsOptions, Time, TimeProvider};

use crate::Architecture;

const LABEL: [u8; 11] = *b"SEKISHO    ";
const DIRECTORIES: [&str; 2] = ["EFI", "EFI/BOOT"];

/// What the file system itself takes at most: tables of two bytes a cluster, two of them, and directories.
const OVERHEAD: usize = 512 << 10;
const MEBIBYTE: usize = 1 << 20;

/// A file system with this program in it, whole mebibytes long.
///
/// # Errors
/// If the file system cannot be made, which is our mistake.
pub fn build(program: &[u8], architecture: Architecture, serial: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; (program.len() + OVERHEAD).next_multiple_of(MEBIBYTE)];
    let options = FormatVolumeOptions::new().volume_id(serial).volume_label(LABEL);
    fatfs::format_volume(Cursor::new(&mut bytes[..]), options)?;
    let settings = FsOptions::new().time_provider(&FIRST_DAY);
    let system = FileSystem::new(Cursor::new(&mut bytes[..]), settings)?;
    let root = system.root_dir();
    for directory in DIRECTORIES {
        root.create_dir(directory)?;
    }
    root.create_file(&path(architecture))?.write_all(program)?;
    drop(root);
    system.unmount()?;
    Ok(bytes)
}

/// The program in a file system, and the machine that it is for.
///
/// # Errors
/// If there is no such file system, or no such program in it.
pub fn program(partition: &[u8]) -> io::Result<(Architecture, Vec<u8>)> {
    // The crate wants to write, should it find something to mend; what it writes is thrown away.
    let mut bytes = partition.to_vec();
    let system = FileSystem::new(Cursor::new(&mut bytes[..]), FsOptions::new())?;
    for architecture in Architecture::ALL {
        let Ok(mut file) = system.root_dir().open_file(&path(architecture)) else { continue };
        let mut program = Vec::new();
        file.read_to_end(&mut program)?;
        return Ok((architecture, program));
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "no program for any machine in EFI/BOOT"))
}

/// The first day that FAT knows, for ever.
#[derive(Debug)]
struct FirstDay;

static FIRST_DAY: FirstDay = FirstDay;

impl TimeProvider for FirstDay {
    fn get_current_date(&self) -> Date {
        Date { year: 1980, month: 1, day: 1 }
    }

    fn get_current_date_time(&self) -> DateTime {
        DateTime { date: self.get_current_date(), time: Time { hour: 0, min: 0, sec: 0, millis: 0 } }
    }
}

fn path(architecture: Architecture) -> String {
    format!("EFI/BOOT/{}", architecture.boot_file())
}
