//! Two times compared.

use insight_proto::v1;

use super::reader::{ReadError, Reader};
use crate::graph::{self, Query, Sizes, Thresholds};

/// What differs between two times. All of the question but its time is that of `after`.
pub async fn diff(
    reader: &Reader,
    mut before: Query,
    mut after: Query,
    thresholds: Thresholds,
) -> Result<v1::GraphDiff, ReadError> {
    let sizes = Sizes::take(&mut after.part);
    before.part = after.part.clone();
    let before = reader.graph(before).await?;
    let after = reader.graph(after).await?;
    reader
        .blocking(move |_| Ok(graph::diff(&before, &after, &thresholds, &sizes)))
        .await
}
