//! The provisioning tool's library.
