//! The tiny kernel: built from Debian's source of the kernel with what is in `kernel/`, once, and kept.
//!
//! It has everything built in that a box needs and next to nothing else, so the image is a kernel, a program and a board. What
//! it has on a board, the board's file says; boards that say the same share one. It is kept under a digest of all that decides
//! what it is: the source, the options, the machine, compiler and linker. As with the rest of the image, the same of these make
//! the same bytes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use lzma_rust2::XzReader;
use provision::Failure;

use crate::Architecture;
use crate::apt::make;
use crate::board_file::BoardFile;
use crate::cache::{Cache, Scratch, Tree};
use crate::debian::{Debian, KERNEL, Kernel, MODULES, SOURCE, Source, read};
use crate::fragments::{Options, digest};
use crate::kbuild::options_of;
use crate::make::Toolchain;
use crate::modules::Directory;

/// Large parts of the source that no kernel of ours is made from.
const LEFT_OUT: [&str; 3] =
    ["*/drivers/gpu/drm/*/include/*", "*/tools/testing/*", "*/Documentation/devicetree/*"];

/// Where the log of a build that failed is kept, beside the kernels.
const LOG: &str = "tiny-failed.log";

/// What can make and keep the tiny kernel of a board.
pub struct Tiny<'t> {
    cache: Cache,
    debian: Debian<'t>,
    board: &'t BoardFile,
    toolchain: Toolchain,
    /// Is told what is being done.
    tell: &'t dyn Fn(&str),
}

impl<'t> Tiny<'t> {
    /// Keeps sources and kernels in a directory. A newer source than the one that was kept is looked for only to `refresh` it.
    ///
    /// # Errors
    /// Which tools are missing.
    pub fn new(
        directory: &Path,
        board: &'t BoardFile,
        refresh: bool,
        tell: &'t dyn Fn(&str),
    ) -> Result<Self, Failure> {
        let architecture = board.architecture;
        Ok(Self {
            cache: Cache::new(directory.join(architecture.debian())),
            debian: Debian::sources(directory, architecture, refresh, tell),
            board,
            toolchain: Toolchain::find(architecture)?,
            tell,
        })
    }

    /// The kernel: the one that was kept, or one that is built now.
    ///
    /// # Errors
    /// If it cannot be built, or would not have what the board needs.
    pub fn kernel(&self) -> Result<Kernel, Failure> {
        let mut source = self.debian.source()?;
        if let Some(tree) = self.find(&source)? {
            return kernel_of(&tree, self.board);
        }
        if !source.is_whole() {
            (self.tell)(&format!("{}: was damaged", source.package));
            source = self.debian.new_source()?;
        }
        kernel_of(&self.build(&source)?, self.board)
    }

    /// Whether the kernel was kept, so that nothing needs to be fetched or built for it.
    pub fn is_kept(&self) -> bool {
        let source = self.debian.kept_source();
        source.and_then(|source| self.find(&source).ok().flatten()).is_some()
    }

    fn find(&self, source: &Source) -> Result<Option<Tree>, Failure> {
        let name = self.name(source)?;
        Ok(self.cache.find(&name).filter(Tree::is_whole))
    }

    /// What the kernel is kept under.
    fn name(&self, source: &Source) -> Result<String, Failure> {
        let (options, machine) = (self.board.tiny.text(), self.board.architecture.name());
        let texts = [&source.version, &options, machine, &self.toolchain.version()?];
        Ok(format!("tiny-{}", digest(&texts)))
    }

    fn build(&self, source: &Source) -> Result<Tree, Failure> {
        let [work, kept] = [Scratch::new(&self.cache), Scratch::new(&self.cache)];
        make(work.path())?;
        make(&kept.path().join(MODULES))?;
        (self.tell)(&format!("{}: unpacking", source.package));
        unpack(&source.archive, work.path())?;
        self.configure(work.path())?;
        let (file, target) = image(self.board.architecture);
        self.run(work.path(), &[target])?;
        let copied = [
            (file, KERNEL.to_owned()),
            ("modules.builtin", format!("{MODULES}/modules.builtin")),
            (".config", "config".to_owned()),
        ];
        for (from, to) in copied {
            fs::copy(work.path().join(from), kept.path().join(to)).map_err(|error| {
                Failure::Operation(format!("the kernel's {from}: cannot be kept: {error}"))
            })?;
        }
        let failed = |error: io::Error| Failure::to_write(kept.path().display(), &error);
        let called = format!("{} {}, tiny", source.package, source.version);
        fs::write(kept.path().join(SOURCE), called).map_err(failed)?;
        self.cache.keep(kept.path(), &self.name(source)?).map_err(failed)
    }

    /// Makes the kernel's configuration, and sees that it is as it was to be.
    fn configure(&self, source: &Path) -> Result<(), Failure> {
        let (board, options) = (self.board, &self.board.tiny);
        let wanted = source.join("sekisho.config");
        fs::write(&wanted, options.text()).map_err(|error| Failure::to_write(wanted.display(), &error))?;
        self.run(source, &["KCONFIG_ALLCONFIG=sekisho.config", "allnoconfig"])?;
        let path = source.join(".config");
        let config = fs::read_to_string(&path).map_err(|error| Failure::to_read(path.display(), &error))?;
        let dropped = options.dropped(&config);
        if !dropped.is_empty() {
            let dropped = dropped.join(", ");
            let way_out =
                "correct the fragments in image/builder/kernel, or the board's, for this version of it";
            return Err(Failure::Operation(format!("the kernel's configuration: {dropped}; {way_out}")));
        }
        let makes = options_of(source, &board.modules)
            .map_err(|error| Failure::to_read("the kernel's makefiles", &error))?;
        for module in board.modules.iter().map(|name| name.replace('-', "_")) {
            let choice = makes.get(&module).map_or(&[][..], Vec::as_slice);
            if !choice.iter().any(|option| Options::is_built_in(&config, option)) {
                return Err(lacks(board, &module, choice));
            }
        }
        Ok(())
    }

    fn run(&self, source: &Path, arguments: &[&str]) -> Result<(), Failure> {
        let log = source.join("make.log");
        self.toolchain.make(source, &log, arguments, self.tell).map_err(|failure| {
            // The source goes away; what was said about it is worth keeping.
            let kept = self.cache.path().join(LOG);
            let _ = fs::copy(&log, &kept);
            let told = failure.to_string();
            Failure::Operation(told.replace(&log.display().to_string(), &kept.display().to_string()))
        })
    }
}

/// The kernel that was kept, if it has all that the board needs.
fn kernel_of(tree: &Tree, board: &BoardFile) -> Result<Kernel, Failure> {
    let modules = Directory::open(&tree.path().join(MODULES))?;
    if let Some(module) = board.modules.iter().find(|module| !modules.is_built_in(module)) {
        return Err(lacks(board, module, &[]));
    }
    let package = String::from_utf8_lossy(&read(tree, &tree.path().join(SOURCE))?).into_owned();
    Ok(Kernel { package, bytes: read(tree, &tree.path().join(KERNEL))?, modules: Vec::new() })
}

/// That the kernel has not what the board needs, and which of these options would make it.
fn lacks(board: &BoardFile, module: &str, options: &[String]) -> Failure {
    let add = match options {
        [] => "its option".to_owned(),
        options => options.iter().map(|option| format!("{option}=y")).collect::<Vec<_>>().join(" or "),
    };
    Failure::Input(format!(
        "board {}: the tiny kernel has no {module}; build without --tiny, or add {add} to tiny.options in the board's file",
        board.name
    ))
}

/// Unpacks the kernel's source, without its outermost directory.
fn unpack(archive: &Path, into: &Path) -> Result<(), Failure> {
    let failed =
        |error: io::Error| Failure::Operation(format!("{}: cannot be unpacked: {error}", archive.display()));
    let mut command = Command::new("tar");
    command.args(["-x", "--strip-components=1", "-C"]).arg(into);
    command.args(LEFT_OUT.map(|pattern| format!("--exclude={pattern}")));
    let mut child = command.stdin(Stdio::piped()).spawn().map_err(failed)?;
    let mut reader = XzReader::new(File::open(archive).map_err(failed)?, true);
    let piped = child
        .stdin
        .take()
        .map_or(Ok(()), |mut pipe| io::copy(&mut reader, &mut pipe).and_then(|_| pipe.flush()));
    let status = child.wait().map_err(failed)?;
    piped.map_err(failed)?;
    if status.success() { Ok(()) } else { Err(failed(io::Error::other("tar failed"))) }
}

/// Where the kernel is when it has been built, and what makes it.
const fn image(architecture: Architecture) -> (&'static str, &'static str) {
    match architecture {
        Architecture::X86_64 => ("arch/x86/boot/bzImage", "bzImage"),
        Architecture::Aarch64 => ("arch/arm64/boot/Image", "Image"),
    }
}
