use super::*;

fn parse(text: &str, succeeded: bool) -> Outcome {
    let mut parser = Parser::default();
    for line in text.lines() {
        parser.line(line);
    }
    parser.finish("cargo test", succeeded)
}

const GREEN: &str = "\
   Compiling insight-proto v0.1.0 (/src/proto)
    Finished `test` profile [unoptimized] target(s) in 1.00s
     Running unittests src/lib.rs (target/debug/deps/insight_proto-0123456789abcdef)

running 3 tests
test json::tests::times ... ok
test json::tests::slow ... ignored, needs a day
test json::tests::plain ... ignored

test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests insight_proto

running 1 test
test proto/src/lib.rs - Window (line 3) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s
";

const RED: &str = "\
     Running tests/pods.rs (/t/debug/deps/pods-00ff)

running 3 tests
test ipv4 ... ok
test ipv6 ... FAILED
test refused ... FAILED

failures:

---- ipv6 stdout ----
thread 'ipv6' panicked at tests/tests/pods.rs:7:5:
assertion failed

---- refused stdout ----
Error: no edge

failures:
    ipv6
    refused

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.00s

error: test failed, to rerun pass `-p insight-tests --test pods`
     Running tests/other.rs (/t/debug/deps/other-00aa)

running 1 test
test works ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

#[test]
fn totals_of_all_programs_are_added_and_ignored_ones_keep_their_reason() {
    let outcome = parse(GREEN, true);
    assert_eq!(outcome.passed, 2);
    assert!(outcome.failed.is_empty());
    let skips: Vec<(&str, &str)> = outcome
        .skipped
        .iter()
        .map(|skip| (skip.name.as_str(), skip.reason.as_str()))
        .collect();
    assert_eq!(
        skips,
        [
            ("insight_proto: json::tests::slow", "needs a day"),
            ("insight_proto: json::tests::plain", "ignored")
        ]
    );
}

#[test]
fn failed_tests_are_named_with_their_output() {
    let outcome = parse(RED, false);
    assert_eq!(outcome.passed, 2);
    let names: Vec<&str> = outcome.failed.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["pods: ipv6", "pods: refused"]);
    assert_eq!(
        outcome.failed[0].output,
        [
            "thread 'ipv6' panicked at tests/tests/pods.rs:7:5:",
            "assertion failed",
            ""
        ]
    );
    assert_eq!(outcome.failed[1].output, ["Error: no edge", ""]);
}

#[test]
fn a_program_without_a_result_is_one_failure_and_the_next_still_counts() {
    let crash = "     Running tests/a.rs (/t/deps/a-00)\n\nrunning 2 tests\nfatal runtime error\n"
        .to_owned()
        + "error: test failed\n  process didn't exit successfully: `/t/deps/a-00` (signal: 6, SIGABRT)\n"
        + RED;
    let outcome = parse(&crash, false);
    assert_eq!(outcome.passed, 2);
    assert_eq!(outcome.failed.len(), 3);
    assert_eq!(
        outcome.failed[0].name,
        "a: the test program ended without a result"
    );
    assert!(
        outcome.failed[0]
            .output
            .contains(&"fatal runtime error".to_owned())
    );
}

#[test]
fn the_last_program_may_crash_too() {
    let outcome = parse(
        "     Running tests/a.rs (/t/deps/a-00)\nrunning 2 tests",
        false,
    );
    assert_eq!(outcome.failed.len(), 1);
}

#[test]
fn a_build_that_breaks_is_one_failure_with_the_compilers_words() {
    let outcome = parse("   Compiling a\nerror[E0308]: mismatched types\n", false);
    assert_eq!(outcome.passed, 0);
    assert_eq!(outcome.failed[0].name, "'cargo test' failed");
    assert!(outcome.failed[0].output[1].contains("E0308"));
}

#[test]
fn a_command_that_ran_nothing_has_not_passed() {
    let outcome = parse("    Finished `test` profile\n", true);
    assert_eq!(outcome.failed[0].name, "'cargo test' ran no test program");
}

#[test]
fn a_failure_whose_name_was_garbled_is_still_counted() {
    let text = "     Running tests/a.rs (/t/deps/a-00)\nchild's half linetest result: FAILED. 0 passed; 1 failed; 1 ignored; 0 measured";
    let outcome = parse(text, false);
    assert_eq!(outcome.failed.len(), 1);
    assert_eq!(outcome.skipped.len(), 1);
}

#[test]
fn only_cargos_own_lines_start_a_program() {
    assert_eq!(started("Running away (from-home)"), None);
    assert_eq!(started("     Running `target/debug/x`"), None);
    assert_eq!(
        started("     Running unittests src/main.rs (/a b/deps/insight_agent-1f)"),
        Some("insight_agent".to_owned())
    );
}
