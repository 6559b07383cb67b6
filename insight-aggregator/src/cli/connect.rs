//! The connection of a reader to an aggregator.

use std::time::Duration;

use insight_proto::v1::topology_service_client::TopologyServiceClient;
use tonic::codec::CompressionEncoding::Zstd;
use tonic::transport::{Channel, Endpoint};

use super::failure::Failure;

/// Answer that is accepted: a graph of a million edges takes about 300 MB.
const MAX_ANSWER_BYTES: usize = 512 << 20;
/// How long connecting may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// How often a quiet connection is tried, so that an aggregator that lost power is noticed.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// A client of the aggregator at `url`, connected.
pub(super) async fn connect(url: &str) -> Result<TopologyServiceClient<Channel>, Failure> {
    let channel = endpoint(url)?.connect().await.map_err(|error| {
        Failure::failed(
            format!("cannot reach the aggregator at {url}: {}", causes(&error)),
            "start it with `insight-aggregator serve`, or name another with --server or INSIGHT_SERVER",
        )
    })?;
    Ok(TopologyServiceClient::new(channel)
        .accept_compressed(Zstd)
        .max_decoding_message_size(MAX_ANSWER_BYTES))
}

fn endpoint(url: &str) -> Result<Endpoint, Failure> {
    let wrong = |why: String| {
        Failure::usage(
            format!("--server {url:?} {why}"),
            "write for example --server http://127.0.0.1:7701",
        )
    };
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|error| wrong(format!("is not a URL: {error}")))?;
    if endpoint.uri().scheme_str() != Some("http") {
        return Err(wrong("does not begin with http://".into()));
    }
    Ok(endpoint
        .connect_timeout(CONNECT_WITHIN)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true))
}

/// The innermost cause says what happened; the outer ones only say "transport error".
fn causes(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_checked_before_they_are_tried() {
        assert!(endpoint("http://127.0.0.1:7701").is_ok());
        for bad in [
            "",
            "localhost:7701",
            "127.0.0.1",
            "https://a:1",
            "http://",
            "http://a b",
            "ftp://a",
        ] {
            let Err(Failure::Error { code, hint, .. }) = endpoint(bad) else {
                panic!("{bad:?} was accepted");
            };
            assert_eq!(code, super::super::failure::USAGE);
            assert!(hint.contains("http://127.0.0.1:7701"));
        }
    }
}
