//! What connections can be told apart by, beside their ends.

/// Which of these they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Traits {
    /// They stay within a network namespace.
    pub loopback: bool,
    /// They are Insight's own.
    pub own: bool,
}

/// Their names in a question.
pub(super) const NAMES: [&str; 2] = ["loopback", "own"];

impl Traits {
    /// Those that are named; an error is a name that is none.
    pub(super) fn parse(names: &[String]) -> Result<Self, &str> {
        let mut traits = Self::default();
        for name in names {
            match name.as_str() {
                "loopback" => traits.loopback = true,
                "own" => traits.own = true,
                other => return Err(other),
            }
        }
        Ok(traits)
    }

    /// Whether any of them is in both.
    pub(in crate::graph) fn meet(self, other: Self) -> bool {
        self.loopback && other.loopback || self.own && other.own
    }

    /// Those that are in both.
    pub(in crate::graph) fn and(self, other: Self) -> Self {
        Self {
            loopback: self.loopback && other.loopback,
            own: self.own && other.own,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_another_trait() {
        let parse = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(ToString::to_string).collect();
            Traits::parse(&names).map_err(str::to_owned)
        };
        let [loopback, own] = NAMES.map(|name| parse(&[name]).unwrap());
        assert!(!loopback.meet(own) && loopback.meet(loopback) && own.meet(own));
        let both = parse(&NAMES).unwrap();
        assert!(both.meet(own) && both.meet(loopback));
        assert_eq!(both.and(own), own);
        assert_eq!(loopback.and(own), Traits::default());
        assert_eq!(parse(&[]), Ok(Traits::default()));
        assert_eq!(parse(&["own", "Own"]), Err("Own".to_owned()));
    }
}
