//! How a verb fails: one line that says what, one that says what to do, and an exit code.

use std::process::ExitCode;

use tonic::{Code, Status};

use super::spelling::{flag, with_flags};
use crate::api::grpc::wrong_question;

/// Exit code for wrong arguments or configuration: EX_USAGE of sysexits.h.
pub(super) const USAGE: u8 = 64;
const FAILED: u8 = 1;

/// Why a verb ended early.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Whoever read the output has gone, as `head` does when it has enough. Not an error.
    ClosedPipe,
    /// What went wrong.
    Error {
        code: u8,
        message: String,
        hint: String,
    },
}

impl Failure {
    /// Wrong arguments or configuration.
    pub(super) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Error {
            code: USAGE,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// A question that cannot be answered; `message` and `hint` name parameters as in URLs.
    pub(super) fn question(field: &str, message: &str, hint: &str) -> Self {
        let message = format!("{}: {}", flag(field), with_flags(message));
        Self::usage(message, with_flags(hint))
    }

    /// Anything else.
    pub(super) fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Error {
            code: FAILED,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// What the aggregator answered.
    pub(super) fn answered(status: &Status) -> Self {
        if let Some(wrong) = wrong_question(status) {
            return Self::question(wrong.field, wrong.message, &wrong.hint);
        }
        let message = match status.message() {
            "" => format!("the aggregator answered {:?}", status.code()),
            message => message.to_owned(),
        };
        match status.code() {
            Code::InvalidArgument => Self::usage(message, "see --help for examples"),
            Code::Unavailable => Self::failed(message, "the aggregator went away; try again"),
            Code::OutOfRange => Self::failed(
                message,
                "the answer is too large; ask for a coarser level, for example --level node",
            ),
            // What answers in another protocol, for example an aggregator's HTTP port.
            Code::Internal | Code::Unknown | Code::Unimplemented => Self::failed(
                message,
                "is --server the gRPC address of an Insight aggregator? Its port is 7701 unless changed; else the \
                 aggregator's log has more",
            ),
            _ => Self::failed(message, "the aggregator's log has more"),
        }
    }

    /// Prints what went wrong; the exit code.
    pub(super) fn report(&self) -> ExitCode {
        match self {
            Self::ClosedPipe => ExitCode::SUCCESS,
            Self::Error {
                code,
                message,
                hint,
            } => {
                super::output::note(&format!(
                    "error: {}\nhint: {}\n",
                    one_line(message),
                    one_line(hint)
                ));
                ExitCode::from(*code)
            }
        }
    }
}

fn one_line(text: &str) -> String {
    let parts: Vec<&str> = text.split_whitespace().collect();
    parts.join(" ")
}
