//! What holds for every answer of ctnetlink, whole or damaged.

use proptest::prelude::*;
use proptest::sample::Index;

use super::tests::{answer_of, error};
use super::*;
use crate::trying::holds;

fn tuple() -> impl Strategy<Value = Tuple> {
    let ends = (any::<[u8; 32]>(), any::<[u16; 2]>(), any::<bool>());
    ends.prop_map(|(octets, ports, is_v6)| {
        let end = |from: usize, port| {
            let mut octets16 = [0; 16];
            octets16.copy_from_slice(&octets[from..from + 16]);
            let address: IpAddr = if is_v6 {
                octets16.into()
            } else {
                [octets16[0], octets16[1], octets16[2], octets16[3]].into()
            };
            SocketAddr::new(address, port)
        };
        Tuple {
            source: end(0, ports[0]),
            destination: end(16, ports[1]),
        }
    })
}

/// The answer to our question comes back, whatever comes before and behind it.
#[test]
fn the_answer_to_a_question_is_its_own() {
    let others = proptest::collection::vec((any::<u32>(), 1_i32..200), 0..5);
    let inputs = (tuple(), tuple(), any::<u32>(), others, any::<Index>());
    holds(&inputs, |(original, reply, sequence, others, at)| {
        prop_assume!(others.iter().all(|(other, _)| *other != sequence));
        let mut messages: Vec<Vec<u8>> = others
            .iter()
            .map(|(other, errno)| error(*errno, *other))
            .collect();
        let place = at.index(messages.len() + 1);
        messages.insert(place, answer_of(&original, &reply, sequence));
        let received = messages.concat();
        let expected = Answer::Tracked { original, reply };
        prop_assert_eq!(answer(&received, sequence), Some(expected));
        for (other, errno) in &others {
            let first = others.iter().find(|(number, _)| number == other);
            let errno = first.map_or(*errno, |(_, errno)| *errno);
            prop_assert_eq!(answer(&received, *other), Some(Answer::Error(errno)));
        }
        Ok(())
    });
}

/// No address is made up: what a damaged answer says stands in it.
#[test]
fn a_damaged_answer_says_nothing_that_is_not_in_it() {
    let damage = proptest::collection::vec((any::<Index>(), any::<u8>()), 0..8);
    let inputs = (tuple(), tuple(), damage, any::<Option<Index>>());
    holds(&inputs, |(original, reply, damage, cut)| {
        let mut received = answer_of(&original, &reply, 7);
        for (at, byte) in damage {
            let at = at.index(received.len());
            received[at] = byte;
        }
        if let Some(cut) = cut {
            received.truncate(cut.index(received.len()));
        }
        if let Some(Answer::Tracked { original, reply }) = answer(&received, 7) {
            for end in [
                original.source,
                original.destination,
                reply.source,
                reply.destination,
            ] {
                let octets = match end.ip() {
                    IpAddr::V4(address) => address.octets().to_vec(),
                    IpAddr::V6(address) => address.octets().to_vec(),
                };
                let is_there = received
                    .windows(octets.len())
                    .any(|window| window == octets);
                prop_assert!(is_there, "{}", end);
            }
        }
        Ok(())
    });
}
