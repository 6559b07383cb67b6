//! Writes metric families in OpenMetrics text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::{containers, metrics};
use crate::status::State;

/// A value: integers stay exact.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value {
    /// Counts, bytes.
    Whole(u64),
    /// Seconds.
    Real(f64),
}

/// Whether a family only grows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// Only grows; the writer adds `_total` to the name.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// Name and value of a label.
pub(super) type Label = (&'static str, String);

/// A writer of families.
pub(super) struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    /// One family without labels.
    pub(super) fn one(&mut self, kind: Kind, name: &str, help: &str, value: Value) -> fmt::Result {
        self.family(kind, name, help, [(Vec::new(), value)])
    }

    /// One family; nothing at all if there are no rows.
    pub(super) fn family(
        &mut self,
        kind: Kind,
        name: &str,
        help: &str,
        rows: impl IntoIterator<Item = (Vec<Label>, Value)>,
    ) -> fmt::Result {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return Ok(());
        }
        let metric_type = match kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        let mut family = self.0.encode_descriptor(name, help, None, metric_type)?;
        for (mut labels, value) in rows {
            if labels.is_empty() {
                write(kind, value, &mut family)?;
                continue;
            }
            for (_, text) in &mut labels {
                escape(text);
            }
            write(kind, value, &mut family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn write(kind: Kind, value: Value, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Whole(v)) => encoder.encode_counter::<NoLabelSet, _, u64>(&v, None),
        (Kind::Counter, Value::Real(v)) => encoder.encode_counter::<NoLabelSet, _, u64>(&v, None),
        (Kind::Gauge, Value::Whole(v)) => encoder.encode_gauge(&v),
        (Kind::Gauge, Value::Real(v)) => encoder.encode_gauge(&v),
    }
}

/// The encoder writes label values as they are, and systemd's cgroup names hold backslashes (`a\x2db.service`).
fn escape(text: &mut String) {
    if text.contains(['\\', '"', '\n']) {
        *text = text
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
    }
}

/// The whole page.
pub(super) fn encode(state: State) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Scrape(state)));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

#[derive(Debug)]
struct Scrape(State);

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        metrics::write(&mut page, &self.0)?;
        containers::write(&mut page, &self.0.samples)
    }
}
