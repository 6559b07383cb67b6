//! Requests as bytes: a batch is encoded once, when it is made, and kept so until it is acknowledged. As a message it is three times as large,
//! and each attempt to send it would need a copy.

use bytes::{BufMut, Bytes};
use insight_proto::v1::{ReportRequest, ReportResponse, report_request};
use prost::Message;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Response, Status, Streaming};
use tonic_prost::ProstCodec;

/// `AgentService.Report` of agent.proto.
const REPORT: &str = "/insight.v1.AgentService/Report";

/// A request as it is sent.
pub(super) fn encode(message: report_request::Message) -> Bytes {
    let request = ReportRequest {
        message: Some(message),
    };
    request.encode_to_vec().into()
}

/// Opens the stream.
pub(super) async fn report(
    channel: Channel,
    requests: ReceiverStream<Bytes>,
) -> Result<Response<Streaming<ReportResponse>>, Status> {
    let mut grpc = Grpc::new(channel)
        .send_compressed(CompressionEncoding::Zstd)
        .accept_compressed(CompressionEncoding::Zstd);
    grpc.ready()
        .await
        .map_err(|error| Status::unavailable(error.to_string()))?;
    let path = PathAndQuery::from_static(REPORT);
    grpc.streaming(tonic::Request::new(requests), path, Encoded)
        .await
}

/// Requests are encoded already; answers are decoded as ever.
#[derive(Clone, Copy, Debug)]
struct Encoded;

impl Codec for Encoded {
    type Encode = Bytes;
    type Decode = ReportResponse;
    type Encoder = Self;
    type Decoder = <ProstCodec<ReportRequest, ReportResponse> as Codec>::Decoder;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstCodec::<ReportRequest, ReportResponse>::default().decoder()
    }
}

impl Encoder for Encoded {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, request: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.reserve(request.len());
        to.put(request);
        Ok(())
    }
}
