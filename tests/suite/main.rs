#![allow(clippy::unwrap_used, reason = "what a test's helpers cannot do, the test has failed to do")]
//! The suite.

mod attacks;
mod checksums;
mod churn;
mod compliance;
mod config_blob;
mod demo;
mod explain;
mod fragments;
mod fuzz_regressions;
mod hole_punching;
mod large_frames;
mod layout;
mod options;
mod oracle;
mod program;
mod protocols;
mod provision;
mod readme;
mod reassembly;
mod reconfigure;
mod reference_network;
mod regressions;
mod replay;
mod rfc1812;
mod rfc4787;
mod rfc5382;
mod rfc5508;
mod rfc5961;
mod rfc826;
mod segment_size;
mod settings;
mod shares;
mod storm;
mod unsolicited;
mod views;
