//! Events of the API.

use k8s_openapi::api::events::v1 as api;

use super::meta::kind;
use super::{count, millis, text};
use crate::kubernetes::object::{Occurrence, Owner, Texts};
use crate::model::UnixMs;

/// What is kept of an Event. It was counted and timed in the older way by who wrote it as core `v1` Event, in the newer one by who
/// wrote it in this group.
pub fn event(of: &api::Event, texts: &mut Texts) -> Occurrence {
    let about = of.regarding.as_ref();
    let of_about = |get: fn(&k8s_openapi::api::core::v1::ObjectReference) -> &Option<String>| {
        about
            .and_then(|about| get(about).as_deref())
            .unwrap_or_default()
    };
    let created = of.metadata.creation_timestamp.as_ref().map(millis);
    let timed = of
        .event_time
        .as_ref()
        .map(|time| -> UnixMs { time.0.as_millisecond() });
    let first = of.deprecated_first_timestamp.as_ref().map(millis);
    let last = of.deprecated_last_timestamp.as_ref().map(millis);
    let series = of.series.as_ref();
    let first = first.or(timed).or(created).unwrap_or(0);
    Occurrence {
        uid: text(texts, of.metadata.uid.as_deref()),
        namespace: texts.intern(of_about(|about| &about.namespace)),
        about: Owner {
            kind: kind(
                of_about(|about| &about.kind),
                of_about(|about| &about.api_version),
            ),
            name: texts.intern(of_about(|about| &about.name)),
            uid: texts.intern(of_about(|about| &about.uid)),
        },
        severity: text(texts, of.type_.as_deref()),
        reason: text(texts, of.reason.as_deref()),
        note: of.note.as_deref().unwrap_or_default().into(),
        count: match series {
            Some(series) => count(Some(series.count)),
            None => count(of.deprecated_count).max(1),
        },
        first,
        last: series
            .map(|series| series.last_observed_time.0.as_millisecond())
            .or(last)
            .unwrap_or(first),
    }
}
