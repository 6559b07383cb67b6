//! What the watcher knows, and how it shows what changes.

use insight_proto::v1;
use v1::graph_event::Event;

use super::line::{self, Names};
use super::screen;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::graph;

/// What the watcher knows.
#[derive(Default)]
pub(super) struct View {
    graph: v1::Graph,
    token: String,
}

impl View {
    /// Resumes after what is known.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Takes and shows one event.
    pub(super) fn take(&mut self, event: v1::GraphEvent) -> Result<(), Failure> {
        let lines = self.learn(event);
        match output::terminal() {
            Some(size) => output::print(&screen::draw(&self.graph, size)),
            None if lines.is_empty() => Ok(()),
            None => output::print(&lines),
        }
    }

    /// Takes one event; what it changes, in lines.
    fn learn(&mut self, event: v1::GraphEvent) -> String {
        self.token = event.resume_token;
        match event.event {
            None => String::new(),
            Some(Event::Lost(lost)) => {
                format!(
                    "! updates were lost ({}), the whole graph follows\n",
                    lost.reason
                )
            }
            Some(Event::Delta(delta)) => {
                let before = Names::of(&self.graph);
                graph::apply(&mut self.graph, &delta);
                line::changes(&delta, &before, &Names::of(&self.graph))
            }
            Some(Event::Snapshot(snapshot)) => {
                let before = std::mem::replace(&mut self.graph, snapshot);
                graph::delta(&before, &self.graph).map_or_else(String::new, |delta| {
                    line::changes(&delta, &Names::of(&before), &Names::of(&self.graph))
                })
            }
        }
    }
}
