//! Where commands keep what they fetch and build, and whether they look for newer.

use std::path::{self, PathBuf};

use builder::default_directory;
use clap::Args;
use provision::Failure;

#[derive(Args)]
pub(crate) struct Kept {
    /// Where what was fetched and built is kept; otherwise sekisho/kernels in $XDG_CACHE_HOME, or in ~/.cache.
    #[arg(long, value_name = "DIRECTORY")]
    cache: Option<PathBuf>,
    /// Look for newer packages than those that were kept.
    #[arg(long)]
    pub(crate) refresh: bool,
}

impl Kept {
    /// The directory.
    pub(crate) fn directory(&self) -> Result<PathBuf, Failure> {
        if let Some(directory) = &self.cache {
            // apt works in a directory of its own.
            return path::absolute(directory).map_err(|error| Failure::to_read(directory.display(), &error));
        }
        default_directory().ok_or_else(|| {
            Failure::Input("neither XDG_CACHE_HOME nor HOME is set; name a directory with --cache".to_owned())
        })
    }
}
