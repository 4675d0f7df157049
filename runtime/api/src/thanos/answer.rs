//! Answers and errors in Thanos' envelope, with its headers.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use promql::{Annotations, QueryError};

use crate::error::{ApiError, ErrorType, chain};
use crate::evaluate::Unanswered;

/// How the texts of annotations begin that come from evaluation, not from storage.
const OF_EVALUATION: [&str; 2] = ["PromQL info", "PromQL warning"];

/// Why a request has no answer: an error as Thanos' API gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) ApiError);

impl Refusal {
    pub(super) fn bad_data(text: impl Into<String>) -> Self {
        Refusal(ApiError::bad_data(text))
    }

    pub(super) fn execution(text: impl Into<String>) -> Self {
        Refusal(ApiError::new(ErrorType::Execution, text))
    }

    pub(super) fn internal(text: impl Into<String>) -> Self {
        Refusal(ApiError::new(ErrorType::Internal, text))
    }

    /// A query has no answer.
    pub(super) fn unanswered(reason: &Unanswered) -> Self {
        let error = match reason {
            Unanswered::Unprepared(error) => ApiError::bad_data(chain(error)),
            Unanswered::Failed(error @ QueryError::TimedOut) => {
                ApiError::new(ErrorType::Timeout, chain(error))
            }
            Unanswered::Failed(error @ QueryError::Cancelled) => {
                ApiError::new(ErrorType::Canceled, chain(error))
            }
            Unanswered::Failed(error) => ApiError::new(ErrorType::Execution, chain(error)),
            Unanswered::Queue | Unanswered::Ended | Unanswered::Crashed => ApiError::unanswered(reason),
        };
        Refusal(error)
    }

    /// What the error says, for gRPC.
    pub(super) fn text(&self) -> &str {
        self.0.text()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.0.kind() {
            ErrorType::BadData => StatusCode::BAD_REQUEST,
            ErrorType::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorType::Canceled | ErrorType::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            ErrorType::Internal | ErrorType::Unavailable => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut response = self.0.respond(status);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// The annotations of a query as Thanos shows them: infos among the warnings, without their places.
pub(super) fn warnings(annotations: &Annotations) -> Vec<String> {
    annotations.iter().map(|annotation| annotation.text().to_owned()).collect()
}

/// Forbids to keep an answer that a failure has made incomplete.
pub(super) fn marked(mut response: Response, warnings: &[String]) -> Response {
    let of_evaluation = |text: &String| OF_EVALUATION.iter().any(|prefix| text.starts_with(prefix));
    if !warnings.iter().all(of_evaluation) {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// A good answer whose data are this JSON.
pub(super) fn success(data: &[u8], warnings: &[String]) -> Response {
    marked(crate::v1::success(data, warnings), warnings)
}

/// Other sites may ask what they want to ask; everything else that is not there is not there.
pub(super) async fn not_found(method: Method) -> Response {
    if method == Method::OPTIONS {
        return (StatusCode::NO_CONTENT, Body::empty()).into_response();
    }
    crate::v1::not_found().await
}

const CORS: [(HeaderName, &str); 4] = [
    (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Accept-Encoding, Authorization, Content-Type, Origin"),
    (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"),
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Date"),
];

/// Adds the headers that let other sites read; paths that are not there have none.
pub(super) async fn add_cors(State(allowed): State<bool>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        let nosniff = HeaderValue::from_static("nosniff");
        response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    } else if allowed {
        for (name, value) in CORS {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    response
}
