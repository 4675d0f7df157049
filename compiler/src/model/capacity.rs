//! How much a deployment needs: series, samples, memory, disks and the bucket, from the topology and a few round numbers.
//!
//! Every number is an estimate and shows its inputs; `estimate` in the topology replaces the ones that are guessed.

use super::{Cluster, PrometheusGroup};
use crate::topology::nodes::thanos::Compact;

/// Bytes of one sample in a block, with its share of the index.
pub const BLOCK_BYTES_PER_SAMPLE: f64 = 1.5;
/// Bytes of one sample in the write-ahead log.
pub const WAL_BYTES_PER_SAMPLE: f64 = 3.0;
/// Memory of one series in the head.
pub const HEAD_BYTES_PER_SERIES: f64 = 6.0 * 1024.0;
/// Memory of a Prometheus without series.
pub const BASE_BYTES: f64 = 512.0 * 1024.0 * 1024.0;
/// Share of the series that is replaced in a day, unless the topology says.
pub const CHURN_PER_DAY: f64 = 0.3;
/// How full a volume may become.
pub const FILL: f64 = 0.8;
const HEAD_HOURS: f64 = 3.0;
const DAY_SECONDS: f64 = 86_400.0;

/// What one Prometheus group needs.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupNeeds {
    /// Name of its objects.
    pub name: String,
    /// Active series of all shards together; `None` when nothing is known.
    pub series: Option<u64>,
    /// Jobs whose series nobody told.
    pub unknown_jobs: Vec<String>,
    /// Samples that one replica of all shards ingests in a second.
    pub samples_per_second: f64,
    /// Series in the head of the fullest shard.
    pub head_series_per_shard: u64,
    /// Memory of the fullest shard, bytes.
    pub memory_bytes_per_shard: u64,
    /// Local data of the fullest shard, bytes.
    pub data_bytes_per_shard: u64,
    /// Volume that the fullest shard should have, bytes.
    pub volume_bytes_per_shard: u64,
}

/// What the bucket needs.
#[derive(Debug, Clone, PartialEq)]
pub struct BucketNeeds {
    /// How often each sample is stored: replicas, or 1 with offline deduplication.
    pub copies: f64,
    /// Growth by raw blocks in a day, bytes.
    pub bytes_per_day: u64,
    /// Size once everything is as old as it gets, bytes; `None` when something is kept for ever.
    pub bytes_at_rest: Option<u64>,
    /// Size after one year, bytes.
    pub bytes_after_a_year: u64,
}

/// What one cluster needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Needs {
    /// Prometheus groups in the order of the model.
    pub groups: Vec<GroupNeeds>,
    /// The bucket, when something is uploaded.
    pub bucket: Option<BucketNeeds>,
}

/// Share of series replaced in a day: as written, or assumed.
pub fn churn_per_day(cluster: &Cluster) -> f64 {
    let written = cluster.topology.estimate.as_ref().and_then(|estimate| estimate.churn_per_day.as_ref());
    written.map_or(CHURN_PER_DAY, |churn| churn.value.max(0.0))
}

/// Estimates one cluster.
pub fn needs(cluster: &Cluster) -> Needs {
    let churn = churn_per_day(cluster);
    let written = cluster.topology.estimate.as_ref().and_then(|estimate| estimate.series.as_ref());
    let written = written.map(|series| series.value);
    let groups: Vec<GroupNeeds> =
        cluster.prometheus.iter().map(|group| group_needs(group, written, churn)).collect();
    let uploads = |group: &&PrometheusGroup| group.sidecar;
    let bucket = (cluster.topology.bucket.is_some()
        && cluster.prometheus.iter().any(|group| uploads(&group)))
    .then(|| bucket_needs(cluster, &groups));
    Needs { groups, bucket }
}

fn group_needs(group: &PrometheusGroup, written: Option<u64>, churn: f64) -> GroupNeeds {
    let seconds = |duration: prom_model::PromDuration| duration.as_secs_f64().max(0.001);
    let known: u64 = group.jobs.iter().filter_map(|job| job.series).sum();
    let unknown_jobs: Vec<String> =
        group.jobs.iter().filter(|job| job.series.is_none()).map(|job| job.name.clone()).collect();
    let (series, samples) = match written {
        Some(series) => (Some(series), series as f64 / seconds(group.interval.value)),
        None => {
            let samples =
                group.jobs.iter().filter_map(|job| Some(job.series? as f64 / seconds(job.interval))).sum();
            ((known > 0).then_some(known), samples)
        }
    };
    let share = (0..group.plan.count()).map(|shard| group.plan.share(shard)).fold(0.0, f64::max);
    let share = if group.sharded() { share } else { 1.0 };
    let head = series.unwrap_or(0) as f64 * share * (1.0 + churn * HEAD_HOURS / 24.0);
    let blocks = if group.agent { 0.0 } else { seconds(group.retention.value) };
    let data =
        samples * share * (blocks * BLOCK_BYTES_PER_SAMPLE + HEAD_HOURS * 3600.0 * WAL_BYTES_PER_SAMPLE);
    GroupNeeds {
        name: group.base.clone(),
        series,
        unknown_jobs,
        samples_per_second: samples,
        head_series_per_shard: head.ceil() as u64,
        memory_bytes_per_shard: (BASE_BYTES + head * HEAD_BYTES_PER_SERIES) as u64,
        data_bytes_per_shard: data as u64,
        volume_bytes_per_shard: (data / FILL) as u64,
    }
}

fn bucket_needs(cluster: &Cluster, groups: &[GroupNeeds]) -> BucketNeeds {
    let compact = cluster.topology.compact.as_ref();
    let merged =
        compact.and_then(|compact| compact.dedup.as_ref()).is_some_and(|dedup| !dedup.labels.is_empty());
    let (mut samples, mut stored) = (0.0, 0.0);
    for (group, needs) in cluster.prometheus.iter().zip(groups).filter(|(group, _)| group.sidecar) {
        samples += needs.samples_per_second;
        stored += needs.samples_per_second * if merged { 1.0 } else { f64::from(*group.replicas) };
    }
    let copies = if samples > 0.0 { stored / samples } else { 1.0 };
    let per_day = stored * DAY_SECONDS * BLOCK_BYTES_PER_SAMPLE;
    // A downsampled block is hardly smaller than the raw one: each resolution counts once.
    let ages = kept_days(cluster, compact);
    let at_rest: Option<f64> = ages.iter().copied().sum::<Option<f64>>().map(|days| days * per_day);
    let a_year: f64 = ages.iter().map(|days| days.map_or(365.0, |days| days.min(365.0)) * per_day).sum();
    BucketNeeds {
        copies,
        bytes_per_day: per_day as u64,
        bytes_at_rest: at_rest.map(|bytes| bytes as u64),
        bytes_after_a_year: a_year as u64,
    }
}

/// For how many days each resolution is kept; `None` is for ever.
fn kept_days(cluster: &Cluster, compact: Option<&Compact>) -> Vec<Option<f64>> {
    let Some(compact) = compact else { return vec![None] };
    let keep = compact.keep.as_ref();
    let days = |written: Option<&crate::topology::decode::Written<prom_model::PromDuration>>, key: &str| {
        let kept = cluster.profile.or_duration(written, key).value;
        kept.map(|kept| kept.as_secs_f64() / DAY_SECONDS).filter(|days| *days > 0.0)
    };
    let raw = days(keep.and_then(|keep| keep.raw.as_ref()), "compact.keep.raw");
    if compact.downsample.as_ref().is_some_and(|downsample| !downsample.value) {
        return vec![raw];
    }
    vec![
        raw,
        days(keep.and_then(|keep| keep.m5.as_ref()), "compact.keep.m5"),
        days(keep.and_then(|keep| keep.h1.as_ref()), "compact.keep.h1"),
    ]
}
