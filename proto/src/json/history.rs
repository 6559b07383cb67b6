//! One edge over time, in JSON.

use serde_json::{Value, json};

use super::{list, node, time, view};
use crate::v1;

/// One edge over time.
pub fn history(history: &v1::EdgeHistory) -> Value {
    json!({
        "id": history.id,
        "level": history.level,
        "from": time(history.from.as_ref()),
        "to": time(history.to.as_ref()),
        "step_seconds": history.step.as_ref().map(|step| step.seconds),
        "client": history.client.as_ref().map(node),
        "server": history.server.as_ref().map(node),
        "protocol": history.protocol,
        "port": history.port,
        "first_seen": time(history.first_seen.as_ref()),
        "last_seen": time(history.last_seen.as_ref()),
        "points": list(&history.points, point),
    })
}

fn point(point: &v1::EdgePoint) -> Value {
    json!({
        "from": time(point.from.as_ref()),
        "to": time(point.to.as_ref()),
        "client_view": point.client_view.as_ref().map(view),
        "server_view": point.server_view.as_ref().map(view),
        "complete": point.complete,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_without_traffic_has_no_views() {
        let history = history(&v1::EdgeHistory {
            id: "00ff".to_owned(),
            step: Some(prost_types::Duration {
                seconds: 300,
                nanos: 0,
            }),
            points: vec![v1::EdgePoint::default()],
            ..v1::EdgeHistory::default()
        });
        let expected = concat!(
            r#"{"id":"00ff","level":"","from":null,"to":null,"step_seconds":300,"client":null,"server":null,"protocol":"","port":0,"#,
            r#""first_seen":null,"last_seen":null,"points":[{"from":null,"to":null,"client_view":null,"server_view":null,"complete":false}]}"#,
        );
        assert_eq!(history.to_string(), expected);
    }
}
