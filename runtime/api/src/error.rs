//! Errors as Prometheus' API gives them: the one place where a failure becomes an error type and a status.

use std::error::Error;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use error_kind::ErrorKind;
use prom_model::quote;
use promql::{QueryError, SourceError};

use crate::evaluate::Unanswered;
use crate::json::push_text_for_html;

/// The words of `errorType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorType {
    Timeout,
    Canceled,
    Execution,
    BadData,
    Internal,
    Unavailable,
}

impl ErrorType {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            ErrorType::Timeout => "timeout",
            ErrorType::Canceled => "canceled",
            ErrorType::Execution => "execution",
            ErrorType::BadData => "bad_data",
            ErrorType::Internal => "internal",
            ErrorType::Unavailable => "unavailable",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            ErrorType::Timeout => StatusCode::SERVICE_UNAVAILABLE,
            // What nginx says when the client has gone.
            ErrorType::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            ErrorType::Execution => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorType::BadData => StatusCode::BAD_REQUEST,
            ErrorType::Internal | ErrorType::Unavailable => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    kind: ErrorType,
    text: String,
}

impl ApiError {
    pub(crate) fn new(kind: ErrorType, text: impl Into<String>) -> Self {
        ApiError { kind, text: text.into() }
    }

    pub(crate) fn bad_data(text: impl Into<String>) -> Self {
        ApiError::new(ErrorType::BadData, text)
    }

    /// The value of a parameter cannot be taken.
    pub(crate) fn parameter(name: &str, text: impl AsRef<str>) -> Self {
        ApiError::bad_data(format!("invalid parameter {}: {}", quote(name), text.as_ref()))
    }

    /// As an error of a parameter, unless it is one already.
    pub(crate) fn of_parameter(self, name: &str) -> Self {
        if self.text.starts_with("invalid parameter ") { self } else { ApiError::parameter(name, self.text) }
    }

    /// The query cannot be evaluated, whatever the data.
    fn unprepared(error: &QueryError) -> Self {
        ApiError::parameter("query", chain(error))
    }

    /// Evaluation has failed.
    pub(crate) fn evaluation(error: &QueryError) -> Self {
        let kind = match error {
            QueryError::TimedOut => ErrorType::Timeout,
            QueryError::Cancelled => ErrorType::Canceled,
            QueryError::Storage(error) => return ApiError::new(storage(error), chain(error)),
            _ => ErrorType::Execution,
        };
        ApiError::new(kind, chain(error))
    }

    /// A query has no answer, in Prometheus' words.
    pub(crate) fn unanswered(reason: &Unanswered) -> Self {
        match reason {
            Unanswered::Unprepared(error) => ApiError::unprepared(error),
            Unanswered::Queue => ApiError::new(ErrorType::Timeout, "query timed out in query queue"),
            Unanswered::Ended => ApiError::new(ErrorType::Canceled, "query was canceled in query queue"),
            Unanswered::Failed(error) => ApiError::evaluation(error),
            Unanswered::Crashed => {
                ApiError::new(ErrorType::Internal, "the evaluation of the query has crashed")
            }
        }
    }

    /// Storage cannot say what there is.
    pub(crate) fn storage(error: &SourceError) -> Self {
        ApiError::new(storage(error), chain(error))
    }
}

fn storage(error: &SourceError) -> ErrorType {
    match error.kind() {
        ErrorKind::Timeout => ErrorType::Timeout,
        ErrorKind::Canceled => ErrorType::Canceled,
        ErrorKind::ResourceExhausted | ErrorKind::InvalidArgument => ErrorType::Execution,
        ErrorKind::Unavailable => ErrorType::Unavailable,
        _ => ErrorType::Internal,
    }
}

/// An error with its causes.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

impl ApiError {
    /// The answer with a status of the caller's choice.
    pub(crate) fn respond(&self, status: StatusCode) -> Response {
        let mut body = Vec::with_capacity(self.text.len() + 64);
        body.extend_from_slice(b"{\"status\":\"error\",\"errorType\":\"");
        body.extend_from_slice(self.kind.word().as_bytes());
        body.extend_from_slice(b"\",\"error\":");
        push_text_for_html(&mut body, &self.text);
        body.push(b'}');
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response
    }

    pub(crate) fn kind(&self) -> ErrorType {
        self.kind
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.respond(self.kind.status())
    }
}
