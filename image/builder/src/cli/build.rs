//! The command that builds an image.

use std::env;
use std::path::PathBuf;

use builder::board_file::{self, BoardFile};
use builder::debian::{Debian, Kernel};
use builder::image::{self, Named, Parts};
use builder::modules::Directory;
use builder::tiny::Tiny;
use clap::Args;
use provision::Failure;

use crate::cli::kept::Kept;
use crate::files;
use crate::progress::Progress;

#[derive(Args)]
pub(crate) struct Build {
    /// The board: the name of one that comes with the tool, or the path of a board's .toml file.
    #[arg(long, value_name = "BOARD")]
    board: String,
    /// The configuration: a blob that provision compile or provision sign wrote.
    #[arg(long, value_name = "BLOB")]
    config: PathBuf,
    /// Where to write the image.
    #[arg(short, long, value_name = "IMAGE")]
    output: PathBuf,
    /// The program that it boots; otherwise the one for the board's machine that is beside this tool.
    #[arg(long, value_name = "PROGRAM")]
    init: Option<PathBuf>,
    /// A kernel of your own, instead of Debian's.
    #[arg(long, value_name = "VMLINUZ")]
    kernel: Option<PathBuf>,
    /// The directory of its modules; without one, it has everything built in.
    #[arg(long, value_name = "DIRECTORY", requires = "kernel")]
    modules: Option<PathBuf>,
    /// systemd's EFI stub, instead of Debian's.
    #[arg(long, value_name = "STUB")]
    stub: Option<PathBuf>,
    /// The tiny kernel, with everything built in, instead of Debian's; it is built the first time, which takes minutes.
    #[arg(long, conflicts_with = "kernel")]
    tiny: bool,
    #[command(flatten)]
    kept: Kept,
}

/// Builds, and prints what it weighs.
pub(crate) fn build(options: &Build) -> Result<bool, Failure> {
    let board = board_file::find(&options.board)?;
    let progress = Progress::begin();
    let blob = files::read(&options.config)?;
    let program_path = options.program(&board)?;
    let program = files::read(&program_path)?;
    // What is wrong with these is told before anything is fetched.
    image::check(&board, named(&program_path.display().to_string(), &program))?;
    image::check_blob(named(&options.config.display().to_string(), &blob))?;
    let tell = |what: &str| progress.tell(what);
    let cache = options.kept.directory()?;
    let debian = Debian::new(&cache, board.architecture, options.kept.refresh, &tell);
    let kernel = if options.tiny {
        Tiny::new(&cache, &board, options.kept.refresh, &tell)?.kernel()?
    } else {
        options.kernel(&board, &debian)?
    };
    let stub = match &options.stub {
        Some(path) => files::read(path)?,
        None => debian.stub(board.architecture)?,
    };
    progress.tell("putting the image together");
    let image = image::build(&Parts {
        board: &board,
        program: named(&program_path.display().to_string(), &program),
        kernel: named(&kernel.package, &kernel.bytes),
        modules: &kernel.modules,
        stub: named(
            &options.stub.as_ref().map_or("systemd-boot-efi".into(), |path| path.display().to_string()),
            &stub,
        ),
        blob: named(&options.config.display().to_string(), &blob),
    })?;
    progress.tell("writing the image");
    files::write(&options.output, &image.bytes)?;
    progress.end();
    files::print(&format!(
        "{}\n  from       {}\n{}",
        options.output.display(),
        kernel.package,
        image.weights
    ))?;
    Ok(true)
}

impl Build {
    /// The program to boot: the one beside this tool that is named for the board's machine, or is for this one.
    fn program(&self, board: &BoardFile) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.init {
            return Ok(path.clone());
        }
        let own = env::current_exe().map_err(|error| Failure::to_read("this program", &error))?;
        let named = own.with_file_name(format!("sekisho-{}", board.architecture.name()));
        let beside = own.with_file_name("sekisho");
        if named.is_file() {
            return Ok(named);
        }
        if board.architecture.name() == env::consts::ARCH && beside.is_file() {
            return Ok(beside);
        }
        let target = board.architecture.target();
        Err(Failure::Input(format!(
            "{}: there is no such program; `rustup target add {target}` and build again, or name one with --init",
            named.display()
        )))
    }

    fn kernel(&self, board: &BoardFile, debian: &Debian<'_>) -> Result<Kernel, Failure> {
        let Some(path) = &self.kernel else { return debian.kernel(&board.kernel, &board.modules) };
        let modules = match &self.modules {
            Some(directory) => Directory::open(directory)?.resolve(&board.modules)?.0,
            None => Vec::new(),
        };
        Ok(Kernel { package: path.display().to_string(), bytes: files::read(path)?, modules })
    }
}

fn named<'p>(name: &'p str, bytes: &'p [u8]) -> Named<'p> {
    Named { name, bytes }
}
