//! Two lists that are sorted by id, side by side.

use std::cmp::Ordering;

/// What is at one id.
pub(super) enum Pair<'a, T> {
    /// Only the old list has it.
    Old(&'a T),
    /// Only the new list has it.
    New(&'a T),
    /// Both have it.
    Both(&'a T, &'a T),
}

/// Every id of either list once, in order. Both lists are sorted by `id`, as a graph's are.
pub(super) fn pairs<'a, T>(
    old: &'a [T],
    new: &'a [T],
    id: impl Fn(&T) -> &str + 'a,
) -> impl Iterator<Item = Pair<'a, T>> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (Some(a), Some(b)) => id(a).cmp(id(b)),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match order {
            Ordering::Less => old.next().map(Pair::Old),
            Ordering::Greater => new.next().map(Pair::New),
            Ordering::Equal => old.next().zip(new.next()).map(|(a, b)| Pair::Both(a, b)),
        }
    })
}
