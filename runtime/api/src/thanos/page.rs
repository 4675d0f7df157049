//! Below which path the API lies, and the page that is at its top.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

/// The paths of API and page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefix {
    /// Where they are served (`--web.route-prefix`); empty for the top.
    pub route: String,
    /// What links and redirects begin with (`--web.external-prefix`).
    pub external: String,
    /// The header that says so for one request, where nothing else does (`--web.prefix-header`).
    pub header: Option<String>,
}

/// What the page leads to.
const LINKS: [(&str, &str); 9] = [
    ("api/v1/stores", "stores that are asked"),
    ("api/v1/rules", "rules"),
    ("api/v1/alerts", "alerts"),
    ("api/v1/targets", "targets"),
    ("api/v1/labels", "names of labels"),
    ("api/v1/status/tsdb", "series in the heads of databases"),
    ("api/v1/status/flags", "flags"),
    ("api/v1/status/runtimeinfo", "runtime"),
    ("api/v1/status/buildinfo", "version"),
];

/// A path without slashes around it: empty, or `/a/b`.
fn trimmed(prefix: &str) -> String {
    match prefix.trim_matches('/') {
        "" => String::new(),
        path => format!("/{path}"),
    }
}

/// The routes with the page, all of them below the prefix.
pub(super) fn below(routes: Router, prefix: &Prefix) -> Router {
    let route = trimmed(if prefix.route.is_empty() { &prefix.external } else { &prefix.route });
    let links = Arc::new(prefix.clone());
    let page = Router::new().route("/", get(to_graph)).route("/graph", get(page)).with_state(links);
    let inside = routes.merge(page).fallback(super::answer::not_found);
    if route.is_empty() {
        return inside;
    }
    let target = format!("{route}/graph");
    let redirect = move || async move { found(&target) };
    Router::new()
        .route("/", get(redirect.clone()))
        .route(&route, get(redirect))
        .nest(&format!("{route}/"), inside)
        .fallback(super::answer::not_found)
}

/// What links of this request begin with.
fn external(prefix: &Prefix, headers: &HeaderMap) -> String {
    let of_request = || {
        let name = prefix.header.as_deref().filter(|name| !name.is_empty())?;
        headers.get(name)?.to_str().ok()
    };
    match prefix.external.as_str() {
        "" => of_request().map(trimmed).unwrap_or_else(|| trimmed(&prefix.route)),
        external => trimmed(external),
    }
}

fn found(target: &str) -> Response {
    (StatusCode::FOUND, [(header::LOCATION, target.to_owned())]).into_response()
}

async fn to_graph(State(prefix): State<Arc<Prefix>>, headers: HeaderMap) -> Response {
    found(&format!("{}/graph", external(&prefix, &headers)))
}

async fn page(State(prefix): State<Arc<Prefix>>, headers: HeaderMap) -> Html<String> {
    let prefix = escaped(&external(&prefix, &headers));
    let mut text = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Pronoia querier</title></head><body>\n\
         <h1>Pronoia querier</h1>\n",
    );
    let _ = write!(
        text,
        "<form action=\"{prefix}/api/v1/query\"><input name=\"query\" size=\"80\" placeholder=\"PromQL\"> \
         <button>Query</button></form>\n<ul>\n"
    );
    for (path, what) in LINKS {
        let _ = writeln!(text, "<li><a href=\"{prefix}/{path}\">{what}</a></li>");
    }
    text.push_str("</ul>\n</body></html>\n");
    Html(text)
}

/// A text that a header of a request may have brought, inside an attribute.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;")
}
