//! Which flows are asked about, and when. Pure, but for the time that it is told.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use insight_ebpf::abi::{FlowEntry, FlowKey, PROTOCOL_TCP, ROLE_CLIENT};

use super::Way;
use crate::flows::address;

/// Questions a second, on average; one takes some 10 µs, in a pod's network namespace 100.
const RATE: f64 = 50.0;
/// Questions that may be saved up: a node's start, or a rollout.
const BURST: f64 = 200.0;

/// A flow whose answer was new is asked about again after this long, if it has opened connections since: there may be more to learn.
const SOON: Duration = Duration::from_secs(1);
/// After this long where something is translated, but the answer was not new: backends come and go.
const TRANSLATED: Duration = Duration::from_secs(5);
/// Where nothing is translated each answer doubles the time, up to this.
const PLAIN: Duration = Duration::from_secs(600);

/// Ways that are kept of one flow; a Service may have more backends, and one client seldom meets them all.
const MAX_WAYS: usize = 16;
/// A way is over once so many answers for each that is known did not have it: where backends take turns by chance, one that is in use is missed so
/// long once in 3,000 times.
const MISSES: u32 = 8;

/// A connection to be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) flow: FlowKey,
    /// The client's own port.
    pub(super) port: u16,
    opened: u64,
}

#[derive(Debug)]
struct Asked {
    /// Connections opened when it was asked about, and the port of that which was.
    opened: u64,
    port: u16,
    next: Instant,
    wait: Duration,
    /// How many answers there were.
    answers: u32,
    /// Each with the number of the answer that had it last.
    ways: Vec<(Way, u32)>,
}

/// What was asked, and how much may be asked.
pub(super) struct Plan {
    flows: HashMap<FlowKey, Asked>,
    /// Of this reading, with the time since when each is due.
    met: Vec<(Option<Instant>, Question)>,
    tokens: f64,
    filled: Instant,
}

impl Plan {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            flows: HashMap::new(),
            met: Vec::new(),
            tokens: BURST,
            filled: now,
        }
    }

    /// Takes an entry of the flow map: nothing is kept of it unless it is to be asked about.
    pub(super) fn meet(&mut self, flow: &FlowKey, entry: &FlowEntry, now: Instant) {
        let question = Question {
            flow: FlowKey {
                generation: 0,
                ..*flow
            },
            port: u16::try_from(entry.last_port).unwrap_or(0),
            opened: entry.totals.opened,
        };
        if question.port == 0 || !is_asked_about(flow) {
            return;
        }
        let known = self.flows.get(&question.flow);
        let is_due = known.is_none_or(|known| {
            (known.port, known.opened) != (question.port, question.opened) && known.next <= now
        });
        if is_due {
            self.met.push((known.map(|known| known.next), question));
        }
    }

    /// Those of what was met that are to be asked about now: flows that nothing is known of first, then those that wait longest.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Question> {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + since * RATE).min(BURST);
        self.filled = now;
        let mut met = std::mem::take(&mut self.met);
        // None is before any time.
        met.sort_unstable_by_key(|(next, _)| *next);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and BURST"
        )]
        met.truncate(self.tokens as usize);
        self.tokens -= met.len() as f64;
        met.into_iter().map(|(_, question)| question).collect()
    }

    /// Takes an answer.
    pub(super) fn answered(&mut self, question: &Question, way: Option<Way>, now: Instant) {
        let asked = self.flows.entry(question.flow).or_insert_with(|| Asked {
            opened: 0,
            port: 0,
            next: now,
            wait: SOON,
            answers: 0,
            ways: Vec::new(),
        });
        (asked.opened, asked.port) = (question.opened, question.port);
        asked.wait = match (asked.see(way), asked.ways.is_empty()) {
            (true, _) => SOON,
            (false, false) => TRANSLATED,
            (false, true) => (asked.wait * 2).min(PLAIN),
        };
        asked.next = now + asked.wait;
    }

    /// The ways that are known of a flow.
    pub(super) fn ways(&self, flow: &FlowKey) -> impl Iterator<Item = &Way> {
        let known = self.flows.get(flow).into_iter();
        known.flat_map(|asked| asked.ways.iter().map(|(way, _)| way))
    }

    /// Flows that go another way than it seems.
    pub(super) fn translated(&self) -> usize {
        let all = self.flows.values();
        all.filter(|asked| !asked.ways.is_empty()).count()
    }

    pub(super) fn forget(&mut self, flows: &[FlowKey]) {
        for flow in flows {
            self.flows.remove(&FlowKey {
                generation: 0,
                ..*flow
            });
        }
    }
}

impl Asked {
    /// Takes the way of an answer, and lets go of those that are over. Whether it is a new one.
    fn see(&mut self, way: Option<Way>) -> bool {
        self.answers = self.answers.wrapping_add(1);
        let (now, count) = (self.answers, self.ways.len());
        let misses = MISSES * u32::try_from(count.max(2)).unwrap_or(MISSES);
        self.ways
            .retain(|(_, seen)| now.wrapping_sub(*seen) < misses);
        let Some(way) = way else { return false };
        if let Some((_, seen)) = self.ways.iter_mut().find(|(known, _)| *known == way) {
            *seen = now;
            return false;
        }
        let has_room = self.ways.len() < MAX_WAYS;
        if has_room {
            self.ways.push((way, now));
        }
        has_room
    }
}

/// Only clients dial, and nobody translates what stays at home.
fn is_asked_about(flow: &FlowKey) -> bool {
    let remote = address(&flow.remote);
    flow.role == ROLE_CLIENT
        && flow.protocol == PROTOCOL_TCP
        && flow.remote != flow.local
        && !remote.is_loopback()
        && !remote.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(last: u8) -> FlowKey {
        let v4 = |last: u8| {
            [
                0,
                0,
                0xffff_u32.to_be(),
                u32::from_ne_bytes([10, 0, 0, last]),
            ]
        };
        FlowKey {
            local: v4(1),
            remote: v4(last),
            port: 80,
            role: ROLE_CLIENT,
            protocol: PROTOCOL_TCP,
            ..FlowKey::default()
        }
    }

    fn opened(opened: u64) -> FlowEntry {
        let mut entry = FlowEntry::default();
        entry.totals.opened = opened;
        entry.last_port = 4_000 + (opened % 10_000) as u32;
        entry
    }

    fn way(last: u8) -> Way {
        Way {
            to: ([10, 0, 1, last], 8080).into(),
            source: None,
        }
    }

    struct Trial {
        plan: Plan,
        now: Instant,
    }

    impl Trial {
        fn new() -> Self {
            let now = Instant::now();
            Self {
                plan: Plan::new(now),
                now,
            }
        }

        fn due(&mut self, flow: &FlowKey, entry: &FlowEntry) -> Vec<Question> {
            self.plan.meet(flow, entry, self.now);
            self.plan.due(self.now)
        }

        /// One more connection, some time later; whether it was asked about.
        fn next(&mut self, after: Duration, count: u64, answer: Option<Way>) -> bool {
            self.now += after;
            let questions = self.due(&client(2), &opened(count));
            for question in &questions {
                self.plan.answered(question, answer, self.now);
            }
            !questions.is_empty()
        }

        fn ways(&self) -> Vec<Way> {
            self.plan.ways(&client(2)).copied().collect()
        }
    }

    #[test]
    fn only_what_a_client_opened_elsewhere_is_asked_about() {
        let mut trial = Trial::new();
        let question = trial.due(&client(2), &opened(3))[0];
        assert_eq!((question.flow, question.port), (client(2), 4_003));
        let server = FlowKey {
            role: 2,
            ..client(2)
        };
        let loopback = FlowKey {
            remote: [0, 0, 0xffff_u32.to_be(), u32::from_ne_bytes([127, 0, 0, 1])],
            ..client(2)
        };
        for other in [server, loopback, client(1)] {
            assert!(trial.due(&other, &opened(1)).is_empty(), "{other:?}");
        }
        let unknown = FlowEntry {
            last_port: 0,
            ..opened(1)
        };
        assert!(trial.due(&client(3), &unknown).is_empty());
        // The second entry of a flow is the flow's.
        let second = FlowKey {
            generation: 1,
            ..client(4)
        };
        assert_eq!(trial.due(&second, &opened(1))[0].flow, client(4));
    }

    #[test]
    fn what_is_not_translated_is_asked_about_less_and_less() {
        let mut trial = Trial::new();
        assert!(trial.next(Duration::ZERO, 1, None));
        let mut asked = Vec::new();
        for second in 1..=2_000 {
            if trial.next(Duration::from_secs(1), 1 + second, None) {
                asked.push(second);
            }
        }
        assert_eq!(asked, [2, 6, 14, 30, 62, 126, 254, 510, 1_022, 1_622]);
    }

    #[test]
    fn nothing_new_is_nothing_to_ask_about() {
        let mut trial = Trial::new();
        assert!(trial.next(Duration::ZERO, 1, Some(way(1))));
        assert!(!trial.next(Duration::from_secs(3_600), 1, None));
        assert!(trial.next(Duration::ZERO, 2, Some(way(1))));
        assert!(!trial.next(Duration::from_secs(4), 3, None));
        assert!(trial.next(Duration::from_secs(1), 3, None));
        trial.plan.forget(&[client(2)]);
        assert_eq!(trial.ways(), []);
        assert!(trial.next(Duration::ZERO, 3, None));
    }

    #[test]
    fn backends_are_learned_and_those_that_are_gone_forgotten() {
        let mut trial = Trial::new();
        let mut count = 0;
        for backend in [1, 2, 3, 1, 2, 3] {
            count += 1;
            assert!(trial.next(TRANSLATED, count, Some(way(backend))));
        }
        assert_eq!(trial.ways(), [way(1), way(2), way(3)]);
        for _ in 0..24 {
            assert_eq!(trial.ways().len(), 3);
            count += 1;
            trial.next(TRANSLATED, count, Some(way(1 + (count % 2) as u8)));
        }
        assert_eq!(trial.ways(), [way(1), way(2)]);
        for backend in 10..60 {
            count += 1;
            trial.next(TRANSLATED, count, Some(way(backend)));
        }
        assert_eq!(trial.ways().len(), MAX_WAYS);
    }

    #[test]
    fn a_storm_of_new_flows_is_asked_about_in_turn() {
        let mut trial = Trial::new();
        let flows: Vec<(FlowKey, FlowEntry)> = (0..2_000_u16)
            .map(|port| (FlowKey { port, ..client(2) }, opened(1)))
            .collect();
        let mut seen = std::collections::HashSet::new();
        let mut largest = 0;
        for second in 0..36 {
            for (flow, entry) in &flows {
                trial.plan.meet(flow, entry, trial.now);
            }
            let questions = trial.plan.due(trial.now);
            if second > 0 {
                largest = largest.max(questions.len());
            }
            for question in questions {
                assert!(seen.insert(question.flow));
                trial.plan.answered(&question, None, trial.now);
            }
            trial.now += Duration::from_secs(1);
        }
        assert_eq!((largest, seen.len()), (50, 1_950));
    }
}
