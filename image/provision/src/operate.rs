//! What an operator does with a box that runs: look at it, change its configuration, take that back.
//!
//! `place` is where a box listens, `channel` the conversation with it, `view` what it says with names put to its numbers, `words` those
//! names, `table` how they are printed, `apply` changing its configuration, `command` the command line of all that, `metrics` the
//! same for a monitoring system, `top` for somebody who looks on.

pub mod apply;
pub mod capture;
pub mod channel;
pub mod command;
mod metrics;
mod place;
mod table;
pub mod top;
pub mod view;
mod words;

pub use channel::Channel;
pub use metrics::metrics;
pub use place::Place;
