//! Tries properties of parsers on made-up input.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// For how many seconds `cargo xtask fuzz` tries each property.
const SECONDS: &str = "INSIGHT_FUZZ_SECONDS";

/// Inputs of an ordinary test, always the same ones.
const USUAL: u32 = 400;

/// Inputs between two looks at the clock.
const ROUND: u32 = 1_000;

/// A property that must hold for whatever `inputs` gives: for the same few hundred in a test, for ever new ones as long as `cargo xtask fuzz` wants.
/// One for which it does not is made as small as possible, and shown.
pub(crate) fn holds<S>(inputs: &S, property: impl Fn(S::Value) -> TestCaseResult)
where
    S: Strategy,
    S::Value: Debug,
{
    let config = |cases| Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let Some(time) = seconds() else {
        let rng = TestRng::deterministic_rng(RngAlgorithm::XorShift);
        let mut runner = TestRunner::new_with_rng(config(USUAL), rng);
        return settle(runner.run(inputs, &property));
    };
    let (start, mut tried) = (Instant::now(), 0_u64);
    while start.elapsed() < time {
        settle(TestRunner::new(config(ROUND)).run(inputs, &property));
        tried += u64::from(ROUND);
    }
    eprintln!(
        "{}: {tried} inputs",
        std::thread::current().name().unwrap_or("a property")
    );
}

fn seconds() -> Option<Duration> {
    let seconds = std::env::var(SECONDS).ok()?;
    let seconds = seconds.parse().unwrap_or_else(|error| {
        panic!("{SECONDS}={seconds}: {error}; it is a whole number of seconds")
    });
    Some(Duration::from_secs(seconds))
}

fn settle<T: Debug>(outcome: Result<(), proptest::test_runner::TestError<T>>) {
    if let Err(error) = outcome {
        panic!("{error}");
    }
}
