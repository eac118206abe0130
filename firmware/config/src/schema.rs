//! The settings on the wire, by version. Order and type of every field are the format: a change is a new version
//! beside the others, never an edit. Every version is read for ever; the newest is written.

mod parts;
mod rules;
mod v1;
mod v2;
mod v3;

pub(crate) use v1::ConfigV1;
pub(crate) use v2::ConfigV2;
pub(crate) use v3::{ConfigV3, LONGEST as MAX_BODY};
