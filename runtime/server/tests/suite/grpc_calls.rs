//! Calls through the server and the channel: answers, encodings, deadlines, panics, health, reflection, metrics, TLS.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::registry::Registry;
use server::grpc::{Channel, ChannelMetrics, ChannelSettings, Compression, GrpcServer, GrpcSettings};
use server::metrics::Metrics;
use server::probe::Probe;
use server::tls::{ClientAuth, ClientTlsSettings, ServerTlsSettings, TlsVersion};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use super::certificates::Authority;
use super::ticker::{Message, TIMES, Ticker, repeat};

/// A running server.
pub(crate) struct Running {
    pub(crate) address: String,
    pub(crate) probe: Probe,
    pub(crate) metrics: Metrics,
    pub(crate) stop: CancellationToken,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

impl Running {
    pub(crate) async fn start(settings: GrpcSettings) -> Self {
        let settings = GrpcSettings { address: "127.0.0.1:0".to_owned(), ..settings };
        let mut registry = Registry::default();
        let probe = Probe::register("store", &mut registry);
        let server = GrpcServer::new(settings, &descriptors(), probe.clone(), &mut registry)
            .unwrap()
            .add(Ticker)
            .listen()
            .await
            .unwrap();
        let stop = CancellationToken::new();
        let address = server.address().to_string();
        let task = tokio::spawn(server.run(stop.clone()));
        Self { address, probe, metrics: Metrics::new(registry), stop, task }
    }

    fn channel(&self, compression: Compression) -> Channel {
        let settings = ChannelSettings::new(None, compression, None).unwrap();
        Channel::lazy(&self.address, &Arc::new(settings)).unwrap()
    }

    /// How many messages come back.
    pub(crate) async fn repeat(&self, text: &str) -> usize {
        repeat(self.channel(Compression::None), says(text)).await.unwrap().len()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.metrics.exposition("").unwrap().1).unwrap()
    }
}

/// The descriptor of the test's service.
fn descriptors() -> Vec<u8> {
    use prost::Message as _;
    use prost_types::{
        FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto, ServiceDescriptorProto,
    };
    let method = MethodDescriptorProto {
        name: Some("Repeat".into()),
        input_type: Some(".grpc.health.v1.HealthCheckRequest".into()),
        output_type: Some(".grpc.health.v1.HealthCheckRequest".into()),
        server_streaming: Some(true),
        ..Default::default()
    };
    let service =
        ServiceDescriptorProto { name: Some("Ticker".into()), method: vec![method], ..Default::default() };
    let file = FileDescriptorProto {
        name: Some("ticker.proto".into()),
        package: Some("test".into()),
        service: vec![service],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

fn says(text: &str) -> Request<Message> {
    Request::new(Message { service: text.to_owned() })
}

#[tokio::test]
async fn messages_arrive_with_and_without_snappy() {
    let running = Running::start(GrpcSettings::default()).await;
    for compression in [Compression::None, Compression::Snappy] {
        for text in ["", "short", &"long ".repeat(100_000)] {
            let messages = repeat(running.channel(compression), says(text)).await.unwrap();
            assert_eq!(messages.len(), TIMES);
            assert!(messages.iter().all(|message| message.service == text));
        }
    }
    let heard = repeat(running.channel(Compression::Snappy), says("headers")).await.unwrap();
    // What the service sees is plain.
    assert!(!heard[0].service.contains("grpc-encoding"), "{}", heard[0].service);
    assert!(heard[0].service.contains("grpc-accept-encoding: snappy,gzip"), "{}", heard[0].service);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_packed_or_not() {
    let running = Running::start(GrpcSettings { request_max: 1000, ..GrpcSettings::default() }).await;
    for (compression, says_it) in [
        (Compression::None, "grpc: received message larger than max ("),
        (Compression::Snappy, "grpc: received message after decompression larger than max ("),
    ] {
        let status = repeat(running.channel(compression), says(&"a".repeat(2000))).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().starts_with(says_it), "{}", status.message());
    }
}

#[tokio::test]
async fn panics_are_answered_and_counted() {
    let running = Running::start(GrpcSettings::default()).await;
    for (text, message) in [("panic", "told to"), ("panic later", "told to, later")] {
        let status = repeat(running.channel(Compression::None), says(text)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Internal, message));
    }
    // The server lives.
    repeat(running.channel(Compression::None), says("a")).await.unwrap();
    assert!(running.text().contains("grpc_req_panics_recovered_total 2\n"), "{}", running.text());
}

#[tokio::test]
async fn a_deadline_ends_a_call_in_the_server_too() {
    let running = Running::start(GrpcSettings::default()).await;
    let mut request = says("hang");
    request.set_timeout(Duration::from_millis(200));
    let status = repeat(running.channel(Compression::None), request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status:?}");
    let line = "grpc_server_handled_total{grpc_code=\"DeadlineExceeded\",grpc_method=\"Repeat\",\
                grpc_service=\"test.Ticker\",grpc_type=\"server_stream\"} 1\n";
    assert!(running.text().contains(line), "{}", running.text());
}

#[tokio::test]
async fn calls_are_counted_on_both_sides() {
    let running = Running::start(GrpcSettings::default()).await;
    let mut registry = Registry::default();
    let metrics = ChannelMetrics::register(&descriptors(), &mut registry).unwrap();
    let settings = Arc::new(ChannelSettings::new(None, Compression::Snappy, Some(metrics)).unwrap());
    let channel = Channel::lazy(&running.address, &settings).unwrap();
    repeat(channel.clone(), says("a")).await.unwrap();
    repeat(channel, says("fail")).await.unwrap_err();
    let client = String::from_utf8(Metrics::new(registry).exposition("").unwrap().1).unwrap();
    let labels = "grpc_method=\"Repeat\",grpc_service=\"test.Ticker\",grpc_type=\"server_stream\"";
    for (side, text, received, sent) in [("server", running.text(), 2, TIMES), ("client", client, TIMES, 2)] {
        for line in [
            format!("grpc_{side}_started_total{{{labels}}} 2\n"),
            format!("grpc_{side}_handled_total{{grpc_code=\"OK\",{labels}}} 1\n"),
            format!("grpc_{side}_handled_total{{grpc_code=\"Aborted\",{labels}}} 1\n"),
            format!("grpc_{side}_msg_received_total{{{labels}}} {received}\n"),
            format!("grpc_{side}_msg_sent_total{{{labels}}} {sent}\n"),
            format!("grpc_{side}_handling_seconds_count{{{labels}}} 2\n"),
        ] {
            assert!(text.contains(&line), "{line}{text}");
        }
    }
    // Methods that nobody called are there from the start.
    assert!(running.text().contains("grpc_server_started_total{grpc_method=\"Check\""));
}

#[tokio::test]
async fn health_follows_the_probe() {
    let running = Running::start(GrpcSettings::default()).await;
    let mut client = HealthClient::new(running.channel(Compression::None));
    let ask = |service: &str| HealthCheckRequest { service: service.to_owned() };
    assert_eq!(client.check(ask("")).await.unwrap().get_ref().status(), ServingStatus::NotServing);
    let mut watch = client.watch(ask("")).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    running.probe.set_ready(true);
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    assert_eq!(client.check(ask("")).await.unwrap().get_ref().status(), ServingStatus::Serving);
    let status = client.check(ask("foo")).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "unknown service"));
}

#[tokio::test]
async fn reflection_names_the_services_in_both_versions() {
    use tonic_reflection::pb::{v1, v1alpha};
    let running = Running::start(GrpcSettings::default()).await;
    let expected = ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "test.Ticker"];
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(String::new())),
    };
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(running.channel(Compression::None));
    let mut answer =
        client.server_reflection_info(futures::stream::iter([request])).await.unwrap().into_inner();
    let message = answer.message().await.unwrap().unwrap().message_response.unwrap();
    let v1::server_reflection_response::MessageResponse::ListServicesResponse(list) = message else {
        panic!("{message:?}")
    };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in expected {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
            "test.Ticker".to_owned(),
        )),
    };
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(running.channel(Compression::None));
    let mut answer =
        client.server_reflection_info(futures::stream::iter([request])).await.unwrap().into_inner();
    let message = answer.message().await.unwrap().unwrap().message_response.unwrap();
    assert!(
        matches!(message, v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_)),
        "{message:?}"
    );
}

fn server_tls(authority: &Authority, clients: Option<&Authority>, host: &str) -> GrpcSettings {
    let (certificate, key) = authority.issue("server", host);
    GrpcSettings {
        tls: Some(ServerTlsSettings {
            certificate,
            key,
            client_auth: clients.map_or(ClientAuth::None, |_| ClientAuth::RequireAndVerify),
            client_ca: clients.map(Authority::certificate),
            min_version: TlsVersion::V1_3,
            max_version: TlsVersion::V1_3,
            cipher_suites: Vec::new(),
            curves: Vec::new(),
        }),
        ..GrpcSettings::default()
    }
}

async fn call(address: &str, tls: &ClientTlsSettings) -> Result<usize, String> {
    let settings = ChannelSettings::new(Some(tls), Compression::None, None).unwrap();
    let channel = Channel::lazy(address, &Arc::new(settings)).unwrap();
    repeat(channel, says("a")).await.map(|messages| messages.len()).map_err(|status| format!("{status:?}"))
}

#[tokio::test]
async fn tls_verifies_servers_and_clients() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path(), "ca");
    let clients = Authority::new(folder.path(), "clients-ca");
    let other = Authority::new(folder.path(), "other-ca");
    let running = Running::start(server_tls(&authority, Some(&clients), "store.example")).await;
    let (certificate, key) = clients.issue("client", "client.example");
    let (foreign_certificate, foreign_key) = other.issue("foreign", "client.example");
    let good = ClientTlsSettings {
        ca: Some(authority.certificate()),
        certificate: Some(certificate),
        key: Some(key),
        server_name: Some("store.example".to_owned()),
        ..ClientTlsSettings::default()
    };
    assert_eq!(call(&running.address, &good).await, Ok(TIMES));
    let skipping =
        ClientTlsSettings { ca: None, server_name: None, insecure_skip_verify: true, ..good.clone() };
    assert_eq!(call(&running.address, &skipping).await, Ok(TIMES));
    for (wrong, what) in [
        (ClientTlsSettings { server_name: None, ..good.clone() }, "the name"),
        (ClientTlsSettings { ca: Some(other.certificate()), ..good.clone() }, "the authority"),
        (ClientTlsSettings { certificate: None, key: None, ..good.clone() }, "the client's certificate"),
        (
            ClientTlsSettings {
                certificate: Some(foreign_certificate),
                key: Some(foreign_key),
                ..good.clone()
            },
            "the client's authority",
        ),
    ] {
        assert!(call(&running.address, &wrong).await.is_err(), "{what} is not looked at");
    }
    // Plain text does not get through either.
    assert!(repeat(running.channel(Compression::None), says("a")).await.is_err());
    assert_eq!(call(&running.address, &good).await, Ok(TIMES), "the server lives");
}

#[tokio::test]
async fn a_replaced_certificate_is_used_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = Authority::new(folder.path(), "first");
    let second = Authority::new(folder.path(), "second");
    let running = Running::start(server_tls(&first, None, "localhost")).await;
    let trusting = |authority: &Authority| ClientTlsSettings {
        ca: Some(authority.certificate()),
        server_name: Some("localhost".to_owned()),
        ..ClientTlsSettings::default()
    };
    assert_eq!(call(&running.address, &trusting(&first)).await, Ok(TIMES));
    second.issue("server", "localhost");
    assert_eq!(call(&running.address, &trusting(&second)).await, Ok(TIMES));
    assert!(call(&running.address, &trusting(&first)).await.is_err());
    // Half a rotation keeps the last pair.
    super::certificates::write(&folder.path().join("server.crt"), "no certificate");
    assert_eq!(call(&running.address, &trusting(&second)).await, Ok(TIMES));
}

#[tokio::test]
async fn open_calls_end_before_the_server_does() {
    let settings = GrpcSettings { grace: Duration::from_secs(60), ..GrpcSettings::default() };
    let running = Running::start(settings).await;
    let mut client = HealthClient::new(running.channel(Compression::None));
    let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    running.stop.cancel();
    running.probe.set_ready(true);
    // The open call still hears of it.
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    // New connections are refused.
    tokio::time::timeout(Duration::from_secs(10), async {
        while tokio::net::TcpStream::connect(&running.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(!running.task.is_finished());
    drop(watch);
    drop(client);
    running.task.await.unwrap();
}

#[tokio::test]
async fn the_grace_period_ends_calls_that_do_not() {
    let settings = GrpcSettings { grace: Duration::from_millis(100), ..GrpcSettings::default() };
    let running = Running::start(settings).await;
    let hanging = tokio::spawn(repeat(running.channel(Compression::None), says("hang")));
    tokio::time::timeout(Duration::from_secs(10), async {
        while !running.text().contains("grpc_server_msg_sent_total{grpc_method=\"Repeat\",grpc_service=\"test.Ticker\",grpc_type=\"server_stream\"} 1\n") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    running.stop.cancel();
    running.task.await.unwrap();
    assert!(hanging.await.unwrap().is_err());
}

#[tokio::test]
async fn a_packed_call_is_answered_packed_as_go_does() {
    use std::io::{Read, Write};
    let running = Running::start(GrpcSettings::default()).await;
    let message = prost::Message::encode_to_vec(&Message { service: "word ".repeat(100) });
    let mut packed = Vec::new();
    snap::write::FrameEncoder::new(&mut packed).write_all(&message).unwrap();
    let mut body = vec![1];
    body.extend(u32::try_from(packed.len()).unwrap().to_be_bytes());
    body.extend(packed);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap();
    let url = format!("http://{}{}", running.address, super::ticker::PATH);
    let request = client.post(url).header("content-type", "application/grpc").header("te", "trailers");
    let answer = request.header("grpc-encoding", "snappy").body(body).send().await.unwrap();
    assert_eq!(answer.headers()["grpc-encoding"], "snappy");
    let bytes = answer.bytes().await.unwrap();
    assert_eq!(bytes[0], 1);
    let length = u32::from_be_bytes(bytes[1..5].try_into().unwrap()) as usize;
    let mut plain = Vec::new();
    snap::read::FrameDecoder::new(&bytes[5..5 + length]).read_to_end(&mut plain).unwrap();
    assert_eq!(plain, message);
}

#[tokio::test]
async fn what_is_not_there_is_named_as_go_names_it() {
    let running = Running::start(GrpcSettings::default()).await;
    for (path, says) in [
        ("/thanos.Rules/Rules", "unknown service thanos.Rules"),
        ("/test.Ticker/NoSuch", "unknown method NoSuch for service test.Ticker"),
        ("/nothing", "malformed method name: \"/nothing\""),
    ] {
        let mut grpc = tonic::client::Grpc::new(running.channel(Compression::None));
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<Message, Message>::default();
        let path = http::uri::PathAndQuery::from_static(path);
        let status = grpc.unary(Request::new(Message::default()), path, codec).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unimplemented, says));
    }
}
