//! The order in which a component stops.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use prometheus_client::registry::Registry;
use server::grpc::{Channel, ChannelSettings, Compression, GrpcServer, GrpcSettings};
use server::http::Server;
use server::http_client::{HttpClient, Settings};
use server::metrics::Metrics;
use server::probe::Probe;
use server::run::RunGroup;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

struct Component {
    group: RunGroup,
    stop: CancellationToken,
    http: String,
    grpc: String,
}

async fn component() -> Component {
    let mut registry = Registry::default();
    let probe = Probe::register("store", &mut registry);
    let settings = GrpcSettings {
        address: "127.0.0.1:0".to_owned(),
        grace: Duration::from_secs(60),
        ..GrpcSettings::default()
    };
    let grpc = GrpcServer::new(settings, &[], probe.clone(), &mut registry).unwrap().listen().await.unwrap();
    let http = Server::listen("127.0.0.1:0").await.unwrap();
    let stop = CancellationToken::new();
    let mut group = RunGroup::new(probe.clone(), stop.clone());
    let (http_address, grpc_address) = (http.address().to_string(), grpc.address().to_string());
    group.http(http, Router::new(), Metrics::new(registry), Duration::from_secs(60));
    group.grpc(grpc);
    probe.set_ready(true);
    Component { group, stop, http: http_address, grpc: grpc_address }
}

async fn ready(address: &str) -> Option<u16> {
    let client = HttpClient::new(Settings::default()).unwrap();
    let answer = client.get(&format!("http://{address}/-/ready")).unwrap().send().await.ok()?;
    Some(answer.status().as_u16())
}

#[tokio::test]
async fn not_ready_first_then_grpc_then_http_then_tasks() {
    let Component { mut group, stop, http, grpc } = component().await;
    let order = Arc::new(Mutex::new(Vec::new()));
    let (stopped, noted) = (stop.clone(), Arc::clone(&order));
    group.task("loop", async move {
        stopped.cancelled().await;
        noted.lock().unwrap().push("loop");
        Ok::<(), std::io::Error>(())
    });
    assert_eq!(ready(&http).await, Some(200));
    let settings = ChannelSettings::new(None, Compression::None, None).unwrap();
    let mut client = HealthClient::new(Channel::lazy(&grpc, &Arc::new(settings)).unwrap());
    // An open call.
    let mut watch = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    let waiting = tokio::spawn(group.wait());
    stop.cancel();
    // While the call is open, HTTP tells that nobody should come.
    tokio::time::timeout(Duration::from_secs(10), async {
        while ready(&http).await != Some(503) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    assert!(!waiting.is_finished());
    drop((watch, client));
    waiting.await.unwrap().unwrap();
    assert_eq!(ready(&http).await, None, "HTTP is gone");
    assert_eq!(*order.lock().unwrap(), ["loop"]);
}

#[tokio::test]
async fn a_task_that_fails_or_panics_ends_the_component() {
    let Component { mut group, http, .. } = component().await;
    group.task("shipper", async { Err(std::io::Error::other("disk is gone")) });
    assert_eq!(group.wait().await.unwrap_err().to_string(), "shipper");
    assert_eq!(ready(&http).await, None, "HTTP is gone");

    let Component { mut group, .. } = component().await;
    group.task("odd", async {
        panic!("told to");
        #[expect(unreachable_code, reason = "the type of the task")]
        Ok::<(), std::io::Error>(())
    });
    assert!(group.wait().await.is_err());
}
