//! The counter's map: packets and bytes by 5-tuple and way.

use std::io;
use std::os::fd::OwnedFd;
use std::ptr::null;

use anyhow::{Context, Result, bail};

use super::program::Way;
use crate::bench::bpf::call::{Attributes, bpf, descriptor, number};

// include/uapi/linux/bpf.h: `enum bpf_cmd`, `enum bpf_map_type`.
const MAP_CREATE: libc::c_long = 0;
const LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;
const HASH: u32 = 1;

/// Bytes of a key.
pub(super) const KEY: usize = 16;

/// Entries. A connection has four (two ways at two ends) until it is read: room for 65,536 connections a second.
const ENTRIES: u32 = 262_144;

/// Entries of one read. A hash bucket must fit, and has but a few.
const BATCH: usize = 16_384;

/// What the program writes as a key.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Key {
    source: [u8; 4],
    destination: [u8; 4],
    source_port: [u8; 2],
    destination_port: [u8; 2],
    protocol: u8,
    way: u8,
    _zero: [u8; 2],
}

impl Key {
    pub(super) fn source_port(&self) -> u16 {
        u16::from_be_bytes(self.source_port)
    }

    pub(super) fn destination_port(&self) -> u16 {
        u16::from_be_bytes(self.destination_port)
    }

    pub(super) fn went(&self, way: Way) -> bool {
        self.way == way as u8
    }

    #[cfg(test)]
    pub(super) fn example(way: Way, source_port: u16, destination_port: u16) -> Self {
        Self {
            source_port: source_port.to_be_bytes(),
            destination_port: destination_port.to_be_bytes(),
            way: way as u8,
            ..Self::default()
        }
    }
}

/// What it adds up.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) packets: u64,
    /// With IP and TCP headers.
    pub(super) bytes: u64,
}

const _: () = assert!(size_of::<Key>() == KEY && size_of::<Value>() == 16);

pub(super) struct Map {
    fd: OwnedFd,
    keys: Vec<Key>,
    values: Vec<Value>,
}

impl Map {
    pub(super) fn new() -> Result<Self> {
        let sizes = [HASH, KEY as u32, size_of::<Value>() as u32, ENTRIES];
        // SAFETY: no pointers in the attributes.
        let fd = unsafe { descriptor(MAP_CREATE, &mut Attributes::with(&sizes)) }
            .context("make the counter's map")?;
        Ok(Self {
            fd,
            keys: vec![Key::default(); BATCH],
            values: vec![Value::default(); BATCH],
        })
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Takes all entries out.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Key, Value)) -> Result<()> {
        let mut position: Option<u32> = None;
        loop {
            let mut next = 0_u32;
            let from = position.as_ref().map_or(null(), std::ptr::from_ref);
            let mut batch = Attributes::default()
                .pointer(0, from.cast())
                .pointer(2, (&raw mut next).cast())
                .pointer(4, self.keys.as_mut_ptr().cast())
                .pointer(6, self.values.as_mut_ptr().cast())
                .word(8, BATCH as u32)
                .word(9, number(&self.fd));
            // SAFETY: the kernel reads a position of four bytes, if any, writes one, and writes at most `BATCH` keys and values, for
            // which any bytes are valid; all live during the call.
            let result = unsafe { bpf(LOOKUP_AND_DELETE_BATCH, &mut batch) };
            let last = match result {
                Ok(_) => false,
                // There is nothing behind these.
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                Err(error) => bail!("read the counter's map: {error}"),
            };
            let count = (batch.at(8) as usize).min(BATCH);
            for (key, value) in self.keys.iter().zip(&self.values).take(count) {
                each(*key, *value);
            }
            if last {
                return Ok(());
            }
            position = Some(next);
        }
    }
}
