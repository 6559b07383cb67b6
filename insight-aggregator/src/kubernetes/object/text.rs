//! Texts that many objects share.

use std::collections::HashSet;
use std::sync::Arc;

/// A text, shared where it was interned.
pub type Text = Arc<str>;

/// Labels, sorted by key.
pub type Labels = Arc<[(Text, Text)]>;

/// Label pairs that must all be there, sorted by key; of an object without a selector none, which selects nothing.
pub type Selector = Option<Labels>;

/// Texts and label sets, each kept once: the pods of a workload share nearly all of theirs.
#[derive(Debug, Default)]
pub struct Texts {
    texts: HashSet<Text>,
    labels: HashSet<Labels>,
}

impl Texts {
    /// The one copy of this text.
    pub fn intern(&mut self, text: &str) -> Text {
        match self.texts.get(text) {
            Some(known) => Text::clone(known),
            None => {
                let new: Text = Text::from(text);
                self.texts.insert(Text::clone(&new));
                new
            }
        }
    }

    /// The one copy of these labels.
    pub fn labels<'t>(&mut self, pairs: impl Iterator<Item = (&'t str, &'t str)>) -> Labels {
        let mut pairs: Vec<(Text, Text)> = pairs
            .map(|(key, value)| (self.intern(key), self.intern(value)))
            .collect();
        pairs.sort_unstable();
        let pairs = Labels::from(pairs);
        match self.labels.get(&pairs) {
            Some(known) => Labels::clone(known),
            None => {
                self.labels.insert(Labels::clone(&pairs));
                pairs
            }
        }
    }

    /// Forgets what nobody else holds.
    pub fn sweep(&mut self) {
        self.labels.retain(|labels| Arc::strong_count(labels) > 1);
        self.texts.retain(|text| Arc::strong_count(text) > 1);
    }

    /// Texts and label sets that are kept.
    pub fn len(&self) -> usize {
        self.texts.len() + self.labels.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one_until_nobody_holds_them() {
        let mut texts = Texts::default();
        let (one, again) = (texts.intern("shop"), texts.intern("shop"));
        assert!(Arc::ptr_eq(&one, &again));
        let labels = texts.labels([("b", "2"), ("a", "1")].into_iter());
        let same = texts.labels([("a", "1"), ("b", "2")].into_iter());
        assert!(Arc::ptr_eq(&labels, &same), "the order does not matter");
        assert_eq!(texts.len(), 6);
        drop((one, again));
        texts.sweep();
        assert_eq!(texts.len(), 5);
        drop((labels, same));
        texts.sweep();
        assert!(texts.is_empty());
    }
}
