//! A question in parameters.

use insight_proto::v1;
use serde::{Deserialize, Serialize};

use super::{Query, QueryError, hints, time};
use crate::model::UnixMs;

/// A question as HTTP parameters and command-line flags give it. An empty text is the same as none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QueryText {
    /// The 15 minutes that end here. A time is written as RFC 3339, Unix seconds or milliseconds, `now`, `-15m`, `-2h`.
    pub at: Option<String>,
    /// Start of the range.
    pub from: Option<String>,
    /// End of the range.
    pub to: Option<String>,
    /// "container", "workload" or "node".
    pub level: Option<String>,
    /// Id, name or unambiguous start of an id of a node.
    pub focus: Option<String>,
    /// Edges from the focus, in digits.
    pub hops: Option<String>,
    /// What is left out, separated by commas.
    pub without: Option<String>,
}

impl QueryText {
    /// The same question for gRPC; times relative to `now` become absolute.
    pub fn to_proto(&self, now: UnixMs) -> Result<v1::GraphQuery, QueryError> {
        let moment = |field, text| {
            given(text)
                .map(|text| time::parse(text, now))
                .transpose()
                .map(|at| at.map(time::to_proto))
                .map_err(|message| hints::time(field, message))
        };
        let hops = given(&self.hops)
            .map(|text| text.parse().map_err(|_| hints::hops(text)))
            .transpose()?;
        Ok(v1::GraphQuery {
            at: moment("at", &self.at)?,
            from: moment("from", &self.from)?,
            to: moment("to", &self.to)?,
            level: self.level.clone().unwrap_or_default(),
            focus: self.focus.clone().unwrap_or_default(),
            hops,
            without: given(&self.without)
                .map(|text| text.split(',').map(|name| name.trim().to_owned()).collect())
                .unwrap_or_default(),
            ..v1::GraphQuery::default()
        })
    }

    /// Checks the question, asked at `now`.
    pub fn parse(&self, now: UnixMs) -> Result<Query, QueryError> {
        Query::parse(&self.to_proto(now)?, now)
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
