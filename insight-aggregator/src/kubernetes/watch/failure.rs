//! What an error of the API's client means for a watch.

use std::error::Error as _;

use kube::core::Status;

/// Why a list or a watch did not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The changes since the version that is known are no longer kept (410): list again.
    Gone,
    /// This account may not (403).
    Forbidden(String),
    /// There is no such kind (404).
    Absent,
    /// What was asked for is wrong, perhaps the version.
    Answered(String),
    /// There was no answer, or none that can be read; or the API server does not know us (401), has too much to do or is not well (429, 5xx).
    Unheard(String),
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::from(&*status),
            // The message of a parser may quote what it read, which may be anything.
            kube::Error::SerdeError(error) => Self::Unheard(format!(
                "an answer that cannot be read: {:?} at line {} column {}",
                error.classify(),
                error.line(),
                error.column()
            )),
            error => Self::Unheard(chain(&error)),
        }
    }
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        let said = || {
            if status.message.is_empty() {
                format!("HTTP {} {}", status.code, status.reason)
            } else {
                status.message.clone()
            }
        };
        match status.code {
            410 => Self::Gone,
            403 => Self::Forbidden(said()),
            404 => Self::Absent,
            401 | 429 | 500..=599 => Self::Unheard(said()),
            _ => Self::Answered(said()),
        }
    }
}

/// An error with its causes, each once: some repeat theirs.
fn chain(error: &kube::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, message: &str) -> Failure {
        let status = Status {
            code,
            message: message.into(),
            ..Status::default()
        };
        Failure::from(kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn answers_are_told_by_their_code() {
        assert_eq!(status(410, "too old resource version: 5"), Failure::Gone);
        assert_eq!(
            status(403, "pods is forbidden"),
            Failure::Forbidden("pods is forbidden".into())
        );
        assert_eq!(status(404, "page not found"), Failure::Absent);
        assert_eq!(status(429, ""), Failure::Unheard("HTTP 429 ".into()));
        let wrong = "invalid resource version";
        assert_eq!(status(400, wrong), Failure::Answered(wrong.into()));
    }

    #[test]
    fn what_cannot_be_read_is_not_quoted() {
        let error = serde_json::from_str::<u32>("\"hunter2\"").unwrap_err();
        assert!(error.to_string().contains("hunter2"));
        let Failure::Unheard(why) = Failure::from(kube::Error::SerdeError(error)) else {
            panic!("it was heard");
        };
        assert!(!why.contains("hunter2"), "{why}");
        assert!(why.contains("line 1"), "{why}");
    }
}
