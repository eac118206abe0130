//! Any bytes as a configuration blob, signed or bare, and any bytes as the settings inside a sound one of any version.

use config::{Config, MAX_BLOB, SCHEMA_VERSION, signed};

/// What is taken comes back as the same configuration, and of today's version is what we would have written, byte for
/// byte.
pub fn blob(data: &[u8]) {
    check(data);
    if let Ok(opened) = signed::open(data) {
        check(opened.blob);
        assert_eq!(opened.seal.is_some(), data.starts_with(&signed::MAGIC));
    }
    (1..=SCHEMA_VERSION).for_each(|version| check(&enveloped(version, data)));
}

fn check(blob: &[u8]) {
    let Ok(config) = Config::decode(blob) else { return };
    let mut buffer = [0; MAX_BLOB];
    let len = config.encode(&mut buffer).expect("MAX_BLOB bytes are always enough");
    let is_of_today = blob[4..6] == SCHEMA_VERSION.to_le_bytes();
    assert!(!is_of_today || buffer[..len] == *blob, "one configuration has one blob");
    assert_eq!(Config::decode(&buffer[..len]), Ok(config));
}

/// A blob with these settings: magic, version, length, and a checksum that a fuzzer would not find.
fn enveloped(version: u16, body: &[u8]) -> Vec<u8> {
    let covered = [&version.to_le_bytes()[..], &(body.len() as u16).to_le_bytes()].concat();
    let checksum = crc32(&[&covered, body].concat());
    [b"SKSH", &covered[..], &checksum.to_le_bytes(), body].concat()
}

/// CRC-32/ISO-HDLC, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xEDB8_8320 };
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
