//! A strict reader of the text format 0.0.4, for tests: what Prometheus would refuse or misread is an error.

use std::collections::{BTreeMap, BTreeSet};

/// One family.
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) samples: Vec<Sample>,
}

/// One sample.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

impl Family {
    /// The value of the only sample that has these labels.
    pub(crate) fn value(&self, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            labels
                .iter()
                .all(|(name, value)| sample.labels.get(*name).is_some_and(|is| is == value))
        };
        let found: Vec<_> = self.samples.iter().filter(has).collect();
        assert_eq!(found.len(), 1, "{labels:?} in {:?}", self.samples);
        found[0].value
    }
}

pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, Family>, String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut series = BTreeSet::new();
    let (mut helped, mut current) = (String::new(), String::new());
    if !text.ends_with('\n') {
        return Err("the last line does not end".into());
    }
    for line in text.lines() {
        let wrong = |why: &str| Err(format!("{why}: {line}"));
        if let Some(help) = line.strip_prefix("# HELP ") {
            helped = help.split(' ').next().unwrap_or_default().into();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = kind.split_once(' ') else {
                return wrong("no kind");
            };
            if name != helped {
                return wrong("no help before it");
            }
            if (kind == "counter") != name.ends_with("_total") {
                return wrong("counters, and only they, end in _total");
            }
            let family = Family {
                kind: kind.into(),
                samples: Vec::new(),
            };
            if families.insert(name.into(), family).is_some() {
                return wrong("the family is there twice");
            }
            current = name.into();
        } else {
            let (name, sample) = sample(line)?;
            let is_summary = families
                .get(&current)
                .is_some_and(|family| family.kind == "summary");
            let stem = ["_sum", "_count"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix).filter(|_| is_summary));
            if stem.unwrap_or(name) != current {
                return wrong("a sample outside its family");
            }
            if !series.insert(format!("{name}{:?}", sample.labels)) {
                return wrong("the series is there twice");
            }
            if let Some(family) = families.get_mut(&current) {
                family.samples.push(sample);
            }
        }
    }
    Ok(families)
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn sample(line: &str) -> Result<(&str, Sample), String> {
    let wrong = |why: &str| format!("{why}: {line}");
    let end = line.find(['{', ' ']).ok_or_else(|| wrong("no value"))?;
    let (name, mut rest) = line.split_at(end);
    if !is_name(name) {
        return Err(wrong("not a metric's name"));
    }
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        loop {
            let (label, after) = rest.split_once("=\"").ok_or_else(|| wrong("no label"))?;
            if !is_name(label) {
                return Err(wrong("not a label's name"));
            }
            let (value, after) = quoted(after).ok_or_else(|| wrong("an open quote"))?;
            if labels.insert(label.to_owned(), value).is_some() {
                return Err(wrong("the label is there twice"));
            }
            if let Some(after) = after.strip_prefix(',') {
                rest = after;
            } else {
                rest = after.strip_prefix('}').ok_or_else(|| wrong("no }"))?;
                break;
            }
        }
    }
    let value = rest.strip_prefix(' ').ok_or_else(|| wrong("no value"))?;
    let value = value.parse().map_err(|_| wrong("not a number"))?;
    Ok((name, Sample { labels, value }))
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((value, &text[at + 1..])),
            (_, '\\') => value.push(match chars.next()?.1 {
                'n' => '\n',
                c @ ('\\' | '"') => c,
                _ => return None,
            }),
            (_, c) => value.push(c),
        }
    }
}

#[test]
fn what_prometheus_would_refuse_is_an_error() {
    let head = "# HELP a_total x\n# TYPE a_total counter\n";
    for bad in [
        "a_total 1\n",
        "# TYPE a_total counter\na_total 1\n",
        &format!("{head}a_total 1"),
        &format!("{head}a_total one\n"),
        &format!("{head}a_total{{x=\"1\" 1\n"),
        &format!("{head}a_total{{x=\"1\",x=\"2\"}} 1\n"),
        &format!("{head}a_total{{1x=\"1\"}} 1\n"),
        &format!("{head}a_total 1\na_total 2\n"),
        &format!("{head}b_total 1\n"),
        "# HELP a x\n# TYPE a counter\na 1\n",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert_eq!(
        parse(&format!("{head}a_total{{x=\"1\"}} 1\n")).unwrap()["a_total"].value(&[("x", "1")]),
        1.0
    );
}
