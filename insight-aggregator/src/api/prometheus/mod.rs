//! `/metrics`: edges, containers and the aggregator's own numbers, for Prometheus.
//!
//! Written in the text format 0.0.4, which every scraper reads. [`text`] writes it, [`edges`] turns totals into series
//! that never go back, [`containers`], [`own`], [`kubernetes`] and [`names`] have the rest.

mod containers;
mod edges;
mod kubernetes;
mod names;
mod own;
#[cfg(test)]
pub(super) mod parse;
mod text;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

pub use self::edges::EdgeSeries;
use self::text::Text;
use super::http::{Failure, Http, Params};
use super::reader::ReadError;
use crate::graph::{self, Part, Query, Range};
use crate::kubernetes::Directory;
use crate::ledger::Ledger;
use crate::model::{Level, UnixMs, Window, now_ms};

/// How old a container's newest sample may be: twice the agents' longest sensible interval. An older one is of a container
/// that is gone.
const SAMPLE_AGE: UnixMs = 120_000;

/// Answers `/metrics`.
pub(super) async fn scrape(
    State(http): State<Http>,
    params: Params,
) -> Result<impl IntoResponse, Failure> {
    params.only(&[])?;
    let edges = http.edges.clone();
    let (mut text, totals_overflowed) = http
        .reader
        .blocking(move |reader| {
            let mut text = Text::default();
            let directory = reader.directory();
            let overflowed = measured(reader.ledger(), directory, &edges, now_ms(), &mut text)?;
            Ok((text, overflowed))
        })
        .await?;
    own::write(&http, totals_overflowed, &mut text);
    kubernetes::write(http.reader.directory(), &mut text);
    names::write(http.reader.names().history(), &mut text);
    Ok((
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text.finish(),
    ))
}

/// Writes what agents measured; changes that the totals had no room for. Blocks.
fn measured(
    ledger: &Ledger,
    directory: &Directory,
    series: &EdgeSeries,
    now: UnixMs,
    text: &mut Text,
) -> Result<u64, ReadError> {
    let totals = ledger.totals();
    let overflowed = totals.overflowed;
    let window = Window {
        from: now,
        to: now,
        rows: totals.rows.into_iter().collect(),
        eras: totals.eras,
        dialed: totals.dialed,
        entities: totals
            .entities
            .into_iter()
            .map(|(id, entity)| (id, (*entity).clone()))
            .collect(),
        ..Window::default()
    };
    let query = Query {
        range: Range { from: now, to: now },
        part: Part {
            level: Level::Workload,
            ..Part::default()
        },
    };
    let graph = graph::build(&window, &query, &directory.read())?;
    drop(window);
    series.update(&graph, text);

    let recent = ledger
        .window(now - SAMPLE_AGE, now)
        .map_err(|error| ReadError::Failed(format!("{error:#}")))?;
    containers::write(&recent, now - SAMPLE_AGE, &directory.read(), text);
    Ok(overflowed)
}
