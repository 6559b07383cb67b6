//! What is written can be read, what the kernel writes too, and what nobody wrote does no harm.

use super::*;

/// Xorshift: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn tuple(&mut self, is_v6: bool) -> Tuple {
        let mut end = || {
            let (high, low) = (u128::from(self.next()), u128::from(self.next()));
            let address: IpAddr = if is_v6 {
                (high << 64 | low).to_be_bytes().into()
            } else {
                [low as u8, (low >> 8) as u8, (low >> 16) as u8, 10].into()
            };
            SocketAddr::new(address, (low >> 32) as u16)
        };
        Tuple {
            source: end(),
            destination: end(),
        }
    }
}

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
fn every_answer_is_read_among_others() {
    let mut random = Random(0x1234_5678_9abc_def1);
    for round in 0..2_000_u32 {
        let is_v6 = round % 2 == 0;
        let (original, reply) = (random.tuple(is_v6), random.tuple(is_v6));
        let expected = Answer::Tracked { original, reply };
        let mut received = error(2, round.wrapping_sub(1));
        received.extend(answer_of(&original, &reply, round));
        received.extend(error(1, round));
        assert_eq!(answer(&received, round), Some(expected));
        assert_eq!(answer(&received, round + 1), None);
    }
    assert_eq!(answer(&error(2, 5), 5), Some(Answer::Error(2)));
}

#[test]
fn a_part_of_an_answer_is_none() {
    let mut random = Random(0x5eed);
    let (original, reply) = (random.tuple(false), random.tuple(true));
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

#[test]
fn no_bytes_make_it_panic_or_loop() {
    let mut random = Random(0xfeed_f00d_dead_beef);
    let mut read = 0;
    for round in 0..40_000 {
        let is_v6 = round % 2 == 0;
        let (original, reply) = (random.tuple(is_v6), random.tuple(is_v6));
        let mut bytes = if round % 4 == 0 {
            (0..random.below(200))
                .map(|_| random.next() as u8)
                .collect()
        } else {
            answer_of(&original, &reply, 1)
        };
        for _ in 0..random.below(4) {
            let Some(last) = bytes.len().checked_sub(1) else {
                break;
            };
            let at = random.below(last + 1);
            match random.below(4) {
                0 => bytes[at] = random.next() as u8,
                1 => bytes[at] = 0,
                2 => bytes.truncate(at),
                _ => bytes.insert(at, random.next() as u8),
            }
        }
        read += u32::from(answer(&bytes, 1).is_some());
    }
    assert!((1_000..39_000).contains(&read), "{read}");
}
