//! Rows as text, or as markdown.

use super::row::Row;

const HEADS: [&str; 5] = ["what", "figure", "unit", "budget", "verdict"];

/// Columns that are numbers: they end at the same place.
const RIGHT: [bool; 5] = [false, true, false, true, false];

/// For a terminal.
pub(super) fn text(rows: &[Row]) -> String {
    let mut lines = vec![HEADS.map(str::to_owned)];
    lines.extend(rows.iter().map(Row::cells));
    let mut widths = [0; 5];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    lines.insert(1, widths.map(|width| "-".repeat(width)));
    lines
        .iter()
        .map(|line| {
            let cells: Vec<String> = line
                .iter()
                .zip(widths)
                .zip(RIGHT)
                .map(|((cell, width), right)| match right {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                })
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// For BENCHMARKS.md.
pub(super) fn markdown(rows: &[Row]) -> String {
    let line = |cells: [String; 5]| format!("| {} |", cells.join(" | "));
    let rule = RIGHT.map(|right| if right { "---:" } else { "---" }.to_owned());
    [line(HEADS.map(str::to_owned)), line(rule)]
        .into_iter()
        .chain(
            rows.iter()
                .map(|row| line(row.cells().map(|cell| cell.replace('|', "\\|")))),
        )
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::row::Budget;
    use super::*;

    fn rows() -> Vec<Row> {
        vec![
            Row::new("short", 1.5, "µs").budget(Budget::AtMost(2.0)),
            Row::new("a longer name", 12_345.0, "records/s").digits(0),
        ]
    }

    #[test]
    fn columns_line_up() {
        let expected = "\
what           figure  unit       budget  verdict
-------------  ------  ---------  ------  -------
short            1.50  µs         ≤ 2.00  ok
a longer name  12,345  records/s          n.a.";
        assert_eq!(text(&rows()), expected);
    }

    #[test]
    fn markdown_has_the_same_cells() {
        let expected = "\
| what | figure | unit | budget | verdict |
| --- | ---: | --- | ---: | --- |
| short | 1.50 | µs | ≤ 2.00 | ok |
| a longer name | 12,345 | records/s |  | n.a. |";
        assert_eq!(markdown(&rows()), expected);
    }
}
