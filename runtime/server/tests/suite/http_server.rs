//! The HTTP server: probes, metrics, request ids, TLS, passwords, and what it says of a wrong configuration.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use axum::routing::get;
use prometheus_client::registry::Registry;
use server::http::{HttpMetrics, Server, TenantHeader, WebConfig};
use server::http_client::{HttpClient, Settings};
use server::metrics::Metrics;
use server::probe::Probe;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::certificates::{Authority, write};

/// A running server.
struct Running {
    address: String,
    probe: Probe,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    /// `/slow` was asked for.
    begun: Arc<Notify>,
    /// It may answer.
    go_on: Arc<Notify>,
}

impl Running {
    async fn start(web: Option<&Path>) -> Self {
        let mut server = Server::listen("127.0.0.1:0").await.unwrap();
        if let Some(path) = web {
            server = server.with_web_config(WebConfig::read(path).unwrap());
        }
        let mut registry = Registry::default();
        let tenant =
            TenantHeader { name: "thanos-tenant".parse().unwrap(), default: "default-tenant".into() };
        let server = server.with_metrics(HttpMetrics::register(Some(tenant), &mut registry));
        let probe = Probe::register("query", &mut registry);
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (entered, going_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        let routes = Router::new()
            .route(
                "/api/v1/query",
                get(|headers: HeaderMap| async move {
                    headers.get("x-request-id").map(|id| id.to_str().unwrap().to_owned()).unwrap_or_default()
                }),
            )
            .route("/api/v1/label/{name}/values", get(broken))
            .route(
                "/slow",
                get(move || async move {
                    entered.notify_one();
                    going_on.notified().await;
                    "done"
                }),
            );
        let (stop, address) = (CancellationToken::new(), server.address().to_string());
        let run =
            server.run(routes, Metrics::new(registry), probe.clone(), stop.clone(), Duration::from_secs(60));
        let task = tokio::spawn(async move { run.await.unwrap() });
        Self { address, probe, stop, task, begun, go_on }
    }

    async fn get(&self, path: &str) -> (u16, String) {
        ask(&HttpClient::new(Settings::default()).unwrap(), &format!("http://{}{path}", self.address))
            .await
            .unwrap()
    }
}

async fn broken() -> &'static str {
    panic!("told to")
}

async fn ask(client: &HttpClient, url: &str) -> Result<(u16, String), String> {
    let answer = client.get(url).unwrap().send().await.map_err(|error| format!("{error:?}"))?;
    Ok((answer.status().as_u16(), answer.text().await.unwrap()))
}

fn client(yaml: &str) -> HttpClient {
    HttpClient::new(Settings::from_yaml(yaml).unwrap()).unwrap()
}

#[tokio::test]
async fn probes_answer_as_thanos_does() {
    let running = Running::start(None).await;
    assert_eq!(running.get("/-/healthy").await, (200, "OK".into()));
    assert_eq!(running.get("/-/ready").await, (503, "NOT OK\n".into()));
    running.probe.set_ready(true);
    assert_eq!(running.get("/-/ready").await, (200, "OK".into()));
    assert_eq!(running.get("/nosuch").await, (404, "404 page not found\n".into()));
    let (status, text) = running.get("/debug/pprof/heap").await;
    assert_eq!(status, 501);
    assert!(text.contains("no Go runtime"), "{text}");
}

#[tokio::test]
async fn requests_of_the_api_are_counted_and_have_an_id() {
    let running = Running::start(None).await;
    let (status, id) = running.get("/api/v1/query").await;
    assert_eq!((status, id.len()), (200, 26), "a new id is a ULID: {id}");
    let url = format!("http://{}/api/v1/query", running.address);
    let request = HttpClient::new(Settings::default()).unwrap().get(&url).unwrap();
    let answer =
        request.header("X-Request-ID", "mine").header("THANOS-TENANT", "team-a").send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "mine");
    assert_eq!(running.get("/api/v1/label/job/values").await.0, 500, "a panic is answered");
    let (_, text) = running.get("/metrics").await;
    for line in [
        "http_requests_total{code=\"200\",handler=\"query\",method=\"get\",tenant=\"default-tenant\"} 1\n",
        "http_requests_total{code=\"200\",handler=\"query\",method=\"get\",tenant=\"team-a\"} 1\n",
        "http_requests_total{code=\"500\",handler=\"label_values\",method=\"get\",tenant=\"default-tenant\"} 1\n",
        "http_response_size_bytes_sum{code=\"200\",handler=\"query\",method=\"get\",tenant=\"team-a\"} 4\n",
        "http_request_duration_seconds_count{code=\"200\",handler=\"query\",method=\"get\",tenant=\"team-a\"} 1\n",
        "http_inflight_requests{handler=\"query\",method=\"GET\",tenant=\"team-a\"} 0\n",
    ] {
        assert!(text.contains(line), "{line}{text}");
    }
    assert!(!text.contains("handler=\"metrics\""), "a scrape is no request of the API");
}

#[tokio::test]
async fn open_requests_end_before_the_server_does() {
    let running = Running::start(None).await;
    let url = format!("http://{}/slow", running.address);
    let slow = tokio::spawn(async move { ask(&client(""), &url).await });
    running.begun.notified().await;
    running.stop.cancel();
    // Nobody else gets in.
    while tokio::net::TcpStream::connect(&running.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    running.go_on.notify_one();
    assert_eq!(slow.await.unwrap().unwrap(), (200, "done".into()));
    running.task.await.unwrap();
}

/// A folder with a server's and a client's certificate.
fn folder_with_certificates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    Authority::new(folder.path(), "ca").issue("server", "prom.example");
    Authority::new(folder.path(), "clients").issue("client", "client.example");
    folder
}

#[tokio::test]
async fn tls_of_a_web_configuration() {
    let folder = folder_with_certificates();
    let at = |file: &str| folder.path().join(file).display().to_string();
    let web = folder.path().join("web.yml");
    write(
        &web,
        "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: clients.pem, \
         client_auth_type: RequireAndVerifyClientCert, min_version: TLS13}\n\
         http_server_config: {headers: {X-Frame-Options: deny}}\n",
    );
    let running = Running::start(Some(&web)).await;
    let url = format!("https://{}/-/healthy", running.address);
    let good = format!(
        "tls_config: {{ca_file: {}, cert_file: {}, key_file: {}, server_name: prom.example}}",
        at("ca.pem"),
        at("client.crt"),
        at("client.key")
    );
    let answer = client(&good).get(&url).unwrap().send().await.unwrap();
    assert_eq!(answer.version(), http::Version::HTTP_2);
    assert_eq!(answer.headers()["x-frame-options"], "deny");
    assert_eq!(answer.text().await.unwrap(), "OK");
    let skipping = format!(
        "tls_config: {{insecure_skip_verify: true, cert_file: {}, key_file: {}}}",
        at("client.crt"),
        at("client.key")
    );
    assert_eq!(ask(&client(&skipping), &url).await.unwrap().0, 200);
    for wrong in [
        format!("tls_config: {{ca_file: {}, server_name: prom.example}}", at("ca.pem")),
        format!("tls_config: {{ca_file: {}}}", at("ca.pem")),
        format!("tls_config: {{ca_file: {}, server_name: prom.example}}", at("clients.pem")),
    ] {
        assert!(ask(&client(&wrong), &url).await.is_err(), "{wrong}");
    }
    let plain = format!("http://{}/-/healthy", running.address);
    assert!(ask(&client(""), &plain).await.is_err());
}

#[tokio::test]
async fn passwords_are_asked_for_and_follow_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let web = folder.path().join("web.yml");
    let hash = |password: &str| bcrypt::hash(password, 4).unwrap();
    write(&web, &format!("basic_auth_users: {{alice: '{}'}}\n", hash("s3cret")));
    let running = Running::start(Some(&web)).await;
    let url = format!("http://{}/-/healthy", running.address);
    let as_user = |user: &str, password: &str| {
        client(&format!("basic_auth: {{username: {user}, password: {password}}}"))
    };
    let unauthorized = Ok((401, "Unauthorized\n".to_owned()));
    for _ in 0..2 {
        // The second time the answer is remembered.
        assert_eq!(ask(&as_user("alice", "s3cret"), &url).await.unwrap().0, 200);
        assert_eq!(ask(&as_user("alice", "wrong"), &url).await, unauthorized);
        assert_eq!(ask(&as_user("bob", "s3cret"), &url).await, unauthorized);
        assert_eq!(ask(&client(""), &url).await, unauthorized);
    }
    let answer = client("").get(&url).unwrap().send().await.unwrap();
    assert_eq!(answer.headers()["www-authenticate"], "Basic");
    // A file that cannot be used changes nothing; a good one is used soon.
    write(&web, "basic_auth_users: {alice: plain}\n");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ask(&as_user("alice", "s3cret"), &url).await.unwrap().0, 200);
    write(&web, &format!("basic_auth_users: {{bob: '{}'}}\n", hash("other")));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(ask(&as_user("bob", "other"), &url).await.unwrap().0, 200);
    assert_eq!(ask(&as_user("alice", "s3cret"), &url).await, unauthorized);
}

#[tokio::test]
async fn too_many_requests_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let web = folder.path().join("web.yml");
    write(&web, "rate_limit: {interval: 1h, burst: 2}\n");
    let running = Running::start(Some(&web)).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(running.get("/-/healthy").await.0);
    }
    assert_eq!(statuses, [200, 200, 429]);
}

#[test]
fn a_wrong_web_configuration_is_one_clear_line() {
    let folder = folder_with_certificates();
    let web = folder.path().join("web.yml");
    let says = |yaml: &str| {
        write(&web, yaml);
        let error = WebConfig::read(&web).unwrap_err();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(next) = cause {
            text = format!("{text}: {next}");
            cause = next.source();
        }
        assert!(!text.contains('\n'), "{text}");
        text
    };
    for (yaml, expected) in [
        ("tls_server_confg: {}", "did you mean `tls_server_config`?"),
        ("tls_server_config: {cert: a}", "unknown field `cert`"),
        ("tls_server_config: {cert_file: server.crt}", "missing key_file"),
        ("tls_server_config: {cert_file: none.crt, key_file: server.key}", "cannot read certificate"),
        ("tls_server_config: {cert_file: server.key, key_file: server.key}", "holds no certificate in PEM"),
        ("tls_server_config: {cert_file: client.crt, key_file: server.key}", "client.crt with key"),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS10}",
            "TLS 1.0 is not supported: it is broken",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.key, min_version: TLS14}",
            "invalid TLS version: TLS14",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.key, client_auth_type: Maybe}",
            "invalid ClientAuth: Maybe",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: ca.pem}",
            "Client CA's have been configured without a Client Auth Policy",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.key, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}",
            "invalid cipher suite: TLS_RSA_WITH_RC4_128_SHA",
        ),
        (
            "tls_server_config: {cert_file: server.crt, key_file: server.key, curve_preferences: [CurveP521]}",
            "invalid curve: CurveP521, valid values are CurveP256, CurveP384, X25519",
        ),
        ("http_server_config: {headers: {X-Mine: a}}", "HTTP header \"X-Mine\" can not be configured"),
        ("basic_auth_users: {alice: plain}", "the password of alice is no bcrypt hash"),
        ("[]", "expected mapping"),
    ] {
        let text = says(yaml);
        assert!(text.starts_with("--http.config: ") && text.contains(expected), "{yaml}: {text}");
    }
}
