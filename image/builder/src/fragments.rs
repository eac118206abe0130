//! What the tiny kernel is to have: the files in `kernel/`, read, and held against the configuration that came of them.
//!
//! A *fragment* is such a file, in the kernel's own form: `CONFIG_NET=y`, or `# CONFIG_IPV6 is not set`. The kernel drops
//! without a word what it does not know and what lacks something it rests on; what was dropped is found here, by name.
//! Read first: `Documentation/kbuild/kconfig.rst` in the kernel's source.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::Architecture;

const COMMON: (&str, &str) = ("common.config", include_str!("../kernel/common.config"));
const X86_64: (&str, &str) = ("x86_64.config", include_str!("../kernel/x86_64.config"));
const AARCH64: (&str, &str) = ("aarch64.config", include_str!("../kernel/aarch64.config"));

/// The fragments that a board may name, by their names.
pub const SHIPPED: [(&str, &str); 3] = [
    ("uefi", include_str!("../kernel/uefi.config")),
    ("uefi-aarch64", include_str!("../kernel/uefi-aarch64.config")),
    ("uefi-x86_64", include_str!("../kernel/uefi-x86_64.config")),
];

/// What an option is that is not set.
const NOT_SET: &str = "n";

/// Options of a kernel and their values, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options(BTreeMap<String, String>);

impl Options {
    /// What the tiny kernel of a machine is to have on every board.
    ///
    /// # Errors
    /// What is wrong with a fragment, which is our mistake.
    pub fn of(architecture: Architecture) -> Result<Self, String> {
        let mut all = Self::default();
        for (name, text) in files(architecture) {
            all.add(name, text)?;
        }
        Ok(all)
    }

    /// Adds what a fragment says. `name` is what messages call it.
    ///
    /// # Errors
    /// Which line is none, or says again what was said before.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), String> {
        for (number, line) in (1..).zip(text.lines()) {
            let is_remark = line.trim().is_empty() || (line.starts_with('#') && !line.contains("CONFIG_"));
            let option = option(line);
            match option {
                None if is_remark => {}
                None => {
                    let way_out = "write CONFIG_NAME=y, or # CONFIG_NAME is not set";
                    return Err(format!("{name}:{number}: {line:?} sets nothing; {way_out}"));
                }
                Some((option, value)) => {
                    if self.0.insert(option.to_owned(), value.to_owned()).is_some() {
                        return Err(format!("{name}:{number}: {option} is set twice; leave one out"));
                    }
                }
            }
        }
        Ok(())
    }

    /// What is otherwise in a kernel's `.config`: the option, what it is to be, and what it is.
    pub fn dropped(&self, config: &str) -> Vec<String> {
        let got: BTreeMap<_, _> = config.lines().filter_map(option).collect();
        let value = |option: &str| got.get(option).copied().unwrap_or(NOT_SET);
        let dropped = self.0.iter().filter(|(option, wanted)| value(option) != *wanted);
        dropped.map(|(option, wanted)| format!("{option}={wanted} became {}", value(option))).collect()
    }

    /// As the kernel reads them.
    pub fn text(&self) -> String {
        let line = |(option, value): (&String, &String)| match value.as_str() {
            NOT_SET => format!("# {option} is not set\n"),
            _ => format!("{option}={value}\n"),
        };
        self.0.iter().map(line).collect()
    }

    /// Whether an option is part of a kernel with this `.config`.
    pub fn is_built_in(config: &str, name: &str) -> bool {
        config.lines().filter_map(option).any(|entry| entry == (name, "y"))
    }
}

/// A digest of what a kernel is made from: no two that differ in one of these texts have the same.
pub fn digest(texts: &[&str]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_le_bytes());
        digest.update(text);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn files(architecture: Architecture) -> [(&'static str, &'static str); 2] {
    let own = match architecture {
        Architecture::X86_64 => X86_64,
        Architecture::Aarch64 => AARCH64,
    };
    [COMMON, own]
}

/// The option that a line sets, and its value.
fn option(line: &str) -> Option<(&str, &str)> {
    let off = line.strip_prefix("# ").and_then(|rest| rest.strip_suffix(" is not set"));
    let (name, value) = match off {
        Some(name) => (name, NOT_SET),
        None => line.split_once('=')?,
    };
    let letters = name.strip_prefix("CONFIG_")?;
    let is_name = letters.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
    (is_name && !letters.is_empty() && !value.is_empty()).then_some((name, value))
}
