//! What a store answered, beyond what its client passes on, and the error that this is for a caller.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use object_store::HeaderMap;

use crate::BucketError;

tokio::task_local! {
    /// Filled by the HTTP client while an operation runs.
    static CURRENT: Arc<Mutex<Answer>>;
}

/// Status and headers of the last answer within an operation.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Answer {
    status: Option<u16>,
    retry_after: Option<Duration>,
}

impl Answer {
    pub(super) const fn status(&self) -> Option<u16> {
        self.status
    }

    pub(super) const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

/// Runs an operation and gives what the store answered to its last request.
pub(super) async fn observed<T>(work: impl Future<Output = T>) -> (T, Answer) {
    let current = Arc::new(Mutex::new(Answer::default()));
    let done = CURRENT.scope(Arc::clone(&current), work).await;
    let answer = *current.lock().unwrap_or_else(PoisonError::into_inner);
    (done, answer)
}

/// Says what the store answered, within the operation that runs.
pub(super) fn note(status: Option<u16>, headers: Option<&HeaderMap>) {
    let retry_after = headers
        .and_then(|headers| headers.get("retry-after")?.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    // Requests outside of an operation, as a body that is read later makes them, have nobody to tell.
    let _ = CURRENT.try_with(|current| {
        *current.lock().unwrap_or_else(PoisonError::into_inner) = Answer { status, retry_after };
    });
}

/// Takes secrets out of texts.
#[derive(Clone, Default)]
pub(super) struct Redactor(Arc<Vec<String>>);

/// What the store or its client said, without secrets.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Said {
    text: String,
}

impl Redactor {
    /// Knows these secrets.
    pub(super) fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        // A text of one or two characters would be found everywhere.
        Self(Arc::new(secrets.into_iter().filter(|secret| secret.len() > 2).collect()))
    }

    /// The text of an error. It is written down here because secrets could be in any link of its chain.
    pub(super) fn redact(&self, error: &(dyn Error + 'static)) -> Said {
        const LONGEST: usize = 1000;
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(cause) = next {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            next = cause.source();
        }
        for secret in self.0.iter() {
            text = text.replace(secret.as_str(), "<secret>");
        }
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
        Said { text }
    }
}

/// The error that a caller can decide upon.
pub(super) fn bucket_error(
    bucket: &str,
    name: &str,
    error: object_store::Error,
    answer: &Answer,
    redactor: &Redactor,
) -> BucketError {
    use object_store::Error as Store;
    let said = redactor.redact(&error);
    let no_bucket = ["NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist"]
        .iter()
        .any(|code| said.text.contains(code));
    let source = Box::new(said);
    if no_bucket {
        return BucketError::NoSuchBucket { bucket: bucket.to_owned(), source };
    }
    let name = name.to_owned();
    match (&error, answer.status) {
        (Store::NotFound { .. }, _) => BucketError::NotFound { name },
        (Store::AlreadyExists { .. } | Store::Precondition { .. }, _) => BucketError::AlreadyExists { name },
        (Store::PermissionDenied { .. } | Store::Unauthenticated { .. }, _) => {
            BucketError::AccessDenied { name, source }
        }
        (Store::NotImplemented { .. } | Store::NotSupported { .. }, _) => {
            BucketError::NotSupported { bucket: bucket.to_owned(), what: "this operation" }
        }
        (Store::InvalidPath { .. }, _) => BucketError::InvalidName {
            name,
            rule: "the store has an object there whose name is not one, such as one with an empty part",
        },
        (_, Some(429 | 503)) => BucketError::Throttled { name, retry_after: answer.retry_after, source },
        (_, Some(401 | 403)) => BucketError::AccessDenied { name, source },
        (_, Some(status @ (300..=399 | 400..=407 | 409..=499))) => {
            BucketError::Refused { name, status, source }
        }
        _ => BucketError::Unavailable { name, source },
    }
}
