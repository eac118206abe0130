//! Packets made to order: what a scenario's stations send, and the notation it is written in.
//!
//! ```text
//! udp 192.0.2.1:5000 > 198.51.100.7:53 len 20 ttl 3
//! tcp 198.51.100.7:443 > 203.0.113.254:4000 flags R. seq 1001 ack 1
//! echo 192.0.2.1 > 198.51.100.7 ident 7 seq 1
//! unreachable 198.51.100.1 > 203.0.113.254 code 4 mtu 576 about tcp 203.0.113.254:4000 > 198.51.100.7:443 seq 1
//! udp 192.0.2.1:5000 > 198.51.100.7:53 len 3000 id 7 piece 2/3
//! proto 47 192.0.2.1 > 198.51.100.7 len 40
//! ```
//!
//! A kind, two ends, and *particulars*, each a word and a number but for `flags`, written as tcpdump writes them, `df`,
//! `piece`, which may be called `fragment`, and a few more. Of an error, `about` is the last: what follows is the packet that
//! it quotes. All lengths and checksums are right; `bad` makes the transport's wrong, `unsummed` leaves UDP's out. A
//! `trailer` lies behind the packet in its frame. Data counts bytes from 0; `fill` makes all of them the same, and `zero`
//! the last two such that UDP's checksum would come to zero if the datagram were from that end. `carry` makes the first four
//! such that who adds up an error about the packet, time exceeded, needs every carry. TCP's `options` are written as
//! hexadecimal digits.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use crate::wire::{self, ICMP, TCP, UDP};

/// An address and a port; for those who have none, 0.
pub type End = (Ipv4Addr, u16);

/// What a packet is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What kind of packet.
    pub kind: Kind,
    /// Who it is from.
    pub from: End,
    /// Whom it is for.
    pub to: End,
    /// How far it may go.
    pub ttl: u8,
    /// Its identification.
    pub id: u16,
    /// Whether it must not be fragmented.
    pub dont_fragment: bool,
    /// How many bytes of data it has.
    pub len: usize,
    /// Which of how many pieces of itself it is, the first being 1.
    pub piece: Option<(usize, usize)>,
    /// Whether its transport checksum is wrong.
    pub bad: bool,
    /// Whether it has no checksum, as UDP may have none.
    pub unsummed: bool,
    /// How many bytes of something else lie behind it in its frame.
    pub trailer: usize,
    /// What every byte of its data is, if they are the same.
    pub fill: Option<u8>,
    /// From which end its checksum would be zero.
    pub zero: Option<End>,
    /// Whether an error about it, an unsummed datagram, is as hard to add up as can be.
    pub carry: bool,
    /// TCP's options, a multiple of four bytes.
    pub options: Vec<u8>,
}

/// A kind of packet, with what only that kind has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A UDP datagram.
    Udp,
    /// A TCP segment.
    Tcp {
        /// As in the header.
        flags: u8,
        /// Its sequence number.
        seq: u32,
        /// What it acknowledges.
        ack: u32,
        /// Its window, unscaled.
        window: u16,
    },
    /// An ICMP echo request, or the reply to one.
    Echo {
        /// Whether it is the reply.
        reply: bool,
        /// Its identifier.
        ident: u16,
        /// Its sequence number.
        seq: u16,
    },
    /// An ICMP error.
    Error {
        /// Its type and code.
        kind: (u8, u8),
        /// The next hop's MTU that it tells.
        mtu: u16,
        /// What it quotes.
        about: Box<Draft>,
    },
    /// Any other protocol.
    Other(u8),
}

/// The letters of TCP's flags, from the lowest bit.
const FLAGS: &str = "FSRP.UEW";

/// The names of errors and their types.
const ERRORS: [(&str, u8); 5] =
    [("unreachable", 3), ("quench", 4), ("redirect", 5), ("exceeded", 11), ("parameter", 12)];

/// What a kind of packet may be called.
pub const KINDS: [&str; 10] = [
    "udp",
    "tcp",
    "echo",
    "echo-reply",
    "proto",
    "unreachable",
    "quench",
    "redirect",
    "exceeded",
    "parameter",
];

impl Draft {
    /// An ordinary packet of a kind, without data.
    pub fn new(kind: Kind, from: End, to: End) -> Self {
        Self {
            kind,
            from,
            to,
            ttl: 64,
            id: 0,
            dont_fragment: false,
            len: 0,
            piece: None,
            bad: false,
            unsummed: false,
            trailer: 0,
            fill: None,
            zero: None,
            carry: false,
            options: Vec::new(),
        }
    }

    /// Reads the notation.
    ///
    /// # Errors
    /// What cannot be understood, and how to write it.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let mut draft = Self::begin(&mut words)?;
        draft.particulars(&mut words)?;
        Ok(draft)
    }

    /// Reads what follows the ends.
    pub(crate) fn particulars<'w>(
        &mut self,
        words: &mut impl Iterator<Item = &'w str>,
    ) -> Result<(), String> {
        while let Some(word) = words.next() {
            if word == "about" {
                let rest: Vec<_> = words.collect();
                return self.quote(&rest.join(" "));
            }
            self.particular(word, words)?;
        }
        Ok(())
    }

    fn begin<'w>(words: &mut impl Iterator<Item = &'w str>) -> Result<Self, String> {
        let name = words.next().ok_or("is empty; begin with a kind of packet, such as udp")?;
        let kind = match name {
            "udp" => Kind::Udp,
            "tcp" => Kind::Tcp { flags: 0x10, seq: 0, ack: 0, window: 8192 },
            "echo" | "echo-reply" => Kind::Echo { reply: name == "echo-reply", ident: 1, seq: 1 },
            "proto" => Kind::Other(number(name, words.next())?),
            _ => error_kind(name)?,
        };
        let has_ports = matches!(kind, Kind::Udp | Kind::Tcp { .. });
        let from = end(words.next(), has_ports)?;
        if words.next() != Some(">") {
            return Err(
                "has no > between its ends; write them like 192.0.2.1:5000 > 198.51.100.7:53".to_owned()
            );
        }
        Ok(Self::new(kind, from, end(words.next(), has_ports)?))
    }

    fn particular<'w>(
        &mut self,
        word: &str,
        words: &mut impl Iterator<Item = &'w str>,
    ) -> Result<(), String> {
        match (word, &mut self.kind) {
            ("df", _) => self.dont_fragment = true,
            ("bad", _) => self.bad = true,
            ("unsummed", Kind::Udp) => self.unsummed = true,
            ("trailer", _) => self.trailer = number(word, words.next())?,
            ("fill", _) => self.fill = Some(number(word, words.next())?),
            ("carry", Kind::Udp) => self.carry = true,
            ("zero", Kind::Udp) => self.zero = Some(end(words.next(), true)?),
            ("options", Kind::Tcp { .. }) => self.options = digits(words.next())?,
            ("ttl", _) => self.ttl = number(word, words.next())?,
            ("id", _) => self.id = number(word, words.next())?,
            ("len", _) => self.len = number(word, words.next())?,
            ("piece" | "fragment", _) => self.piece = Some(piece(words.next())?),
            ("flags", Kind::Tcp { flags, .. }) => *flags = flag_bits(words.next())?,
            ("seq", Kind::Tcp { seq, .. }) => *seq = number(word, words.next())?,
            ("ack", Kind::Tcp { ack, .. }) => *ack = number(word, words.next())?,
            ("win", Kind::Tcp { window, .. }) => *window = number(word, words.next())?,
            ("seq", Kind::Echo { seq, .. }) => *seq = number(word, words.next())?,
            ("ident", Kind::Echo { ident, .. }) => *ident = number(word, words.next())?,
            ("code", Kind::Error { kind, .. }) => kind.1 = number(word, words.next())?,
            ("mtu", Kind::Error { mtu, .. }) => *mtu = number(word, words.next())?,
            _ => {
                let known = "ttl, id, len, df, bad, piece, trailer, fill; of udp: unsummed, zero, carry; of tcp: flags, seq, ack, win, options; of echo: ident, seq; of errors: code, mtu, about";
                return Err(format!("has no {word:?}; the words are {known}"));
            }
        }
        Ok(())
    }

    fn quote(&mut self, text: &str) -> Result<(), String> {
        let Kind::Error { about, .. } = &mut self.kind else {
            return Err("quotes a packet, which only errors do".to_owned());
        };
        **about = Self::read(text)?;
        Ok(())
    }

    /// The packet, or that piece of it which it is.
    pub fn bytes(&self) -> Vec<u8> {
        let (protocol, mut transport) = self.transport();
        if self.bad
            && let Some(last) = transport.last_mut()
        {
            *last ^= 0x55;
        }
        let Some((piece, of)) = self.piece else {
            let mut whole = self.packet(protocol, &transport, 0, false);
            if self.carry {
                make_sum_carry(&mut whole);
            }
            return whole;
        };
        // Pieces of the same size, a multiple of eight; the last has the rest.
        let size = transport.len().div_ceil(of).next_multiple_of(8);
        let start = transport.len().min(size * (piece - 1));
        let end = transport.len().min(start + size);
        self.packet(protocol, &transport[start..end], start / 8, end < transport.len())
    }

    /// Protocol number, header and data, with the checksum of the whole.
    fn transport(&self) -> (u8, Vec<u8>) {
        let data = self.data();
        let (from, to) = (self.from.1.to_be_bytes(), self.to.1.to_be_bytes());
        let (protocol, header) = match &self.kind {
            Kind::Udp => {
                let len = (8 + self.len) as u16;
                // A checksum of zero means that there is none, and stays.
                let sum = if self.unsummed { [0; 2] } else { [0xFF; 2] };
                (UDP, [from, to, len.to_be_bytes(), sum].concat())
            }
            Kind::Tcp { flags, seq, ack, window } => {
                let numbers = [seq.to_be_bytes(), ack.to_be_bytes()].concat();
                let offset = 0x50 + self.options.len() as u8 / 4 * 16;
                let rest = [&[offset, *flags][..], &window.to_be_bytes(), &[0; 4], &self.options].concat();
                (TCP, [&from[..], &to, &numbers, &rest].concat())
            }
            Kind::Echo { reply, ident, seq } => {
                let kind = if *reply { 0 } else { 8 };
                (ICMP, [&[kind, 0, 0, 0][..], &ident.to_be_bytes(), &seq.to_be_bytes()].concat())
            }
            Kind::Error { kind, mtu, about } => {
                let mut quoted = about.bytes();
                quoted.truncate(20 + 8 + 20);
                (ICMP, [&[kind.0, kind.1, 0, 0, 0, 0][..], &mtu.to_be_bytes(), &quoted].concat())
            }
            Kind::Other(protocol) => (*protocol, Vec::new()),
        };
        let mut whole = self.packet(protocol, &[header, data].concat(), 0, false);
        if let Some(end) = self.zero {
            make_sum_zero(&mut whole, end);
        }
        wire::fill_transport(&mut whole);
        (protocol, whole.split_off(20))
    }

    fn data(&self) -> Vec<u8> {
        (0..self.len).map(|at| self.fill.unwrap_or(at as u8)).collect()
    }

    fn packet(&self, protocol: u8, payload: &[u8], offset: usize, more: bool) -> Vec<u8> {
        let len = (20 + payload.len()) as u16;
        let fragment = offset as u16 | u16::from(more) << 13 | u16::from(self.dont_fragment) << 14;
        let mut bytes = vec![0x45, 0];
        bytes.extend([len, self.id, fragment].iter().flat_map(|word| word.to_be_bytes()));
        bytes.extend([self.ttl, protocol, 0, 0]);
        bytes.extend(self.from.0.octets());
        bytes.extend(self.to.0.octets());
        smoltcp::wire::Ipv4Packet::new_unchecked(&mut bytes[..]).fill_checksum();
        bytes.extend(payload);
        bytes
    }

    /// The packet and what lies behind it in its frame.
    pub fn in_frame(&self) -> Vec<u8> {
        let mut bytes = self.bytes();
        bytes.resize(bytes.len() + self.trailer, 0xA5);
        bytes
    }
}

/// Changes the last two bytes of a datagram's data, if it has any, so that its checksum would be zero from another end.
fn make_sum_zero(datagram: &mut [u8], from: End) {
    let (len, mut other) = (datagram.len(), datagram.to_vec());
    if len < 20 + 8 + 2 || !len.is_multiple_of(2) {
        return;
    }
    other[len - 2..].fill(0);
    other[12..16].copy_from_slice(&from.0.octets());
    other[20..22].copy_from_slice(&from.1.to_be_bytes());
    wire::fill_transport(&mut other);
    datagram[len - 2..].copy_from_slice(&other[26..28]);
}

/// Changes the first four bytes of a datagram's data, if it has as many, such that its words of four bytes, and the first of
/// an ICMP error before them, come to one less than what needs a carry: those from above then cause one.
fn make_sum_carry(datagram: &mut [u8]) {
    const TIME_EXCEEDED: u32 = 11;
    let words = datagram.chunks(4).map(|word| {
        let mut whole = [0; 4];
        whole[..word.len()].copy_from_slice(word);
        u32::from_le_bytes(whole)
    });
    let sum = words.fold(TIME_EXCEEDED, u32::wrapping_add);
    if let Some(word) = datagram.get_mut(28..).and_then(|data| data.first_chunk_mut()) {
        *word = u32::from_le_bytes(*word).wrapping_add(!sum).to_le_bytes();
    }
}

/// A UDP datagram.
pub fn udp(from: End, to: End, data: &[u8]) -> Vec<u8> {
    let mut bytes = Draft { len: data.len(), ..Draft::new(Kind::Udp, from, to) }.bytes();
    bytes[28..].copy_from_slice(data);
    wire::fill_transport(&mut bytes);
    bytes
}

/// A text in which each `{…}`, a sum of numbers and the letter n, has been replaced by its value.
///
/// # Errors
/// What cannot be understood, and how to write it.
pub fn expand(text: &str, n: u64) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (sum, after) = behind.split_once('}').ok_or("has a { without a }")?;
        let term = |term: &str| if term.trim() == "n" { Some(n) } else { term.trim().parse().ok() };
        let value: Option<u64> = sum.split('+').map(term).sum();
        let value = value.ok_or_else(|| format!("has {{{sum}}} in it; write a sum such as {{5000+n}}"))?;
        // Writing to a String cannot fail.
        let _ = write!(expanded, "{before}{value}");
        rest = after;
    }
    expanded.push_str(rest);
    Ok(expanded)
}

fn error_kind(name: &str) -> Result<Kind, String> {
    let Some((_, kind)) = ERRORS.iter().find(|(known, _)| *known == name) else {
        return Err(format!("begins with {name:?}; begin with one of {}", KINDS.join(", ")));
    };
    let nobody = (Ipv4Addr::UNSPECIFIED, 0);
    let about = Box::new(Draft::new(Kind::Udp, nobody, nobody));
    Ok(Kind::Error { kind: (*kind, 0), mtu: 0, about })
}

fn end(word: Option<&str>, has_port: bool) -> Result<End, String> {
    let word = word.ok_or("has not both its ends; write them like 192.0.2.1:5000 > 198.51.100.7:53")?;
    let (address, port) = match word.split_once(':') {
        Some((address, port)) => (address, Some(port)),
        None => (word, None),
    };
    let address =
        address.parse().map_err(|_| format!("has {word:?} where an address belongs; write 192.0.2.1"))?;
    match (has_port, port) {
        (true, Some(port)) => Ok((address, number("port", Some(port))?)),
        (true, None) => Err(format!("has {word:?} where a port belongs too; write {word}:5000")),
        (false, Some(_)) => Err(format!("has {word:?} where an address alone belongs; write {address}")),
        (false, None) => Ok((address, 0)),
    }
}

fn number<T: std::str::FromStr>(what: &str, word: Option<&str>) -> Result<T, String> {
    let word = word.ok_or_else(|| format!("has no number behind {what}"))?;
    word.parse().map_err(|_| format!("has {word:?} for {what}, which is no such number"))
}

fn piece(word: Option<&str>) -> Result<(usize, usize), String> {
    let (piece, of) = word.and_then(|word| word.split_once('/')).ok_or("has no piece like 2/3")?;
    let (piece, of) = (number("piece", Some(piece))?, number("piece", Some(of))?);
    if piece == 0 || piece > of {
        Err(format!("has piece {piece} of {of}; the first is 1"))
    } else {
        Ok((piece, of))
    }
}

fn digits(word: Option<&str>) -> Result<Vec<u8>, String> {
    let way_out =
        || "has no options behind options; write them like 020405b4, four bytes at a time".to_owned();
    let word = word.filter(|word| word.len().is_multiple_of(8) && word.len() <= 80 && word.is_ascii());
    let bytes = word
        .ok_or_else(way_out)?
        .as_bytes()
        .chunks(2)
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()));
    bytes.collect::<Option<_>>().ok_or_else(way_out)
}

fn flag_bits(word: Option<&str>) -> Result<u8, String> {
    let word = word.ok_or("has no flags behind flags; write them like S. or P.")?;
    if word == "none" {
        return Ok(0);
    }
    let bit = |letter| FLAGS.find(letter).map(|at| 1 << at).ok_or(letter);
    let bits = word.chars().map(bit).try_fold(0, |bits, bit: Result<u8, char>| bit.map(|bit| bits | bit));
    bits.map_err(|letter| format!("has {letter:?} among its flags; the letters are {FLAGS}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::Printer;

    #[test]
    fn what_is_written_is_what_tcpdump_would_print() {
        let cases = [
            (
                "udp 192.0.2.1:5000 > 198.51.100.7:53 len 20",
                "192.0.2.1.5000 > 198.51.100.7.53: UDP, length 20",
            ),
            (
                "tcp 192.0.2.1:5000 > 198.51.100.7:53 flags S. seq 7 ack 9 len 3",
                "192.0.2.1.5000 > 198.51.100.7.53: Flags [S.], seq 7:10, ack 9, win 8192, length 3",
            ),
            (
                "echo 192.0.2.1 > 198.51.100.7 ident 3",
                "192.0.2.1 > 198.51.100.7: ICMP echo request, id 3, seq 1, length 8",
            ),
            (
                "unreachable 198.51.100.1 > 192.0.2.1 code 4 mtu 576 about udp 192.0.2.1:5 > 198.51.100.7:53 len 9",
                "198.51.100.1 > 192.0.2.1: ICMP 198.51.100.7 unreachable - need to frag (mtu 576), length 45",
            ),
            ("proto 47 192.0.2.1 > 198.51.100.7 len 40", "192.0.2.1 > 198.51.100.7:  ip-proto-47 40"),
        ];
        for (text, printed) in cases {
            let frame = [&[0; 12][..], &[8, 0], &Draft::read(text).unwrap().bytes()].concat();
            assert_eq!(Printer::default().line(&frame).to_string(), printed);
        }
    }

    #[test]
    fn the_pieces_of_a_packet_are_all_of_it() {
        let text = "udp 192.0.2.1:5000 > 198.51.100.7:53 len 3000 id 7";
        let whole = Draft::read(text).unwrap().bytes();
        let pieces: Vec<_> =
            (1..=3).map(|n| Draft::read(&format!("{text} piece {n}/3")).unwrap().bytes()).collect();

        let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece[20..].to_vec()).collect();
        assert_eq!(joined, whole[20..]);
        assert_eq!(pieces[2][6..8], (2 * 1008_u16 / 8).to_be_bytes());
    }

    #[test]
    fn k03_a_sum_is_made_to_come_to_zero_from_another_end() {
        let text = "udp 192.0.2.1:5000 > 198.51.100.7:53 len 20 fill 255 zero 203.0.113.254:6000";

        let mut datagram = Draft::read(text).unwrap().bytes();

        datagram[12..16].copy_from_slice(&[203, 0, 113, 254]);
        datagram[20..22].copy_from_slice(&6000_u16.to_be_bytes());
        wire::fill_transport(&mut datagram);
        assert_eq!(datagram[26..28], [0xFF; 2]);
        assert_eq!(datagram[28..46], [0xFF; 18]);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_a_way_out() {
        for (text, named) in [
            ("", "is empty"),
            ("upd 192.0.2.1:1 > 192.0.2.2:1", "begins with \"upd\"; begin with one of udp, tcp"),
            ("udp 192.0.2.1 > 192.0.2.2:1", "write 192.0.2.1:5000"),
            ("udp 192.0.2.1:1 192.0.2.2:1", "has no >"),
            ("udp 192.0.2.1:1 > 192.0.2.2:1 flags S", "has no \"flags\""),
            ("tcp 192.0.2.1:1 > 192.0.2.2:1 flags Q", "has 'Q' among its flags"),
            ("udp 192.0.2.1:1 > 192.0.2.2:1 ttl 256", "has \"256\" for ttl"),
            ("udp 192.0.2.1:1 > 192.0.2.2:1 piece 4/3", "piece 4 of 3"),
            ("tcp 192.0.2.1:1 > 192.0.2.2:1 options 0204", "four bytes at a time"),
            ("tcp 192.0.2.1:1 > 192.0.2.2:1 options 0204zzzz", "four bytes at a time"),
        ] {
            let error = Draft::read(text).unwrap_err();
            assert!(error.contains(named), "{text}: {error}");
        }
    }

    #[test]
    fn sums_in_braces_become_numbers() {
        assert_eq!(expand("udp 192.0.2.{1+n}:{5000+n} > x", 7).unwrap(), "udp 192.0.2.8:5007 > x");
        assert!(expand("{m}", 1).unwrap_err().contains("write a sum such as"));
        assert!(expand("{1", 1).is_err());
    }
}
