//! Storage in memory: some series whose value is constant, and what was asked of it.

use std::sync::{Arc, Mutex};

use api::thanos::{
    Buckets, Endpoint, EngineName, Fleet, Gathered, Opened, PartialResponse, Reading, Settings, Stores,
    Telemetry, Tenancy, ThanosApi,
};
use api::{Evaluator, Gate, Identity, Limits};
use prom_model::{Clock, Matcher, TimestampMs};
use prometheus_client::registry::Registry;
use promql::{
    EngineOptions, SampleReader, Samples, Select, SeriesBatch, SeriesSet, SeriesSource, SourceError, Symbol,
    Symbols,
};
use query::{Catalog, Found, Scope};
use store::Context;
use storeapi::thanos::{
    Alert, AlertInstance, AlertState, ExemplarData, ExemplarsRequest, MetricMetadata, MetricMetadataRequest,
    Rule, RuleGroup, RulesRequest, TargetDiscovery, TargetsRequest, TsdbStatistics, TsdbStatisticsRequest,
    rule,
};
use tonic::Status;

/// 2026-11-22, noon.
pub(super) const NOW: i64 = 1_795_348_800_000;

type Pairs = Vec<(&'static str, &'static str)>;

/// Storage of series with a sample every 15 seconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    pub(super) series: Vec<(Pairs, f64)>,
    pub(super) warnings: Vec<String>,
    pub(super) rules: Vec<RuleGroup>,
    pub(super) asked: Arc<Mutex<Vec<Reading>>>,
}

impl Memory {
    pub(super) fn new() -> Self {
        let up = |instance, replica| {
            vec![("__name__", "up"), ("instance", instance), ("replica", replica), ("tenant_id", "a")]
        };
        let series = vec![(up("one", "x"), 1.0), (up("one", "y"), 1.0), (up("two", "x"), 0.5)];
        Memory { series, ..Memory::default() }
    }

    /// The reading of the last request.
    pub(super) fn last(&self) -> Reading {
        self.asked.lock().unwrap().last().expect("a request").clone()
    }

    pub(super) fn api(&self) -> ThanosApi {
        let clock: Arc<dyn Clock> = Arc::new(Noon);
        let limits =
            Limits { timeout: std::time::Duration::from_secs(120), concurrency_max: 20, memory_max: 1 << 30 };
        let mut registry = Registry::default();
        let buckets = Buckets { seconds: vec![1.0], samples: vec![10.0], series: vec![10.0] };
        let on = true;
        ThanosApi {
            stores: Arc::new(self.clone()),
            fleet: Arc::new(self.clone()),
            evaluator: Arc::new(Evaluator::new(EngineOptions::default(), limits, clock)),
            active: None,
            gate: Arc::new(Gate::register(&mut registry, 20)),
            telemetry: Arc::new(Telemetry::register(&mut registry, buckets)),
            identity: Arc::new(Identity {
                version: "1.2.3".to_owned(),
                start_time: NOW,
                working_directory: "/srv".to_owned(),
                hostname: "host".to_owned(),
                threads: 2,
                flags: [("query.timeout".to_owned(), "2m".to_owned())].into(),
            }),
            settings: Arc::new(Settings {
                replica_labels: vec!["replica".to_owned()],
                auto_downsampling: false,
                partial_response: PartialResponse {
                    query: on,
                    rule: on,
                    target: on,
                    metadata: on,
                    exemplar: on,
                    status: on,
                },
                engine: EngineName::Prometheus,
                lookback_delta: 300_000,
                dynamic_lookback_delta: true,
                default_step: 1000,
                instant_max_source_resolution: 0,
                metadata_time_range: 0,
                tenancy: Tenancy {
                    header: "THANOS-TENANT".to_owned(),
                    default: "default-tenant".to_owned(),
                    label: "tenant_id".to_owned(),
                    enforced: false,
                },
                disable_cors: false,
            }),
        }
    }
}

#[derive(Debug)]
struct Noon;

impl Clock for Noon {
    fn now(&self) -> TimestampMs {
        TimestampMs::from_millis(NOW)
    }
}

impl Stores for Memory {
    fn open(&self, reading: Reading) -> Opened {
        self.asked.lock().unwrap().push(reading);
        Opened { source: Arc::new(self.clone()), catalog: Arc::new(self.clone()) }
    }
}

impl SeriesSource for Memory {
    fn select(&self, select: &Select) -> Result<Box<dyn SeriesSet>, SourceError> {
        let mut left: Vec<_> =
            self.series.iter().filter(|(labels, _)| matches(&select.matchers, labels)).cloned().collect();
        left.reverse();
        Ok(Box::new(Set { left, times: (select.min_time, select.max_time), warnings: self.warnings.clone() }))
    }
}

fn matches(matchers: &[Matcher], labels: &Pairs) -> bool {
    let value = |name: &str| labels.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value);
    matchers.iter().all(|matcher| matcher.matches(value(matcher.name())))
}

struct Set {
    left: Vec<(Pairs, f64)>,
    times: (i64, i64),
    warnings: Vec<String>,
}

impl SeriesSet for Set {
    fn next_batch(
        &mut self,
        most: usize,
        symbols: &mut Symbols,
    ) -> Result<Option<Box<dyn SeriesBatch>>, SourceError> {
        let mut series = Vec::new();
        while series.len() < most
            && let Some((labels, value)) = self.left.pop()
        {
            let labels =
                labels.iter().map(|(name, value)| (symbols.intern(name), symbols.intern(value))).collect();
            series.push((labels, value));
        }
        let batch = Batch { series, times: self.times };
        Ok(if batch.is_empty() { None } else { Some(Box::new(batch)) })
    }

    fn warnings(&mut self) -> Vec<String> {
        self.warnings.clone()
    }
}

struct Batch {
    series: Vec<(Vec<(Symbol, Symbol)>, f64)>,
    times: (i64, i64),
}

impl SeriesBatch for Batch {
    fn len(&self) -> usize {
        self.series.len()
    }

    fn labels(&self, at: usize) -> &[(Symbol, Symbol)] {
        &self.series[at].0
    }

    fn reader(&self) -> Box<dyn SampleReader + '_> {
        Box::new(Reader(self))
    }
}

struct Reader<'b>(&'b Batch);

impl SampleReader for Reader<'_> {
    fn read(&mut self, at: usize, into: &mut Samples) -> Result<(), SourceError> {
        let (from, to) = self.0.times;
        let mut time = from - from.rem_euclid(15_000) + 15_000;
        while time <= to {
            into.push_float(time, self.0.series[at].1);
            time += 15_000;
        }
        Ok(())
    }
}

impl Catalog for Memory {
    fn label_names(&self, scope: &Scope) -> Result<Found, SourceError> {
        let texts = self.found(scope, |(name, _)| Some(*name));
        Ok(Found { texts, warnings: self.warnings.clone() })
    }

    fn label_values(&self, name: &str, scope: &Scope) -> Result<Found, SourceError> {
        let texts = self.found(scope, |(own, value)| (*own == name).then_some(*value));
        Ok(Found { texts, warnings: self.warnings.clone() })
    }

    fn series_at_most(&self, _: &[Matcher], _: i64, _: i64) -> u64 {
        self.series.len() as u64
    }
}

impl Memory {
    fn found(
        &self,
        scope: &Scope,
        text: impl Fn(&(&'static str, &'static str)) -> Option<&'static str>,
    ) -> Vec<String> {
        let wanted = |labels: &Pairs| {
            scope.matchers.is_empty() || scope.matchers.iter().any(|set| matches(set, labels))
        };
        let of = self.series.iter().filter(|(labels, _)| wanted(labels));
        let mut texts: Vec<String> =
            of.flat_map(|(labels, _)| labels.iter().filter_map(&text)).map(str::to_owned).collect();
        texts.sort();
        texts.dedup();
        texts
    }
}

/// A group with one alert that fires.
pub(super) fn firing() -> RuleGroup {
    let set = |name: &str, value: &str| storeapi::thanos::LabelSet {
        labels: vec![storeapi::thanos::Label { name: name.to_owned(), value: value.to_owned() }],
    };
    let instance = AlertInstance {
        labels: Some(set("alertname", "Down")),
        state: AlertState::Firing.into(),
        active_at: Some(prost_types::Timestamp { seconds: NOW / 1000, nanos: 120_000_000 }),
        value: "1e+00".to_owned(),
        ..AlertInstance::default()
    };
    let alert = Alert {
        state: AlertState::Firing.into(),
        name: "Down".to_owned(),
        query: "up < 1".to_owned(),
        duration_seconds: 60.0,
        labels: Some(set("severity", "page")),
        alerts: vec![instance],
        health: "ok".to_owned(),
        evaluation_duration_seconds: 0.25,
        ..Alert::default()
    };
    RuleGroup {
        name: "g".to_owned(),
        file: "f.yml".to_owned(),
        interval: 15.0,
        rules: vec![Rule { result: Some(rule::Result::Alert(alert)) }],
        ..RuleGroup::default()
    }
}

#[tonic::async_trait]
impl Fleet for Memory {
    fn endpoints(&self) -> Vec<Endpoint> {
        let label_sets = vec![[("replica", "x")].into_iter().collect()];
        let endpoint = |name: &str, component: &str, last_error| Endpoint {
            name: name.to_owned(),
            component: component.to_owned(),
            last_check: i128::from(NOW) * 1_000_000 + 5,
            last_error,
            label_sets: Clone::clone(&label_sets),
            min_time: 0,
            max_time: i64::MAX,
        };
        vec![endpoint("b:1", "store", None), endpoint("a:1", "sidecar", Some("gone".to_owned()))]
    }

    async fn rules(&self, _: RulesRequest, _: Context) -> Gathered<Vec<RuleGroup>> {
        Ok((self.rules.clone(), self.warnings.clone()))
    }

    async fn targets(&self, _: TargetsRequest, _: Context) -> Gathered<TargetDiscovery> {
        Ok((TargetDiscovery::default(), self.warnings.clone()))
    }

    async fn metadata(&self, _: MetricMetadataRequest, _: Context) -> Gathered<MetricMetadata> {
        Ok((MetricMetadata::default(), self.warnings.clone()))
    }

    async fn exemplars(&self, request: ExemplarsRequest, _: Context) -> Gathered<Vec<ExemplarData>> {
        let (_, errors) = promql_syntax::parse(&request.query);
        match errors.first() {
            Some(error) => Err(Status::unknown(error.located(&request.query))),
            None => Ok((Vec::new(), self.warnings.clone())),
        }
    }

    async fn statistics(&self, _: TsdbStatisticsRequest, _: Context) -> Gathered<TsdbStatistics> {
        Ok((TsdbStatistics::default(), self.warnings.clone()))
    }
}
