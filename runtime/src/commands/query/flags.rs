//! The flags of `pronoiad query`, as Thanos spells them. Those of the endpoints, of tenants and of what is counted stand in files
//! of their own.

use std::collections::BTreeSet;
use std::path::PathBuf;

use api::thanos::{EngineName, PartialResponse, Prefix};
use clap::{ArgMatches, Args};
use prom_model::PromDuration;
use server::duration::GoDuration;

use super::endpoint_flags::EndpointFlags;
use super::telemetry_flags::TelemetryFlags;
use super::tenancy_flags::TenancyFlags;
use crate::flags::label_pair::LabelPair;

/// Switches that are on unless `--no-NAME` is given.
const ON: [(&str, &str, bool); 7] = [
    (
        "query.partial-response",
        "Answer queries without what a store fails to give, with a warning, where partial_response is not given. --no-query.partial-response for failing",
        false,
    ),
    ("query.dynamic-lookback-delta", "Look back further where coarser data may be read", true),
    ("rule.partial-response", "The same as --query.partial-response for rules", true),
    ("target.partial-response", "The same as --query.partial-response for targets", true),
    ("metric-metadata.partial-response", "The same as --query.partial-response for metadata", true),
    ("exemplar.partial-response", "The same as --query.partial-response for exemplars", true),
    ("status.partial-response", "The same as --query.partial-response for the status of databases", true),
];

/// What `--query.*`, `--web.*` and the like say.
#[derive(Debug, Args)]
pub(super) struct QueryFlags {
    #[command(flatten)]
    pub(super) endpoints: EndpointFlags,
    #[command(flatten)]
    pub(super) tenancy: TenancyFlags,
    #[command(flatten)]
    pub(super) telemetry: TelemetryFlags,
    /// Prefix for API and UI endpoints; that of --web.external-prefix by default
    #[arg(
        long = "web.route-prefix",
        id = "web.route-prefix",
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    web_route_prefix: String,
    /// Static prefix for all links and redirects
    #[arg(
        long = "web.external-prefix",
        id = "web.external-prefix",
        value_name = "PATH",
        default_value = "",
        hide_default_value = true
    )]
    web_external_prefix: String,
    /// Name of the request header whose value is the prefix of links and redirects, where --web.external-prefix says none
    #[arg(
        long = "web.prefix-header",
        id = "web.prefix-header",
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    web_prefix_header: String,
    /// Send no CORS headers; without it every site may read
    #[arg(long = "web.disable-cors", id = "web.disable-cors")]
    pub(super) web_disable_cors: bool,
    /// Maximum time to process a query
    #[arg(long = "query.timeout", id = "query.timeout", value_name = "DURATION", default_value = "2m")]
    pub(super) timeout: PromDuration,
    /// Name of the default engine; both are the same one here
    #[arg(long = "query.promql-engine", id = "query.promql-engine", value_name = "NAME", default_value = "prometheus", value_parser = ["prometheus", "thanos"])]
    engine: String,
    /// Accepted; there is one engine and nothing to fall back to
    #[arg(long = "query.disable-fallback", id = "query.disable-fallback", hide = true)]
    _disable_fallback: bool,
    /// The functions xrate, xincrease and xdelta of Thanos' engine: refused, use the modifiers anchored and smoothed
    #[arg(long = "query.enable-x-functions", id = "query.enable-x-functions")]
    pub(super) x_functions: bool,
    /// Where queries are evaluated; only here
    #[arg(long = "query.mode", id = "query.mode", value_name = "MODE", default_value = "local", value_parser = ["local", "distributed"])]
    pub(super) mode: String,
    /// Maximum number of queries processed at once
    #[arg(
        long = "query.max-concurrent",
        id = "query.max-concurrent",
        value_name = "COUNT",
        default_value_t = 20
    )]
    pub(super) max_concurrent: usize,
    /// Maximum number of selections of one query that wait for stores at once
    #[arg(
        long = "query.max-concurrent-select",
        id = "query.max-concurrent-select",
        value_name = "COUNT",
        default_value_t = 4
    )]
    pub(super) max_concurrent_select: usize,
    /// How far instant selectors look back; 5m by default
    #[arg(
        long = "query.lookback-delta",
        id = "query.lookback-delta",
        value_name = "DURATION",
        default_value = "0s",
        hide_default_value = true
    )]
    lookback_delta: GoDuration,
    /// How replicas become one: penalty, or chain for equal samples
    #[arg(long = "deduplication.func", id = "deduplication.func", value_name = "NAME", default_value = "penalty", value_parser = ["penalty", "chain"])]
    pub(super) deduplication: String,
    /// Labels that tell replicas apart (repeated, or with commas)
    #[arg(long = "query.replica-label", id = "query.replica-label", value_name = "NAME")]
    replica_labels: Vec<String>,
    /// Labels that partition queriers below; only of use to --query.mode=distributed
    #[arg(long = "query.partition-label", id = "query.partition-label", value_name = "NAME")]
    _partition_labels: Vec<String>,
    /// Only of use to --query.mode=distributed
    #[arg(
        long = "query.distributed-with-overlapping-interval",
        id = "query.distributed-with-overlapping-interval",
        hide = true
    )]
    _overlapping: bool,
    /// Coarsest resolution that instant queries read where they do not say
    #[arg(
        long = "query.instant.default.max_source_resolution",
        id = "query.instant.default.max_source_resolution",
        value_name = "DURATION",
        default_value = "0s",
        hide = true
    )]
    instant_max_source_resolution: PromDuration,
    /// Time range of labels and series where a request says none; all of time by default
    #[arg(
        long = "query.metadata.default-time-range",
        id = "query.metadata.default-time-range",
        value_name = "DURATION",
        default_value = "0s",
        hide_default_value = true
    )]
    metadata_time_range: GoDuration,
    /// Labels that are told to other queriers (repeated)
    #[arg(long = "selector-label", id = "selector-label", value_name = "NAME=\"VALUE\"")]
    pub(super) selector_labels: Vec<LabelPair>,
    /// Read data as coarse as a fifth of the step where max_source_resolution is not given
    #[arg(long = "query.auto-downsampling", id = "query.auto-downsampling")]
    pub(super) auto_downsampling: bool,
    /// Directory of the file queries.active with the queries that run
    #[arg(
        long = "query.active-query-path",
        id = "query.active-query-path",
        value_name = "DIR",
        default_value = "", value_parser = crate::flags::path,
        hide_default_value = true
    )]
    active_query_path: PathBuf,
    /// Comma separated feature names to enable: promql-experimental-functions (repeated)
    #[arg(long = "enable-feature", id = "enable-feature", value_name = "NAMES", value_delimiter = ',')]
    pub(super) features: Vec<String>,
    /// Step of subqueries that have none
    #[arg(
        long = "query.default-evaluation-interval",
        id = "query.default-evaluation-interval",
        value_name = "DURATION",
        default_value = "1m"
    )]
    pub(super) evaluation_interval: PromDuration,
    /// Least step of range queries that have none
    #[arg(
        long = "query.default-step",
        id = "query.default-step",
        value_name = "DURATION",
        default_value = "1s"
    )]
    default_step: PromDuration,
    /// Address of this querier in links of alerts
    #[arg(
        long = "alert.query-url",
        id = "alert.query-url",
        value_name = "URL",
        default_value = "",
        hide_default_value = true
    )]
    _alert_query_url: String,
    /// Accepted; answers are always merged as they come
    #[arg(long = "grpc.proxy-strategy", id = "grpc.proxy-strategy", value_name = "NAME", default_value = "eager", hide = true, value_parser = ["eager", "lazy"])]
    _proxy_strategy: String,
    /// Accepted; memory is bounded by budgets
    #[arg(
        long = "query.lazy-retrieval-max-buffered-responses",
        id = "query.lazy-retrieval-max-buffered-responses",
        value_name = "COUNT",
        default_value_t = 20,
        hide = true
    )]
    _buffered_responses: u64,
    /// Most series of one Series call; 0 for no limit
    #[arg(
        long = "store.limits.request-series",
        id = "store.limits.request-series",
        value_name = "COUNT",
        default_value_t = 0
    )]
    pub(super) request_series: u64,
    /// Most samples of one Series call, 120 for each chunk; 0 for no limit
    #[arg(
        long = "store.limits.request-samples",
        id = "store.limits.request-samples",
        value_name = "COUNT",
        default_value_t = 0
    )]
    pub(super) request_samples: u64,
    /// Bytes that all queries together may hold; a query that wants more fails (not in Thanos)
    #[arg(long = "query.max-memory", id = "query.max-memory", value_name = "SIZE", default_value = "1GiB", value_parser = crate::flags::size::parse)]
    pub(super) memory_max: u64,
    /// Threads that evaluate one query; one per processor by default (not in Thanos)
    #[arg(
        long = "query.threads",
        id = "query.threads",
        value_name = "COUNT",
        default_value_t = 0,
        hide_default_value = true
    )]
    threads: usize,
}

/// The switches that are on unless they are negated.
pub(super) fn with_switches(command: clap::Command) -> clap::Command {
    ON.iter().fold(command, |command, (name, help, hidden)| {
        let switch =
            clap::Arg::new(*name).long(*name).action(clap::ArgAction::SetTrue).help(*help).hide(*hidden);
        command.arg(switch)
    })
}

/// Whether a switch that is on by default is on.
pub(super) fn is_on(matches: &ArgMatches, name: &str) -> bool {
    !matches.get_flag(&format!("no-{name}"))
}

/// The names of the switches that are on by default.
pub(super) fn switches() -> impl Iterator<Item = &'static str> {
    ON.iter().map(|(name, _, _)| *name)
}

impl QueryFlags {
    /// The labels that tell replicas apart: sorted, each once.
    pub(super) fn replica_labels(&self) -> Vec<String> {
        let all = self.replica_labels.iter().flat_map(|list| list.split(','));
        let names: BTreeSet<&str> = all.map(str::trim).filter(|name| !name.is_empty()).collect();
        names.into_iter().map(str::to_owned).collect()
    }

    pub(super) fn prefix(&self) -> Prefix {
        Prefix {
            route: self.web_route_prefix.clone(),
            external: self.web_external_prefix.clone(),
            header: Some(self.web_prefix_header.clone()).filter(|name| !name.is_empty()),
        }
    }

    pub(super) fn engine(&self) -> EngineName {
        EngineName::from_word(&self.engine).unwrap_or(EngineName::Prometheus)
    }

    /// Milliseconds.
    pub(super) fn lookback_delta(&self) -> i64 {
        match millis(self.lookback_delta) {
            0 => 300_000,
            given => given,
        }
    }

    pub(super) fn settings(&self, matches: &ArgMatches) -> api::thanos::Settings {
        let on = |name| is_on(matches, name);
        api::thanos::Settings {
            replica_labels: self.replica_labels(),
            auto_downsampling: self.auto_downsampling,
            partial_response: PartialResponse {
                query: on("query.partial-response"),
                rule: on("rule.partial-response"),
                target: on("target.partial-response"),
                metadata: on("metric-metadata.partial-response"),
                exemplar: on("exemplar.partial-response"),
                status: on("status.partial-response"),
            },
            engine: self.engine(),
            lookback_delta: self.lookback_delta(),
            dynamic_lookback_delta: on("query.dynamic-lookback-delta"),
            default_step: self.default_step.as_millis(),
            instant_max_source_resolution: self.instant_max_source_resolution.as_millis(),
            metadata_time_range: millis(self.metadata_time_range),
            tenancy: self.tenancy.tenancy(),
            disable_cors: self.web_disable_cors,
        }
    }

    pub(super) fn active_query_path(&self) -> Option<&std::path::Path> {
        Some(self.active_query_path.as_path()).filter(|path| !path.as_os_str().is_empty())
    }

    pub(super) fn threads(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            some => some,
        }
    }
}

fn millis(duration: GoDuration) -> i64 {
    i64::try_from(duration.0.as_millis()).unwrap_or(i64::MAX)
}
