//! The envelope of the HTTP API: `{"status":…,"data":…}` or `{"status":"error","errorType":…,"error":…}`.
//!
//! Shape and status codes are those of Prometheus' HTTP API v1, which Thanos shares.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

/// Why a request to the API failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    /// The request itself is wrong: 400.
    BadData,
    /// It could not be carried out: 422.
    Execution,
    /// It took too long: 503.
    Timeout,
    /// Our own failure: 500.
    Internal,
}

impl ErrorType {
    /// The word in `errorType`.
    pub fn word(self) -> &'static str {
        match self {
            Self::BadData => "bad_data",
            Self::Execution => "execution",
            Self::Timeout => "timeout",
            Self::Internal => "internal",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadData => StatusCode::BAD_REQUEST,
            Self::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

#[derive(Serialize)]
struct Success<T> {
    status: &'static str,
    data: T,
}

/// A good answer with its data, which may be large: it is written as it is, without a copy in between.
pub fn success(data: impl Serialize) -> Response {
    Json(Success { status: "success", data }).into_response()
}

/// An error; never cached.
pub fn error(kind: ErrorType, message: &str) -> Response {
    let body = Json(json!({ "status": "error", "errorType": kind.word(), "error": message }));
    let mut response = (kind.status(), body).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
