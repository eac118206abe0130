//! The command that builds the tiny kernel, so that it is there when an image wants it.

use std::path::PathBuf;

use builder::board_file;
use builder::tiny::Tiny;
use clap::Args;
use provision::{Failure, grouped};

use crate::cli::kept::Kept;
use crate::files;
use crate::progress::Progress;

#[derive(Args)]
pub(crate) struct Kernel {
    /// The board: the name of one that comes with the tool, or the path of a board's .toml file.
    #[arg(long, value_name = "BOARD")]
    board: String,
    /// Write the kernel to a file, too.
    #[arg(short, long, value_name = "VMLINUZ")]
    output: Option<PathBuf>,
    #[command(flatten)]
    kept: Kept,
}

/// Builds it if it is not there yet, and prints what it weighs.
pub(crate) fn kernel(options: &Kernel) -> Result<bool, Failure> {
    let board = board_file::find(&options.board)?;
    let progress = Progress::begin();
    let tell = |what: &str| progress.tell(what);
    let cache = options.kept.directory()?;
    let kernel = Tiny::new(&cache, &board, options.kept.refresh, &tell)?.kernel()?;
    progress.end();
    if let Some(path) = &options.output {
        files::write(path, &kernel.bytes)?;
    }
    let machine = board.architecture.name();
    files::print(&format!("{} for {machine}: {} bytes\n", kernel.package, grouped(kernel.bytes.len())))?;
    Ok(true)
}
