//! Query parameters: each known, each once.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query as Pairs};
use axum::http::request::Parts;

use super::answer::Failure;
use crate::graph::{PARTS, QueryText, TIMES, ZONE};

/// What follows the question mark.
pub(in crate::api) struct Params(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let Pairs(pairs) = Pairs::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|error| {
                Failure::bad_request(
                    error.body_text(),
                    "write parameters as name=value, joined by &",
                )
            })?;
        Ok(Self(pairs))
    }
}

impl Params {
    /// Whether this one is there.
    pub(in crate::api) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// The parameters by name. Any that is not `known`, or is there twice, is an error.
    pub(in crate::api) fn only(
        self,
        known: &[&'static str],
    ) -> Result<BTreeMap<&'static str, String>, Failure> {
        let mut values = BTreeMap::new();
        for (name, value) in self.0 {
            let Some(name) = known.iter().find(|known| **known == name) else {
                let name: String = name.chars().take(100).collect();
                let hint = if known.is_empty() {
                    "this path takes none".to_owned()
                } else {
                    format!("the parameters are {}", known.join(", "))
                };
                return Err(Failure::bad_request(
                    format!("unknown parameter {name:?}"),
                    hint,
                ));
            };
            if values.insert(*name, value).is_some() {
                return Err(Failure::bad_request(
                    format!("parameter {name:?} is there twice"),
                    "give it once",
                ));
            }
        }
        Ok(values)
    }
}

/// The parameters that make a question.
pub(super) fn questions() -> Vec<&'static str> {
    TIMES.into_iter().chain([ZONE]).chain(PARTS).collect()
}

/// Takes the question out of the parameters.
pub(super) fn question(values: &mut BTreeMap<&'static str, String>) -> QueryText {
    questions()
        .into_iter()
        .fold(QueryText::default(), |text, name| {
            text.with(name, values.remove(name))
        })
}
