//! A question in parameters.

use std::collections::BTreeMap;
use std::str::FromStr;

use insight_proto::v1;

use super::{Clock, Query, QueryError, hints, time};
use crate::model::UnixMs;

/// The parameters that say which time.
pub const TIMES: [&str; 4] = ["at", "from", "to", "window"];
/// The parameter that says which time zone times without an offset are in. It is none of a question's: on the wire moments have no zone.
pub const ZONE: &str = "tz";
/// The parameters that say which part, each as its field of `GraphQuery` in `topology.proto` is described.
pub const PARTS: [&str; 15] = [
    "level",
    "focus",
    "hops",
    "direction",
    "without",
    "namespaces",
    "selector",
    "kinds",
    "ports",
    "protocols",
    "min_bytes",
    "min_connections",
    "top",
    "top_by",
    "unconnected",
];

/// A question as HTTP parameters and command-line flags give it: texts by the names of [`TIMES`], [`ZONE`] and [`PARTS`]. Times are written as
/// [`Clock`] reads them; lists are separated by commas. An empty text is the same as none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryText(BTreeMap<&'static str, String>);

impl QueryText {
    /// Whether there is a parameter of that name.
    pub fn knows(name: &str) -> bool {
        TIMES.iter().chain(&PARTS).any(|known| *known == name) || name == ZONE
    }

    /// The same question with this parameter.
    pub fn with(mut self, name: &'static str, value: impl Into<Option<String>>) -> Self {
        debug_assert!(Self::knows(name), "no parameter {name}");
        if let Some(value) = value.into().filter(|value| !value.is_empty()) {
            self.0.insert(name, value);
        }
        self
    }

    /// The same question without this parameter.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// What the parameter says, if it says anything.
    pub fn get(&self, name: &'static str) -> Option<&str> {
        debug_assert!(Self::knows(name), "no parameter {name}");
        self.0.get(name).map(String::as_str)
    }

    /// The same question for gRPC; times relative to `now` become absolute.
    pub fn to_proto(&self, now: UnixMs) -> Result<v1::GraphQuery, QueryError> {
        let clock = self.clock(now)?;
        let moment = |field| {
            let at = self.get(field).map(|text| clock.moment(field, text));
            at.transpose().map(|at| at.map(time::to_proto))
        };
        Ok(v1::GraphQuery {
            at: moment("at")?,
            from: moment("from")?,
            to: moment("to")?,
            level: self.text("level"),
            focus: self.text("focus"),
            hops: self.parsed("hops", hints::hops)?,
            direction: self.text("direction"),
            without: self.list("without"),
            namespaces: self.list("namespaces"),
            selector: self.text("selector"),
            kinds: self.list("kinds"),
            ports: self.list("ports"),
            protocols: self.list("protocols"),
            min_bytes: self
                .parsed("min_bytes", |text| hints::number("min_bytes", text))?
                .unwrap_or_default(),
            min_connections: self
                .parsed("min_connections", |text| {
                    hints::number("min_connections", text)
                })?
                .unwrap_or_default(),
            top: self.parsed("top", hints::top)?,
            top_by: self.text("top_by"),
            unconnected: self
                .parsed("unconnected", hints::unconnected)?
                .unwrap_or_default(),
            window: self.get("window").map(window).transpose()?,
        })
    }

    /// What times of this question are told from.
    pub fn clock(&self, now: UnixMs) -> Result<Clock, QueryError> {
        Clock::new(now, self.get(ZONE))
    }

    /// Checks the question, asked at `now`.
    pub fn parse(&self, now: UnixMs) -> Result<Query, QueryError> {
        Query::parse(&self.to_proto(now)?, now)
    }

    fn text(&self, name: &'static str) -> String {
        self.get(name).unwrap_or_default().to_owned()
    }

    fn list(&self, name: &'static str) -> Vec<String> {
        let entries = self.get(name).into_iter().flat_map(|text| text.split(','));
        entries.map(|entry| entry.trim().to_owned()).collect()
    }

    fn parsed<T: FromStr>(
        &self,
        name: &'static str,
        wrong: impl Fn(&str) -> QueryError,
    ) -> Result<Option<T>, QueryError> {
        let text = self.get(name);
        text.map(|text| text.parse().map_err(|_| wrong(text)))
            .transpose()
    }
}

/// A length of time on the wire.
fn window(text: &str) -> Result<prost_types::Duration, QueryError> {
    let length = time::duration(text.trim()).filter(|length| *length > 0);
    let length = length.ok_or_else(|| hints::window(text))?;
    Ok(prost_types::Duration {
        seconds: length / 1000,
        nanos: 0,
    })
}
