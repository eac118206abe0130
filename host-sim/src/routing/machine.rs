//! One router for tables of any size: the size is a constant of its type, and here it becomes a value.

use config::Config;
use napt::{Instant, Seed};
use router::{Disposition, Link, Offload, Router, Side, Summary};

/// How many sessions, and mappings, a simulated box has room for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// 16: full at once.
    Tiny,
    /// 256.
    Small,
    /// 1,024: a home's, and what a box has unless somebody wants another.
    #[default]
    Home,
    /// 8,192: a company's.
    Large,
}

impl Size {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tiny, Self::Small, Self::Home, Self::Large];

    /// In sessions.
    pub const fn sessions(self) -> usize {
        match self {
            Self::Tiny => 16,
            Self::Small => 256,
            Self::Home => 1024,
            Self::Large => 8192,
        }
    }
}

/// A simulated box's tables.
pub enum Tables {
    /// Of [`Size::Tiny`], and so on.
    Tiny(Box<napt::Tables<16>>),
    /// As above.
    Small(Box<napt::Tables<256>>),
    /// As above.
    Home(Box<napt::Tables<1024>>),
    /// As above.
    Large(Box<napt::Tables<8192>>),
}

impl Tables {
    /// Empty tables.
    pub fn new(size: Size) -> Self {
        match size {
            Size::Tiny => Self::Tiny(Box::new(napt::Tables::new())),
            Size::Small => Self::Small(Box::new(napt::Tables::new())),
            Size::Home => Self::Home(Box::new(napt::Tables::new())),
            Size::Large => Self::Large(Box::new(napt::Tables::new())),
        }
    }
}

/// A router, whatever the size of its tables.
pub(super) trait Machine {
    fn receive(&mut self, now: Instant, from: Side, frame: &mut [u8], offload: Offload) -> Disposition;
    fn poll_transmit(&mut self) -> Option<(Side, &[u8])>;
    fn poll_timeout(&self) -> Option<Instant>;
    fn handle_timeout(&mut self, now: Instant);
    fn link_up(&mut self, now: Instant, side: Side, link: Link);
    fn reconfigure(&mut self, now: Instant, config: &Config);
    fn summary(&self) -> Summary<'_>;
}

impl<const N: usize> Machine for Router<'_, N> {
    fn receive(&mut self, now: Instant, from: Side, frame: &mut [u8], offload: Offload) -> Disposition {
        self.receive(now, from, frame, offload)
    }

    fn poll_transmit(&mut self) -> Option<(Side, &[u8])> {
        self.poll_transmit()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.handle_timeout(now);
    }

    fn link_up(&mut self, now: Instant, side: Side, link: Link) {
        self.link_up(now, side, link);
    }

    fn reconfigure(&mut self, now: Instant, config: &Config) {
        self.reconfigure(now, config);
    }

    fn summary(&self) -> Summary<'_> {
        self.summary()
    }
}

/// A router in some tables.
pub(super) fn build<'t>(
    tables: &'t mut Tables,
    config: &Config,
    [lan, wan]: [Link; 2],
    seed: &Seed,
) -> Box<dyn Machine + 't> {
    match tables {
        Tables::Tiny(tables) => Box::new(Router::new(tables, config, lan, wan, seed)),
        Tables::Small(tables) => Box::new(Router::new(tables, config, lan, wan, seed)),
        Tables::Home(tables) => Box::new(Router::new(tables, config, lan, wan, seed)),
        Tables::Large(tables) => Box::new(Router::new(tables, config, lan, wan, seed)),
    }
}
