//! A disk that loses power, for a machine in QEMU: a block device of the network (NBD) at a Unix socket.
//!
//! What is written to it is in its cache until it is told to flush. When the power goes, each sector that is still there has
//! reached the medium or has not, by chance, and here and there one is torn. Killing QEMU alone would lose nothing that it
//! has ever been told to write. Read first: "The NBD protocol" (nbd/doc/proto.md), fixed newstyle, simple replies.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

const SECTOR: usize = 512;

const INIT: u64 = 0x4e42_444d_4147_4943;
const OPTION: u64 = 0x4948_4156_454f_5054;
const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
/// Both sides: fixed newstyle, without zeros.
const HANDSHAKE: u16 = 3;
/// It has flags, and can be told to flush.
const TRANSMISSION: u16 = 1 | 4;
const GO: u32 = 7;
const ABORT: u32 = 2;
const ACKNOWLEDGED: u32 = 1;
const INFORMATION: u32 = 3;
const UNSUPPORTED: u32 = 0x8000_0001;
const READ: u16 = 0;
const WRITE: u16 = 1;
const FLUSH: u16 = 3;
const INVALID: u32 = 22;

/// Chance that can be had again: SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    /// A number below this one.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) % end
    }
}

/// A disk.
#[derive(Debug)]
pub(crate) struct Disk {
    pub(crate) medium: Vec<u8>,
    cache: Vec<u8>,
    /// Where the sectors are of which the cache has more than the medium, the oldest first.
    waiting: Vec<usize>,
}

/// A disk that somebody may connect to; it has power until so much was asked of it.
pub(crate) struct Powered {
    path: PathBuf,
    // The connection stays until somebody asks for the disk: it is not the disk that says that there is no power.
    server: JoinHandle<io::Result<(Disk, UnixStream)>>,
}

impl Disk {
    pub(crate) fn new(medium: Vec<u8>) -> Self {
        Self { cache: medium.clone(), medium, waiting: Vec::new() }
    }

    /// Serves one machine at a socket. From its first write on, so many writes and flushes are done; at the next the power goes.
    pub(crate) fn serve(mut self, path: &Path, requests: u64, mut chance: Chance) -> Powered {
        // The one before is no more.
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            self.greet(&mut stream)?;
            self.answer(&mut stream, requests)?;
            self.lose_power(&mut chance);
            Ok((self, stream))
        });
        Powered { path: path.to_owned(), server }
    }

    /// Says how large it is.
    fn greet(&self, stream: &mut UnixStream) -> io::Result<()> {
        stream.write_all(
            &[&INIT.to_be_bytes()[..], &OPTION.to_be_bytes(), &HANDSHAKE.to_be_bytes()].concat(),
        )?;
        let _flags: [u8; 4] = take(stream)?;
        loop {
            let _magic: [u8; 8] = take(stream)?;
            let (option, length) = (u32::from_be_bytes(take(stream)?), u32::from_be_bytes(take(stream)?));
            io::copy(&mut stream.take(length.into()), &mut io::sink())?;
            let mut reply = |kind: u32, data: &[u8]| {
                let length = (data.len() as u32).to_be_bytes();
                let head = [&OPTION_REPLY.to_be_bytes()[..], &option.to_be_bytes(), &kind.to_be_bytes()];
                stream.write_all(&[&head.concat()[..], &length, data].concat())
            };
            match option {
                GO => {
                    let size = (self.medium.len() as u64).to_be_bytes();
                    reply(INFORMATION, &[&[0, 0], &size[..], &TRANSMISSION.to_be_bytes()].concat())?;
                    return reply(ACKNOWLEDGED, &[]);
                }
                ABORT => return Err(io::ErrorKind::ConnectionAborted.into()),
                _ => reply(UNSUPPORTED, &[])?,
            }
        }
    }

    /// Does what it is asked to, until it is the last that it does.
    fn answer(&mut self, stream: &mut UnixStream, requests: u64) -> io::Result<()> {
        let mut done = 0;
        loop {
            let magic = u32::from_be_bytes(take(stream)?);
            if magic != REQUEST {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let [_flags, kind] = [take(stream)?, take(stream)?].map(u16::from_be_bytes);
            let cookie: [u8; 8] = take(stream)?;
            let at = u64::from_be_bytes(take(stream)?) as usize;
            let length = u32::from_be_bytes(take(stream)?) as usize;
            let mut data = vec![0; if kind == WRITE { length } else { 0 }];
            stream.read_exact(&mut data)?;
            if done == requests {
                // The last thing that it is told is in its cache, and nobody hears of it.
                self.write(at, &data);
                return Ok(());
            }
            let mut error = 0_u32;
            let mut read = &[][..];
            match kind {
                READ => read = &self.cache[at..at + length],
                WRITE => self.write(at, &data),
                FLUSH => self.flush(),
                _ => error = INVALID,
            }
            done += u64::from(kind == WRITE || kind == FLUSH && done > 0);
            let head = [&REPLY.to_be_bytes()[..], &error.to_be_bytes(), &cookie].concat();
            stream.write_all(&[&head, read].concat())?;
        }
    }

    fn write(&mut self, at: usize, data: &[u8]) {
        self.cache[at..at + data.len()].copy_from_slice(data);
        self.waiting.extend((at..at + data.len()).step_by(SECTOR));
    }

    fn flush(&mut self) {
        for at in self.waiting.drain(..) {
            self.medium[at..at + SECTOR].copy_from_slice(&self.cache[at..at + SECTOR]);
        }
    }

    /// What is in the cache reaches the medium in part. One sector in eight is torn.
    fn lose_power(&mut self, chance: &mut Chance) {
        for at in std::mem::take(&mut self.waiting) {
            let length = match chance.below(8) {
                0 => chance.below(SECTOR as u64) as usize,
                1..5 => SECTOR,
                _ => 0,
            };
            self.medium[at..at + length].copy_from_slice(&self.cache[at..at + length]);
        }
        self.cache.clone_from(&self.medium);
    }
}

impl Powered {
    /// What QEMU calls it.
    pub(crate) fn name(&self) -> PathBuf {
        format!("nbd+unix:///?socket={}", self.path.display()).into()
    }

    /// Whether it has lost its power, or its machine.
    pub(crate) fn is_off(&self) -> bool {
        self.server.is_finished()
    }

    /// The disk, as it is without power.
    pub(crate) fn disk(self) -> io::Result<Disk> {
        self.server.join().unwrap().map(|(disk, _)| disk)
    }
}

fn take<const N: usize>(stream: &mut UnixStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}
