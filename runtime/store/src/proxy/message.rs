//! The words for what went wrong with a store: those of Thanos, which alerts and people know.

use std::time::Duration;

use tonic::{Code, Status};

use super::Member;

/// What went wrong with one store of several: a warning where partial answers are allowed, else the end.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    code: Code,
    text: String,
}

impl Failure {
    /// The store cannot be asked.
    pub(super) fn away(member: &Member, why: &str) -> Self {
        let text = format!("fetch series for {} {member}: {why}", member.identity());
        Failure { code: Code::Unavailable, text }
    }

    /// It answered with an error, before or while it sent series.
    pub(super) fn of_series(member: &Member, status: &Status) -> Self {
        if is_about_the_connection(status) {
            let text = format!("fetch series for {} {member}: {}", member.identity(), go_text(status));
            return Failure { code: status.code(), text };
        }
        Failure { code: Code::Aborted, text: format!("receive series from {member}: {}", go_text(status)) }
    }

    /// It sent nothing for too long.
    pub(super) fn silent(member: &Member, limit: Duration) -> Self {
        let text = format!(
            "failed to receive any data in {} from {member}: rpc error: code = Canceled desc = context canceled",
            go_duration(limit)
        );
        Failure { code: Code::Aborted, text }
    }

    /// It told of a problem itself.
    pub(super) fn told(warning: &str) -> Self {
        Failure { code: Code::Aborted, text: warning.to_owned() }
    }

    /// Labels could not be had; `what` is `names` or `values`.
    pub(super) fn of_labels(member: &Member, what: &str, status: &Status) -> Self {
        let text = format!("fetch label {what} from store {member}: {}", go_text(status));
        Failure { code: status.code(), text }
    }

    /// Labels could not be had because the store cannot be asked.
    pub(super) fn labels_away(member: &Member, what: &str, why: &str) -> Self {
        let text = format!("fetch label {what} from store {member}: {why}");
        Failure { code: Code::Unavailable, text }
    }

    /// Labels did not come in time.
    pub(super) fn labels_silent(member: &Member, what: &str, limit: Duration) -> Self {
        let limit = go_duration(limit);
        let text = format!("fetch label {what} from store {member}: no answer in {limit}");
        Failure { code: Code::DeadlineExceeded, text }
    }

    /// As a warning in the answer.
    pub(super) fn into_warning(self) -> String {
        self.text
    }

    /// As the end of the call.
    pub(super) fn into_status(self) -> Status {
        Status::new(self.code, self.text)
    }
}

/// Whether nobody was reached, rather than somebody who answered with an error.
fn is_about_the_connection(status: &Status) -> bool {
    status.code() == Code::Unavailable && std::error::Error::source(status).is_some()
}

/// An error of gRPC as Go prints it.
pub fn go_text(status: &Status) -> String {
    format!("rpc error: code = {} desc = {}", code_name(status.code()), status.message())
}

/// The name of a code in Go.
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "Canceled",
        Code::Unknown => "Unknown",
        Code::InvalidArgument => "InvalidArgument",
        Code::DeadlineExceeded => "DeadlineExceeded",
        Code::NotFound => "NotFound",
        Code::AlreadyExists => "AlreadyExists",
        Code::PermissionDenied => "PermissionDenied",
        Code::ResourceExhausted => "ResourceExhausted",
        Code::FailedPrecondition => "FailedPrecondition",
        Code::Aborted => "Aborted",
        Code::OutOfRange => "OutOfRange",
        Code::Unimplemented => "Unimplemented",
        Code::Internal => "Internal",
        Code::Unavailable => "Unavailable",
        Code::DataLoss => "DataLoss",
        Code::Unauthenticated => "Unauthenticated",
    }
}

/// A duration as Go prints it: `5s`, `1m30s`, `1h0m0s`, `250ms`.
fn go_duration(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{duration:?}");
    }
    let (hours, minutes) = (duration.as_secs() / 3600, duration.as_secs() / 60 % 60);
    // A fraction has as many digits as it needs.
    let seconds = f64::from(duration.subsec_nanos()) / 1e9 + (duration.as_secs() % 60) as f64;
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_go_prints_them() {
        let printed = |millis| go_duration(Duration::from_millis(millis));
        assert_eq!(
            [
                printed(250),
                printed(5000),
                printed(1500),
                printed(90_000),
                printed(3_600_000),
                printed(60_000)
            ],
            ["250ms", "5s", "1.5s", "1m30s", "1h0m0s", "1m0s"]
        );
    }

    #[test]
    fn errors_are_printed_as_go_prints_them() {
        assert_eq!(
            go_text(&Status::cancelled("context canceled")),
            "rpc error: code = Canceled desc = context canceled"
        );
    }
}
