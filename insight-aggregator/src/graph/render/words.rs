//! How people say what a graph holds.

use std::collections::{HashMap, HashSet};

use insight_proto::v1;
use jiff::Timestamp;

/// A node of a picture.
pub(super) struct Shown {
    /// Its name; its id where another node has the same name.
    pub(super) name: String,
    pub(super) id: String,
    pub(super) kind: String,
}

/// The nodes of a graph by their place in the picture; ends of edges that are not listed as nodes are there too.
pub(super) struct Cast {
    pub(super) shown: Vec<Shown>,
    by_id: HashMap<String, usize>,
}

impl Cast {
    pub(super) fn of(graph: &v1::Graph) -> Self {
        let mut seen = HashSet::new();
        let twice: HashSet<&str> = graph
            .nodes
            .iter()
            .map(|node| &*node.name)
            .filter(|name| !seen.insert(*name))
            .collect();
        let mut cast = Self {
            shown: Vec::new(),
            by_id: HashMap::new(),
        };
        for node in &graph.nodes {
            let is_clear = !node.name.is_empty() && !twice.contains(&*node.name);
            cast.add(
                &node.id,
                if is_clear { &node.name } else { &node.id },
                &node.kind,
            );
        }
        for id in graph
            .edges
            .iter()
            .flat_map(|edge| [&edge.client, &edge.server])
        {
            cast.add(id, id, "");
        }
        cast
    }

    fn add(&mut self, id: &str, name: &str, kind: &str) {
        if self.by_id.contains_key(id) {
            return;
        }
        self.by_id.insert(id.to_owned(), self.shown.len());
        self.shown.push(Shown {
            name: name.to_owned(),
            id: id.to_owned(),
            kind: kind.to_owned(),
        });
    }

    /// The place of a node.
    pub(super) fn place(&self, id: &str) -> usize {
        self.by_id.get(id).copied().unwrap_or_default()
    }

    /// The name of a node.
    pub(super) fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.by_id
            .get(id)
            .map_or(id, |place| &self.shown[*place].name)
    }
}

/// An edge's counts in one line.
pub(super) struct Totals {
    pub(super) opened: u64,
    pub(super) failed: u64,
    pub(super) active: u64,
    pub(super) sent: u64,
    pub(super) received: u64,
}

impl Totals {
    pub(super) fn of(edge: &v1::Edge) -> Self {
        let (client, server) = (edge.client_view, edge.server_view);
        let traffic = server.or(client).unwrap_or_default();
        let attempts = client.or(server).unwrap_or_default();
        Self {
            opened: traffic.connections_opened,
            failed: attempts.connections_failed,
            active: traffic.active,
            sent: traffic.bytes_sent,
            received: traffic.bytes_received,
        }
    }
}

/// Nodes' names by their ids as the pictures write them: ids where two nodes have one name, and nothing that moves a cursor.
pub fn names(graph: &v1::Graph) -> HashMap<String, String> {
    let shown = Cast::of(graph).shown.into_iter();
    shown.map(|node| (node.id, one_line(&node.name))).collect()
}

/// "3 connections, 1.5 KiB sent, 20 B received, 2 failed": what a picture says beside an arrow.
pub(super) fn summary(edge: &v1::Edge) -> [String; 2] {
    let totals = Totals::of(edge);
    let mut counts = match totals.opened {
        1 => "1 connection".to_owned(),
        opened => format!("{opened} connections"),
    };
    if totals.sent > 0 || totals.received > 0 {
        counts.push_str(&format!(
            ", {} sent, {} received",
            bytes(totals.sent),
            bytes(totals.received)
        ));
    }
    if totals.failed > 0 {
        counts.push_str(&format!(", {} failed", totals.failed));
    }
    [port(edge), counts]
}

/// "80/tcp", and "53/udp?" where nobody saw who began.
pub(super) fn port(edge: &v1::Edge) -> String {
    let doubt = if edge.role_unknown { "?" } else { "" };
    format!("{}/{}{doubt}", edge.port, edge.protocol)
}

/// "1.5 KiB".
#[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
pub(super) fn bytes(count: u64) -> String {
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] {
        // 1023.95 would be written as 1024.0.
        if value < 1023.95 {
            break;
        }
        value /= 1024.0;
        unit = larger;
    }
    format!("{value:.1} {unit}")
}

/// RFC 3339 in UTC, to the second; "-" for a time that is missing.
pub(super) fn time(at: Option<&prost_types::Timestamp>) -> String {
    at.and_then(|at| Timestamp::new(at.seconds, 0).ok())
        .map_or_else(|| "-".to_owned(), |at| at.to_string())
}

/// What the picture is of.
pub(super) fn title(graph: &v1::Graph) -> String {
    let count =
        |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!(
        "{} graph, {} to {}: {}, {}, {}",
        one_line(&graph.level),
        time(graph.from.as_ref()),
        time(graph.to.as_ref()),
        count(graph.nodes.len(), "node"),
        count(graph.edges.len(), "edge"),
        if graph.complete {
            "complete".to_owned()
        } else {
            format!("not complete: {}", count(graph.gaps.len(), "gap"))
        },
    )
}

/// What to say instead of a picture without edges. Nodes without edges are there only where they were asked for.
pub(super) fn no_edges(graph: &v1::Graph) -> String {
    match graph.nodes.first() {
        None => "No edges: nothing was counted in this time. Is an agent running? `insight-agent doctor` says what it can see."
            .to_owned(),
        Some(focus) => format!(
            "No edges of {}: it talked to nobody in this time, or 0 hops were asked for, which is the node alone.",
            one_line(if focus.name.is_empty() { &focus.id } else { &focus.name })
        ),
    }
}

/// Text from outside in one line and without control characters: a process can give itself a name that moves the
/// terminal's cursor.
pub fn one_line(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escape = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let (plain, escaped) = if escape { (None, Some(c.escape_default())) } else { (Some(c), None) };
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_short() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1_048_575, "1.0 MiB"),
            (1_048_576, "1.0 MiB"),
            (u64::MAX, "16.0 EiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        assert_eq!(
            one_line("a\nb\u{1b}[2Jc\u{202e}é…"),
            "a\\nb\\u{1b}[2Jc\\u{202e}é…"
        );
    }
}
