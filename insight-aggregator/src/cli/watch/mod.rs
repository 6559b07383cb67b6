//! `watch`: follows the graph as it changes.

mod line;
mod screen;
mod view;

use std::time::Duration;

use insight_proto::v1;
use tonic::{Code, Status, Streaming};

use self::view::View;
use super::args::{WatchArgs, question};
use super::connect::connect;
use super::failure::Failure;
use super::graph::to_proto;
use super::output;

/// The first wait after the aggregator went away; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

pub(super) async fn run(args: WatchArgs) -> Result<(), Failure> {
    let query = to_proto(&question(None, args.part))?;
    let url = args.server.server;
    let mut view = View::default();
    let mut wait = FIRST_WAIT;
    // An aggregator that is not there to begin with is a mistake; one that goes away comes back.
    let mut events = subscribe(&url, &query, "").await?;
    loop {
        let ended = follow(&mut events, &mut view, &mut wait).await?;
        if !is_passing(ended.code()) {
            return Err(Failure::answered(&ended));
        }
        let mut why = ended.message().to_owned();
        events = loop {
            output::note(&format!(
                "lost the aggregator ({why}); trying again in {:.1} s\n",
                wait.as_secs_f64()
            ));
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            match subscribe(&url, &query, view.token()).await {
                Ok(events) => break events,
                Err(Failure::Error {
                    code: 1, message, ..
                }) => why = message,
                Err(failure) => return Err(failure),
            }
        };
    }
}

async fn subscribe(
    url: &str,
    query: &v1::GraphQuery,
    token: &str,
) -> Result<Streaming<v1::GraphEvent>, Failure> {
    let request = v1::SubscribeRequest {
        query: Some(query.clone()),
        resume_token: token.to_owned(),
    };
    let mut client = connect(url).await?;
    let events = client.subscribe(request).await;
    Ok(events
        .map_err(|status| Failure::answered(&status))?
        .into_inner())
}

/// Shows events until the stream ends, and says how it ended.
async fn follow(
    events: &mut Streaming<v1::GraphEvent>,
    view: &mut View,
    wait: &mut Duration,
) -> Result<Status, Failure> {
    loop {
        match events.message().await {
            Ok(Some(event)) => {
                *wait = FIRST_WAIT;
                view.take(event)?;
            }
            Ok(None) => return Ok(Status::unavailable("the stream ended")),
            Err(status) => return Ok(status),
        }
    }
}

/// Whether the same question may be answered later.
fn is_passing(code: Code) -> bool {
    matches!(
        code,
        Code::Unavailable
            | Code::Unknown
            | Code::Cancelled
            | Code::Internal
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::DeadlineExceeded
    )
}
