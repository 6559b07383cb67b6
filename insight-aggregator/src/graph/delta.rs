//! What a subscriber has to be told.

use insight_proto::v1;

/// What turns `old` into `new`; `None` when nothing changed but the end of the range and CPU and memory samples.
pub fn delta(_old: &v1::Graph, _new: &v1::Graph) -> Option<v1::GraphDelta> {
    unimplemented!()
}

/// Changes `graph` as `delta` says.
pub fn apply(_graph: &mut v1::Graph, _delta: &v1::GraphDelta) {
    unimplemented!()
}
