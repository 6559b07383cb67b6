//! Two moments compared.

use insight_proto::v1;

/// What differs between two graphs of one level.
pub fn diff(_before: &v1::Graph, _after: &v1::Graph) -> v1::GraphDiff {
    unimplemented!()
}
