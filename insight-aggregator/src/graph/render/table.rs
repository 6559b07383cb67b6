//! A table for the terminal.

use insight_proto::v1;

use super::columns::{Layout, cut};
use super::words::{Cast, Totals, alone, bytes, no_edges, one_line, port, services, time, title};

const COLUMNS: usize = 11;
const HEADINGS: [&str; COLUMNS] = [
    "CLIENT",
    "SERVER",
    "PORT",
    "CONNS",
    "FAILED",
    "ACTIVE",
    "SENT",
    "RECEIVED",
    "RETRANS",
    "LAST SEEN",
    "VIA",
];
/// Columns of text; the others are numbers, which end at the same place.
const LEFT: [usize; 4] = [0, 1, 9, VIA];
/// The Services that clients dialed; left out where no edge has one.
const VIA: usize = 10;
/// Columns that a narrow terminal does without, in this order: RETRANS, ACTIVE, LAST SEEN, VIA.
const DISPENSABLE: [usize; 4] = [8, 5, 9, VIA];

/// An aligned table, one line an edge, in order of the names; nodes without edges and the gaps are below it. RETRANS has the segments that the
/// client's and the server's sockets sent again, each `-` where no agent saw that side. LAST SEEN is a time of the day on which the
/// range ends, else a whole moment. Its rows have at most `columns` characters, if that is said and somehow possible.
pub fn table(graph: &v1::Graph, columns: Option<usize>) -> String {
    let mut text = format!("{}\n\n", title(graph));
    let cast = Cast::of(graph);
    if graph.edges.is_empty() {
        text.push_str(&no_edges(graph));
        text.push('\n');
    } else {
        write_rows(&mut text, &rows(graph, &cast), columns);
    }
    let alone = alone(graph, &cast);
    if !alone.is_empty() {
        text.push_str("\nWithout edges:\n");
    }
    for node in alone {
        let name = one_line(cast.name(&node.id));
        text.push_str(&format!("  {} {name}\n", one_line(&node.kind)));
    }
    if !graph.gaps.is_empty() {
        text.push_str("\nNot seen:\n");
    }
    for gap in &graph.gaps {
        let node = if gap.node.is_empty() {
            "all nodes"
        } else {
            &gap.node
        };
        text.push_str(&format!(
            "  {} {} to {}: {}: {}\n",
            one_line(node),
            time(gap.from.as_ref()),
            time(gap.to.as_ref()),
            one_line(&gap.reason),
            one_line(&gap.detail),
        ));
    }
    text
}

fn rows(graph: &v1::Graph, cast: &Cast) -> Vec<[String; COLUMNS]> {
    let mut edges: Vec<&v1::Edge> = graph.edges.iter().collect();
    edges.sort_by_key(|edge| {
        (
            cast.name(&edge.client),
            cast.name(&edge.server),
            edge.port,
            &edge.id,
        )
    });
    let retransmits = |view: &Option<v1::EdgeView>| {
        view.map_or_else(|| "-".to_owned(), |view| view.retransmits.to_string())
    };
    edges
        .into_iter()
        .map(|edge| {
            let totals = Totals::of(edge);
            [
                one_line(cast.name(&edge.client)),
                one_line(cast.name(&edge.server)),
                one_line(&port(edge)),
                totals.opened.to_string(),
                totals.failed.to_string(),
                totals.active.to_string(),
                bytes(totals.sent),
                bytes(totals.received),
                format!(
                    "{}/{}",
                    retransmits(&edge.client_view),
                    retransmits(&edge.server_view)
                ),
                shown_time(edge, graph),
                one_line(&services(edge)),
            ]
        })
        .collect()
}

/// When the edge was last seen, without the day if that is the range's last one.
fn shown_time(edge: &v1::Edge, graph: &v1::Graph) -> String {
    let (seen, end) = (time(edge.last_seen.as_ref()), time(graph.to.as_ref()));
    match (seen.split_once('T'), end.split_once('T')) {
        (Some((day, clock)), Some((today, _))) if day == today => clock.to_owned(),
        _ => seen,
    }
}

fn write_rows(text: &mut String, rows: &[[String; COLUMNS]], columns: Option<usize>) {
    let mut widths = HEADINGS.map(|heading| heading.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut known = widths.map(Some);
    if rows.iter().all(|row| row[VIA].is_empty()) {
        known[VIA] = None;
    }
    let whole = Layout::whole(known);
    let layout = match columns {
        Some(columns) => whole.fitted(columns, &DISPENSABLE),
        None => whole,
    };
    let headings = HEADINGS.map(str::to_owned);
    for row in std::iter::once(&headings).chain(rows) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(layout.widths).enumerate() {
            let Some(width) = width else { continue };
            let cell = cut(cell, width);
            if LEFT.contains(&column) {
                line.push_str(&format!("{cell:<width$}"));
            } else {
                line.push_str(&format!("{cell:>width$}"));
            }
            line.extend(std::iter::repeat_n(' ', layout.gap));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let hidden = HEADINGS.iter().zip(known.iter().zip(layout.widths));
    let hidden: Vec<&str> = hidden
        .filter(|(_, (known, width))| known.is_some() && width.is_none())
        .map(|(heading, _)| *heading)
        .collect();
    if !hidden.is_empty() {
        text.push_str(&format!("(no room for {})\n", hidden.join(", ")));
    }
}
