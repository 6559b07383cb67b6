//! `diff`: prints what differs between two times.

use clap::Args;
use insight_proto::{json, v1};

use super::args::{EdgeFormat, MeasureArgs, PartArgs, ServerArgs, TimeArgs, question};
use super::connect::connect;
use super::failure::Failure;
use super::output;
use crate::graph::{QueryError, Thresholds, question_when, render};
use crate::model::now_ms;

#[derive(Debug, Args)]
#[command(after_help = "\
`+` came, `-` went, `~` changed. What a gap at one of the times may have hidden is `?+` or `?-`: nobody knows whether it came or went.

Examples:
  insight-aggregator diff --before -1h
  insight-aggregator diff --before yesterday+14:00 --after today+14:00 --window 5m --namespaces shop
  insight-aggregator diff --before -25h..-24h --after -1h..now --thresholds bytes:50%:1000000,failures:0%:1
  insight-aggregator diff --before -1d --thresholds all:0% --format json")]
pub(super) struct DiffArgs {
    /// The earlier time: a moment, or a range FROM..TO
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(super) before: String,
    /// The later time, likewise [default: now]
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true)]
    pub(super) after: Option<String>,
    /// From where on a count has changed: COUNTER:PERCENT%:ABSOLUTE for connections, bytes, failures, retransmits, rtt (microseconds) or all; it has to be beyond both
    /// [default: connections:20%:10,bytes:20%:10000,failures:0%:1,retransmits:100%:10,rtt:100%:1000]
    #[arg(long, value_name = "THRESHOLD,…")]
    pub(super) thresholds: Option<String>,
    #[command(flatten)]
    pub(super) measure: MeasureArgs,
    #[command(flatten)]
    pub(super) server: ServerArgs,
    #[command(flatten)]
    pub(super) part: PartArgs,
    /// How it is printed
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: EdgeFormat,
}

pub(super) async fn run(args: DiffArgs) -> Result<(), Failure> {
    let request = request(
        &args.before,
        args.after.as_deref(),
        args.thresholds.as_deref(),
        args.measure,
        args.part,
    )
    .map_err(|error| Failure::question(error.field, &error.message, &error.hint))?;
    let mut client = connect(&args.server.server).await?;
    let diff = client
        .diff(request)
        .await
        .map_err(|status| Failure::answered(&status))?
        .into_inner();
    output::print(&match args.format {
        EdgeFormat::Table => render::diff(&diff),
        EdgeFormat::Json => format!("{:#}\n", json::diff(&diff)),
    })
}

fn request(
    before: &str,
    after: Option<&str>,
    thresholds: Option<&str>,
    measure: MeasureArgs,
    part: PartArgs,
) -> Result<v1::DiffRequest, QueryError> {
    let time = TimeArgs {
        measure,
        ..TimeArgs::default()
    };
    let (part, now) = (question(Some(time), part), now_ms());
    let (_, before) = question_when(&part, "before", Some(before), now)?;
    let (_, after) = question_when(&part, "after", after, now)?;
    let thresholds = thresholds.map(Thresholds::parse).transpose()?;
    Ok(v1::DiffRequest {
        before: Some(before),
        after: Some(after),
        thresholds: thresholds.map_or_else(Vec::new, |all| all.to_proto()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_make_a_question() {
        let ask = |before: &str, after: Option<&str>, thresholds: &str, window: &str| {
            let measure = MeasureArgs {
                window: Some(window.to_owned()),
                tz: None,
            };
            let part = PartArgs {
                namespaces: Some("shop".to_owned()),
                ..PartArgs::default()
            };
            request(before, after, Some(thresholds), measure, part)
        };
        let asked = ask("-2h", Some("-1h"), "all:0%", "5m").unwrap();
        let (before, after) = (asked.before.unwrap(), asked.after.unwrap());
        let moment = |at: Option<prost_types::Timestamp>| at.unwrap().seconds;
        assert_eq!(moment(after.at) - moment(before.at), 3_600);
        assert_eq!(before.window.unwrap().seconds, 300);
        assert_eq!(after.namespaces, ["shop"]);
        assert_eq!(asked.thresholds.len(), 5);
        for (before, after, thresholds, field) in [
            ("soon", None, "", "before"),
            ("-1h", Some("-1h..-2h"), "", "after"),
            ("-1h", None, "bytes", "thresholds"),
        ] {
            let error = ask(before, after, thresholds, "").unwrap_err();
            assert_eq!(error.field, field);
        }
    }
}
