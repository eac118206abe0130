//! Changing the configuration of a box that runs: sent in parts, tried, applied whole.

use std::net::Ipv4Addr;

use config::{Action, Addresses, Config, Direction, Rule, RuleProtocol};
use control::message::{CHUNK, Request};

use super::Place;
use super::channel::Channel;
use super::view::done;
use crate::Failure;

impl Channel {
    /// Sends a configuration, which the box looks at and does nothing about; how many sessions it would end.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; the box may refuse it.
    pub fn offer(&mut self, blob: &[u8], force: bool) -> Result<u32, Failure> {
        let length = u16::try_from(blob.len())
            .map_err(|_| Failure::Input("longer than any configuration".to_owned()))?;
        for (part, at) in blob.chunks(CHUNK).zip((0..).step_by(CHUNK)) {
            self.ask(&Request::Offer { at, bytes: part }, done)?;
        }
        self.ask(&Request::Try { length, force }, done)
    }

    /// Applies what was offered; how many sessions that has ended.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; the box may refuse it.
    pub fn apply(&mut self, blob: &[u8], confirm_seconds: u16, force: bool) -> Result<u32, Failure> {
        let length = blob.len() as u16;
        self.ask(&Request::Apply { length, confirm: confirm_seconds, force }, done)
    }

    /// Keeps what was applied.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; there may be nothing to confirm.
    pub fn confirm(&mut self) -> Result<(), Failure> {
        self.ask(&Request::Confirm, done).map(|_| ())
    }

    /// Takes back what was applied.
    ///
    /// # Errors
    /// As for [`Channel::ask`]; there may be nothing to take back.
    pub fn revert(&mut self) -> Result<(), Failure> {
        self.ask(&Request::Revert, done).map(|_| ())
    }
}

/// What an operator who is at `place` is to be warned of before a box that runs `before` gets `after`: that it may lock him out.
pub fn warning(place: &Place, before: &Config, after: &Config, has_confirm: bool) -> Option<String> {
    let (certain, possible) = lockout(place, before, after);
    let will = if certain.is_empty() { "may" } else { "will" };
    let reasons: Vec<_> = certain.into_iter().chain(possible).collect();
    let way_out = match has_confirm {
        true => format!(
            "`provision confirm` {will} not be possible by this way with this key, and unless it is said in another, the box goes back"
        ),
        false => "apply it with --confirm, so that the box goes back by itself".to_owned(),
    };
    let reasons = (!reasons.is_empty()).then(|| reasons.join(", and "))?;
    Some(format!("warning: {reasons}: {place} {will} not answer this key any more; {way_out}\n"))
}

/// Why the operator will not come back by the same way, and why he perhaps will not.
fn lockout(place: &Place, before: &Config, after: &Config) -> (Vec<String>, Option<String>) {
    let Some(control) = after.control() else {
        return (vec!["the configuration has no [control] section".to_owned()], None);
    };
    let mut certain = Vec::new();
    if before.control().is_some_and(|before| before.key != control.key) {
        certain.push("the configuration has another control.key".to_owned());
    }
    if matches!(place, Place::File(_)) {
        return (certain, None);
    }
    // The box's own, since the way there may lead through a tunnel.
    let port = before.control().and_then(|before| before.lan_port);
    match (port, control.lan_port) {
        (Some(_), None) => certain.push("the configuration has no control.lan-port".to_owned()),
        (Some(old), Some(new)) if old != new => {
            certain.push(format!("control.lan-port becomes {new} instead of {old}"));
        }
        _ => {}
    }
    let [old, new] = [before, after].map(|config| config.lan().address());
    if old != new {
        certain.push(format!("lan.address becomes {new} instead of {old}"));
    }
    let [old, new] = [before, after].map(rules_to_channel);
    let keeps_out = new.iter().find(|rule| rule.action != Action::Accept).filter(|_| old != new);
    (
        certain,
        keeps_out
            .map(|rule| format!("there are rules from the lan to the box, such as {:?}", rule.name.as_str())),
    )
}

/// The rules that may concern who comes to the channel by the lan.
fn rules_to_channel(config: &Config) -> Vec<&Rule> {
    let port = config.control().and_then(|control| control.lan_port);
    let address = config.lan().address().address();
    let concerns = |rule: &&Rule| {
        rule.direction == Direction::LanToBox
            && matches!(rule.protocol, RuleProtocol::Any | RuleProtocol::Tcp | RuleProtocol::Both)
            && rule.port.is_none_or(|ports| port.is_some_and(|port| ports.contains(port.get())))
            && contains(rule.destination, address)
    };
    config.rules().iter().filter(concerns).collect()
}

fn contains(addresses: Addresses, address: Ipv4Addr) -> bool {
    let is_within = address.to_bits() & addresses.mask() == addresses.network().to_bits();
    is_within != addresses.is_negated()
}

/// What changes from one configuration to another: the lines of their readable forms that only one of them has, in their order, each
/// with the heading it is under. Of a key it shows only that it is another.
pub fn difference(before: &Config, after: &Config) -> String {
    let (before, after) = (crate::show(before), crate::show(after));
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let common = common(&before, &after);
    let mut text = String::new();
    let (mut old, mut new) = (before.iter(), after.iter());
    let mut heading = "";
    for line in common.iter().map(Some).chain([None]) {
        let gone = old.by_ref().take_while(|it| Some(*it) != line).map(|it| ('-', *it));
        let gone: Vec<_> = gone.collect();
        let come: Vec<_> = new.by_ref().take_while(|it| Some(*it) != line).map(|it| ('+', *it)).collect();
        for (mark, changed) in gone.into_iter().chain(come).filter(|(_, changed)| !changed.is_empty()) {
            if !heading.is_empty() && !changed.starts_with('[') {
                text += &format!("  {heading}\n");
            }
            heading = "";
            let shown = if changed.starts_with("key = ") { "key = (not shown)" } else { changed };
            text += &format!("{mark} {shown}\n");
        }
        heading = line.filter(|line| line.starts_with('[')).map_or(heading, |line| line);
    }
    text
}

/// The longest sequence of lines that both have.
fn common<'l>(one: &[&'l str], other: &[&'l str]) -> Vec<&'l str> {
    let mut longest = vec![vec![0_u32; other.len() + 1]; one.len() + 1];
    for (i, line) in one.iter().enumerate().rev() {
        for (j, its) in other.iter().enumerate().rev() {
            longest[i][j] = if line == its {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < one.len() && j < other.len() {
        if one[i] == other[j] {
            lines.push(one[i]);
            (i, j) = (i + 1, j + 1);
        } else if longest[i + 1][j] >= longest[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [&str; 2] = ["11", "22"];

    /// A configuration with a lan address, and more behind that.
    fn config(lan: &str, more: &str) -> Config {
        let text = format!(
            "[wan]\naddress = \"203.0.113.254/24\"\ngateway = \"203.0.113.1\"\n[lan]\naddress = \"{lan}\"\n{more}"
        );
        crate::compile(&text, "x.toml").unwrap()
    }

    fn control(key: &str, more: &str) -> String {
        format!("[control]\nkey = \"{}\"\n{more}\n", key.repeat(32))
    }

    fn rule(more: &str) -> String {
        let rule = "[[rule]]\nname = \"shut\"\ndirection = \"lan-to-box\"\nprotocol = \"tcp\"";
        control(KEY[0], "lan-port = 7377") + &format!("{rule}\n{more}\n")
    }

    const LAN: &str = "192.0.2.254/24";

    #[test]
    fn whoever_is_about_to_lock_himself_out_is_warned() {
        let before = config(LAN, &control(KEY[0], "lan-port = 7377"));
        let [socket, lan] = ["/run/box.sock", "192.0.2.254"].map(|place| place.parse::<Place>().unwrap());
        let warned = |place, after: &Config| warning(place, &before, after, false).unwrap_or_default();
        for (after, by_socket, by_lan) in [
            (config(LAN, &control(KEY[0], "lan-port = 7377")), "", ""),
            (config(LAN, ""), "no [control] section: ", "no [control] section: "),
            (
                config(LAN, &control(KEY[1], "lan-port = 7377")),
                "another control.key: ",
                "another control.key: ",
            ),
            (config(LAN, &control(KEY[0], "")), "", "no control.lan-port: "),
            (config(LAN, &control(KEY[0], "lan-port = 99")), "", "lan-port becomes 99 instead of 7377: "),
            (
                config("192.0.2.1/24", &control(KEY[0], "lan-port = 7377")),
                "",
                "lan.address becomes 192.0.2.1/24 instead of 192.0.2.254/24: ",
            ),
            (
                config(LAN, &rule("action = \"drop\"")),
                "",
                "rules from the lan to the box, such as \"shut\": ",
            ),
            (config(LAN, &rule("port = \"7000-8000\"\naction = \"reject\"")), "", "such as \"shut\": "),
            (config(LAN, &rule("destination = \"!192.0.2.7\"\naction = \"drop\"")), "", "such as \"shut\": "),
            (config(LAN, &rule("port = \"22\"\naction = \"drop\"")), "", ""),
            (config(LAN, &rule("destination = \"192.0.2.7\"\naction = \"drop\"")), "", ""),
            (config(LAN, &rule("action = \"accept\"")), "", ""),
        ] {
            for (place, wanted) in [(&socket, by_socket), (&lan, by_lan)] {
                let said = warned(place, &after);
                assert_eq!(said.is_empty(), wanted.is_empty(), "{said}");
                assert!(said.contains(wanted), "{said} has not {wanted}");
            }
        }
    }

    #[test]
    fn a_difference_shows_that_the_key_changes_and_not_the_key() {
        let [before, after] = KEY.map(|key| config(LAN, &control(key, "")));
        let hidden = "key = (not shown)";
        assert_eq!(difference(&before, &after), format!("  [control]\n- {hidden}\n+ {hidden}\n"));
        assert_eq!(difference(&config(LAN, ""), &after), format!("+ [control]\n+ {hidden}\n"));
    }

    #[test]
    fn a_warning_says_all_reasons_and_what_to_do() {
        let [before, after] = KEY.map(|key| config(LAN, &control(key, "")));
        let (socket, lan) = ("/run/box.sock".parse().unwrap(), "192.0.2.254".parse().unwrap());
        assert_eq!(
            warning(&socket, &before, &after, false).unwrap(),
            "warning: the configuration has another control.key: /run/box.sock will not answer this key any more; apply it with --confirm, so that the box goes back by itself\n"
        );
        assert_eq!(
            warning(&socket, &before, &after, true).unwrap(),
            "warning: the configuration has another control.key: /run/box.sock will not answer this key any more; `provision confirm` will not be possible by this way with this key, and unless it is said in another, the box goes back\n"
        );
        // What rules do is not known for certain, and those that are there already do nothing new.
        let shut = config(LAN, &rule("action = \"drop\""));
        let open = config(LAN, &control(KEY[0], "lan-port = 7377"));
        assert!(warning(&lan, &open, &shut, true).unwrap().contains("confirm` may not be possible"));
        assert_eq!(warning(&lan, &shut, &shut, false), None);
    }
}
