//! How long threads wait for a CPU, added to their cgroups. Pure, as [`flow`](crate::flow) is.
//!
//! The scheduler keeps a sum for each thread for as long as that lives. So nothing runs when threads are switched: living threads are read
//! once an interval, and each is read a last time when the kernel frees it. What was added already is remembered for each thread, because it
//! may go to another cgroup in between.

use crate::abi::{CgroupTotals, Seen};

#[cfg(test)]
mod tests;

/// `EXIT_DEAD` in include/linux/sched.h: the thread is about to be freed, or is freed already.
const EXIT_DEAD: u32 = 0x10;

/// One thread at this moment.
pub trait Thread {
    /// Its address in kernel memory.
    fn address(&self) -> u64;
    /// The scheduler's sums.
    fn now(&self) -> Seen;
    /// `task_struct.exit_state`.
    fn exit_state(&self) -> u32;
    /// Its cgroup's id.
    fn cgroup(&self) -> u64;
}

/// The maps that are written.
pub trait Maps {
    /// What was added already of the thread at an address.
    fn seen(&self, thread: u64) -> Option<Seen>;
    /// Remembers it; false if there is no room.
    fn remember(&self, thread: u64, seen: &Seen) -> bool;
    /// Forgets it.
    fn forget(&self, thread: u64);
    /// Adds to a cgroup.
    fn charge(&self, cgroup: u64, more: &CgroupTotals);
}

/// A living thread is met. Threads born before `since`, nanoseconds since boot, begin at what they have when they are met first.
#[inline(always)]
pub fn on_reading<M: Maps, T: Thread>(maps: &M, thread: &T, since: u64) {
    // One that is dead is left to `on_end`, which then may have been here already. One that is not cannot be freed before this program
    // returns: the kernel waits for it (RCU).
    if thread.exit_state() & EXIT_DEAD != 0 {
        return;
    }
    let now = thread.now();
    let before = match maps.seen(thread.address()) {
        Some(seen) if seen == now => return,
        Some(seen) if seen.born == now.born => seen,
        _ if now.born < since => now,
        _ => Seen::default(),
    };
    // Without room `on_end` takes it all.
    if maps.remember(thread.address(), &now) {
        charge(maps, thread, &now, &before);
    }
}

/// A thread is freed.
#[inline(always)]
pub fn on_end<M: Maps, T: Thread>(maps: &M, thread: &T, since: u64) {
    let now = thread.now();
    let before = match maps.seen(thread.address()) {
        Some(seen) => {
            maps.forget(thread.address());
            Some(seen).filter(|seen| seen.born == now.born)
        }
        None => None,
    };
    let before = match before {
        Some(seen) => seen,
        // What it had when counting began is not known.
        None if now.born < since => now,
        None => Seen::default(),
    };
    charge(maps, thread, &now, &before);
}

#[inline(always)]
fn charge<M: Maps, T: Thread>(maps: &M, thread: &T, now: &Seen, before: &Seen) {
    let more = CgroupTotals {
        waited: now.waited.wrapping_sub(before.waited),
        runs: now.runs.wrapping_sub(before.runs),
        oom_kills: 0,
    };
    if more != CgroupTotals::default() {
        maps.charge(thread.cgroup(), &more);
    }
}
