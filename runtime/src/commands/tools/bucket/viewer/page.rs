//! The files of the page. They come from this program alone, and the browser is told so.

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::get;

const HTML: &str = include_str!("page/blocks.html");
const STYLE: &str = include_str!("page/blocks.css");
const SCRIPT: &str = include_str!("page/blocks.js");

/// Nothing from elsewhere, nothing inline, no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/`, the names of the original's pages, and what the page needs.
pub(super) fn routes() -> Router {
    Router::new()
        .route("/", get(page))
        .route("/blocks", get(page))
        .route("/global", get(page))
        .route("/loaded", get(page))
        .route("/blocks.css", get(|| async { file("text/css; charset=utf-8", STYLE) }))
        .route("/blocks.js", get(|| async { file("text/javascript; charset=utf-8", SCRIPT) }))
}

/// The page itself.
pub(in crate::commands) async fn page() -> impl IntoResponse {
    file("text/html; charset=utf-8", HTML)
}

fn file(kind: &'static str, body: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, HeaderValue); 5] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, body)
}
