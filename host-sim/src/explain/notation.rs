//! Questions as they are written: packets one after the other, with a `;` between them.
//!
//! ```text
//! tcp 192.0.2.1:5000 > 198.51.100.7:443; answer; tcp 198.51.100.9:443 > @1 from wan
//! after 301s udp 192.0.2.1:5000 > 198.51.100.7:53 ttl 1
//! ```
//!
//! A packet is written as in [`crate::packet`]; TCP without `flags` is a SYN, since it is beginnings that one asks about.
//! Besides, there may be `after` a time, before anything else, which lets time pass; `from` a side, where the source does
//! not tell it; `@2` for the endpoint that packet 2 had as its source when it left the box; and `answer` for what whoever
//! received the packet before would send back.

use std::time::Duration;

use router::Side;

use crate::packet::Draft;

/// One packet that is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    /// How long after the packet before.
    pub(super) after: Duration,
    /// The side it comes from, if that was said.
    pub(super) side: Option<Side>,
    pub(super) what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A packet.
    Packet(Words),
    /// The answer to the packet before, with other particulars.
    Answer(Words),
}

/// What is written of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Words(pub(super) Vec<String>);

/// Reads questions.
pub(super) fn read(text: &str) -> Result<Vec<Question>, String> {
    let texts: Vec<_> = text.split(';').map(str::trim).collect();
    let numbered = texts.iter().enumerate();
    let read =
        |(at, text): (usize, &&str)| question(at, text).map_err(|what| format!("packet {} {what}", at + 1));
    numbered.map(read).collect()
}

fn question(at: usize, text: &str) -> Result<Question, String> {
    let mut words: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
    let after = match words.first().map(String::as_str) {
        Some("after") => {
            let time = words.get(1).and_then(|word| time(word));
            words.drain(..2.min(words.len()));
            time.ok_or("has no time behind after; write it like 301s, 5m or 2h")?
        }
        _ => Duration::ZERO,
    };
    let side = side(&mut words)?;
    let what = match words.first().map(String::as_str) {
        Some("answer") if at == 0 => return Err("is an answer, and there is none before it".to_owned()),
        Some("answer") => What::Answer(Words(words.split_off(1))),
        _ => What::Packet(Words(words)),
    };
    what.check(at)?;
    Ok(Question { after, side, what })
}

impl What {
    /// Whether a packet can be made of it, whatever it will speak of then.
    fn check(&self, at: usize) -> Result<(), String> {
        let known = vec![Some((std::net::Ipv4Addr::LOCALHOST, 1)); at];
        match self {
            Self::Packet(words) => words.packet(&known).map(drop),
            // Of an answer, the kind is known when the packet before it is.
            Self::Answer(_) => Ok(()),
        }
    }
}

impl Words {
    /// The packet, where those before it have left the box with these sources.
    pub(super) fn packet(&self, sources: &[Option<crate::packet::End>]) -> Result<Draft, String> {
        let words: Result<Vec<_>, _> = self.0.iter().map(|word| named(word, sources)).collect();
        let mut text = words?.join(" ");
        if self.0.first().is_some_and(|kind| kind == "tcp") && !self.0.iter().any(|word| word == "flags") {
            text += " flags S";
        }
        Draft::read(&text)
    }
}

/// A word, or the endpoint that it names.
fn named(word: &str, sources: &[Option<crate::packet::End>]) -> Result<String, String> {
    let Some(name) = word.strip_prefix('@') else { return Ok(word.to_owned()) };
    let number: usize =
        name.parse().map_err(|_| format!("has {word:?}; write @1 for what packet 1 left as"))?;
    let source = number.checked_sub(1).and_then(|at| sources.get(at));
    match source.ok_or_else(|| format!("speaks of {word}, and there is no packet {name} before it"))? {
        Some((address, 0)) => Ok(address.to_string()),
        Some((address, port)) => Ok(format!("{address}:{port}")),
        None => Err(format!("speaks of {word}, and packet {name} has not left the box")),
    }
}

/// Takes the words out that tell a packet's side.
fn side(words: &mut Vec<String>) -> Result<Option<Side>, String> {
    let Some(at) = words.iter().position(|word| word == "from") else { return Ok(None) };
    let side = match words.get(at + 1).map(String::as_str) {
        Some("lan") => Side::Lan,
        Some("wan") => Side::Wan,
        _ => return Err("has no side behind from; write from lan or from wan".to_owned()),
    };
    words.drain(at..at + 2);
    Ok(Some(side))
}

/// `500ms`, `301s`, `5m`, `2h`.
fn time(word: &str) -> Option<Duration> {
    let end = word.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = word.split_at(end);
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    // Longer than a month is nobody's question, and the clock does not go on for ever.
    let time = number.parse::<u64>().ok()?.checked_mul(millis).filter(|time| *time <= 31 * 24 * 3_600_000)?;
    Some(Duration::from_millis(time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_when_from_where_and_what() {
        let read = read("after 301s udp 192.0.2.1:5 > 198.51.100.7:53 from wan ttl 1; answer len 3").unwrap();

        assert_eq!((read[0].after, read[0].side), (Duration::from_secs(301), Some(Side::Wan)));
        let What::Packet(words) = &read[0].what else { panic!("{read:?}") };
        assert_eq!(words.packet(&[]).unwrap().ttl, 1);
        assert_eq!(read[1].what, What::Answer(Words(vec!["len".to_owned(), "3".to_owned()])));
    }

    #[test]
    fn tcp_without_flags_is_a_syn() {
        for (text, flags) in [("", 0x02), (" flags .", 0x10), (" flags none", 0)] {
            let words = Words(
                format!("tcp 192.0.2.1:5 > 198.51.100.7:53{text}").split(' ').map(str::to_owned).collect(),
            );
            let kind = words.packet(&[]).unwrap().kind;
            assert!(
                matches!(kind, crate::packet::Kind::Tcp { flags: read, .. } if read == flags),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_a_way_out() {
        for (text, named) in [
            ("", "packet 1 is empty; begin with a kind"),
            ("answer", "packet 1 is an answer, and there is none before it"),
            ("udp 192.0.2.1:1 > 192.0.2.2:1;", "packet 2 is empty"),
            ("udp 192.0.2.1:1 > 192.0.2.2:1 from", "write from lan or from wan"),
            ("udp 192.0.2.1:1 > 192.0.2.2:1 from dmz", "write from lan or from wan"),
            ("udp 192.0.2.1:1 > @1", "packet 1 speaks of @1, and there is no packet 1 before it"),
            ("udp 192.0.2.1:1 > @0", "no packet 0"),
            ("udp 192.0.2.1:1 > @me", "write @1"),
            ("after", "write it like 301s"),
            ("after 5", "write it like 301s"),
            ("after 99999999999999999h udp", "write it like 301s"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
