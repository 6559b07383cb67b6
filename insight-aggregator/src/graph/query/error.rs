//! A question that cannot be answered.

use std::fmt;

/// Bytes of a message and of a hint, which quote what was asked and what is known. Over gRPC both are header fields, in which a byte
/// takes up to three, and a client such as tonic takes 16 KiB of header.
const MAX_MESSAGE: usize = 1024;
const MAX_HINT: usize = 2048;

/// What is wrong with a query, where, and what would work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// The field or parameter, which have the same name.
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
            message: cut(message.into(), MAX_MESSAGE),
            hint: cut(hint.into(), MAX_HINT),
        }
    }
}

/// The text, or as much of it as fits with a sign that it goes on.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = text.floor_char_boundary(most - '…'.len_utf8());
        text.truncate(end);
        text.push('…');
    }
    text
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.field, self.message, self.hint)
    }
}

impl std::error::Error for QueryError {}
