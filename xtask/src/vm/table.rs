//! README's table of what works on which kernel, from what the doctor said on each.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

const BEGIN: &str =
    "<!-- kernels: written by `cargo xtask vm --write`, checked by `cargo xtask vm` -->\n";
const END: &str = "<!-- kernels end -->";

/// Renders it; `doctors` are kernels' names and answers, oldest first.
pub(crate) fn render(doctors: &[(&str, &Value)]) -> Result<String> {
    let (_, newest) = doctors.last().context("no kernel answered")?;
    ensure!(
        !rows(newest, "probes").is_empty(),
        "the doctor knows no programs: {newest}"
    );
    let mut text = String::from("| | since |");
    for (name, _) in doctors {
        let newest = if name.contains('.') { "" } else { ".x" };
        let _ = write!(text, " {name}{newest} |");
    }
    text.push_str(" without it |\n|---|---|");
    text.push_str(&"---|".repeat(doctors.len() + 1));
    text.push('\n');
    for (table, verdict, needs) in [
        ("probes", "attached", "hook"),
        ("forms", "present", "needs"),
    ] {
        for row in rows(newest, table) {
            let word = |field: &str| row[field].as_str().unwrap_or("?");
            let name = word("name");
            let backports = row["backports"].as_array().into_iter().flatten();
            let since: Vec<&str> = std::iter::once(word("since"))
                .chain(backports.filter_map(Value::as_str))
                .collect();
            let _ = write!(text, "| {name}: `{}` | {} |", word(needs), since.join(", "));
            for (_, doctor) in doctors {
                let here = rows(doctor, table).iter().find(|row| row["name"] == name);
                text.push_str(match here.and_then(|row| row[verdict].as_bool()) {
                    Some(true) => " yes |",
                    Some(false) => " no |",
                    // A doctor shows no row of what its kernel does without.
                    None => " not needed |",
                });
            }
            let _ = writeln!(
                text,
                " lost: {}; instead: {} |",
                word("lost"),
                word("instead")
            );
        }
    }
    Ok(text)
}

fn rows<'a>(doctor: &'a Value, table: &str) -> &'a [Value] {
    doctor[table].as_array().map_or(&[], Vec::as_slice)
}

/// Checks that a file has this table between its marks, or writes it there.
pub(crate) fn settle(file: &Path, table: &str, write: bool) -> Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let wanted = replaced(&text, table)
        .with_context(|| format!("{} has no place for the table of kernels", file.display()))?;
    if write && wanted != text {
        println!("vm: wrote the table of kernels in {}", file.display());
        return std::fs::write(file, wanted).with_context(|| format!("write {}", file.display()));
    }
    ensure!(
        wanted == text,
        "the table of kernels in {} is not what the kernels said: 'cargo xtask vm --write' writes\n{table}",
        file.display()
    );
    Ok(())
}

fn replaced(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some([before, BEGIN, table, END, after].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn doctor(readout: bool) -> Value {
        json!({
            "probes": [{"name": "readout", "hook": "iter/task_file", "since": "5.11",
                "attached": readout, "lost": "some", "instead": "wait"}],
            "forms": [{"name": "netns", "needs": "net.net_cookie", "since": "5.12", "backports": ["5.10.9"],
                "present": readout, "lost": "nothing", "instead": "a number"}],
        })
    }

    #[test]
    fn the_table_has_a_row_for_each_feature_and_a_column_for_each_kernel() {
        let (old, new) = (doctor(false), doctor(true));
        assert_eq!(
            render(&[("5.10", &old), ("7", &new)]).unwrap(),
            "| | since | 5.10 | 7.x | without it |\n\
             |---|---|---|---|---|\n\
             | readout: `iter/task_file` | 5.11 | no | yes | lost: some; instead: wait |\n\
             | netns: `net.net_cookie` | 5.12, 5.10.9 | no | yes | lost: nothing; instead: a number |\n"
        );
        assert!(render(&[("5.10", &new), ("7", &json!({}))]).is_err());
        assert!(render(&[]).is_err());
        let without = render(&[("5.10", &json!({})), ("7", &new)]).unwrap();
        assert!(without.contains("| 5.11 | not needed | yes |"), "{without}");
    }

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let text = format!("a\n{BEGIN}old\n{END}\nb\n");
        let wanted = format!("a\n{BEGIN}new\n{END}\nb\n");
        assert_eq!(replaced(&text, "new\n").unwrap(), wanted);
        assert_eq!(replaced("a\n", "new\n"), None);
    }
}
