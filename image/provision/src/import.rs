//! From another firewall's rules to a configuration of ours, with a word about every line of them.
//!
//! It owns the notations that are understood, who is taken for the lan and the wan, and what of a rule has a counterpart
//! here. What becomes of a line is told in one of five ways: it was *taken*, as a named setting; it is *ours* anyway; it
//! is *needless*, since it cannot matter here; it is worth a *note*; or it has *no counterpart*, and why.
//!
//! Invariants: no input makes anything here panic or run for long; what comes out compiles to the configuration that it
//! was written from, which is checked before anybody sees it.
//!
//! Navigating: `iptables`, `listing`, `nft_text`, `nft_json` and `sysctl` read a notation each, the first two by
//! `iptables`' words, the others by those of `nft` and `nft_rule`; `model` is what they read; `roles` finds lan and wan,
//! `matching` and `walk` follow a packet's way through the chains; `translation` and `filter` make settings of what it
//! meets, in `draft`; `notes` are what is told.

mod draft;
mod filter;
mod iptables;
mod listing;
mod matching;
mod model;
mod nft;
mod nft_json;
mod nft_rule;
mod nft_text;
mod notes;
mod roles;
mod sets;
mod sysctl;
mod translation;
mod walk;
mod words;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use config::{Config, Direction, Draft, InterfaceAddress, InterfaceName, MAX_RULES, Timers};

use crate::{Failure, show};
use draft::Making;
use model::{Chain, Condition, Hook, Rule, Ruleset, Verdict};
use notes::{Fate, Notes, SIX};
use roles::Roles;
use sets::Prefix;

/// A notation of rules or settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// What `iptables-save` and `iptables -S` print.
    IptablesSave,
    /// What `iptables -L` prints.
    IptablesList,
    /// What `nft list ruleset` prints.
    Nft,
    /// What `nft -j list ruleset` prints.
    NftJson,
    /// What `sysctl -a` prints, and its files.
    Sysctl,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::IptablesSave, Self::IptablesList, Self::Nft, Self::NftJson, Self::Sysctl];

    /// The word for it on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IptablesSave => "iptables-save",
            Self::IptablesList => "iptables-list",
            Self::Nft => "nft",
            Self::NftJson => "nft-json",
            Self::Sysctl => "sysctl",
        }
    }

    /// By the first line that says it.
    pub fn of(text: &str) -> Option<Self> {
        text.lines().map(str::trim).find_map(|line| {
            let begins = |all: &[&str]| all.iter().any(|begin| line.starts_with(begin));
            if line.starts_with('{') {
                return Some(Self::NftJson);
            }
            if begins(&["Chain "]) {
                return Some(Self::IptablesList);
            }
            if begins(&["table "]) && line.contains('{') {
                return Some(Self::Nft);
            }
            if begins(&["*", ":", "-A ", "-P ", "-N ", "iptables ", "ip6tables "]) {
                return Some(Self::IptablesSave);
            }
            (!line.starts_with(['#', ';']) && sysctl::is_setting(line)).then_some(Self::Sysctl)
        })
    }
}

/// One file.
#[derive(Clone, Debug)]
pub struct Source {
    /// What to call it.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// What the operator says besides; it counts more than what the files show.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// The notation of all files.
    pub format: Option<Format>,
    /// The interface towards the rest of the world.
    pub wan_interface: Option<InterfaceName>,
    /// The interface towards the hosts inside.
    pub lan_interface: Option<InterfaceName>,
    /// The box's address outside.
    pub wan_address: Option<InterfaceAddress>,
    /// The box's address inside.
    pub lan_address: Option<InterfaceAddress>,
    /// The next router outside.
    pub gateway: Option<Ipv4Addr>,
}

/// What came of it.
#[derive(Debug)]
pub struct Imported {
    /// The configuration as TOML; or why there is none, a reason each line.
    pub toml: Result<String, String>,
    /// What became of each line.
    pub report: String,
    /// How much has no counterpart.
    pub without_counterpart: usize,
}

/// Makes a configuration of files that belong together.
///
/// # Errors
/// [`Failure::Input`] for a file that cannot be understood as a whole.
pub fn import(sources: &[Source], known: &Known) -> Result<Imported, Failure> {
    let mut notes = Notes::new(sources.iter().map(|source| source.name.clone()).collect());
    let (mut rules, mut timers) = (Ruleset::default(), Timers::default());
    for (file, source) in sources.iter().enumerate() {
        let refuse = |why: &str| Failure::Input(format!("{}: {why}", source.name));
        let known_formats = Format::ALL.map(Format::name).join(", ");
        let format = known.format.or_else(|| Format::of(&source.text)).ok_or_else(|| {
            refuse(&format!("is in no notation that is known; give one of {known_formats} with --format"))
        })?;
        let text = source.text.as_str();
        match format {
            Format::IptablesSave => iptables::read(file, text, &mut rules, &mut notes),
            Format::IptablesList => {
                listing::read(file, text, &mut rules, &mut notes).map_err(|why| refuse(&why))?;
            }
            Format::Nft => nft_text::read(file, text, &mut rules, &mut notes),
            Format::NftJson => {
                nft_json::read(file, text, &mut rules, &mut notes).map_err(|why| refuse(&why))?;
            }
            Format::Sysctl => sysctl::read(file, text, &mut timers, &mut notes),
        }
    }
    Ok(make(&rules, timers, notes, known))
}

fn make(rules: &Ruleset, timers: Timers, notes: Notes, known: &Known) -> Imported {
    let name = |name: &Option<InterfaceName>| name.as_ref().map(|name| name.as_str().to_owned());
    let roles = roles::find(
        rules,
        Roles {
            wan: name(&known.wan_interface),
            lan: name(&known.lan_interface),
            lan_network: known.lan_address.and_then(|it| Prefix::new(it.address(), it.prefix_len())),
            wan_address: known.wan_address.map(InterfaceAddress::address),
            named: Vec::new(),
        },
    );
    let assumed = roles.wan_address.and_then(|address| InterfaceAddress::new(address, 24).ok());
    let mut making = Making {
        rules,
        wan_address: known.wan_address.or(assumed),
        lan_address: known.lan_address,
        roles,
        notes,
        draft: Draft { timers, ..Draft::default() },
        ports: None,
        forward_places: Vec::new(),
        filter: Vec::new(),
        names: BTreeSet::new(),
    };
    translation::sources(&mut making);
    translation::destinations(&mut making);
    for direction in Direction::ALL {
        filter::direction(&mut making, direction);
    }
    tell_others(&mut making);
    let toml = finish(&mut making, known);
    Imported {
        toml,
        report: making.notes.to_string(),
        without_counterpart: making.notes.without_counterpart(),
    }
}

/// The chains that no packet of ours meets, and the rules that none comes to.
fn tell_others(making: &mut Making<'_>) {
    let rules = making.rules;
    for hook in [Hook::Elsewhere, Hook::Output] {
        for chain in rules.at(hook) {
            let mut reached = vec![chain];
            let mut at = 0;
            while let Some(chain) = reached.get(at).copied() {
                at += 1;
                for rule in &chain.rules {
                    if let Verdict::Jump(name) | Verdict::Goto(name) = &rule.verdict
                        && let Some(next) = rules.find(&chain.table, name)
                        && !reached.iter().any(|known| std::ptr::eq(*known, next))
                    {
                        reached.push(next);
                    }
                    // What others lead to, too, may be about them.
                    if at == 1 || !rules.blind.contains(&rule.place.file) {
                        tell_other(making, hook, rule);
                    }
                }
            }
            if hook == Hook::Elsewhere && chain.policy == Verdict::Drop {
                making.notes.add(&chain.place, Fate::None, "only forwarding and the box itself have rules");
            }
        }
    }
    for rule in rules.chains.iter().flat_map(|chain: &Chain| &chain.rules) {
        if !making.notes.knows(&rule.place) {
            let (fate, text) = match rules.blind.contains(&rule.place.file) {
                true => (Fate::None, "whether anything comes this far the listing does not show"),
                false => (Fate::Moot, "nothing comes this far"),
            };
            making.notes.add(&rule.place, fate, text);
        }
    }
}

fn tell_other(making: &mut Making<'_>, hook: Hook, rule: &Rule) {
    if making.notes.knows(&rule.place) {
        return;
    }
    let (fate, text) = match &rule.verdict {
        _ if rule.conditions.contains(&Condition::SixOnly) => (Fate::Moot, SIX),
        _ if hook == Hook::Output => (Fate::Moot, "the box begins nothing of its own"),
        Verdict::ClampMss => (Fate::Ours, "nat.clamp-mss, which is the default"),
        Verdict::Ours(why) => (Fate::Ours, *why),
        Verdict::Jump(_) | Verdict::Goto(_) => (Fate::Taken, "followed"),
        Verdict::Accept | Verdict::Return | Verdict::Continue => (Fate::Moot, "decides nothing"),
        _ => (Fate::None, "only forwarding and the box itself have rules"),
    };
    making.notes.add(&rule.place, fate, text);
}

/// The configuration as a text that has been compiled; or what is missing for it.
fn finish(making: &mut Making<'_>, known: &Known) -> Result<String, String> {
    let mut reasons = missing(making, known);
    let count = making.filter.len();
    for rule in making.filter.drain(..) {
        // Whether there is room for all is asked below.
        let _ = making.draft.rules.push(rule);
    }
    if count > MAX_RULES {
        reasons.push(format!("{count} rules come of it, and there can be {MAX_RULES}"));
    }
    let interface = |given: &Option<InterfaceName>, found: &Option<String>| {
        given.clone().or_else(|| InterfaceName::new(found.as_ref()?).ok())
    };
    let draft = &mut making.draft;
    draft.wan_interface = interface(&known.wan_interface, &making.roles.wan);
    draft.lan_interface = interface(&known.lan_interface, &making.roles.lan);
    draft.wan_address = making.wan_address;
    draft.lan_address = making.lan_address;
    draft.wan_gateway = known.gateway;
    if let Some(ports) = making.ports {
        draft.nat.ports = ports;
    }
    draft.check(&mut |error| {
        if !matches!(error, config::Error::Invalid(_, config::Problem::Missing)) {
            reasons.push(error.to_string());
        }
    });
    if !reasons.is_empty() {
        return Err(reasons.join("\n"));
    }
    let config = Config::new(draft.clone()).map_err(|error| error.to_string())?;
    let text = show::brief(&config);
    match crate::compile(&text, "the configuration that came of it") {
        Ok(again) if again == config => Ok(text),
        Ok(_) => Err("the configuration that came of it reads as another one".to_owned()),
        Err(report) => Err(report.to_string()),
    }
}

/// What the files do not say and has to be said; what is only good to know goes to the notes.
fn missing(making: &mut Making<'_>, known: &Known) -> Vec<String> {
    let mut reasons = Vec::new();
    let roles = &making.roles;
    if roles.lan.is_none() && roles.named.iter().any(|name| Some(name) != roles.wan.as_ref()) {
        let named = roles.named.join(", ");
        reasons.push(format!(
            "lan.interface is not clear: give --lan-interface and --wan-interface, out of {named}"
        ));
    }
    if making.lan_address.is_none() {
        let network = roles.lan_network.unwrap_or(LAN);
        let first = Ipv4Addr::from_bits(network.network().to_bits() | 1);
        let len = network.len();
        reasons.push(format!("lan.address is not said: give --lan-address, like {first}/{len}"));
    }
    match making.wan_address {
        None => reasons.push("wan.address is not said: give --wan-address, like 203.0.113.254/24".to_owned()),
        Some(address) if known.wan_address.is_none() => {
            let text = format!(
                "wan.address = \"{address}\": the length of its prefix is a guess; --wan-address says it"
            );
            making.notes.say(Fate::Note, text);
        }
        Some(_) => (),
    }
    for (side, name) in [("wan", &making.roles.wan), ("lan", &making.roles.lan)] {
        match name {
            Some(name) => making.notes.say(Fate::Taken, format!("{side}.interface = \"{name}\"")),
            None => making.notes.say(
                Fate::Note,
                format!("{side}.interface is not said; --{side}-interface says it, or the image's board"),
            ),
        }
    }
    if known.gateway.is_none() {
        making
            .notes
            .say(Fate::Note, "wan.gateway is not said: only the wan's prefix is reached; --gateway says it");
    }
    reasons
}

/// What is inside where nobody says it, for the sake of an example.
const LAN: Prefix = Prefix::home();
