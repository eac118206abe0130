//! The commands, a file each.

pub(crate) mod boot;
pub(crate) mod build;
pub(crate) mod config;
pub(crate) mod flash;
pub(crate) mod kept;
pub(crate) mod kernel;
