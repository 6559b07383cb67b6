//! The command line.

use anyhow::{Result, ensure};

use super::ALL;
use crate::load::args::Flags;

/// What `--help` prints.
pub(super) const HELP: &str = "\
insight-bench: what Insight costs and how fast it is, on this machine, beside its budgets

  --only NAME[,NAME…]  only these measurements
  --quick              shorter runs: the figures scatter more
  --list               the measurements, one a line
  --markdown           the table as markdown
  --help               this text

It needs root, takes several minutes, and wants the machine for itself: another busy program moves every figure.
Progress goes to standard error, the table to standard output. The exit status is 1 when something could not be measured.

Examples:
  cargo xtask bench
  cargo xtask bench --only bpf-connection,bpf-message
  cargo xtask bench --quick --markdown > table.md
";

/// What to do.
#[derive(Debug)]
pub(super) enum Wish {
    Help,
    List,
    Measure(Options),
}

/// How to measure.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// Names; empty for all.
    only: Vec<String>,
    /// Shorter runs.
    pub(super) quick: bool,
    /// Markdown.
    pub(super) markdown: bool,
}

impl Options {
    /// Whether a measurement is wanted.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

/// Reads a command line without the program's name.
pub(super) fn parse(args: impl IntoIterator<Item = String>) -> Result<Wish> {
    let mut args: Vec<String> = args.into_iter().collect();
    for arg in &mut args {
        if arg == "-h" {
            "--help".clone_into(arg);
        }
    }
    let mut flags = Flags::parse(args)?;
    let (help, list) = (flags.switch("--help")?, flags.switch("--list")?);
    let only: Option<String> = flags.optional("--only")?;
    let options = Options {
        only: only
            .map(|names| names.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        quick: flags.switch("--quick")?,
        markdown: flags.switch("--markdown")?,
    };
    flags.finish()?;
    for name in &options.only {
        ensure!(
            ALL.iter().any(|one| one.name == name),
            "there is no measurement {name:?}; `insight-bench --list` shows them"
        );
    }
    Ok(match (help, list) {
        (true, _) => Wish::Help,
        (_, true) => Wish::List,
        _ => Wish::Measure(options),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(line: &str) -> Result<Wish> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn wants_what_was_named() {
        let Wish::Measure(options) = wish("--only ingest,new-edge --quick").unwrap() else {
            panic!("expected a measurement");
        };
        assert!(options.quick && !options.markdown);
        assert!(options.wants("ingest") && options.wants("new-edge") && !options.wants("agent"));
        let Wish::Measure(options) = wish("").unwrap() else {
            panic!("expected a measurement");
        };
        assert!(options.wants("agent"));
    }

    #[test]
    fn refuses_what_is_not_there() {
        assert!(wish("--only nothing").is_err());
        assert!(wish("--fast").is_err());
        assert!(matches!(wish("-h").unwrap(), Wish::Help));
        assert!(matches!(wish("--list").unwrap(), Wish::List));
    }
}
