//! The endpoints below `/api/v1`.

mod labels;
mod query;
mod series;
mod status;
mod syntax;

use std::sync::Arc;

use ::query::{Catalog, Found, Scope};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::{MethodFilter, get, on};
use prom_model::Matcher;
use promql::SeriesSource;
use promql_syntax::{Expr, ParseOptions};

use crate::Evaluator;
use crate::cors::{CorsOrigin, add_headers};
use crate::error::ApiError;
use crate::form::Form;
use crate::json::push_texts;
use crate::time::{MAX_TIME, MIN_TIME};

pub(crate) use query::{STEPS_MAX, streamed};
pub(crate) use series::list as list_series;
pub use status::Identity;
pub(crate) use syntax::{formatted, parsed};

/// What the endpoints work with.
#[derive(Clone)]
pub struct Api {
    /// Where series come from.
    pub source: Arc<dyn SeriesSource>,
    /// What there is beside samples.
    pub catalog: Arc<dyn Catalog>,
    /// Runs queries.
    pub evaluator: Arc<Evaluator>,
    /// What the server says about itself.
    pub identity: Arc<Identity>,
    /// Whether `stats=all` counts samples for each step (`--enable-feature=promql-per-step-stats`).
    pub step_stats: bool,
    /// Who else may read.
    pub cors: CorsOrigin,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("evaluator", &self.evaluator)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// The endpoints, with their full paths.
pub fn routes(api: Api) -> Router {
    let cors = api.cors.clone();
    let both = MethodFilter::GET.or(MethodFilter::POST);
    let v1 = Router::new()
        .route("/query", on(both, query::instant))
        .route("/query_range", on(both, query::range))
        .route("/query_exemplars", on(both, query::exemplars))
        .route("/format_query", on(both, syntax::format_query))
        .route("/parse_query", on(both, syntax::parse_query))
        .route("/labels", on(both, labels::names))
        .route("/label/{name}/values", get(labels::values))
        .route("/series", on(both, series::series))
        .merge(status::routes())
        .method_not_allowed_fallback(not_allowed)
        .fallback(not_found)
        .layer(from_fn_with_state(cors, add_headers))
        .with_state(api);
    Router::new().nest("/api/v1", v1)
}

pub(crate) async fn not_found() -> Response {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}

/// `OPTIONS` is what browsers ask before they ask; everything else that is not there is not there.
pub(crate) async fn not_allowed(method: axum::http::Method) -> Response {
    if method == axum::http::Method::OPTIONS {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        return response;
    }
    plain(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n")
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A good answer whose data are this JSON.
pub(crate) fn success(data: &[u8], warnings: &[String]) -> Response {
    let mut body = Vec::with_capacity(data.len() + 64);
    body.extend_from_slice(b"{\"status\":\"success\",\"data\":");
    body.extend_from_slice(data);
    if !warnings.is_empty() {
        body.extend_from_slice(b",\"warnings\":");
        push_texts(&mut body, warnings.iter().map(String::as_str));
    }
    body.push(b'}');
    json(Body::from(body))
}

fn json(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A good answer whose data are these texts, shortened to the limit (0: none).
fn success_texts(mut found: Found, limit: usize) -> Response {
    if limit > 0 && found.texts.len() > limit {
        found.texts.truncate(limit);
        found.warnings.push("results truncated due to limit".to_owned());
    }
    let mut data = Vec::new();
    push_texts(&mut data, found.texts.iter().map(String::as_str));
    success(&data, &found.warnings)
}

/// The part of storage that `start`, `end` and `match[]` name.
fn scope(form: &Form, options: &ParseOptions) -> Result<Scope, ApiError> {
    let start = form.time_or("start", MIN_TIME)?;
    let end = form.time_or("end", MAX_TIME)?;
    let matchers = matchers(form, options)?;
    Ok(Scope { matchers, min_time: start.millis(), max_time: end.millis() })
}

/// The selectors of `match[]`, none of which may match everything.
fn matchers(form: &Form, options: &ParseOptions) -> Result<Vec<Vec<Matcher>>, ApiError> {
    let sets: Vec<Vec<Matcher>> =
        form.all("match[]").map(|selector| selector_matchers(selector, options)).collect::<Result<_, _>>()?;
    if sets.iter().any(|set| set.iter().all(Matcher::matches_empty)) {
        return Err(ApiError::bad_data("match[] must contain at least one non-empty matcher"));
    }
    Ok(sets)
}

/// The conditions of a selector; it may match everything.
pub(crate) fn selector_matchers(selector: &str, options: &ParseOptions) -> Result<Vec<Matcher>, ApiError> {
    const EVERYTHING: &str = "must contain at least one non-empty matcher";
    let (expr, errors) = promql_syntax::parse_with(selector, options);
    if let Some(error) = errors.iter().find(|error| !error.message.contains(EVERYTHING)) {
        return Err(ApiError::bad_data(error.located(selector)));
    }
    match expr {
        Some(Expr::Vector(selector)) => Ok(selector.matchers),
        _ => Err(ApiError::bad_data(format!("{} is not a metric selector", prom_model::quote(selector)))),
    }
}
