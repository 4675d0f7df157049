//! From a configuration to a bucket that can be used: the store, with deadlines, retries, its prefix and metrics around it.

use std::sync::Arc;
use std::time::Duration;

use prom_model::Clock;

use crate::cloud;
use crate::config::{BucketConfig, ConfigError, Environment, Provider};
use crate::layers::{BucketMetrics, Deadlines, Hedged, Metered, Prefix, Retry, RetryPolicy, Timeout};
use crate::{BucketRef, Chance, Filesystem};

/// What a bucket needs from the process that it is in.
#[derive(Clone)]
pub struct Surroundings<'a> {
    /// Where variables are read; credentials may be there.
    pub environment: Environment<'a>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Decides the pauses between tries; another one in every process.
    pub seed: u64,
    /// Where operations are counted.
    pub metrics: Option<&'a BucketMetrics>,
}

impl BucketConfig {
    /// Makes the bucket. Nothing is asked of the store yet: [`self_test`](crate::self_test) does that.
    ///
    /// # Errors
    /// When a file with keys or certificates cannot be read, or the store's client does not take the settings.
    pub fn connect(&self, surroundings: &Surroundings<'_>) -> Result<BucketRef, ConfigError> {
        let Surroundings { environment, clock, seed, metrics } = surroundings;
        let counts = |label: &str| metrics.map(|metrics| metrics.requests_of(label));
        let mut policy = RetryPolicy::default();
        let mut deadlines = Deadlines::default();
        let mut attempts = None;
        let (store, label): (BucketRef, String) = match &self.provider {
            Provider::Filesystem(settings) => {
                let failed = |source| ConfigError::File {
                    key: "config.directory",
                    path: settings.directory.clone(),
                    source,
                };
                let bucket: BucketRef = Arc::new(Filesystem::new(&settings.directory).map_err(failed)?);
                let label = bucket.name().to_owned();
                (bucket, label)
            }
            Provider::S3(settings) => {
                attempts = settings.attempts;
                deadlines.answer = deadline(settings.http.response_header);
                let bucket = cloud::s3::bucket(settings, *environment, counts(&settings.bucket))?;
                (Arc::new(bucket), settings.bucket.clone())
            }
            Provider::Gcs(settings) => {
                attempts = settings.attempts;
                deadlines.answer = deadline(settings.http.response_header);
                let bucket = cloud::gcs::bucket(settings, *environment, counts(&settings.bucket))?;
                (Arc::new(bucket), settings.bucket.clone())
            }
            Provider::Azure(settings) => {
                attempts = settings.attempts;
                deadlines.answer = deadline(settings.try_timeout.unwrap_or(settings.http.response_header));
                policy.first_pause = settings.pauses.0.unwrap_or(policy.first_pause);
                policy.longest_pause = settings.pauses.1.unwrap_or(policy.longest_pause);
                let bucket = cloud::azure::bucket(settings, *environment, counts(&settings.container))?;
                (Arc::new(bucket), settings.container.clone())
            }
        };
        policy.attempts = attempts.unwrap_or(policy.attempts);
        let store = match &self.provider {
            // A disk that fails does not get better by asking again.
            Provider::Filesystem(_) => store,
            _ => {
                let mut timed: BucketRef = Arc::new(Timeout::new(store, deadlines));
                if self.hedging.enabled {
                    timed = Arc::new(Hedged::new(timed, self.hedging.up_to, self.hedging.quantile));
                }
                Arc::new(Retry::new(timed, policy, Chance::from_seed(*seed)))
            }
        };
        let invalid = |_| ConfigError::Settings {
            kind: "prefix",
            problems: vec![format!("`prefix` cannot begin the name of an object: {:?}", self.prefix)],
        };
        let store = Prefix::wrap(store, &self.prefix).map_err(invalid)?;
        Ok(match metrics {
            Some(metrics) => Arc::new(Metered::new(store, (*metrics).clone(), &label, Arc::clone(clock))),
            None => store,
        })
    }
}

/// What the configuration gives for the beginning of an answer, within what a caller can wait for.
fn deadline(configured: Duration) -> Duration {
    configured.clamp(Duration::from_secs(1), Duration::from_secs(600)).saturating_add(Duration::from_secs(5))
}
