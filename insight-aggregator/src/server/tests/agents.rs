use super::*;

async fn refusal(server: &Server, messages: Vec<Message>) -> Status {
    let mut agent = Agent::open(server, v1::Hello::default(), messages).await;
    loop {
        match agent.answer().await {
            Ok(_) => {}
            Err(status) => return status,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_acknowledged_and_counted_once() {
    let server = start().await;
    let (mut agent, durable) = Agent::connect(&server, "n1", 5).await;
    assert_eq!(durable, 0);
    assert_eq!(agent.report(80, 3).await, 1);
    let second = agent.batch(80, 4);
    assert_eq!(agent.deliver(second.clone()).await, 2);
    assert_eq!(agent.deliver(second).await, 2, "sent again");
    assert_eq!(opened(&graph(&server).await), [(80, 7)].into());

    // A reconnect of the same agent takes over, and learns what is durable.
    let (_newer, durable) = Agent::connect(&server, "n1", 5).await;
    assert_eq!(durable, 2);
    assert_eq!(agent.answer().await.unwrap_err().code(), Code::Aborted);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_of_a_node_waits_until_the_first_is_gone() {
    let server = start().await;
    let (first, _) = Agent::connect(&server, "n1", 5).await;
    let status = refusal(&server, vec![Message::Hello(hello("n1", 6))]).await;
    assert_eq!(status.code(), Code::AlreadyExists);
    assert!(status.message().contains("epoch 5"), "{status}");
    drop(first);
    let deadline = tokio::time::Instant::now() + SOON;
    loop {
        let message = vec![Message::Hello(hello("n1", 6))];
        let mut second = Agent::open(&server, hello("n1", 6), message).await;
        match second.answer().await {
            Ok(Answer::Config(_)) => break,
            other => assert!(tokio::time::Instant::now() < deadline, "{other:?}"),
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_right_is_refused_with_what_and_where() {
    let server = start().await;
    let (mut agent, _) = Agent::connect(&server, "good", 1).await;
    let batch = agent.batch(80, 1);
    let with = |spoil: fn(&mut v1::Batch)| {
        let mut batch = batch.clone();
        batch.node = "bad".into();
        spoil(&mut batch);
        vec![Message::Hello(hello("bad", 1)), Message::Batch(batch)]
    };
    let old = v1::Hello {
        protocol_version: 99,
        ..hello("bad", 1)
    };
    let invalid = Code::InvalidArgument;
    let cases = [
        (
            vec![Message::Batch(batch.clone())],
            invalid,
            "must be hello",
        ),
        (
            vec![Message::Hello(old)],
            Code::FailedPrecondition,
            "version 99, this aggregator speaks 1",
        ),
        (
            vec![Message::Hello(hello("", 1))],
            invalid,
            "hello.node is empty",
        ),
        (
            vec![Message::Hello(hello("bad", 1)); 2],
            invalid,
            "hello was sent twice",
        ),
        (
            with(|batch| batch.node = "other".into()),
            invalid,
            "batch.node is \"other\"",
        ),
        (with(|batch| batch.epoch = 2), invalid, "batch.epoch is 2"),
        (
            with(|batch| batch.boot_id.clear()),
            invalid,
            "batch.boot_id is \"\"",
        ),
        (with(|batch| batch.sequence = 0), invalid, "sequence is 0"),
        (
            with(|batch| batch.flows.as_mut().unwrap().port[0] = 70_000),
            invalid,
            "batch 1 of node \"bad\": flows.port[0] is 70000",
        ),
    ];
    for (messages, code, message) in cases {
        let status = refusal(&server, messages).await;
        assert_eq!(status.code(), code, "{status}");
        assert!(
            status.message().contains(message),
            "{message:?} but {status}"
        );
    }
    // Nobody else suffers.
    assert_eq!(agent.deliver(batch).await, 1);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_refused_and_can_be_filled() {
    let server = start().await;
    let (mut agent, _) = Agent::connect(&server, "n1", 1).await;
    agent.report(80, 1).await;
    let missed = agent.batch(80, 2);
    let early = agent.batch(80, 4);
    agent.send(early.clone()).await;
    let status = agent.answer().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("2 is next"), "{status}");
    let (mut again, durable) = Agent::connect(&server, "n1", 1).await;
    assert_eq!(durable, 1);
    again.deliver(missed).await;
    again.deliver(early).await;
    assert_eq!(opened(&graph(&server).await), [(80, 7)].into());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_end_only_their_stream() {
    use tonic::codegen::http::uri::PathAndQuery;
    let server = start().await;
    let mut raw = tonic::client::Grpc::new(channel(&server).await);
    raw.ready().await.unwrap();
    let path = PathAndQuery::from_static("/insight.v1.AgentService/Report");
    // A health request with a bad length where a hello is expected: field 1 is a string there, a message here.
    let garbage = tonic_health::pb::HealthCheckRequest {
        service: "\u{7f}\u{7f}\u{7f}".into(),
    };
    let codec =
        tonic_prost::ProstCodec::<tonic_health::pb::HealthCheckRequest, v1::ReportResponse>::new();
    let request = tonic::Request::new(tokio_stream::once(garbage));
    let answered = raw.streaming(request, path, codec).await;
    let status = match answered {
        Ok(answer) => answer.into_inner().message().await.unwrap_err(),
        Err(status) => status,
    };
    assert!(
        matches!(status.code(), Code::Internal | Code::InvalidArgument),
        "{status}"
    );
    let (mut agent, _) = Agent::connect(&server, "n1", 1).await;
    assert_eq!(agent.report(80, 1).await, 1);
    server.stop().await;
}
