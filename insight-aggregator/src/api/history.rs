//! One edge over time.

use std::sync::Arc;

use insight_proto::v1;

use super::edge::{only_edge, searched};
use super::reader::{ReadError, Reader};
use crate::graph::{self, Part, Query, Range, Steps};
use crate::history::{Names, NamesOf};
use crate::ledger::{Ledger, Trace};
use crate::model::{Eras, Level, UnixMs, Window, now_ms};

/// An edge's ends, by id.
struct Found {
    edge: v1::Edge,
    nodes: Vec<v1::Node>,
    level: Level,
}

/// Reads one edge. Blocks.
struct History<'l> {
    ledger: &'l Ledger,
    names: &'l Names,
    /// Those of the span that was asked for last.
    of_span: Option<(UnixMs, Arc<NamesOf>)>,
    trace: Trace<'l>,
    id: &'l str,
}

/// The edge over time; nothing if it is not there.
pub async fn history(
    reader: &Reader,
    steps: Steps,
    id: String,
) -> Result<Option<v1::EdgeHistory>, ReadError> {
    reader
        .blocking(move |reader| {
            let trace = reader.ledger().trace().map_err(|error| failed(&error))?;
            let history = History {
                ledger: reader.ledger(),
                names: reader.names(),
                of_span: None,
                trace,
                id: &id,
            };
            history.read(&steps)
        })
        .await
}

fn failed(error: &anyhow::Error) -> ReadError {
    ReadError::Failed(format!("{error:#}"))
}

impl History<'_> {
    fn read(mut self, steps: &Steps) -> Result<Option<v1::EdgeHistory>, ReadError> {
        let spans = self.trace.spans();
        let Some((kept_from, _)) = spans.first() else {
            return Ok(None);
        };
        let range = Range {
            from: steps.range.from.max(*kept_from),
            to: steps.range.to,
        };
        let step = steps.step(range.from)?;
        let levels = steps.level.map_or_else(searched, |level| vec![level]);
        let touched: Vec<_> = spans
            .iter()
            .filter(|(from, to)| *from < range.to && *to > range.from)
            .copied()
            .collect();
        // Most ids come from a graph of the end of the time, which knows more than keys: where connections were led to, and who had an address when.
        let newest = self.newest(range)?;
        let mut found = self.find_in(&newest, &levels)?;
        for (from, _) in touched.iter().rev() {
            if found.is_some() {
                break;
            }
            let outline = self.trace.outline(*from).map_err(|error| failed(&error))?;
            found = self.find_in(&outline, &levels)?;
        }
        let Some(found) = found else {
            return Ok(None);
        };
        for (from, _) in &touched {
            self.want(*from, &found)?;
        }
        // Who reported before the first step is missed in it.
        self.graph(range.from.saturating_sub(step), range.from, found.level)?;
        let mut points = Vec::new();
        let mut at = range.from.div_euclid(step) * step;
        while at < range.to {
            let end = (at + step).min(range.to);
            points.push(self.point(at, end, &found)?);
            at += step;
        }
        let [first_seen, last_seen] = self.ends(&spans, &found)?;
        let node = |id: &str| found.nodes.iter().find(|node| node.id == id).cloned();
        Ok(Some(v1::EdgeHistory {
            id: self.id.to_owned(),
            level: found.level.as_str().to_owned(),
            from: points.first().and_then(|point| point.from),
            to: points.last().and_then(|point| point.to),
            step: Some(prost_types::Duration {
                seconds: step / 1_000,
                nanos: 0,
            }),
            client: node(&found.edge.client),
            server: node(&found.edge.server),
            protocol: found.edge.protocol.clone(),
            port: found.edge.port,
            points,
            first_seen,
            last_seen,
        }))
    }

    /// The names of the span that holds `from`, or of a range that is in none: to look them up for each step would take longer than to count it.
    fn names_at(&mut self, from: UnixMs, to: UnixMs) -> Result<Arc<NamesOf>, ReadError> {
        let spans = self.trace.spans();
        let holds = |span: &&(UnixMs, UnixMs)| (span.0..span.1).contains(&from);
        let (from, to) = spans.iter().find(holds).copied().unwrap_or((from, to));
        if let Some((of, names)) = &self.of_span
            && *of == from
        {
            return Ok(Arc::clone(names));
        }
        let names = self.names.of(from, to.min(now_ms()));
        let names = Arc::new(names.map_err(|error| failed(&error))?);
        self.of_span = Some((from, Arc::clone(&names)));
        Ok(names)
    }

    /// All that was counted at the end of a range.
    fn newest(&mut self, range: Range) -> Result<Window, ReadError> {
        let from = range
            .from
            .max(range.to.saturating_sub(graph::DEFAULT_RANGE_MS));
        let names = self.names_at(from, range.to)?;
        let eras = Eras::new(names.read().changes_of_addresses(from, range.to));
        let window = self.ledger.window_of(from, range.to, &eras);
        window.map_err(|error| failed(&error))
    }

    /// The edge, and the first level that has it.
    fn find_in(&mut self, window: &Window, levels: &[Level]) -> Result<Option<Found>, ReadError> {
        for &level in levels {
            let graph = self.build(window, level)?;
            if let Some(mut graph) = only_edge(graph, self.id)
                && let Some(edge) = graph.edges.pop()
            {
                return Ok(Some(Found {
                    edge,
                    nodes: graph.nodes,
                    level,
                }));
            }
        }
        Ok(None)
    }

    fn build(&mut self, window: &Window, level: Level) -> Result<v1::Graph, ReadError> {
        let query = Query {
            range: Range {
                from: window.from,
                to: window.to,
            },
            part: Part {
                level,
                ..Part::default()
            },
        };
        let names = self.names_at(window.from, window.to)?;
        Ok(graph::build(window, &query, &names.read())?)
    }

    /// Reads the rows of the edge's ends in the span of `at` from now on.
    fn want(&mut self, at: UnixMs, found: &Found) -> Result<(), ReadError> {
        let outline = self.trace.outline(at).map_err(|error| failed(&error))?;
        let ends = [found.edge.client.as_str(), found.edge.server.as_str()];
        let names = self.names_at(outline.from, outline.to)?;
        let locals = graph::parts_of(&outline, found.level, &names.read(), ends);
        self.trace.want(&outline, locals);
        Ok(())
    }

    /// The edge in a range within one span, with the gaps of its nodes.
    fn graph(&mut self, from: UnixMs, to: UnixMs, level: Level) -> Result<v1::Graph, ReadError> {
        let names = self.names_at(from, to)?;
        let eras = Eras::new(names.read().changes_of_addresses(from, to));
        let window = self.trace.window(from, to, &eras);
        let window = window.map_err(|error| failed(&error))?;
        let mut graph = self.build(&window, level)?;
        graph.edges.retain(|edge| edge.id == self.id);
        Ok(graph)
    }

    fn point(
        &mut self,
        from: UnixMs,
        to: UnixMs,
        found: &Found,
    ) -> Result<v1::EdgePoint, ReadError> {
        let mut graph = self.graph(from, to, found.level)?;
        let edge = graph.edges.pop().unwrap_or_default();
        Ok(v1::EdgePoint {
            from: graph.from,
            to: graph.to,
            client_view: edge.client_view,
            server_view: edge.server_view,
            complete: graph.complete,
        })
    }

    /// When the edge was seen first and last in all that is kept: the spans' keys say in which, and then it is looked for by the hour and the minute.
    fn ends(
        &mut self,
        spans: &[(UnixMs, UnixMs)],
        found: &Found,
    ) -> Result<[Option<prost_types::Timestamp>; 2], ReadError> {
        let mut first = None;
        for span in spans {
            first = self.seen(*span, found, false)?.map(|(first, _)| first);
            if first.is_some() {
                break;
            }
        }
        let mut last = None;
        for span in spans.iter().rev() {
            last = self.seen(*span, found, true)?.map(|(_, last)| last);
            if last.is_some() {
                break;
            }
        }
        Ok([first, last])
    }

    fn seen(
        &mut self,
        (from, to): (UnixMs, UnixMs),
        found: &Found,
        backwards: bool,
    ) -> Result<Option<(prost_types::Timestamp, prost_types::Timestamp)>, ReadError> {
        if !self.trace.knows(from) {
            self.want(from, found)?;
        }
        if !self.trace.wants(from) {
            return Ok(None);
        }
        // Parts of a span: most edges are there at its beginning and its end, and none of the parts is large.
        const PART: i64 = 10 * 60_000;
        let mut starts: Vec<UnixMs> = std::iter::successors(Some(from), |at| Some(at + PART))
            .take_while(|at| *at < to)
            .collect();
        if backwards {
            starts.reverse();
        }
        for at in starts {
            let graph = self.graph(at, (at + PART).min(to), found.level)?;
            if let Some(edge) = graph.edges.first() {
                return Ok(edge.first_seen.zip(edge.last_seen));
            }
        }
        Ok(None)
    }
}
