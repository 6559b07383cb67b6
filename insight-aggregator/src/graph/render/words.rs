//! How people say what a graph holds.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use insight_proto::v1;
use jiff::Timestamp;

/// Services of an edge that are named; the rest are counted.
const SERVICES_NAMED: usize = 3;

/// A node of a picture.
pub(super) struct Shown {
    /// Its name with its namespace; its id where another node has the same.
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
        let named: Vec<Cow<'_, str>> = graph.nodes.iter().map(full_name).collect();
        let mut seen = HashSet::new();
        let twice: HashSet<&str> = named
            .iter()
            .map(|name| &**name)
            .filter(|name| !seen.insert(*name))
            .collect();
        let mut cast = Self {
            shown: Vec::new(),
            by_id: HashMap::new(),
        };
        for (node, name) in graph.nodes.iter().zip(&named) {
            let is_clear = !name.is_empty() && !twice.contains(&**name);
            cast.add(&node.id, if is_clear { name } else { &node.id }, &node.kind);
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

/// "shop/web" of what is in a namespace.
pub fn full_name(node: &v1::Node) -> Cow<'_, str> {
    let (namespace, name) = (&*node.namespace, &*node.name);
    let rest = name.strip_prefix(namespace);
    let says_it = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if namespace.is_empty() || name.is_empty() || says_it {
        Cow::Borrowed(name)
    } else {
        Cow::Owned(format!("{namespace}/{name}"))
    }
}

/// The nodes that no edge has, in order of their names; none where it is the only node, which was asked for.
pub(super) fn alone<'a>(graph: &'a v1::Graph, cast: &'a Cast) -> Vec<&'a v1::Node> {
    if graph.nodes.len() < 2 {
        return Vec::new();
    }
    let ends = graph.edges.iter();
    let ends: HashSet<&str> = ends
        .flat_map(|edge| [&*edge.client, &*edge.server])
        .collect();
    let nodes = graph.nodes.iter();
    let mut alone: Vec<&v1::Node> = nodes.filter(|node| !ends.contains(&*node.id)).collect();
    alone.sort_by_key(|node| cast.name(&node.id));
    alone
}

/// The Services that an edge's clients dialed, a few of them.
pub(super) fn services(edge: &v1::Edge) -> String {
    let named = edge.dialed_services.iter().take(SERVICES_NAMED);
    let mut text = named.cloned().collect::<Vec<_>>().join(", ");
    let more = edge.dialed_services.len().saturating_sub(SERVICES_NAMED);
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
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
    let port = match &*services(edge) {
        "" => port(edge),
        services => format!("{} via {services}", port(edge)),
    };
    [port, counts]
}

/// "80/tcp", and "53/udp?" where nobody saw who began; "any" of edges that were summed up.
pub(super) fn port(edge: &v1::Edge) -> String {
    if edge.protocol.is_empty() {
        return "any".to_owned();
    }
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
    match graph.nodes.as_slice() {
        [] => "No edges: nothing was counted in this time, or nothing that was asked for. Is an agent running? `insight-agent doctor` says what it \
               can see."
            .to_owned(),
        [focus] => {
            let name = full_name(focus);
            format!(
                "No edges of {}: it talked to nobody in this time, or to nobody that was asked for; 0 hops are the node alone.",
                one_line(if name.is_empty() { &focus.id } else { &name })
            )
        }
        nodes => format!("No edges: {} nodes talked to nobody in this time.", nodes.len()),
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
    fn a_name_has_its_namespace_once() {
        for (namespace, name, expected) in [
            ("", "web", "web"),
            ("shop", "web", "shop/web"),
            ("shop", "shop", "shop"),
            ("shop", "shop/web", "shop/web"),
            ("shop", "shopper", "shop/shopper"),
            ("shop", "", ""),
        ] {
            let node = v1::Node {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
                ..v1::Node::default()
            };
            assert_eq!(full_name(&node), expected);
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
