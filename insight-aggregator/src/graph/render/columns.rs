//! How columns share the width of a terminal.

/// Characters of a name that are left of it at least: enough to tell the usual ones apart.
const SHORTEST_NAME: usize = 14;

/// How wide each column is; the first two hold names that may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout<const N: usize> {
    /// Characters of each column; nothing where it is left out.
    pub(super) widths: [Option<usize>; N],
    /// Spaces between two columns.
    pub(super) gap: usize,
}

impl<const N: usize> Layout<N> {
    /// Everything as wide as it is.
    pub(super) fn whole(widths: [Option<usize>; N]) -> Self {
        Self { widths, gap: 2 }
    }

    /// The same within `most` characters: columns move together, the two names are cut, and then columns are left out in the given
    /// order. What does not fit even so stays wider.
    pub(super) fn fitted(mut self, most: usize, dispensable: &[usize]) -> Self {
        if self.total() <= most {
            return self;
        }
        let [Some(first), Some(second), ..] = self.widths[..] else {
            return self;
        };
        self.gap = 1;
        let shortest = |width: usize| width.min(SHORTEST_NAME);
        let mut dispensable = dispensable.iter();
        loop {
            let others = self.total() - first - second;
            if others + shortest(first) + shortest(second) <= most {
                self.share(first, second, most - others);
                return self;
            }
            match dispensable.next() {
                Some(column) => self.widths[*column] = None,
                None => {
                    self.share(first, second, 2 * SHORTEST_NAME);
                    return self;
                }
            }
        }
    }

    /// Gives the two names so much room: half each, and what one does not need to the other.
    fn share(&mut self, first: usize, second: usize, room: usize) {
        let half = room / 2;
        let first_width = first.min((room - half).max(room.saturating_sub(second)));
        self.widths[0] = Some(first_width);
        self.widths[1] = Some(second.min(room - first_width));
    }

    fn total(&self) -> usize {
        let shown = self.widths.iter().flatten();
        shown.clone().sum::<usize>() + self.gap * shown.count().saturating_sub(1)
    }
}

/// The text, cut to so many characters with a sign that it was longer.
pub(super) fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two names, a number, and two columns that may go, the last one first.
    fn fitted(first: usize, second: usize, most: usize) -> (Vec<usize>, usize) {
        let layout = Layout::whole([first, second, 10, 5, 7].map(Some)).fitted(most, &[4, 3]);
        let widths = layout.widths.iter();
        let widths = widths.map(|width| width.unwrap_or(0)).collect();
        assert!(layout.total() <= most || layout.widths[3].is_none());
        (widths, layout.gap)
    }

    #[test]
    fn what_is_needed_least_goes_first() {
        for (first, second, most, widths, gap) in [
            (20, 20, 70, [20, 20, 10, 5, 7], 2),
            (20, 20, 69, [20, 20, 10, 5, 7], 1),
            (20, 20, 66, [20, 20, 10, 5, 7], 1),
            (20, 20, 65, [20, 19, 10, 5, 7], 1),
            (20, 20, 54, [14, 14, 10, 5, 7], 1),
            (20, 20, 53, [18, 17, 10, 5, 0], 1),
            (20, 20, 45, [17, 16, 10, 0, 0], 1),
            (20, 20, 20, [14, 14, 10, 0, 0], 1),
            (40, 6, 60, [28, 6, 10, 5, 7], 1),
            (6, 40, 60, [6, 28, 10, 5, 7], 1),
            (3, 4, 5, [3, 4, 10, 0, 0], 1),
        ] {
            let expected = (widths.to_vec(), gap);
            assert_eq!(
                fitted(first, second, most),
                expected,
                "{first} {second} {most}"
            );
        }
    }

    #[test]
    fn a_text_is_cut_by_characters() {
        assert_eq!(cut("näme", 4), "näme");
        assert_eq!(cut("näme.service", 4), "näm…");
        assert_eq!(cut("a", 0), "…");
    }
}
