//! Order statistics.

/// The smallest value that is not below `share` of them (nearest rank); `None` without values.
pub(crate) fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
}

/// The middle one; of an even count, the mean of the two in the middle.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = sorted.get(sorted.len() / 2)?;
    match sorted.len().is_multiple_of(2) {
        true => Some((sorted[sorted.len() / 2 - 1] + upper) / 2.0),
        false => Some(*upper),
    }
}

/// Where the median of what the values were drawn from is, with at least 95 %: between two of the values, whatever their distribution. Of
/// fewer than six values, the lowest and the highest, which say it with less.
pub(super) fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    // Each value is below that median with 1/2: so many ways to have `below` of them there, of 2^count.
    let (mut ways, mut outside, mut out) = (1.0, 0.0, 0);
    let all = 2.0_f64.powi(i32::try_from(count).ok()?);
    for below in 0..count / 2 {
        outside += 2.0 * ways / all;
        if outside > 0.05 {
            break;
        }
        out = below;
        ways *= (count - below) as f64 / (below + 1) as f64;
    }
    Some((*sorted.get(out)?, sorted[count - 1 - out]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 0.99), Some(198.0));
        assert_eq!(percentile(&values, 1.0), Some(200.0));
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&[7.0], 0.99), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }

    #[test]
    fn an_interval_leaves_out_what_may_be_chance() {
        let values = |count: u32| (1..=count).map(f64::from).collect::<Vec<_>>();
        // Tables of the sign test: the second of nine, the sixth of twenty, the tenth of thirty.
        assert_eq!(interval(&values(9)), Some((2.0, 8.0)));
        assert_eq!(interval(&values(20)), Some((6.0, 15.0)));
        assert_eq!(interval(&values(30)), Some((10.0, 21.0)));
        assert_eq!(interval(&values(6)), Some((1.0, 6.0)));
        assert_eq!(interval(&values(3)), Some((1.0, 3.0)));
        assert_eq!(interval(&[]), None);
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }
}
