//! The block viewer: a page, and its API `GET /api/v1/blocks`, `POST /api/v1/blocks/mark`.
//!
//! The answer has the original's fields, and beside them what the page shows more: marks, blocks without metadata, and
//! whether marking is allowed.

pub(in crate::commands) mod page;

use std::sync::{Arc, PoisonError, RwLock};

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, middleware};
use block::{DeletionMark, Mark, Meta, NoCompactMark, NoCompactReason, NoDownsampleMark, View};
use objstore::{Bucket, BucketRef};
use prom_model::{Clock, SystemClock, TimestampMs};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};
use server::envelope::{self, ErrorType};
use tracing::{error, info};
use tsdb::BlockId;

use super::meta_json;

/// What the page and its API show; clones share it.
#[derive(Clone)]
pub(in crate::commands) struct Viewer(Arc<Inner>);

struct Inner {
    bucket: BucketRef,
    admin: bool,
    shown: RwLock<Shown>,
}

struct Shown {
    /// What there is in the bucket.
    global: Blocks,
    /// What this program serves of it.
    loaded: Blocks,
}

/// What was seen when the bucket was last read.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Blocks {
    label: String,
    /// Written out only when somebody asks: as values of JSON they take ten times the memory.
    #[serde(serialize_with = "in_full")]
    blocks: Vec<Arc<Meta>>,
    refreshed_at: String,
    err: Option<String>,
    marks: Map<String, Value>,
    partial: Vec<Value>,
    admin_operations: bool,
}

/// What Go writes for a time that was never set.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Viewer {
    /// A viewer that has seen nothing yet. `label` is the external label whose value is the title of a group; `admin` allows
    /// marking.
    pub(in crate::commands) fn new(bucket: BucketRef, label: String, admin: bool) -> Self {
        let global =
            Blocks { label, refreshed_at: NEVER.to_owned(), admin_operations: admin, ..Blocks::default() };
        let loaded = Blocks { admin_operations: false, ..global.clone() };
        Viewer(Arc::new(Inner { bucket, admin, shown: RwLock::new(Shown { global, loaded }) }))
    }

    /// The page and the API.
    pub(in crate::commands) fn routes(&self, cors: bool) -> Router {
        let routes = Router::new()
            .route("/api/v1/blocks", get(blocks))
            .route("/api/v1/blocks/mark", post(mark))
            .with_state(self.clone());
        let routes = match cors {
            true => routes.layer(middleware::map_response(allow_other_sites)),
            false => routes,
        };
        routes.merge(page::routes())
    }

    /// Shows what there is in the bucket, or why that is not known: then what was seen before is still shown.
    pub(in crate::commands) fn set_global(&self, seen: Result<&View, String>) {
        let now = rfc3339(SystemClock.now());
        let mut shown = self.0.shown.write().unwrap_or_else(PoisonError::into_inner);
        let global = &mut shown.global;
        global.refreshed_at = now;
        match seen {
            Ok(view) => {
                global.show(view);
                info!(msg = "read the metadata of the blocks", blocks = global.blocks.len());
            }
            Err(failure) => {
                error!(msg = "cannot read the blocks", err = failure);
                global.err = Some(failure);
            }
        }
    }

    /// Shows what this program serves.
    pub(in crate::commands) fn set_loaded(&self, view: &View) {
        let now = rfc3339(SystemClock.now());
        let mut shown = self.0.shown.write().unwrap_or_else(PoisonError::into_inner);
        shown.loaded.refreshed_at = now;
        shown.loaded.show(view);
    }

    /// Shows a mark at once, before the bucket is read again.
    fn remember(&self, id: BlockId, mark: Value) {
        let mut shown = self.0.shown.write().unwrap_or_else(PoisonError::into_inner);
        let marks = shown.global.marks.entry(id.to_string()).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(marks) = marks.as_array_mut()
            && marks.iter().all(|known| known["marker"] != mark["marker"])
        {
            marks.push(mark);
        }
    }
}

impl Blocks {
    fn show(&mut self, view: &View) {
        self.blocks = view.metas.values().map(Arc::clone).collect();
        self.marks = marks(view);
        self.partial = partial(view);
        self.err = None;
    }
}

/// Writes every field of each meta.json.
fn in_full<S: Serializer>(blocks: &[Arc<Meta>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(blocks.iter().filter_map(|meta| meta_json(meta).ok()))
}

async fn allow_other_sites(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Accept, Authorization, Content-Type, Origin"),
    );
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Date"));
    response
}

#[derive(Debug, Deserialize)]
struct ViewParameter {
    #[serde(default)]
    view: String,
}

async fn blocks(State(viewer): State<Viewer>, Query(parameter): Query<ViewParameter>) -> Response {
    let shown = viewer.0.shown.read().unwrap_or_else(PoisonError::into_inner);
    let blocks = if parameter.view == "loaded" { shown.loaded.clone() } else { shown.global.clone() };
    drop(shown);
    envelope::success(blocks)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MarkParameters {
    id: String,
    action: String,
    detail: String,
}

async fn mark(
    State(viewer): State<Viewer>,
    headers: HeaderMap,
    Query(query): Query<MarkParameters>,
    body: Result<Form<MarkParameters>, FormRejection>,
) -> Response {
    let bad = |message: &str| envelope::error(ErrorType::BadData, message);
    if !viewer.0.admin {
        return bad("Admin operations are disabled");
    }
    // A page of another site may read the blocks, but must not mark them with the rights of whoever looks at it.
    if !is_same_site(&headers) {
        return bad("marking is allowed to the pages of this service only");
    }
    let form = body.map(|Form(form)| form).unwrap_or_default();
    let one = |form: String, query: String| if form.is_empty() { query } else { form };
    let (id, action) = (one(form.id, query.id), one(form.action, query.action));
    let detail = one(form.detail, query.detail);
    if id.is_empty() {
        return bad("ID cannot be empty");
    }
    if action.is_empty() {
        return bad("Action cannot be empty");
    }
    let id: BlockId = match id.parse() {
        Ok(id) => id,
        Err(error) => return bad(&format!("ULID \"{id}\" is not valid: {error}")),
    };
    let (bucket, now) = (viewer.0.bucket.as_ref(), SystemClock.now());
    let shown = match action.as_str() {
        "DELETION" => put(bucket, &DeletionMark::new(id, now, &*detail)).await,
        "NO_COMPACTION" => put(bucket, &NoCompactMark::new(id, now, NoCompactReason::Manual, &*detail)).await,
        other => return bad(&format!("not supported marker {other}")),
    };
    match shown {
        Ok(file) => {
            info!(msg = "block marked", block = %id, marker = file, details = detail);
            viewer.remember(id, mark_json(file, &detail, now.as_millis().div_euclid(1000)));
            StatusCode::NO_CONTENT.into_response()
        }
        Err(failure) => bad(&format!("{failure:#}")),
    }
}

async fn put<M: Mark>(bucket: &dyn Bucket, mark: &M) -> anyhow::Result<&'static str> {
    let meta = block::layout::object(mark.block(), block::layout::META);
    if !bucket.exists(&meta).await? {
        anyhow::bail!("there is no block {}", mark.block());
    }
    block::write_mark(bucket, mark).await?;
    Ok(M::FILE)
}

/// Programs send neither header; browsers tell where the page came from.
fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none"),
        None => match (text("origin"), text("host")) {
            (Some(origin), Some(host)) => {
                origin.split_once("://").is_some_and(|(_, origin_host)| origin_host == host)
            }
            _ => true,
        },
    }
}

fn rfc3339(time: TimestampMs) -> String {
    jiff::Timestamp::from_millisecond(time.as_millis())
        .map_or_else(|_| NEVER.to_owned(), |time| time.to_string())
}

fn mark_json(file: &str, reason: &str, time: i64) -> Value {
    json!({ "marker": file, "reason": reason, "time": time })
}

fn marks(view: &View) -> Map<String, Value> {
    let mut all: Map<String, Value> = Map::new();
    let mut add = |id: &BlockId, mark: Value| {
        let marks = all.entry(id.to_string()).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(marks) = marks.as_array_mut() {
            marks.push(mark);
        }
    };
    for (id, found) in &view.deletion_marks {
        add(id, mark_json(DeletionMark::FILE, &found.mark.details, found.mark.deletion_time));
    }
    for (id, mark) in &view.no_compact_marks {
        add(id, mark_json(NoCompactMark::FILE, &mark.details, mark.no_compact_time));
    }
    for (id, mark) in &view.no_downsample_marks {
        add(id, mark_json(NoDownsampleMark::FILE, &mark.details, mark.no_downsample_time));
    }
    all
}

/// Blocks that have no place on the time axis.
fn partial(view: &View) -> Vec<Value> {
    let without = view.partial.iter().map(|(id, partial)| {
        let newest = partial.newest.map(|newest| format!("; newest object of {}", rfc3339(newest)));
        json!({ "id": id, "reason": format!("no meta.json{}", newest.unwrap_or_default()) })
    });
    let failed = view
        .errors
        .iter()
        .filter(|(id, _)| !view.metas.contains_key(id))
        .map(|(id, error)| json!({ "id": id, "reason": format!("{error}") }));
    without.chain(failed).collect()
}
