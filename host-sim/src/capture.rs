//! Captures as they are read: pcapng (draft-ietf-opsawg-pcapng) and pcap, of either byte order and any resolution.
//!
//! A capture becomes interfaces with names and packets with times. Ethernet and bare IPv4 are understood; a capture of
//! anything else is refused with the way out. One that ends within a packet is read up to there: whoever ends a capture
//! cuts it so, as a rule. No file makes this panic.

use pcap_parser::pcapng::{
    Block, InterfaceDescriptionBlock, OptionCode, parse_block_be, parse_block_le, parse_sectionheaderblock,
};
use pcap_parser::{Linktype, PcapHeader, parse_pcap_frame, parse_pcap_frame_be, parse_pcap_header};
use smoltcp::wire::EthernetProtocol;

use crate::time::Time;
use crate::trace::Way;

/// The link types of bare IP packets: LINKTYPE_RAW, what BSDs call it, and LINKTYPE_IPV4.
const BARE: [i32; 4] = [12, 14, 101, 228];

/// EPB option: how a packet went, and more.
const FLAGS: u16 = 2;

/// What was captured.
#[derive(Clone, Debug, Default)]
pub struct Capture {
    /// The interfaces.
    pub interfaces: Vec<Interface>,
    /// The packets, in the order of their times.
    pub packets: Vec<Captured>,
    /// Whether the file ends within a packet.
    pub is_cut: bool,
}

/// Where packets were captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name; the file's, where none is in it.
    pub name: String,
    link: Linktype,
    /// Ticks a second, and seconds that are to be added to every time.
    resolution: u64,
    offset: i64,
}

/// A packet that was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// When, since 1970.
    pub at: Time,
    /// Which of the interfaces.
    pub interface: usize,
    /// Which way it went, if that was captured, seen from the machine that captured it.
    pub way: Option<Way>,
    /// The packet from its Ethernet header on; of a bare one, that is all zeros but for the type.
    pub frame: Vec<u8>,
    /// Whether it had no Ethernet header.
    pub is_bare: bool,
    /// Whether it was longer than what was captured of it. What was not is zero.
    pub is_cut: bool,
}

impl Capture {
    /// Reads a file. An interface without a name has that of the file, `stem`.
    ///
    /// # Errors
    /// What is wrong with it, and the way out.
    pub fn read(bytes: &[u8], stem: &str) -> Result<Self, String> {
        let mut capture = match bytes.first_chunk() {
            Some([0x0A, 0x0D, 0x0D, 0x0A]) => read_ng(bytes, stem)?,
            Some(_) if parse_pcap_header(bytes).is_ok() => read_old(bytes, stem)?,
            _ => return Err("is no capture; give a pcapng or pcap file, as tcpdump -w writes it".to_owned()),
        };
        capture.packets.sort_by_key(|packet| packet.at);
        Ok(capture)
    }

    /// The captures of several files as one.
    pub fn join(captures: Vec<Self>) -> Self {
        let mut all = Self::default();
        for Self { interfaces, packets, is_cut } in captures {
            let before = all.interfaces.len();
            all.interfaces.extend(interfaces);
            all.packets.extend(
                packets.into_iter().map(|packet| Captured { interface: packet.interface + before, ..packet }),
            );
            all.is_cut |= is_cut;
        }
        all.packets.sort_by_key(|packet| packet.at);
        all
    }

    fn add(
        &mut self,
        interface: usize,
        ticks: u64,
        way: Option<Way>,
        data: &[u8],
        len: u32,
    ) -> Result<(), String> {
        let on =
            self.interfaces.get(interface).ok_or("has a packet of an interface that it does not describe")?;
        let is_bare = BARE.contains(&on.link.0);
        if !is_bare && on.link != Linktype::ETHERNET {
            return Err(format!(
                "{}: is of link type {}, and Ethernet is understood; capture each interface by itself, with tcpdump -i",
                on.name, on.link.0
            ));
        }
        let at = time(ticks, on);
        let mut frame = Vec::new();
        if is_bare {
            frame.extend([0; 12]);
            frame.extend(u16::from(EthernetProtocol::Ipv4).to_be_bytes());
        }
        frame.extend(data);
        // No packet is longer than IPv4 can tell, whatever the file claims.
        let missing = (len as usize).min(0xFFFF + 18).saturating_sub(data.len());
        frame.resize(frame.len() + missing, 0);
        self.packets.push(Captured { at, interface, way, frame, is_bare, is_cut: missing > 0 });
        Ok(())
    }
}

/// Ticks of an interface as a time.
fn time(ticks: u64, of: &Interface) -> Time {
    let micros = u128::from(ticks) * 1_000_000 / u128::from(of.resolution.max(1));
    let offset = i128::from(of.offset) * 1_000_000;
    let micros = i128::try_from(micros).unwrap_or(i128::MAX).saturating_add(offset);
    Time::from_micros(u64::try_from(micros.max(0)).unwrap_or(u64::MAX))
}

/// A pcapng file: sections with their interfaces, one after the other.
fn read_ng(bytes: &[u8], stem: &str) -> Result<Capture, String> {
    const SECTION: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];
    let mut capture = Capture::default();
    let (mut rest, mut is_big, mut first) = (bytes, false, 0);
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        let is_section = rest.first_chunk() == Some(&SECTION);
        let parsed = match (is_section, is_big) {
            (true, _) => {
                parse_sectionheaderblock(rest).map(|(rest, section)| (rest, Block::SectionHeader(section)))
            }
            (false, true) => parse_block_be(rest),
            (false, false) => parse_block_le(rest),
        };
        let Ok((behind, block)) = parsed else {
            capture.is_cut = is_cut(rest, is_big) && at > 0;
            if capture.is_cut {
                break;
            }
            return Err(format!("is damaged at byte {at}; capture it again, or repair it with pcapfix"));
        };
        match block {
            Block::SectionHeader(section) => {
                is_big = section.big_endian();
                first = capture.interfaces.len();
            }
            Block::InterfaceDescription(described) => capture.interfaces.push(interface(&described, stem)),
            Block::EnhancedPacket(packet) => {
                let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let flags = packet.options.iter().find(|option| option.code == OptionCode(FLAGS));
                let way = flags.and_then(|flags| way(&flags.value, is_big));
                let data = packet.data.get(..packet.caplen as usize).unwrap_or(packet.data);
                let interface = first.saturating_add(packet.if_id as usize);
                capture.add(interface, ticks, way, data, packet.origlen)?;
            }
            _ => (),
        }
        rest = behind;
    }
    Ok(capture)
}

/// Whether a block goes on behind the end of the file.
fn is_cut(rest: &[u8], is_big: bool) -> bool {
    let len = rest.get(4..8).and_then(|len| <[u8; 4]>::try_from(len).ok());
    let len = len.map(|len| if is_big { u32::from_be_bytes(len) } else { u32::from_le_bytes(len) });
    len.is_none_or(|len| len as usize > rest.len())
}

fn interface(described: &InterfaceDescriptionBlock<'_>, stem: &str) -> Interface {
    let name = described.if_name().and_then(Result::ok).filter(|name| !name.is_empty());
    Interface {
        name: name.unwrap_or(stem).to_owned(),
        link: described.linktype,
        resolution: described.ts_resolution().unwrap_or(1_000_000),
        offset: described.if_tsoffset,
    }
}

/// The lowest two bits of a packet's flags.
fn way(flags: &[u8], is_big: bool) -> Option<Way> {
    let flags: [u8; 4] = flags.get(..4)?.try_into().ok()?;
    let lowest = if is_big { flags[3] } else { flags[0] };
    match lowest & 3 {
        1 => Some(Way::In),
        2 => Some(Way::Out),
        _ => None,
    }
}

/// A pcap file, of one interface.
fn read_old(bytes: &[u8], stem: &str) -> Result<Capture, String> {
    let Ok((mut rest, header)) = parse_pcap_header(bytes) else {
        return Err("is damaged at its beginning; capture it again".to_owned());
    };
    let interface = Interface {
        name: stem.to_owned(),
        // Its upper half may tell the length of the FCS.
        link: Linktype(header.network.0 & 0xFFFF),
        resolution: if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 },
        offset: 0,
    };
    let resolution = interface.resolution;
    let mut capture = Capture { interfaces: vec![interface], ..Capture::default() };
    while !rest.is_empty() {
        let Ok((behind, packet)) = parse_frame(rest, &header) else {
            capture.is_cut = true;
            break;
        };
        let ticks = u64::from(packet.ts_sec) * resolution + u64::from(packet.ts_usec);
        let data = packet.data.get(..packet.caplen as usize).unwrap_or(packet.data);
        capture.add(0, ticks, None, data, packet.origlen)?;
        rest = behind;
    }
    Ok(capture)
}

fn parse_frame<'b>(
    rest: &'b [u8],
    header: &PcapHeader,
) -> Result<(&'b [u8], pcap_parser::LegacyPcapBlock<'b>), ()> {
    let parsed = if header.is_bigendian() { parse_pcap_frame_be(rest) } else { parse_pcap_frame(rest) };
    parsed.map_err(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcapng;
    use crate::scenario::{play, shipped};

    fn ours() -> Vec<u8> {
        pcapng::capture(&play(&shipped("off-path").unwrap().unwrap(), 1).sightings)
    }

    /// Two packets of four bytes, the second of which had eight, in an old file.
    fn old(magic: u32, word: fn(u32) -> [u8; 4]) -> Vec<u8> {
        let half = |high: u16, low: u16| match word(1)[0] {
            0 => [high.to_be_bytes(), low.to_be_bytes()].concat(),
            _ => [high.to_le_bytes(), low.to_le_bytes()].concat(),
        };
        let mut file = word(magic).to_vec();
        file.extend(half(2, 4));
        file.extend([0, 0, 65_535, 1].map(word).concat());
        file.extend([7, 5, 4, 4].map(word).concat());
        file.extend(b"abcd");
        file.extend([8, 6, 4, 8].map(word).concat());
        file.extend(b"efgh");
        file
    }

    #[test]
    fn what_we_write_is_what_is_read() {
        let sightings = play(&shipped("off-path").unwrap().unwrap(), 1).sightings;

        let read = Capture::read(&pcapng::capture(&sightings), "run").unwrap();

        assert!(!read.is_cut);
        assert_eq!(read.packets.len(), sightings.len());
        for (packet, sighting) in read.packets.iter().zip(&sightings) {
            let name = &read.interfaces[packet.interface].name;
            assert_eq!((name.as_str(), packet.way), (&*sighting.tap, Some(sighting.way)));
            assert_eq!((packet.at, &packet.frame), (sighting.at, &sighting.frame));
        }
    }

    #[test]
    fn an_old_file_is_read_in_either_byte_order_and_resolution() {
        for (magic, micros) in [(0xA1B2_C3D4, 7_000_005), (0xA1B2_3C4D, 7_000_000)] {
            for word in [u32::to_le_bytes, u32::to_be_bytes] {
                let read = Capture::read(&old(magic, word), "gw0").unwrap();

                assert_eq!(read.interfaces[0].name, "gw0");
                assert_eq!(read.packets[0].at, Time::from_micros(micros));
                assert_eq!((&read.packets[0].frame[..], read.packets[0].is_cut), (&b"abcd"[..], false));
                assert_eq!(
                    (&read.packets[1].frame[..], read.packets[1].is_cut),
                    (&b"efgh\0\0\0\0"[..], true)
                );
            }
        }
    }

    #[test]
    fn a_capture_of_something_else_is_refused_with_a_way_out() {
        let mut any = old(0xA1B2_C3D4, u32::to_le_bytes);
        any[20] = 113;
        assert!(Capture::read(&any, "any").unwrap_err().contains("any: is of link type 113"));
        for nothing in [&b""[..], b"\n\r", b"[wan]\ninterface = \"gw1\"\n"] {
            assert!(Capture::read(nothing, "x").unwrap_err().contains("is no capture"));
        }
    }

    #[test]
    fn a_file_that_was_cut_is_read_up_to_there() {
        for file in [ours(), old(0xA1B2_C3D4, u32::to_le_bytes)] {
            let whole = Capture::read(&file, "x").unwrap().packets.len();

            let cut = Capture::read(&file[..file.len() - 3], "x").unwrap();

            assert!(cut.is_cut);
            assert_eq!(cut.packets.len(), whole - 1);
        }
    }

    #[test]
    fn no_file_makes_it_panic() {
        for file in [ours(), old(0xA1B2_C3D4, u32::to_le_bytes), old(0xA1B2_3C4D, u32::to_be_bytes)] {
            for len in 0..file.len().min(600) {
                let _ = Capture::read(&file[..len], "x");
            }
            for at in 0..file.len().min(600) {
                for value in [0, 1, 0x7F, 0x80, 0xFF] {
                    let mut changed = file.clone();
                    changed[at] = value;
                    let _ = Capture::read(&changed, "x");
                }
            }
        }
    }
}
