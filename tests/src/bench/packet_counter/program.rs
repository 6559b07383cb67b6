//! The naive way: a program at each packet of a cgroup, hand-assembled. In C it is
//!
//! ```c
//! struct key key = { ip->saddr, ip->daddr, *(u32 *)(ip + 1) /* ports */, ip->protocol, way };
//! struct value *value = bpf_map_lookup_elem(&map, &key);
//! if (!value) {
//!     bpf_map_update_elem(&map, &key, &zero, BPF_NOEXIST);
//!     value = bpf_map_lookup_elem(&map, &key);
//! }
//! if (value) {
//!     __sync_fetch_and_add(&value->packets, 1);
//!     __sync_fetch_and_add(&value->bytes, skb->len);
//! }
//! return 1;
//! ```
//!
//! IPv4 without options only, which is what the load sends. It reads the packet directly, which is the quickest way.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};

use super::map::{KEY, Map};
use crate::bench::bpf::call::{Attributes, descriptor, number};
use crate::bench::bpf::{EXPECTED_ATTACH_TYPE, LINK_CREATE, PROG_LOAD};

/// `BPF_PROG_TYPE_CGROUP_SKB`.
const CGROUP_SKB: u32 = 8;

/// Which packets of a cgroup: the values of `enum bpf_attach_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    In = 0,
    Out = 1,
}

/// `struct bpf_insn`, where the lower half of a byte comes first (x86 and all of its kind).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u8,
    /// Destination in the lower half, source in the upper one.
    registers: u8,
    offset: i16,
    immediate: i32,
}

const fn op(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers: to | from << 4,
        offset,
        immediate,
    }
}

// Instruction codes of include/uapi/linux/bpf_common.h and bpf.h, put together.
const LOAD_BYTE: u8 = 0x71;
const LOAD_WORD: u8 = 0x61;
const STORE_WORD: u8 = 0x63;
const STORE_ZEROS: u8 = 0x7a;
const ATOMIC_ADD: u8 = 0xdb;
const COPY: u8 = 0xbf;
const SET: u8 = 0xb7;
const ADD: u8 = 0x07;
const OR: u8 = 0x47;
const IF_EQUAL: u8 = 0x15;
const IF_NOT_EQUAL: u8 = 0x55;
const IF_GREATER: u8 = 0x2d;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const SET_64: u8 = 0x18;
/// Source of a [`SET_64`] that is a map's descriptor.
const MAP_FD: u8 = 1;

// Helpers.
const LOOKUP: i32 = 1;
const UPDATE: i32 = 2;
const NO_EXIST: i32 = 1;

// Offsets in `struct __sk_buff`.
const SKB_LEN: i16 = 0;
const SKB_PROTOCOL: i16 = 16;
const SKB_DATA: i16 = 76;
const SKB_DATA_END: i16 = 80;
/// `ETH_P_IP` as the network writes it.
const IPV4: i32 = 0x0800_u16.to_be() as i32;
/// An IPv4 header without options, and the ports behind it.
const HEADERS: i32 = 24;

/// Places on the stack: the key, and below it the first value.
const KEY_AT: i16 = -(KEY as i16);
const VALUE_AT: i16 = KEY_AT - 16;

/// Stands for the way to the end, which is known when all is there.
const TO_END: i16 = i16::MAX;

/// r1 = the map, r2 = the key.
fn map_and_key(map: i32) -> [Instruction; 4] {
    [
        op(SET_64, 1, MAP_FD, 0, map),
        op(0, 0, 0, 0, 0),
        op(COPY, 2, 10, 0, 0),
        op(ADD, 2, 0, 0, i32::from(KEY_AT)),
    ]
}

fn assemble(map: i32, way: Way) -> Vec<Instruction> {
    // r6 is the packet's context all the time.
    let key = [
        op(COPY, 6, 1, 0, 0),
        op(LOAD_WORD, 2, 1, SKB_PROTOCOL, 0),
        op(IF_NOT_EQUAL, 2, 0, TO_END, IPV4),
        op(LOAD_WORD, 2, 1, SKB_DATA, 0),
        op(LOAD_WORD, 3, 1, SKB_DATA_END, 0),
        op(COPY, 4, 2, 0, 0),
        op(ADD, 4, 0, 0, HEADERS),
        op(IF_GREATER, 4, 3, TO_END, 0),
        op(LOAD_WORD, 5, 2, 12, 0),
        op(STORE_WORD, 10, 5, KEY_AT, 0),
        op(LOAD_WORD, 5, 2, 16, 0),
        op(STORE_WORD, 10, 5, KEY_AT + 4, 0),
        op(LOAD_WORD, 5, 2, 20, 0),
        op(STORE_WORD, 10, 5, KEY_AT + 8, 0),
        op(LOAD_BYTE, 5, 2, 9, 0),
        op(OR, 5, 0, 0, (way as i32) << 8),
        op(STORE_WORD, 10, 5, KEY_AT + 12, 0),
    ];
    let make = [
        &[
            op(STORE_ZEROS, 10, 0, VALUE_AT, 0),
            op(STORE_ZEROS, 10, 0, VALUE_AT + 8, 0),
        ][..],
        &map_and_key(map),
        &[
            op(COPY, 3, 10, 0, 0),
            op(ADD, 3, 0, 0, i32::from(VALUE_AT)),
            op(SET, 4, 0, 0, NO_EXIST),
            op(CALL, 0, 0, 0, UPDATE),
        ],
        &map_and_key(map),
        &[op(CALL, 0, 0, 0, LOOKUP), op(IF_EQUAL, 0, 0, TO_END, 0)],
    ]
    .concat();
    let find = [
        op(CALL, 0, 0, 0, LOOKUP),
        op(IF_NOT_EQUAL, 0, 0, make.len() as i16, 0),
    ];
    let add = [
        op(SET, 1, 0, 0, 1),
        op(ATOMIC_ADD, 0, 1, 0, 0),
        op(LOAD_WORD, 1, 6, SKB_LEN, 0),
        op(ATOMIC_ADD, 0, 1, 8, 0),
    ];
    // The packet goes on.
    let end = [op(SET, 0, 0, 0, 1), op(EXIT, 0, 0, 0, 0)];
    let mut all = [&key[..], &map_and_key(map), &find, &make, &add, &end].concat();
    let to = all.len() - end.len();
    for (index, instruction) in all.iter_mut().enumerate() {
        if instruction.offset == TO_END {
            instruction.offset = (to - index - 1) as i16;
        }
    }
    all
}

/// A program at a cgroup; gone when dropped.
pub(super) struct Attached {
    _program: OwnedFd,
    _link: OwnedFd,
}

impl Attached {
    /// Counts each packet that goes this way in a cgroup, those below it included.
    pub(super) fn new(map: &Map, cgroup: &Path, way: Way) -> Result<Self> {
        let program = load(map, way).with_context(|| format!("load the counter, {way:?}"))?;
        let folder = std::fs::File::open(cgroup)
            .with_context(|| format!("open the cgroup {}", cgroup.display()))?;
        let mut link = Attributes::with(&[number(&program), number(&folder), way as u32]);
        // SAFETY: no pointers in the attributes.
        let link = unsafe { descriptor(LINK_CREATE, &mut link) }
            .with_context(|| format!("attach the counter, {way:?}, to {}", cgroup.display()))?;
        Ok(Self {
            _program: program,
            _link: link,
        })
    }
}

fn load(map: &Map, way: Way) -> Result<OwnedFd> {
    let instructions = assemble(map.fd().as_raw_fd(), way);
    let count = u32::try_from(instructions.len())?;
    let mut load = Attributes::with(&[CGROUP_SKB, count])
        .pointer(2, instructions.as_ptr().cast())
        .pointer(4, c"GPL".as_ptr().cast())
        .word(EXPECTED_ATTACH_TYPE, way as u32);
    // SAFETY: both pointers are valid during the call: so many instructions, and a string with its end.
    Ok(unsafe { descriptor(PROG_LOAD, &mut load) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_jump_stays_inside_and_has_its_place() {
        let program = assemble(7, Way::Out);
        let end = program.len() - 2;
        assert_eq!(program[end], op(SET, 0, 0, 0, 1));
        let targets: Vec<usize> = (0..program.len())
            .filter(|index| [IF_EQUAL, IF_NOT_EQUAL, IF_GREATER].contains(&program[*index].code))
            .map(|index| index + 1 + program[index].offset as usize)
            .collect();
        // Not IPv4, too short, found, no room.
        assert_eq!(targets, [end, end, end - 4, end]);
        assert_eq!(program[end - 4], op(SET, 1, 0, 0, 1));
    }

    #[test]
    fn the_ways_differ_in_the_key_only() {
        let (one, two) = (assemble(7, Way::In), assemble(7, Way::Out));
        let differ: Vec<_> = one
            .iter()
            .zip(&two)
            .filter(|(one, two)| one != two)
            .collect();
        assert_eq!(differ, [(&op(OR, 5, 0, 0, 0), &op(OR, 5, 0, 0, 0x100))]);
    }
}
