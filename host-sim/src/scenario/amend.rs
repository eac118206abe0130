//! A router's configuration, changed while it works: as text, since that is what the provisioning tool takes.

use config::Config;

/// A configuration as `provision` shows it, to be changed line by line.
pub(super) struct ConfigText(pub(super) String);

impl ConfigText {
    pub(super) fn of(config: &Config) -> Self {
        Self(provision::show(config))
    }

    /// Gives a key of a section another value.
    pub(super) fn set(&mut self, section: &str, key: &str, value: &str) {
        let mut inside = false;
        let lines = self.0.lines().map(|line| {
            if line.starts_with('[') {
                inside = line == format!("[{section}]");
            }
            let is_it = inside && line.split(' ').next() == Some(key);
            if is_it { format!("{key} = \"{value}\"\n") } else { format!("{line}\n") }
        });
        self.0 = lines.collect();
    }

    /// Takes a forward away. Whether there was one.
    pub(super) fn remove_forward(&mut self, name: &str) -> bool {
        let named = format!("name = \"{name}\"");
        let mut parts: Vec<_> = self.0.split("[[forward]]\n").map(str::to_owned).collect();
        let before = parts.len();
        let mut first = true;
        parts.retain(|part| core::mem::take(&mut first) || !part.lines().any(|line| line == named));
        self.0 = parts.join("[[forward]]\n");
        parts.len() < before
    }
}
