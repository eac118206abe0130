#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! Images, layer by layer and whole. `machine` needs QEMU and Debian's packages, the rest needs nothing.

mod boards;
mod cli;
mod configuration;
mod damage;
mod disk;
mod fixtures;
mod flashing;
mod images;
mod kernel_modules;
mod layers;
mod machine;
mod machines;
mod power;
mod power_cuts;
mod router;
mod stick;
mod target;
mod tiny;
mod tiny_build;
mod uefi;
mod wedge;
