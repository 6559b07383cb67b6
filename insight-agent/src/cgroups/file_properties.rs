//! What holds for every text of a cgroup's files, and of a process's.

use super::*;

#[test]
fn flat_keys_come_back_and_others_are_passed_over() {
    const KEYS: [&str; 3] = ["usage_usec", "anon", "inactive_file"];
    let other = "(usage|anon_thp|inactive_file_x|[a-z_.]{0,9}) ?[a-z0-9-]{0,9}";
    let noise = other.prop_filter("another key", |line| {
        !KEYS.iter().any(|key| line.split(' ').next() == Some(key))
    });
    let values = [
        any::<Option<u64>>(),
        any::<Option<u64>>(),
        any::<Option<u64>>(),
    ];
    holds(
        &(values, proptest::collection::vec(noise, 4)),
        |(values, noise)| {
            let mut text = String::new();
            for ((key, value), noise) in KEYS.iter().zip(values).zip(&noise) {
                text += &format!("{noise}\n");
                if let Some(value) = value {
                    text += &format!("{key} {value}\n");
                }
            }
            text += &noise[3];
            prop_assert_eq!(pick(&text, KEYS), values);
            Ok(())
        },
    );
}

#[test]
fn cpu_limits_are_the_quotas_share_of_a_core() {
    holds(&(any::<u64>(), any::<u64>()), |(quota, period)| {
        let found = v2::cpu_max(&format!("{quota} {period}\n"));
        prop_assert_eq!(found, millicores(quota, period));
        prop_assert_eq!(v2::cpu_max(&format!("max {period}\n")), None);
        // Rounded down: not more than the quota, and one more would be.
        let (quota, period) = (u128::from(quota) * 1000, u128::from(period));
        match found {
            Some(limit) => {
                let limit = u128::from(limit);
                prop_assert!(limit * period <= quota && quota < (limit + 1) * period);
            }
            None => prop_assert!(period == 0 || quota / period > u128::from(u64::MAX)),
        }
        Ok(())
    });
}

#[test]
fn a_processs_start_is_read_behind_any_name() {
    let inputs = (
        any::<u32>(),
        "[^\\x00]{0,15}",
        any::<u64>(),
        proptest::collection::vec(any::<i32>(), 18),
    );
    holds(&inputs, |(pid, comm, start, fields)| {
        let fields: Vec<String> = fields.iter().map(ToString::to_string).collect();
        let stat = format!("{pid} ({comm}) S {} {start} 4096 7 0\n", fields.join(" "));
        prop_assert_eq!(process::started(&stat), Some((start, comm)));
        Ok(())
    });
}
