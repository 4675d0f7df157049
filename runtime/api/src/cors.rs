//! Which other sites may read the API.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use prom_model::{GoRegex, GoRegexError};

/// The origins that may read (`--web.cors.origin`).
#[derive(Debug, Clone)]
pub struct CorsOrigin(Option<GoRegex>);

impl CorsOrigin {
    /// Origins that match the expression as a whole; `.*` allows all.
    ///
    /// # Errors
    /// Where it is no expression.
    pub fn new(expression: &str) -> Result<Self, GoRegexError> {
        if expression == ".*" {
            Ok(CorsOrigin(None))
        } else {
            Ok(CorsOrigin(Some(GoRegex::new(expression)?)))
        }
    }

    fn allow(&self, origin: &HeaderValue, headers: &mut HeaderMap) {
        let mut set = |name: HeaderName, value: &'static str| {
            headers.insert(name, HeaderValue::from_static(value));
        };
        set(header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Authorization, Content-Type, Origin");
        set(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS");
        set(header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date");
        match &self.0 {
            None => set(header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            Some(allowed) if origin.to_str().is_ok_and(|origin| allowed.is_match(origin)) => {
                headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            }
            Some(_) => {}
        }
    }
}

/// Adds the headers to an answer of the API.
pub(crate) async fn add_headers(State(allowed): State<CorsOrigin>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).filter(|origin| !origin.is_empty()).cloned();
    let mut response = next.run(request).await;
    response.headers_mut().append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        allowed.allow(&origin, response.headers_mut());
    }
    response
}
