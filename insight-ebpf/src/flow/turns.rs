//! Which of the programs on one hook counts a change of state, so that none is lost.
//!
//! The kernel does not run a program on a CPU where that program is running already (`prog->active` in kernel/trace/bpf_trace.c,
//! counted as `recursion_misses`). TCP changes states in processes and in softirqs, and a softirq can interrupt the program that runs for a
//! process; a connection that closes in that softirq would be lost. So a second program is attached after the first: for each change the
//! first leaves a note, the second takes it away, and where there is no note the first was missed and the second counts. The second can be
//! missed too, but then it was the one interrupted, and the first was not.
//!
//! In Linux 7 a tracepoint's programs can be preempted. A process that waits in the middle of a program keeps it from its CPU for
//! milliseconds, and another one may wait in the middle of the second. So there a program of a kind that is not preempted goes before the two
//! and does the counting; they look for its note, which is soon done, and count what it missed. And between two programs a process may wait while
//! others leave notes, or go on at another CPU: so processes have places of their own for notes, and notes are kept until they are taken.

use core::ptr::{read_volatile, write_volatile};

/// Notes at one place: those of changes between two programs, and leftovers where the last one was missed.
const NOTES: usize = 8;

/// A change of state: no two that are alike are under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The socket's address, not computed with: to the verifier it is a pointer.
    pub socket: u64,
    /// The new state; none has the number 0.
    pub new: i64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Note {
    socket: u64,
    /// 0: free.
    new: i64,
    /// Counts up at its place.
    number: u64,
}

/// The notes at one place: a CPU's, or a process's.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    left: u64,
    notes: [Note; NOTES],
}

impl Turns {
    /// A program counted this change.
    #[inline(always)]
    pub fn leave(&mut self, change: Change) {
        self.left = self.left.wrapping_add(1);
        let number = self.left;
        let place = self.place();
        let note = &mut self.notes[place % NOTES];
        note.number = number;
        // In this order: what interrupts us may look at it.
        // SAFETY: references are valid to write.
        unsafe {
            write_volatile(&raw mut note.socket, change.socket);
            write_volatile(&raw mut note.new, change.new);
        }
    }

    /// A free one, or the oldest: when all are taken, that is a leftover.
    #[inline(always)]
    fn place(&self) -> usize {
        let (mut oldest, mut number) = (0, u64::MAX);
        for (index, note) in self.notes.iter().enumerate() {
            // SAFETY: a reference is valid to read.
            if unsafe { read_volatile(&raw const note.new) } == 0 {
                return index;
            }
            if note.number < number {
                (oldest, number) = (index, note.number);
            }
        }
        oldest
    }

    /// Whether an earlier program counted this change; takes the note away if so wanted.
    #[inline(always)]
    pub fn find(&mut self, change: Change, take: bool) -> bool {
        for note in &mut self.notes {
            // SAFETY: references are valid to read and write.
            unsafe {
                if read_volatile(&raw const note.new) == change.new
                    && read_volatile(&raw const note.socket) == change.socket
                {
                    if take {
                        write_volatile(&raw mut note.new, 0);
                    }
                    return true;
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(socket: u64) -> Change {
        Change { socket, new: 7 }
    }

    #[test]
    fn a_note_is_taken_once() {
        let mut turns = Turns::default();
        let one = close(0x5678);
        let other = Change { new: 1, ..one };
        assert!(!turns.find(one, true));
        turns.leave(one);
        assert!(!turns.find(other, true));
        assert!(turns.find(one, true));
        assert!(!turns.find(one, true));
    }

    #[test]
    fn one_that_waits_keeps_its_note_while_others_come_and_go() {
        let mut turns = Turns::default();
        turns.leave(close(1));
        for socket in 2..=100 {
            turns.leave(close(socket));
            assert!(turns.find(close(socket), true));
        }
        assert!(turns.find(close(1), true));
    }

    #[test]
    fn the_oldest_leftovers_make_room() {
        let mut turns = Turns::default();
        for socket in 1..=100 {
            turns.leave(close(socket));
        }
        // The newest are there, also those that wait among leftovers.
        turns.leave(close(200));
        for socket in 201..=300 {
            turns.leave(close(socket));
            assert!(turns.find(close(socket), true));
        }
        assert!(turns.find(close(200), true));
        assert!(turns.find(close(100), true) && !turns.find(close(92), true));
    }
}
