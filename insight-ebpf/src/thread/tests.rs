extern crate std;

use core::cell::RefCell;
use std::collections::BTreeMap;

use super::*;

/// Counting began then.
const SINCE: u64 = 1_000;
const WEB: u64 = 7;
const DB: u64 = 8;

#[derive(Clone, Copy)]
struct Fake {
    address: u64,
    born: u64,
    waited: u64,
    runs: u64,
    exit_state: u32,
    cgroup: u64,
}

impl Thread for Fake {
    fn address(&self) -> u64 {
        self.address
    }
    fn now(&self) -> Seen {
        Seen {
            born: self.born,
            waited: self.waited,
            runs: self.runs,
        }
    }
    fn exit_state(&self) -> u32 {
        self.exit_state
    }
    fn cgroup(&self) -> u64 {
        self.cgroup
    }
}

const YOUNG: Fake = Fake {
    address: 0xa0,
    born: SINCE + 5,
    waited: 100,
    runs: 3,
    exit_state: 0,
    cgroup: WEB,
};
const OLD: Fake = Fake {
    address: 0xb0,
    born: SINCE - 5,
    ..YOUNG
};

struct Memory {
    room: usize,
    threads: RefCell<BTreeMap<u64, Seen>>,
    cgroups: RefCell<BTreeMap<u64, CgroupTotals>>,
}

impl Memory {
    fn with_room(room: usize) -> Self {
        Self {
            room,
            threads: RefCell::default(),
            cgroups: RefCell::default(),
        }
    }

    /// Waited, runs.
    fn of(&self, cgroup: u64) -> (u64, u64) {
        let cgroups = self.cgroups.borrow();
        let totals = cgroups.get(&cgroup).copied().unwrap_or_default();
        (totals.waited, totals.runs)
    }

    fn read(&self, thread: Fake) {
        on_reading(self, &thread, SINCE);
    }

    fn end(&self, thread: Fake) {
        on_end(self, &thread, SINCE);
    }
}

impl Maps for Memory {
    fn seen(&self, thread: u64) -> Option<Seen> {
        self.threads.borrow().get(&thread).copied()
    }
    fn remember(&self, thread: u64, seen: &Seen) -> bool {
        let mut threads = self.threads.borrow_mut();
        if threads.len() == self.room && !threads.contains_key(&thread) {
            return false;
        }
        threads.insert(thread, *seen);
        true
    }
    fn forget(&self, thread: u64) {
        self.threads.borrow_mut().remove(&thread);
    }
    fn charge(&self, cgroup: u64, more: &CgroupTotals) {
        let mut cgroups = self.cgroups.borrow_mut();
        let totals = cgroups.entry(cgroup).or_default();
        totals.waited += more.waited;
        totals.runs += more.runs;
    }
}

fn later(thread: Fake) -> Fake {
    Fake {
        waited: thread.waited + 40,
        runs: thread.runs + 1,
        ..thread
    }
}

#[test]
fn each_moment_is_added_once() {
    let memory = Memory::with_room(9);
    memory.read(YOUNG);
    memory.read(YOUNG);
    assert_eq!(memory.of(WEB), (100, 3));
    memory.read(later(YOUNG));
    assert_eq!(memory.of(WEB), (140, 4));
    memory.end(later(later(YOUNG)));
    assert_eq!(memory.of(WEB), (180, 5));
    assert!(memory.threads.borrow().is_empty());
}

#[test]
fn one_that_nobody_read_is_added_when_it_ends() {
    let memory = Memory::with_room(9);
    memory.end(YOUNG);
    assert_eq!(memory.of(WEB), (100, 3));
}

#[test]
fn what_was_before_counting_began_is_not_added() {
    let memory = Memory::with_room(9);
    memory.read(OLD);
    assert_eq!(memory.of(WEB), (0, 0));
    memory.read(later(OLD));
    assert_eq!(memory.of(WEB), (40, 1));
    let unread = Fake {
        address: 0xc0,
        ..OLD
    };
    memory.end(unread);
    assert_eq!(memory.of(WEB), (40, 1));
}

#[test]
fn one_that_moves_leaves_behind_what_it_waited_there() {
    let memory = Memory::with_room(9);
    memory.read(YOUNG);
    let moved = Fake {
        cgroup: DB,
        ..later(YOUNG)
    };
    memory.read(moved);
    memory.end(later(moved));
    assert_eq!((memory.of(WEB), memory.of(DB)), ((100, 3), (80, 2)));
}

#[test]
fn one_that_is_being_freed_is_left_to_its_end() {
    let memory = Memory::with_room(9);
    let dead = Fake {
        exit_state: EXIT_DEAD,
        ..YOUNG
    };
    memory.end(dead);
    memory.read(dead);
    assert_eq!(memory.of(WEB), (100, 3));
    assert!(memory.threads.borrow().is_empty());
    // A zombie is still to be waited for, which may take long.
    let zombie = Fake {
        exit_state: 0x20,
        ..OLD
    };
    memory.read(zombie);
    memory.end(later(zombie));
    assert_eq!(memory.of(WEB), (140, 4));
}

#[test]
fn an_end_that_was_missed_harms_no_thread_at_the_same_address() {
    let memory = Memory::with_room(9);
    memory.read(later(YOUNG));
    let next = Fake {
        born: YOUNG.born + 1,
        ..YOUNG
    };
    memory.read(next);
    assert_eq!(memory.of(WEB), (240, 7));
    let third = Fake {
        born: YOUNG.born + 2,
        ..YOUNG
    };
    memory.end(third);
    assert_eq!(memory.of(WEB), (340, 10));
}

#[test]
fn without_room_it_is_added_late_and_once() {
    let memory = Memory::with_room(0);
    memory.read(YOUNG);
    assert_eq!(memory.of(WEB), (0, 0));
    memory.end(YOUNG);
    assert_eq!(memory.of(WEB), (100, 3));
    memory.read(OLD);
    memory.end(later(OLD));
    assert_eq!(memory.of(WEB), (100, 3));
}
