//! Rows become edges.

use insight_proto::v1;

use super::{Query, QueryError};
use crate::model::Window;

/// The graph that `query` asks for, made of `window`. The range is the window's.
///
/// Errors: the focus is no node of this graph, or several.
pub fn build(_window: &Window, _query: &Query) -> Result<v1::Graph, QueryError> {
    unimplemented!()
}
