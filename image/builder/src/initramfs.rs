//! The box's first and only file system: the program, the board, the modules, and the directories that the program mounts on.

use std::io::Write as _;

use board::{Board, BoardName, Draft, Error, Field, FilePath, MAX_BOARD, Problem};
use flate2::{Compression, GzBuilder};

use crate::board_file::BoardFile;
use crate::cpio::Archive;
use crate::modules::Module;

/// What the program mounts on.
const MOUNTED_ON: [&str; 4] = ["dev", "proc", "run", "sys"];

/// What a process has for its console before anything is mounted (Linux's devices.txt).
const CONSOLE: (u32, u32) = (5, 1);

/// What the program is told of the board.
///
/// # Errors
/// What the program would refuse.
pub fn board(file: &BoardFile, modules: &[Module]) -> Result<Board, Error> {
    let mut draft = Draft {
        name: Some(BoardName::new(&file.name).map_err(|problem| problem.with(Field::Name))?),
        lan: Some(file.lan.clone()),
        wan: Some(file.wan.clone()),
        watchdog: file.watchdog.clone(),
        ..Draft::default()
    };
    for (index, module) in modules.iter().enumerate() {
        let path = FilePath::new(&format!("/{}", path(module)));
        let path = path.map_err(|problem| problem.with(Field::Module(index)))?;
        draft.modules.push(path).map_err(|_| Problem::TooMany.with(Field::Modules))?;
    }
    Board::new(draft)
}

/// The file system, packed.
pub fn pack(board: &Board, program: &[u8], modules: &[Module]) -> Vec<u8> {
    let mut archive = Archive::default();
    for name in MOUNTED_ON {
        archive.directory(name);
    }
    archive.characters("dev/console", CONSOLE);
    archive.program("init", program);
    archive.file("board", &blob(board));
    archive.directory("modules");
    for module in modules {
        archive.file(&path(module), &module.content);
    }
    compress(&archive.finish())
}

fn path(module: &Module) -> String {
    format!("modules/{}.ko", module.name)
}

fn blob(board: &Board) -> Vec<u8> {
    let mut buffer = vec![0; MAX_BOARD];
    let length = board.encode(&mut buffer).expect("MAX_BOARD bytes hold every board");
    buffer.truncate(length);
    buffer
}

/// gzip, which every kernel of ours can unpack; without a time or a name in it.
fn compress(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new().mtime(0).write(Vec::new(), Compression::best());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish());
    packed.expect("memory takes whatever is written to it")
}
