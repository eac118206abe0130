#![no_main]
//! The fuzzer's way to the target of this name.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::channel(data));
