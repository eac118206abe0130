//! What is being done and how far it is, on a terminal only; indicatif sees to that.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// The one line that shows it.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Begins with nothing to tell.
    pub(crate) fn begin() -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }

    /// Begins a bar, which is full after so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        let bar = ProgressBar::new(bytes as u64);
        let template = "{msg:<12} {wide_bar} {percent:>3} % {binary_bytes_per_sec:>12} {eta:>4}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(bar)
    }

    /// So many bytes more are done.
    pub(crate) fn advance(&self, bytes: usize) {
        self.0.inc(bytes as u64);
    }

    /// Says what is being done.
    pub(crate) fn tell(&self, what: &str) {
        self.0.set_message(what.to_owned());
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
