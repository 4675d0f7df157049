//! Which components a querier asks, and how it reaches them.

use std::path::PathBuf;

use clap::Args;
use prom_model::PromDuration;

#[derive(Debug, Args)]
pub(super) struct EndpointFlags {
    /// Addresses of components; dns+, dnssrv+, dnssrvnoa+ in front look them up (repeated)
    #[arg(long = "endpoint", id = "endpoint", value_name = "ADDRESS")]
    pub(super) endpoints: Vec<String>,
    /// The same, each a name whose addresses stand for one component and take turns (repeated)
    #[arg(long = "endpoint-group", id = "endpoint-group", value_name = "ADDRESS")]
    pub(super) groups: Vec<String>,
    /// Addresses of components that are always asked, even when they are not healthy (repeated)
    #[arg(long = "endpoint-strict", id = "endpoint-strict", value_name = "ADDRESS")]
    pub(super) strict: Vec<String>,
    /// The same, each a name whose addresses take turns (repeated)
    #[arg(long = "endpoint-group-strict", id = "endpoint-group-strict", value_name = "ADDRESS")]
    pub(super) strict_groups: Vec<String>,
    /// YAML with endpoints and how to reach them
    #[arg(long = "endpoint.sd-config", id = "endpoint.sd-config", value_name = "YAML")]
    pub(super) sd_config: Option<String>,
    /// File with endpoints and how to reach them
    #[arg(long = "endpoint.sd-config-file", id = "endpoint.sd-config-file", value_name = "FILE")]
    pub(super) sd_config_file: Option<PathBuf>,
    /// How often the file with endpoints is read again
    #[arg(
        long = "endpoint.sd-config-reload-interval",
        id = "endpoint.sd-config-reload-interval",
        value_name = "DURATION",
        default_value = "5m"
    )]
    pub(super) sd_config_reload_interval: PromDuration,
    /// How long an endpoint may take to say what it is
    #[arg(
        long = "endpoint.info-timeout",
        id = "endpoint.info-timeout",
        value_name = "DURATION",
        default_value = "5s",
        hide = true
    )]
    pub(super) info_timeout: PromDuration,
    /// Files with addresses, also as patterns (repeated)
    #[arg(long = "store.sd-files", id = "store.sd-files", value_name = "PATTERN")]
    pub(super) sd_files: Vec<String>,
    /// How often these files are read again
    #[arg(
        long = "store.sd-interval",
        id = "store.sd-interval",
        value_name = "DURATION",
        default_value = "5m"
    )]
    pub(super) sd_interval: PromDuration,
    /// How often names are looked up
    #[arg(
        long = "store.sd-dns-interval",
        id = "store.sd-dns-interval",
        value_name = "DURATION",
        default_value = "30s"
    )]
    pub(super) dns_interval: PromDuration,
    /// Accepted; there is one way to look names up
    #[arg(
        long = "store.sd-dns-resolver",
        id = "store.sd-dns-resolver",
        value_name = "NAME",
        default_value = "miekgdns",
        hide = true
    )]
    _dns_resolver: String,
    /// Accepted; of use to tests of Thanos only
    #[arg(long = "inject-test-addresses", id = "inject-test-addresses", value_name = "ADDRESS", hide = true)]
    _test_addresses: Vec<String>,
    /// How long a component that is not healthy is shown
    #[arg(
        long = "store.unhealthy-timeout",
        id = "store.unhealthy-timeout",
        value_name = "DURATION",
        default_value = "5m"
    )]
    pub(super) unhealthy_timeout: PromDuration,
    /// How long a store may send nothing before the answer goes on without it; 0 for no limit
    #[arg(
        long = "store.response-timeout",
        id = "store.response-timeout",
        value_name = "DURATION",
        default_value = "0ms"
    )]
    response_timeout: PromDuration,
    /// Labels of the metric of connections: external_labels, store_type, ip_port (repeated)
    #[arg(
        long = "query.conn-metric.label", id = "query.conn-metric.label",
        value_name = "NAME",
        default_values = ["external_labels", "store_type"],
        value_parser = ["external_labels", "store_type", "ip_port"]
    )]
    pub(super) connection_labels: Vec<String>,
}

impl EndpointFlags {
    /// How long a store may send nothing.
    pub(super) fn response_timeout(&self) -> Option<std::time::Duration> {
        let millis = self.response_timeout.as_millis();
        (millis > 0).then(|| std::time::Duration::from_millis(millis.unsigned_abs()))
    }
}
