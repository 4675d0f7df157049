//! A Prometheus as the reloader sees it: it reads its configuration file when asked, and refuses what says `refuse`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use server::http_client::{HttpClient, Settings as ClientSettings};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use reloader::{Method, Target, TargetKind};

#[derive(Debug, Default)]
struct Memory {
    config: PathBuf,
    loaded: String,
    successful: bool,
    starting: bool,
    loads: u64,
    refusals: u64,
    /// What the file said each time it was read.
    seen: Vec<String>,
}

/// The server, until it is dropped or stopped.
#[derive(Debug)]
pub(crate) struct Peer {
    memory: Arc<Mutex<Memory>>,
    address: String,
    serving: Option<JoinHandle<()>>,
}

impl Peer {
    /// Starts it; it loads the file if it is there, as Prometheus does.
    pub(crate) async fn start(config: &Path) -> Self {
        let mut peer = Self {
            memory: Arc::new(Mutex::new(Memory { config: config.to_owned(), ..Memory::default() })),
            address: "127.0.0.1:0".to_owned(),
            serving: None,
        };
        peer.up().await;
        peer
    }

    /// Listens; what is loaded comes from the file, not from before.
    pub(crate) async fn up(&mut self) {
        let listener = TcpListener::bind(&self.address).await.unwrap();
        self.address = listener.local_addr().unwrap().to_string();
        {
            let mut memory = self.memory.lock().unwrap();
            memory.loaded = std::fs::read_to_string(&memory.config).unwrap_or_default();
            memory.successful = true;
        }
        let router = Router::new()
            .route("/-/ready", get(ready))
            .route("/-/reload", post(reload))
            .route("/api/v1/status/runtimeinfo", get(runtime_info))
            .route(
                "/api/v1/status/buildinfo",
                get(|| async { r#"{"status":"success","data":{"version":"2.42.0"}}"# }),
            )
            .route("/api/v1/status/config", get(config))
            .with_state(self.memory.clone());
        self.serving = Some(tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }));
    }

    /// Whether it is still busy with its data.
    pub(crate) fn set_starting(&self, starting: bool) {
        self.memory.lock().unwrap().starting = starting;
    }

    pub(crate) fn down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }

    pub(crate) fn target(&self) -> Target {
        let client = HttpClient::new(ClientSettings::default()).unwrap();
        Target::new(client, &format!("http://{}", self.address), TargetKind::Prometheus, Method::Http)
    }

    /// What it runs.
    pub(crate) fn loaded(&self) -> String {
        self.memory.lock().unwrap().loaded.clone()
    }

    /// Whether its own metric would say that the last reload was successful.
    pub(crate) fn successful(&self) -> bool {
        self.memory.lock().unwrap().successful
    }

    /// Reloads that it did, and reloads that it refused.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let memory = self.memory.lock().unwrap();
        (memory.loads, memory.refusals)
    }

    /// Everything that it ever read.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.memory.lock().unwrap().seen.clone()
    }

    /// Makes it load something that the reloader knows nothing of.
    pub(crate) fn somebody_else_loads(&self, text: &str) {
        self.memory.lock().unwrap().loaded = text.to_owned();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.down();
    }
}

async fn ready(State(memory): State<Arc<Mutex<Memory>>>) -> Response {
    match memory.lock().unwrap().starting {
        true => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        false => StatusCode::OK.into_response(),
    }
}

async fn reload(State(memory): State<Arc<Mutex<Memory>>>) -> Response {
    let mut memory = memory.lock().unwrap();
    let text = std::fs::read_to_string(&memory.config).unwrap_or_default();
    memory.seen.push(text.clone());
    if text.contains("refuse") {
        memory.successful = false;
        memory.refusals += 1;
        let text =
            "failed to reload config: one or more errors occurred while applying the new configuration";
        return (StatusCode::INTERNAL_SERVER_ERROR, text).into_response();
    }
    memory.loaded = text;
    memory.successful = true;
    memory.loads += 1;
    StatusCode::OK.into_response()
}

async fn runtime_info(State(memory): State<Arc<Mutex<Memory>>>) -> Response {
    let memory = memory.lock().unwrap();
    let data = serde_json::json!({
        "reloadConfigSuccess": memory.successful,
        "lastConfigTime": format!("2026-11-22T00:00:{:02}Z", memory.loads % 60),
    });
    axum::Json(serde_json::json!({ "status": "success", "data": data })).into_response()
}

async fn config(State(memory): State<Arc<Mutex<Memory>>>) -> Response {
    let data = serde_json::json!({ "yaml": memory.lock().unwrap().loaded });
    axum::Json(serde_json::json!({ "status": "success", "data": data })).into_response()
}
