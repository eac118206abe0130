//! Writing captures: pcapng, for Wireshark and tshark (draft-ietf-opsawg-pcapng).
//!
//! Each place where packets were seen is an interface with a name; each packet has the way it went and, as its comment, what became of
//! it. A reader that knows nothing of that still finds Ethernet frames with their times.

/// Block types.
pub const SECTION_HEADER: u32 = 0x0A0D_0D0A;
/// See above.
pub const INTERFACE_DESCRIPTION: u32 = 1;
/// See above.
pub const ENHANCED_PACKET: u32 = 6;

/// LINKTYPE_ETHERNET.
const ETHERNET: u16 = 1;

/// Options of any block, of an interface, and of a packet.
const END_OF_OPTIONS: u16 = 0;
const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const INTERFACE_NAME: u16 = 2;
const FLAGS: u16 = 2;

/// Which way a packet went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Into whom this is about.
    In = 1,
    /// Out of it.
    Out = 2,
}

/// A packet.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'p> {
    /// The number of its interface, in the order in which they were given.
    pub interface: u32,
    /// When it was seen, in microseconds of an epoch of the writer's.
    pub micros: u64,
    /// How long it was.
    pub len: u32,
    /// Its bytes, or their beginning.
    pub bytes: &'p [u8],
    /// Which way it went.
    pub way: Way,
    /// What is to be said of it.
    pub comment: Option<&'p str>,
}

/// What a capture begins with: who has written it, and the names of its interfaces.
pub fn begin<'n>(application: &str, interfaces: impl IntoIterator<Item = &'n str>) -> Vec<u8> {
    let mut file = Vec::new();
    block(&mut file, SECTION_HEADER, &section(application));
    for name in interfaces {
        block(&mut file, INTERFACE_DESCRIPTION, &interface(name));
    }
    file
}

/// Adds a packet to a capture.
pub fn add(file: &mut Vec<u8>, packet: &Packet<'_>) {
    let Packet { interface, micros, len, bytes, way, comment } = *packet;
    let mut body = Vec::new();
    let words = [interface, (micros >> 32) as u32, micros as u32, bytes.len() as u32, len];
    body.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    body.extend(bytes);
    body.resize(body.len().next_multiple_of(4), 0);
    option(&mut body, FLAGS, &(way as u32).to_le_bytes());
    if let Some(comment) = comment {
        option(&mut body, COMMENT, comment.as_bytes());
    }
    option(&mut body, END_OF_OPTIONS, &[]);
    block(file, ENHANCED_PACKET, &body);
}

fn section(application: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(0x1A2B_3C4D_u32.to_le_bytes());
    body.extend([1_u16, 0].iter().flat_map(|word| word.to_le_bytes()));
    // The section's length is not known: it goes on to the end of the file.
    body.extend([0xFF; 8]);
    option(&mut body, APPLICATION, application.as_bytes());
    option(&mut body, END_OF_OPTIONS, &[]);
    body
}

fn interface(name: &str) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(ETHERNET.to_le_bytes());
    body.extend([0; 2]);
    // No limit to the length of packets. Times are in microseconds where nothing else is said.
    body.extend([0; 4]);
    option(&mut body, INTERFACE_NAME, name.as_bytes());
    option(&mut body, END_OF_OPTIONS, &[]);
    body
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Every block has its length at both its ends.
fn block(file: &mut Vec<u8>, kind: u32, body: &[u8]) {
    let len = (12 + body.len()) as u32;
    file.extend(kind.to_le_bytes());
    file.extend(len.to_le_bytes());
    file.extend(body);
    file.extend(len.to_le_bytes());
}
