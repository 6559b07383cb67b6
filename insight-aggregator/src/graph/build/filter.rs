//! Edges that meet what is asked for.

use insight_proto::v1;

use super::ends::{End, Ends};
use super::join::{Joined, Tally};
use crate::graph::{Filter, TopBy};

/// Drops the edges that `filter` does not keep.
pub(super) fn keep(joined: &mut Joined, ends: &Ends<'_>, filter: &Filter) {
    if *filter == Filter::default() {
        return;
    }
    // Texts are compared once an end, not once an edge.
    let decided = |holds: fn(&Ends<'_>, End, &Filter) -> bool| -> Vec<bool> {
        let ends_in_order = ends.all().map(|(end, ..)| end);
        ends_in_order.map(|end| holds(ends, end, filter)).collect()
    };
    let (there, of_kind) = (decided(is_there), decided(is_of_kind));
    joined.retain(|flow, tally| {
        let is_either = |decided: &[bool]| {
            [flow.client, flow.server]
                .iter()
                .any(|end| decided[end.0 as usize])
        };
        filter.has_protocol(flow.protocol)
            && filter.has_port(flow.port)
            && is_either(&there)
            && is_either(&of_kind)
            && size(tally, TopBy::Bytes) >= filter.min_bytes
            && size(tally, TopBy::Connections) >= filter.min_connections
    });
}

/// Whether the node meets by itself what is asked of nodes.
pub(super) fn is_asked_for(ends: &Ends<'_>, end: End, filter: &Filter) -> bool {
    is_there(ends, end, filter) && is_of_kind(ends, end, filter)
}

/// Whether an end, or one that it may be, is in one of the namespaces and has the labels.
fn is_there(ends: &Ends<'_>, end: End, filter: &Filter) -> bool {
    is_in(ends.get(end), filter)
        || ends
            .candidates(end)
            .any(|candidate| is_in(ends.get(candidate), filter))
}

fn is_in(node: &v1::Node, filter: &Filter) -> bool {
    let labels = &node.kubernetes_labels;
    // An address outside of the cluster lacks every label, and "tier!=db" does not mean it.
    let is_known = || !node.namespace.is_empty() || !labels.is_empty();
    let is_selected = || {
        let label = |key: &str| labels.get(key).map(String::as_str);
        is_known() && filter.selector.matches(label)
    };
    let namespaces = &filter.namespaces;
    (namespaces.is_empty() || namespaces.binary_search(&node.namespace).is_ok())
        && (filter.selector.is_empty() || is_selected())
}

fn is_of_kind(ends: &Ends<'_>, end: End, filter: &Filter) -> bool {
    let kind = &ends.get(end).kind;
    let mut kinds = filter.kinds.iter();
    filter.kinds.is_empty() || kinds.any(|known| known.eq_ignore_ascii_case(kind))
}

/// How large an edge is, by the view that counted more.
pub(super) fn size(tally: &Tally, by: TopBy) -> u64 {
    let views = [&tally.client, &tally.server].into_iter().flatten();
    let sizes = views.map(|view| match by {
        TopBy::Bytes => view.bytes_sent.saturating_add(view.bytes_received),
        TopBy::Connections => view.opened,
        TopBy::Failures => view.failed(),
    });
    sizes.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Query;
    use crate::graph::testing::filter;

    fn node(namespace: &str, labels: &[(&str, &str)]) -> v1::Node {
        let text = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        v1::Node {
            namespace: namespace.to_owned(),
            kubernetes_labels: labels.iter().map(text).collect(),
            ..v1::Node::default()
        }
    }

    #[test]
    fn a_selector_is_about_what_kubernetes_knows() {
        let web = node("shop", &[("app", "web"), ("tier", "front")]);
        let bare = node("shop", &[]);
        let machine = node("", &[("role", "worker")]);
        let outside = node("", &[]);
        for (question, expected) in [
            (("", ""), [true, true, true, true]),
            (("shop", ""), [true, true, false, false]),
            (("pay", ""), [false, false, false, false]),
            (("pay,shop", ""), [true, true, false, false]),
            (("", "app=web"), [true, false, false, false]),
            (("", "tier!=db"), [true, true, true, false]),
            (("", "!app"), [false, true, true, false]),
            (("", "role=worker"), [false, false, true, false]),
            (("shop", "!app"), [false, true, false, false]),
            (("pay", "app=web"), [false, false, false, false]),
        ] {
            let filter = filter(|query| {
                let names = question.0.split(',').filter(|name| !name.is_empty());
                query.namespaces = names.map(str::to_owned).collect();
                query.selector = question.1.to_owned();
            });
            let found = [&web, &bare, &machine, &outside].map(|node| is_in(node, &filter));
            assert_eq!(found, expected, "{question:?}");
        }
    }

    #[test]
    fn nothing_asked_for_is_everything() {
        let query = Query::parse(&v1::GraphQuery::default(), 1_769_860_800_000).unwrap();
        assert_eq!(query.part.filter, Filter::default());
    }
}
