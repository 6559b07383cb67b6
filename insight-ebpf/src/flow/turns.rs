//! Which of two programs counts a change of state, so that none is lost.
//!
//! The kernel does not run a program on a CPU where that program is running already (`prog->active` in kernel/trace/bpf_trace.c,
//! counted as `recursion_misses`). TCP changes states in processes and in softirqs, and a softirq can interrupt the program that runs for a
//! process; a connection that closes in that softirq would be lost. So a second program is attached after the first: for each change the
//! first leaves a note on its CPU, the second takes it away, and where there is no note the first was missed and the second counts. The second can be
//! missed too, but then it was the one interrupted, and the first was not.

/// Notes of one CPU. More than one is there only when the second program was missed, and such leftovers are overwritten.
const NOTES: usize = 8;

/// A change of state: no two that are alike are under way on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The socket's address, not computed with: to the verifier it is a pointer.
    pub socket: u64,
    /// The new state.
    pub new: i64,
}

/// The notes of one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Turns {
    next: u64,
    notes: [Change; NOTES],
}

impl Turns {
    /// The first program counted this change.
    #[inline(always)]
    pub fn leave(&mut self, change: Change) {
        self.notes[self.next as usize % NOTES] = change;
        self.next = self.next.wrapping_add(1);
    }

    /// Whether the first program counted this change; takes the note away.
    #[inline(always)]
    pub fn take(&mut self, change: Change) -> bool {
        for note in &mut self.notes {
            if note.new == change.new && note.socket == change.socket {
                note.new = 0;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_taken_once() {
        let mut turns = Turns::default();
        let one = Change {
            socket: 0x5678,
            new: 7,
        };
        let other = Change { new: 1, ..one };
        assert!(!turns.take(one));
        turns.leave(one);
        assert!(!turns.take(other));
        assert!(turns.take(one));
        assert!(!turns.take(one));
    }

    #[test]
    fn leftovers_make_room() {
        let mut turns = Turns::default();
        let close = |socket| Change { socket, new: 7 };
        for socket in 1..=100 {
            turns.leave(close(socket));
        }
        assert!(turns.take(close(100)) && turns.take(close(93)));
        assert!(!turns.take(close(92)));
    }
}
