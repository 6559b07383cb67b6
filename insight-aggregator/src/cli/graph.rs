//! `graph`: prints the graph.

use insight_proto::{json, v1};

use super::args::{GraphArgs, GraphFormat, question};
use super::connect::connect;
use super::failure::Failure;
use super::output;
use crate::graph::{QueryText, render};
use crate::model::now_ms;

pub(super) async fn run(args: GraphArgs) -> Result<(), Failure> {
    let query = to_proto(&question(Some(args.time), args.part))?;
    let mut client = connect(&args.server.server).await?;
    let request = v1::GetGraphRequest { query: Some(query) };
    let graph = client
        .get_graph(request)
        .await
        .map_err(|status| Failure::answered(&status))?
        .into_inner();
    output::print(&written(&graph, args.format))
}

/// The question on the wire.
pub(super) fn to_proto(question: &QueryText) -> Result<v1::GraphQuery, Failure> {
    question
        .to_proto(now_ms())
        .map_err(|error| Failure::question(error.field, &error.message, &error.hint))
}

fn written(graph: &v1::Graph, format: GraphFormat) -> String {
    let mut text = match format {
        GraphFormat::Table => render::table(graph, output::terminal().map(|(columns, _)| columns)),
        GraphFormat::Json => format!("{:#}", json::graph(graph)),
        GraphFormat::Dot => render::dot(graph),
        GraphFormat::Mermaid => render::mermaid(graph),
    };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
