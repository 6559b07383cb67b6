//! The calls of bpf(2) that aya does not make: batch lookups, and iterators that are read more than once.
#![expect(unsafe_code, reason = "bpf(2) takes raw pointers")]

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

// `enum bpf_cmd`, include/uapi/linux/bpf.h
const MAP_LOOKUP_BATCH: libc::c_long = 24;
const MAP_LOOKUP_AND_DELETE_BATCH: libc::c_long = 25;
const MAP_UPDATE_BATCH: libc::c_long = 26;
const MAP_DELETE_BATCH: libc::c_long = 27;
const LINK_CREATE: libc::c_long = 28;
const ITER_CREATE: libc::c_long = 33;
const PROG_QUERY: libc::c_long = 16;
/// `BPF_TRACE_ITER` of `enum bpf_attach_type`.
const TRACE_ITER: u32 = 28;

/// `BPF_F_QUERY_EFFECTIVE`: those of ancestors, too.
const QUERY_EFFECTIVE: u32 = 1;
/// `BPF_F_PREORDER`: before those of descendants, and before those that are at the same cgroup.
pub(super) const PREORDER: u32 = 1 << 6;
/// Programs at one hook that are looked at; the kernel takes 64 a cgroup.
const QUERIED: u32 = 256;

/// Entries asked for at once; a hash bucket has to fit in whole, and no bucket of a good hash is near this.
const BATCH: u32 = 4_096;

/// The part of `union bpf_attr` that batch operations use.
#[repr(C)]
struct BatchAttributes {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    element_flags: u64,
    flags: u64,
}

/// The part of `union bpf_attr` that making a link or an iterator uses.
#[repr(C)]
#[derive(Default)]
struct LinkAttributes {
    fd: u32,
    second: u32,
    attach_type: u32,
    flags: u32,
    info: u64,
    info_length: u32,
    rest: [u32; 5],
}

/// The part of `union bpf_attr` that asking for programs at a hook uses.
#[repr(C)]
#[derive(Default)]
struct QueryAttributes {
    target: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    padding: u32,
    /// The last of these is a revision, which some kernels write whatever size they were told (seen on 6.18.15).
    rest: [u64; 4],
}

/// Integers in `repr(C)`: any bytes are a value, and there is no padding.
///
/// # Safety
/// Implement it only for such types.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: integers only; padding is explicit and sizes are asserted where they are declared.
unsafe impl Plain for insight_ebpf::abi::FlowKey {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::FlowEntry {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::LiveSocket {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::Baseline {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::Conversation {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::Talk {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::Birth {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::Watermark {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::CgroupTotals {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::Address {}
// SAFETY: as above.
unsafe impl Plain for insight_ebpf::abi::DialedKey {}
// SAFETY: an integer.
unsafe impl Plain for u64 {}
// SAFETY: an integer.
unsafe impl Plain for u8 {}

/// Every entry of a hash map, in about (entries / 4096) system calls.
pub(super) fn entries<K: Plain + Default, V: Plain + Default>(
    map: BorrowedFd<'_>,
) -> io::Result<Vec<(K, V)>> {
    let mut entries = Vec::new();
    each(map, |key, value| entries.push((*key, *value)))?;
    Ok(entries)
}

/// Shows every entry of a hash map, in about (entries / 4096) system calls.
pub(super) fn each<K: Plain + Default, V: Plain + Default>(
    map: BorrowedFd<'_>,
    each: impl FnMut(&K, &V),
) -> io::Result<()> {
    walk(map, MAP_LOOKUP_BATCH, each)
}

/// Empties a hash map.
pub(super) fn clear<K: Plain + Default, V: Plain + Default>(map: BorrowedFd<'_>) -> io::Result<()> {
    walk(map, MAP_LOOKUP_AND_DELETE_BATCH, |_: &K, _: &V| {})
}

fn walk<K: Plain + Default, V: Plain + Default>(
    map: BorrowedFd<'_>,
    command: libc::c_long,
    mut each: impl FnMut(&K, &V),
) -> io::Result<()> {
    let mut keys = vec![K::default(); BATCH as usize];
    let mut values = vec![V::default(); BATCH as usize];
    let mut position = 0_u32;
    let mut started = false;
    loop {
        let mut next = 0_u32;
        let mut attributes = BatchAttributes {
            in_batch: if started {
                (&raw const position) as u64
            } else {
                0
            },
            out_batch: (&raw mut next) as u64,
            keys: keys.as_mut_ptr() as u64,
            values: values.as_mut_ptr() as u64,
            count: BATCH,
            map_fd: descriptor(map),
            element_flags: 0,
            flags: 0,
        };
        // SAFETY: the buffers hold BATCH entries of the map's key and value sizes, and any bytes are valid in them.
        let result = unsafe { bpf(command, &mut attributes) };
        let ended = match result {
            Ok(_) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            Err(error) => return Err(error),
        };
        let count = attributes.count as usize;
        for (key, value) in keys.iter().zip(&values).take(count) {
            each(key, value);
        }
        if ended {
            return Ok(());
        }
        (position, started) = (next, true);
    }
}

/// Writes entries, each whole; (entries / 4096) system calls.
pub(super) fn write<'a, K: Plain + 'a, V: Plain + 'a>(
    map: BorrowedFd<'_>,
    mut entries: impl Iterator<Item = (&'a K, &'a V)>,
) -> io::Result<()> {
    loop {
        let (mut keys, mut values): (Vec<K>, Vec<V>) = entries
            .by_ref()
            .take(BATCH as usize)
            .map(|(key, value)| (*key, *value))
            .unzip();
        if keys.is_empty() {
            return Ok(());
        }
        // SAFETY: both hold as many entries as is said, of the map's key and value sizes.
        unsafe { change(map, MAP_UPDATE_BATCH, &mut keys, values.as_mut_ptr() as u64) }.1?;
    }
}

/// Deletes entries, in (keys / 4096) system calls; one that is not there is no error.
pub(super) fn remove<K: Plain>(map: BorrowedFd<'_>, keys: &[K]) -> io::Result<()> {
    for some in keys.chunks(BATCH as usize) {
        let mut rest = some.to_vec();
        while !rest.is_empty() {
            // SAFETY: keys of the map's key size; deleting looks at no values.
            let (done, result) = unsafe { change(map, MAP_DELETE_BATCH, &mut rest, 0) };
            match result {
                // The kernel stops at a key that is not there.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                    rest.drain(..(done + 1).min(rest.len()));
                }
                result => {
                    result?;
                    break;
                }
            }
        }
    }
    Ok(())
}

/// How many entries were changed, and why no more.
///
/// # Safety
/// `values` points to as many values as there are keys, or the command takes none; both are of the map's sizes.
unsafe fn change<K: Plain>(
    map: BorrowedFd<'_>,
    command: libc::c_long,
    keys: &mut [K],
    values: u64,
) -> (usize, io::Result<()>) {
    let mut attributes = BatchAttributes {
        in_batch: 0,
        out_batch: 0,
        keys: keys.as_mut_ptr() as u64,
        values,
        count: u32::try_from(keys.len()).unwrap_or(u32::MAX),
        map_fd: descriptor(map),
        element_flags: 0,
        flags: 0,
    };
    // SAFETY: as the caller promises.
    let result = unsafe { bpf(command, &mut attributes) }.map(drop);
    (attributes.count as usize, result)
}

/// A link to an iterator program, over the entries of a map if there is one.
pub(super) fn link_iterator(
    program: BorrowedFd<'_>,
    map: Option<BorrowedFd<'_>>,
) -> io::Result<OwnedFd> {
    let mut attributes = LinkAttributes {
        fd: descriptor(program),
        attach_type: TRACE_ITER,
        ..LinkAttributes::default()
    };
    // `union bpf_iter_link_info`, of which a map's iterator uses one descriptor.
    let info = map.map(descriptor);
    if let Some(info) = &info {
        attributes.info = std::ptr::from_ref(info) as u64;
        attributes.info_length = size_of::<u32>() as u32;
    }
    // SAFETY: the pointer is to a descriptor that lives until the call ends.
    let fd = unsafe { bpf(LINK_CREATE, &mut attributes) }?;
    // SAFETY: the kernel just gave it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A link of a program to a cgroup's hook, of `enum bpf_attach_type`.
pub(super) fn link_cgroup(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
    attach_type: u32,
    flags: u32,
) -> io::Result<OwnedFd> {
    let mut attributes = LinkAttributes {
        fd: descriptor(program),
        second: descriptor(cgroup),
        attach_type,
        flags,
        ..LinkAttributes::default()
    };
    // SAFETY: no pointers in the attributes.
    let fd = unsafe { bpf(LINK_CREATE, &mut attributes) }?;
    // SAFETY: the kernel just gave it to us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Ids of the programs at a cgroup's hook, in the order in which they run; with `effective` those of its ancestors, too.
pub(super) fn programs_at(
    cgroup: BorrowedFd<'_>,
    attach_type: u32,
    effective: bool,
) -> io::Result<Vec<u32>> {
    let mut ids = vec![0_u32; QUERIED as usize];
    let mut attributes = QueryAttributes {
        target: descriptor(cgroup),
        attach_type,
        query_flags: if effective { QUERY_EFFECTIVE } else { 0 },
        programs: ids.as_mut_ptr() as u64,
        count: QUERIED,
        ..QueryAttributes::default()
    };
    // SAFETY: the buffer holds as many ids as is said.
    match unsafe { bpf(PROG_QUERY, &mut attributes) } {
        // There are more, and the buffer is full.
        Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {}
        other => drop(other?),
    }
    ids.truncate(attributes.count as usize);
    Ok(ids)
}

/// One pass of an iterator, to be read to its end.
pub(super) fn iterate(link: BorrowedFd<'_>) -> io::Result<File> {
    let mut attributes = LinkAttributes {
        fd: descriptor(link),
        ..LinkAttributes::default()
    };
    // SAFETY: no pointers in the attributes.
    let fd = unsafe { bpf(ITER_CREATE, &mut attributes) }?;
    // SAFETY: the kernel just gave it to us.
    Ok(unsafe { File::from_raw_fd(fd) })
}

/// The whole values in a buffer.
pub(super) fn values<T: Plain>(bytes: &[u8]) -> impl Iterator<Item = T> + '_ {
    bytes.chunks_exact(size_of::<T>()).map(|chunk| {
        // SAFETY: the chunk is as long as T, for which any bytes are a value.
        unsafe { chunk.as_ptr().cast::<T>().read_unaligned() }
    })
}

fn descriptor(fd: BorrowedFd<'_>) -> u32 {
    u32::try_from(fd.as_raw_fd()).unwrap_or(u32::MAX)
}

/// # Safety
/// The pointers in the attributes are valid for what the command does with them.
unsafe fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the attributes are as long as we say; the rest is the caller's promise.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(result).map_err(io::Error::other)
}
