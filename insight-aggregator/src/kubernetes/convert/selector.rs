//! Which labels an object selects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use crate::kubernetes::object::{Selector, Texts};

/// Pairs as they are; none selects nothing.
pub(super) fn pairs(pairs: Option<&BTreeMap<String, String>>, texts: &mut Texts) -> Selector {
    pairs.map(|pairs| {
        texts.labels(
            pairs
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str())),
        )
    })
}

/// A selector whose expressions are no more than pairs (`In` with one value). One with others selects nothing here: less is said
/// than is true, where leaving the expression out would say more.
pub(super) fn selector(of: Option<&LabelSelector>, texts: &mut Texts) -> Selector {
    let of = of?;
    let mut pairs: Vec<(&str, &str)> = of
        .match_labels
        .iter()
        .flatten()
        .map(|(key, value)| (key.as_str(), value.as_str()))
        .collect();
    for expression in of.match_expressions.iter().flatten() {
        let values = expression.values.as_deref().unwrap_or_default();
        match (expression.operator.as_str(), values) {
            ("In", [value]) => pairs.push((&expression.key, value)),
            _ => return None,
        }
    }
    Some(texts.labels(pairs.into_iter()))
}
