//! A live table on a terminal, drawn over the one before.

use insight_proto::v1;

use crate::graph::render;

/// Cursor to the top left corner.
const HOME: &str = "\x1b[H";
/// Clears from the cursor to the end of the line.
const CLEAR_LINE: &str = "\x1b[K";
/// Clears from the cursor to the end of the screen.
const CLEAR_BELOW: &str = "\x1b[J";

/// The table, cut to `columns` and `rows`. Drawn over rather than cleared first, so that it does not flicker.
pub(super) fn draw(graph: &v1::Graph, (columns, rows): (usize, usize)) -> String {
    let table = render::table(graph, Some(columns));
    let lines: Vec<&str> = table.lines().collect();
    // The cursor needs the last row, and a cut table says how much is missing.
    let room = rows.saturating_sub(1);
    let shown = if lines.len() > room {
        room.saturating_sub(1)
    } else {
        lines.len()
    };
    let mut text = String::from(HOME);
    for line in &lines[..shown] {
        text.extend(line.chars().take(columns));
        text.push_str(CLEAR_LINE);
        text.push_str("\r\n");
    }
    text.push_str(CLEAR_BELOW);
    if shown < lines.len() {
        text.push_str(&format!("… {} more lines\r\n", lines.len() - shown));
    }
    text
}
