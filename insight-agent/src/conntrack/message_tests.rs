//! What a request is, byte by byte, and what a part of an answer is: none. For every other answer see the properties.

use super::*;

/// An answer as the kernel builds it: attributes of no interest before, between and behind the tuples.
pub(super) fn answer_of(original: &Tuple, reply: &Tuple, sequence: u32) -> Vec<u8> {
    let mut message = request(original, sequence);
    message[4..6].copy_from_slice(&NEW.to_ne_bytes());
    let asked = message.split_off(HEADER + GENERIC);
    put(&mut message, 3, &0x1234_5678_u32.to_be_bytes());
    message.extend_from_slice(&asked);
    put(&mut message, 7, &[1, 2, 3]);
    let mut second = request(reply, sequence).split_off(HEADER + GENERIC);
    second[2..4].copy_from_slice(&(TUPLE_REPLY | NESTED).to_ne_bytes());
    message.extend_from_slice(&second);
    put(&mut message, 8, b"behind");
    finished(message)
}

fn finished(mut message: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap();
    message[..4].copy_from_slice(&length.to_ne_bytes());
    message
}

pub(super) fn error(errno: i32, sequence: u32) -> Vec<u8> {
    let mut message = vec![0; HEADER];
    message[4..6].copy_from_slice(&ERROR.to_ne_bytes());
    message[8..12].copy_from_slice(&sequence.to_ne_bytes());
    message.extend_from_slice(&(-errno).to_ne_bytes());
    // The request's header comes back.
    message.extend_from_slice(&[0; HEADER]);
    finished(message)
}

#[test]
fn a_request_has_the_bytes_that_the_kernel_wants() {
    let tuple = Tuple {
        source: "10.0.0.1:4000".parse().unwrap(),
        destination: "10.96.0.1:80".parse().unwrap(),
    };
    // Length 72, IPCTNL_MSG_CT_GET, NLM_F_REQUEST, sequence 7; AF_INET; the tuple of 52 bytes: addresses of 20, protocol of 28.
    let expected = [
        "48000000 0101 0100 07000000 00000000",
        "02 00 0000",
        "3400 0180",
        "1400 0180 0800 0100 0a000001 0800 0200 0a600001",
        "1c00 0280 0500 0100 06000000 0600 0200 0fa0 0000 0600 0300 0050 0000",
    ];
    let hex: String = request(&tuple, 7)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, expected.concat().replace(' ', ""));
}

#[test]
fn a_part_of_an_answer_is_none() {
    let original = Tuple {
        source: "10.0.0.1:4000".parse().unwrap(),
        destination: "10.96.0.1:80".parse().unwrap(),
    };
    let reply = Tuple {
        source: "[fd00::7]:8080".parse().unwrap(),
        destination: "[fd00::1]:4000".parse().unwrap(),
    };
    let whole = answer_of(&original, &reply, 1);
    for length in 0..whole.len() {
        assert_eq!(answer(&whole[..length], 1), None, "{length}");
        // Also where the header does not know that the rest is missing.
        if length >= HEADER {
            let cut = finished(whole[..length].to_vec());
            let is_whole = answer(&cut, 1) == answer(&whole, 1);
            assert!(is_whole || answer(&cut, 1).is_none(), "{length}");
        }
    }
}
