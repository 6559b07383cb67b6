//! One line of the table.

/// What a figure has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Budget {
    AtMost(f64),
    Below(f64),
    AtLeast(f64),
    Exactly(f64),
}

impl Budget {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::Below(limit) => value < limit,
            Self::AtLeast(limit) => value >= limit,
            Self::Exactly(limit) => value == limit,
        }
    }
}

/// A figure beside its budget.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// What was measured.
    pub(super) what: String,
    unit: &'static str,
    // None where it could not be measured.
    value: Option<f64>,
    digits: usize,
    budget: Option<Budget>,
}

impl Row {
    /// A figure without a budget, shown with two digits after the point.
    pub(super) fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self {
            what: what.into(),
            unit,
            value: Some(value),
            digits: 2,
            budget: None,
        }
    }

    /// A measurement that gave no figure.
    pub(super) fn failed(name: &str) -> Self {
        Self {
            what: format!("{name}: could not be measured"),
            unit: "",
            value: None,
            digits: 0,
            budget: None,
        }
    }

    /// Shown with so many digits after the point.
    pub(super) fn digits(self, digits: usize) -> Self {
        Self { digits, ..self }
    }

    /// With a remark.
    pub(super) fn note(self, note: &str) -> Self {
        Self {
            what: format!("{} ({note})", self.what),
            ..self
        }
    }

    /// Judged.
    pub(super) fn budget(self, budget: Budget) -> Self {
        Self {
            budget: Some(budget),
            ..self
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.value.is_none()
    }

    /// What, figure, unit, budget, verdict.
    pub(super) fn cells(&self) -> [String; 5] {
        [
            self.what.clone(),
            self.value
                .map_or_else(|| "-".to_owned(), |value| self.number(value)),
            self.unit.to_owned(),
            self.budget_text(),
            self.verdict().to_owned(),
        ]
    }

    fn verdict(&self) -> &'static str {
        match (self.value, self.budget) {
            (None, _) => "failed",
            (Some(_), None) => "n.a.",
            (Some(value), Some(budget)) if budget.holds(value) => "ok",
            (Some(_), Some(_)) => "over",
        }
    }

    fn budget_text(&self) -> String {
        match self.budget {
            None => String::new(),
            Some(Budget::AtMost(limit)) => format!("≤ {}", self.number(limit)),
            Some(Budget::Below(limit)) => format!("< {}", self.number(limit)),
            Some(Budget::AtLeast(limit)) => format!("≥ {}", self.number(limit)),
            Some(Budget::Exactly(limit)) => format!("= {}", self.number(limit)),
        }
    }

    /// With its digits, and commas between thousands.
    fn number(&self, value: f64) -> String {
        let text = format!("{value:.*}", self.digits);
        let (whole, rest) = match text.split_once('.') {
            Some((whole, rest)) => (whole, format!(".{rest}")),
            None => (text.as_str(), String::new()),
        };
        let (sign, digits) = match whole.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", whole),
        };
        let mut grouped = String::new();
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        format!("{sign}{grouped}{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(value: f64, budget: Budget) -> &'static str {
        Row::new("x", value, "s").budget(budget).verdict()
    }

    #[test]
    fn a_limit_belongs_to_its_side() {
        assert_eq!(verdict(1.0, Budget::AtMost(1.0)), "ok");
        assert_eq!(verdict(1.0, Budget::Below(1.0)), "over");
        assert_eq!(verdict(1.0, Budget::AtLeast(1.0)), "ok");
        assert_eq!(verdict(0.999_999_9, Budget::Exactly(1.0)), "over");
        // What is no number keeps no budget.
        assert_eq!(verdict(f64::NAN, Budget::AtLeast(0.0)), "over");
    }

    #[test]
    fn cells_say_it_all() {
        let row = Row::new("records", 1_234_567.4, "records/s")
            .digits(0)
            .budget(Budget::AtLeast(1e6));
        assert_eq!(
            row.cells(),
            ["records", "1,234,567", "records/s", "≥ 1,000,000", "ok"]
        );
        assert_eq!(Row::new("x", -0.25, "s").cells()[1], "-0.25");
        assert_eq!(Row::new("x", 999.999, "s").cells()[4], "n.a.");
        assert_eq!(Row::failed("x").cells()[4], "failed");
    }
}
