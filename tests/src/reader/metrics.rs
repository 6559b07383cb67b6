//! Samples of the Prometheus text format.

use anyhow::{Context, Result};

/// The value of the one sample with this name whose labels contain all of these texts.
pub fn sample(text: &str, name: &str, labels: &[&str]) -> Result<f64> {
    let mut found = samples(text, name, labels);
    let value = found
        .next()
        .with_context(|| format!("no sample {name} with {labels:?}"))?;
    anyhow::ensure!(
        found.next().is_none(),
        "more than one sample {name} with {labels:?}"
    );
    Ok(value)
}

/// The sum of such samples; 0 if there is none.
pub fn sum(text: &str, name: &str, labels: &[&str]) -> f64 {
    samples(text, name, labels).sum()
}

fn samples<'a>(
    text: &'a str,
    name: &'a str,
    labels: &'a [&'a str],
) -> impl Iterator<Item = f64> + 'a {
    text.lines().filter_map(move |line| {
        let rest = line.strip_prefix(name)?;
        let (given, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once('}')?,
            None => ("", rest.strip_prefix(' ')?),
        };
        let matches = labels.iter().all(|label| given.contains(label));
        let value = value.split_whitespace().next()?;
        matches.then(|| value.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# TYPE a_total counter
a_total{x=\"1\",y=\"}\"} 3
a_total{x=\"2\"} 4.5 1700000000
a_total_more 9
a 1";

    #[test]
    fn finds_one_sample() {
        assert_eq!(sample(TEXT, "a_total", &["x=\"1\""]).unwrap(), 3.0);
        assert_eq!(sample(TEXT, "a_total", &["x=\"2\""]).unwrap(), 4.5);
        assert_eq!(sample(TEXT, "a", &[]).unwrap(), 1.0);
        assert!(sample(TEXT, "a_total", &[]).is_err());
        assert!(sample(TEXT, "b", &[]).is_err());
        assert_eq!(sum(TEXT, "a_total", &[]), 7.5);
    }
}
