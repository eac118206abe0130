//! Signed configurations: nothing changed is taken for signed, and a box takes what it should, and nothing else.

use std::num::NonZeroU32;

use config::signed::{Admission, MAX_SIGNED, Refusal, Seal, admit, open};
use config::{Error, Problem, Signer};
use provision::signing::PrivateKey;

/// The blob of version 3 beside it, signed with the sequence 7 and the first private key of RFC 8032, section 7.1, by another
/// implementation.
const SIGNED: &[u8] = include_bytes!("../golden/blob/signed");
const BLOB: &[u8] = include_bytes!("../golden/blob/version-3");

#[test]
fn a_signed_configuration_is_laid_out_as_documented() {
    assert_eq!(PrivateKey::new(&PRIVATE).sign(BLOB, number(7)), SIGNED);
    let (seal, signature) = SIGNED.split_at(SIGNED.len() - 64);
    assert_eq!(seal, [b"SKSG\x07\0\0\0", BLOB].concat());

    let opened = open(SIGNED).unwrap();
    let expected = Seal { sequence: number(7), signature: signature.try_into().unwrap() };
    assert_eq!((opened.blob, opened.seal), (BLOB, Some(expected)));
    assert_eq!(opened.verify(&signer()), Ok(()));
    assert_eq!(opened.config(), config::Config::decode(BLOB));
}

#[test]
fn a_bare_blob_is_opened_as_it_is_and_is_nobodys() {
    let opened = open(BLOB).unwrap();
    assert_eq!((opened.blob, opened.seal), (BLOB, None));
    assert_eq!(opened.verify(&signer()), Err(Refusal::NotSigned));
}

#[test]
fn every_change_of_a_bit_is_noticed() {
    for bit in 0..SIGNED.len() * 8 {
        let mut changed = SIGNED.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);

        let refused = admit(Some(&signer()), None, &changed).expect_err("took what was changed");

        let expected = match bit / 8 {
            0..4 => Refusal::NotSigned,
            _ => Refusal::WrongSignature,
        };
        assert_eq!(refused, expected, "bit {bit}");
    }
}

#[test]
fn what_is_cut_short_or_has_something_behind_it_is_not_taken() {
    for length in 0..SIGNED.len() {
        let refused = admit(Some(&signer()), None, &SIGNED[..length]).expect_err("took a part");
        let expected = match length {
            0..4 => Refusal::NotSigned,
            4..72 => Refusal::Unreadable(Error::WrongLength),
            _ => Refusal::WrongSignature,
        };
        assert_eq!(refused, expected, "{length} bytes");
    }
    let longer = [SIGNED, &[0]].concat();
    assert_eq!(admit(Some(&signer()), None, &longer), Err(Refusal::WrongSignature));
    let longest = |length| [b"SKSG\x01\0\0\0".to_vec(), vec![0; length - 8]].concat();
    assert!(open(&longest(MAX_SIGNED)).is_ok());
    assert_eq!(open(&longest(MAX_SIGNED + 1)), Err(Error::WrongLength));
}

#[test]
fn sequences_begin_with_one() {
    let zero = [b"SKSG\0\0\0\0", BLOB, &[0; 64]].concat();
    assert_eq!(open(&zero), Err(Error::NoSequence));
}

#[test]
fn what_is_no_public_key_or_protects_nothing_is_no_signer() {
    // The second is on the curve; its signatures of any text fit with whatever key is behind it.
    let mut identity = [0; 32];
    identity[0] = 1;
    for bytes in [[0x44; 32], identity] {
        assert_eq!(Signer::new(bytes), Err(Problem::NotAPublicKey), "{bytes:?}");
    }
}

#[test]
fn a_signature_over_the_same_text_with_a_higher_number_for_it_is_not_taken() {
    // S + L is the same as S to whoever computes with it and does not compare it (RFC 8032, section 5.1.7).
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut higher = SIGNED.to_vec();
    let at = higher.len() - 32;
    let mut carry = 0;
    for (byte, more) in higher[at..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + more + carry;
        (*byte, carry) = (sum as u8, sum >> 8);
    }
    assert_eq!(admit(Some(&signer()), None, &higher), Err(Refusal::WrongSignature));
}

#[test]
fn a_box_with_a_signer_takes_what_is_signed_and_newer_and_knows_the_same_again() {
    let key = PrivateKey::new(&PRIVATE);
    let signed = |sequence| key.sign(BLOB, number(sequence));
    let other = [BLOB, b"another"].concat();
    let latest = open(SIGNED).unwrap().seal;
    let ask = |offered: &[u8]| match admit(Some(&signer()), latest.as_ref(), offered) {
        Ok(Admission::New(opened)) => Ok(Some(opened.seal.map(|seal| seal.sequence.get()))),
        Ok(Admission::Same) => Ok(None),
        Err(refusal) => Err(refusal),
    };

    assert_eq!(ask(BLOB), Err(Refusal::NotSigned));
    assert_eq!(ask(&PrivateKey::new(&[9; 32]).sign(BLOB, number(8))), Err(Refusal::WrongSignature));
    for sequence in [1, 6] {
        assert_eq!(ask(&signed(sequence)), Err(Refusal::NotHigher(number(7))));
    }
    assert_eq!(ask(&key.sign(&other, number(7))), Err(Refusal::NotHigher(number(7))));
    assert_eq!(ask(SIGNED), Ok(None));
    for sequence in [8, u32::MAX] {
        assert_eq!(ask(&signed(sequence)), Ok(Some(Some(sequence))));
    }
}

#[test]
fn a_box_with_a_signer_and_nothing_signed_yet_takes_any_sequence() {
    let first = PrivateKey::new(&PRIVATE).sign(BLOB, number(1));
    assert!(matches!(admit(Some(&signer()), None, &first), Ok(Admission::New(_))));
}

#[test]
fn a_box_without_a_signer_takes_either_form() {
    let latest = open(SIGNED).unwrap().seal;
    let older = PrivateKey::new(&[9; 32]).sign(BLOB, number(1));
    for offered in [BLOB, SIGNED, &older] {
        assert!(
            matches!(admit(None, latest.as_ref(), offered), Ok(Admission::New(opened)) if opened.blob == BLOB)
        );
    }
    assert_eq!(admit(None, None, &SIGNED[..20]), Err(Refusal::Unreadable(Error::WrongLength)));
}

/// The first private key of RFC 8032, section 7.1.
const PRIVATE: [u8; 32] = [
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
    0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
];

fn signer() -> Signer {
    PrivateKey::new(&PRIVATE).signer().unwrap()
}

fn number(sequence: u32) -> NonZeroU32 {
    NonZeroU32::new(sequence).unwrap()
}
