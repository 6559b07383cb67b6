//! Kubernetes' label selectors.

mod parse;
#[cfg(test)]
mod tests;

/// What labels have to be; all requirements together. Equal selectors are equal however they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector(Vec<Requirement>);

/// What one label has to be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Requirement {
    key: String,
    test: Test,
}

/// Values are sorted, each once.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Test {
    Exists,
    Missing,
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
}

impl Selector {
    /// Whether nothing is required.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the labels are as required; `label` answers the value of a key.
    pub fn matches<'l>(&self, label: impl Fn(&str) -> Option<&'l str>) -> bool {
        self.0.iter().all(|requirement| {
            let value = label(&requirement.key);
            let is_among = |values: &[String]| {
                value.is_some_and(|value| values.iter().any(|known| known == value))
            };
            match &requirement.test {
                Test::Exists => value.is_some(),
                Test::Missing => value.is_none(),
                Test::OneOf(values) => is_among(values),
                Test::NoneOf(values) => !is_among(values),
            }
        })
    }
}
