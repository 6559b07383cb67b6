//! A question that cannot be answered.

use std::fmt;

/// What is wrong with a query, where, and what would work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The field or parameter: "at", "from", "to", "level", "focus" or "hops".
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead, with an example.
    pub hint: String,
}

impl QueryError {
    pub(in crate::graph) fn new(
        field: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            field,
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.message, self.hint)
    }
}

impl std::error::Error for QueryError {}
