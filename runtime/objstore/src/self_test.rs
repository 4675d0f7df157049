//! What a bucket can really do, found out at the start with one small object, and said in words where it is less than needed.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{StreamExt, TryStreamExt};
use prom_model::Clock;

use crate::{Bucket, BucketError, Chance, Entry, Listing, Put, read_all};

/// The folder of the probe; Thanos skips whatever is not named like a block.
const FOLDER: &str = "debug";
/// More than this apart, and signatures and ages of objects go wrong.
const MAX_SKEW_MS: i64 = 5 * 60 * 1000;
/// Writers that race for one name.
const RACERS: usize = 6;

/// What was found.
#[derive(Debug)]
pub struct SelfTest {
    /// What is not as it should be; empty is good.
    pub findings: Vec<Finding>,
    /// Whether [`Put::Create`] replaces nothing and lets one of many win. Where it does not,
    /// [`ReplaceOnly`](crate::layers::ReplaceOnly) keeps callers from relying on it.
    pub creates_atomically: bool,
}

/// One thing that is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{}: {what}", .step.as_str())]
pub struct Finding {
    /// At what.
    pub step: Step,
    /// In words, with what to do.
    pub what: String,
    /// What the bucket said.
    #[source]
    pub source: Option<BucketError>,
}

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Listing the bucket.
    List,
    /// Writing an object.
    Write,
    /// Reading it, whole and in part.
    Read,
    /// Comparing its time with ours.
    Clock,
    /// Writing under a condition.
    Condition,
    /// Deleting it.
    Delete,
}

impl Step {
    /// The step in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Step::List => "listing the bucket",
            Step::Write => "writing an object",
            Step::Read => "reading an object",
            Step::Clock => "comparing clocks",
            Step::Condition => "writing under a condition",
            Step::Delete => "deleting an object",
        }
    }
}

/// Lists, writes, reads, races for and deletes one object with a name that Thanos ignores. `chance` gives the name, so two
/// processes that test at the same time do not meet.
pub async fn self_test(bucket: &dyn Bucket, clock: &dyn Clock, chance: &mut Chance) -> SelfTest {
    let mut probe = Probe {
        bucket,
        name: format!("{FOLDER}/pronoia-probe-{:016x}", chance.next_u64()),
        findings: Vec::new(),
    };
    let mut creates_atomically = false;
    // Where the bucket is not there at all, one finding says it.
    if probe.lists().await && probe.writes().await {
        probe.reads().await;
        probe.compares_clocks(clock).await;
        creates_atomically = probe.creates().await;
        probe.deletes().await;
    }
    SelfTest { findings: probe.findings, creates_atomically }
}

struct Probe<'a> {
    bucket: &'a dyn Bucket,
    name: String,
    findings: Vec<Finding>,
}

const FIRST: &[u8] = b"a probe of Pronoia, safe to delete";
const SECOND: &[u8] = b"the second content";

impl Probe<'_> {
    fn found(&mut self, step: Step, what: impl Into<String>) {
        self.findings.push(Finding { step, what: what.into(), source: None });
    }

    fn failed(&mut self, step: Step, error: BucketError) {
        let what = explain(step, &error);
        self.findings.push(Finding { step, what, source: Some(error) });
    }

    async fn put(&self, bytes: &'static [u8], put: Put) -> Result<(), BucketError> {
        self.bucket.put(&self.name, Arc::new(Bytes::from_static(bytes)), put).await.map(drop)
    }

    /// Whether it is worth going on.
    async fn lists(&mut self) -> bool {
        let first = self.bucket.list("", Listing::Shallow).next().await;
        match first {
            Some(Err(error)) => {
                let hopeless = !matches!(error, BucketError::AccessDenied { .. });
                self.failed(Step::List, error);
                !hopeless
            }
            _ => true,
        }
    }

    async fn writes(&mut self) -> bool {
        match self.put(FIRST, Put::Replace).await {
            Ok(()) => true,
            Err(error) => {
                self.failed(Step::Write, error);
                false
            }
        }
    }

    async fn reads(&mut self) {
        match read_all(self.bucket, &self.name, 1 << 20).await {
            Ok(bytes) if bytes == FIRST => {}
            Ok(_) => self.found(Step::Read, "another content came back than was written"),
            Err(error) => return self.failed(Step::Read, error),
        }
        match self.bucket.get_range(&self.name, 2, 5).await {
            Ok(bytes) if FIRST.get(2..7) == Some(&*bytes) => {}
            Ok(_) => self.found(Step::Read, "another range came back than was asked for"),
            Err(error) => self.failed(Step::Read, error),
        }
        match self.bucket.exists(&format!("{}-missing", self.name)).await {
            Ok(false) => {}
            Ok(true) => self.found(Step::Read, "an object that was never written is said to be there"),
            Err(error) => self.failed(Step::Read, error),
        }
        if let Err(error) = self.put(SECOND, Put::Replace).await {
            return self.failed(Step::Write, error);
        }
        match read_all(self.bucket, &self.name, 1 << 20).await {
            Ok(bytes) if bytes == SECOND => {}
            Ok(_) => self.found(Step::Read, "a read after a write gave the content from before it"),
            Err(error) => self.failed(Step::Read, error),
        }
        let listed: Result<Vec<Entry>, _> = self.bucket.list(FOLDER, Listing::Recursive).try_collect().await;
        match listed {
            Ok(entries) if entries.iter().any(|entry| entry.name == self.name) => {}
            Ok(_) => self.found(Step::List, "an object that was just written is not in the listing"),
            // It was said before.
            Err(_) => {}
        }
    }

    async fn compares_clocks(&mut self, clock: &dyn Clock) {
        match self.bucket.attributes(&self.name).await {
            Ok(attributes) => {
                if attributes.size != SECOND.len() as u64 {
                    self.found(Step::Read, "the size of an object is not that of what was written");
                }
                let ahead = attributes.modified.since(clock.now()).as_millis();
                if ahead.abs() > MAX_SKEW_MS {
                    let (seconds, side) = (ahead.abs() / 1000, if ahead > 0 { "ahead of" } else { "behind" });
                    let what = format!(
                        "the clock of the store is {seconds} s {side} ours: set the clock of this machine"
                    );
                    self.found(Step::Clock, what);
                }
            }
            Err(error) => self.failed(Step::Read, error),
        }
    }

    /// Whether a write under the condition that nothing is there keeps to it.
    async fn creates(&mut self) -> bool {
        if !self.bucket.creates_atomically() {
            return false;
        }
        match self.put(FIRST, Put::Create).await {
            Err(BucketError::AlreadyExists { .. }) => {}
            Err(BucketError::NotSupported { .. }) => return false,
            Ok(()) => {
                let what = "the store ignores the condition and replaces what is there: components that must be alone \
                            cannot keep others out by this bucket";
                self.found(Step::Condition, what);
                return false;
            }
            Err(error) => {
                self.failed(Step::Condition, error);
                return false;
            }
        }
        if self.bucket.delete(&self.name).await.is_err() {
            // What may not delete has no use for it, and `deletes` says so.
            return false;
        }
        let racers = (0..RACERS).map(|_| self.put(FIRST, Put::Create));
        let won = futures::future::join_all(racers).await.iter().filter(|done| done.is_ok()).count();
        if won != 1 {
            let what = format!(
                "of {RACERS} writers that raced for one name {won} won: the store checks the condition before it writes, \
                 not while"
            );
            self.found(Step::Condition, what);
        }
        won == 1
    }

    async fn deletes(&mut self) {
        match self.bucket.delete(&self.name).await {
            Ok(()) => {}
            Err(BucketError::NotFound { .. }) => return,
            Err(error) => return self.failed(Step::Delete, error),
        }
        match self.bucket.exists(&self.name).await {
            Ok(false) => {}
            Ok(true) => self.found(Step::Delete, "an object is still there after it was deleted"),
            Err(error) => self.failed(Step::Delete, error),
        }
    }
}

/// What a failure means for whoever set the bucket up.
fn explain(step: Step, error: &BucketError) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said.push_str(&cause.to_string());
        next = cause.source();
    }
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let what = if says(&["RequestTimeTooSkewed"]) {
        "the clock of this machine is too far from the store's: set it"
    } else if says(&["InvalidAccessKeyId", "NotSignedUp"]) {
        "the store does not know the access key"
    } else if says(&["SignatureDoesNotMatch", "AuthenticationFailed"]) {
        "the store does not accept the signature: the secret key is not that of the access key, or a proxy changes requests"
    } else if says(&["ExpiredToken", "InvalidToken"]) {
        "the temporary credentials (`session_token`) are not valid any more"
    } else if says(&["AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "region"])
        && matches!(
            error,
            BucketError::Refused { .. } | BucketError::AccessDenied { .. } | BucketError::Unavailable { .. }
        )
    {
        "the bucket is in another region: set `region`, or the endpoint of that region"
    } else if says(&["certificate", "InvalidCertificate"]) {
        "the certificate of the store is not trusted: set `http_config.tls_config.ca_file`"
    } else {
        match error {
            BucketError::NoSuchBucket { .. } => "there is no such bucket: make it, or correct its name",
            BucketError::NotFound { .. } if step == Step::List => {
                "there is no such bucket: make it, or correct its name"
            }
            BucketError::NotFound { .. } => "an object that was just written is not found",
            BucketError::AccessDenied { .. } => match step {
                Step::List => "no permission to list: S3 calls it s3:ListBucket, GCS storage.objects.list",
                Step::Write | Step::Condition => {
                    "no permission to write: S3 calls it s3:PutObject, GCS storage.objects.create"
                }
                Step::Delete => {
                    "no permission to delete: S3 calls it s3:DeleteObject, GCS storage.objects.delete"
                }
                Step::Read | Step::Clock => {
                    "no permission to read: S3 calls it s3:GetObject, GCS storage.objects.get; without permission to \
                     list, a missing object looks like this as well"
                }
            },
            BucketError::Throttled { .. } => "the store asks to slow down",
            BucketError::Timeout { .. } => {
                "the store did not answer in time: look at endpoint, proxy and firewall"
            }
            BucketError::Unavailable { .. } => {
                "the store cannot be reached or fails: look at endpoint, proxy and TLS"
            }
            _ => "the store does not do it",
        }
    };
    what.to_owned()
}
