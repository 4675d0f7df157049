//! `thanos_store_nodes_grpc_connections`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// A label of the metric (`--query.conn-metric.label`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionLabel {
    /// The external labels of the endpoint.
    ExternalLabels,
    /// What it is.
    StoreType,
    /// Its address.
    IpPort,
}

impl ConnectionLabel {
    const fn name(self) -> &'static str {
        match self {
            ConnectionLabel::ExternalLabels => "external_labels",
            ConnectionLabel::StoreType => "store_type",
            ConnectionLabel::IpPort => "ip_port",
        }
    }
}

/// A word that names no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("enum value must be one of external_labels,store_type,ip_port, got '{0}'")]
pub struct UnknownLabel(String);

impl FromStr for ConnectionLabel {
    type Err = UnknownLabel;

    fn from_str(word: &str) -> Result<Self, UnknownLabel> {
        [ConnectionLabel::ExternalLabels, ConnectionLabel::StoreType, ConnectionLabel::IpPort]
            .into_iter()
            .find(|label| label.name() == word)
            .ok_or_else(|| UnknownLabel(word.to_owned()))
    }
}

/// By labels.
type Counts = BTreeMap<Vec<(&'static str, String)>, u64>;

/// How many endpoints answer, by what they are; clones share it.
#[derive(Debug, Clone, Default)]
pub struct ConnectionMetrics {
    shown: Arc<Mutex<Counts>>,
    labels: Vec<ConnectionLabel>,
}

/// Longer label sets are cut.
const LABELS_MAX: usize = 1000;

impl ConnectionMetrics {
    /// Registers the metric with these labels.
    pub fn register(labels: &[ConnectionLabel], registry: &mut Registry) -> Self {
        let mut labels = labels.to_vec();
        labels.sort_unstable();
        labels.dedup();
        let metrics = ConnectionMetrics { shown: Arc::default(), labels };
        registry.register_collector(Box::new(Shown(metrics.clone())));
        metrics
    }

    /// Shows these endpoints, each with address, external labels and component.
    pub(super) fn show(&self, connections: impl Iterator<Item = (String, String, String)>) {
        let mut shown = Counts::new();
        for (address, sets, component) in connections {
            let value = |label: &ConnectionLabel| match label {
                ConnectionLabel::ExternalLabels => external_labels(&sets),
                ConnectionLabel::StoreType => component.clone(),
                ConnectionLabel::IpPort => address.clone(),
            };
            let key: Vec<_> = self.labels.iter().map(|label| (label.name(), value(label))).collect();
            *shown.entry(key).or_default() += 1;
        }
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) = shown;
    }
}

fn external_labels(sets: &str) -> String {
    if sets.is_empty() {
        return "no_external_labels".to_owned();
    }
    if sets.len() <= LABELS_MAX {
        return sets.to_owned();
    }
    let end = sets.floor_char_boundary(LABELS_MAX - 1);
    format!("{}}}", sets.get(..end).unwrap_or_default())
}

#[derive(Debug)]
struct Shown(ConnectionMetrics);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Number of gRPC connection to Store APIs. Opened connection means healthy store APIs available for Querier";
        let mut metric = encoder.encode_descriptor(
            "thanos_store_nodes_grpc_connections",
            help,
            None,
            MetricType::Gauge,
        )?;
        let shown = self.0.shown.lock().unwrap_or_else(PoisonError::into_inner);
        for (labels, count) in &*shown {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            ConstGauge::new(count).encode(metric.encode_family(labels)?)?;
        }
        Ok(())
    }
}
