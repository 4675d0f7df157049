//! Prometheus groups: intervals, identity, shards, reload strategy.

use prom_model::PromDuration;

use super::profile::line;
use super::scrape::Job;
use super::shards::ShardPlan;
use super::{Profile, Sourced, Versions};
use crate::diagnostic::Diagnostic;
use crate::facts::Version;
use crate::pipeline::Origin;
use crate::render::prometheus_config::Remotes;
use crate::topology::nodes::prometheus::{Continuity, Mode, Prometheus, ReloadStrategy, Strategy};
use crate::topology::values::Size;

/// One group of Prometheus servers.
#[derive(Debug)]
pub struct PrometheusGroup {
    /// Name of the group, when there are several.
    pub name: Option<String>,
    /// Name of its objects, without shard: `PREFIX-prometheus[-NAME]`.
    pub base: String,
    /// Shards.
    pub shards: Sourced<u32>,
    /// Slots of the fixed table.
    pub slots: u32,
    /// How targets are divided.
    pub strategy: Strategy,
    /// Weight of each shard.
    pub weights: Vec<f64>,
    /// Replicas of each shard.
    pub replicas: Sourced<u32>,
    /// Local retention.
    pub retention: Sourced<PromDuration>,
    /// Local disk budget.
    pub retention_size: Option<Sourced<Size>>,
    /// Scrape interval.
    pub interval: Sourced<PromDuration>,
    /// Scrape timeout.
    pub timeout: Sourced<PromDuration>,
    /// Rule evaluation interval; `None` leaves Prometheus' own default.
    pub evaluation: Option<Sourced<PromDuration>>,
    /// Label that tells replicas apart.
    pub replica_label: Sourced<String>,
    /// Label that tells shards apart.
    pub shard_label: Sourced<String>,
    /// External labels without replica and shard, sorted by name.
    pub external_labels: Vec<(String, Sourced<String>)>,
    /// Whether queries remove the shard label too.
    pub merged: bool,
    /// Who applies a changed configuration.
    pub reload: Sourced<ReloadStrategy>,
    /// Whether it only forwards.
    pub agent: bool,
    /// Whether a sidecar runs beside it.
    pub sidecar: bool,
    /// How targets are divided.
    pub plan: ShardPlan,
    /// What it scrapes.
    pub jobs: Vec<Job>,
    /// Where samples are sent to and read from.
    pub remotes: Remotes,
    /// The node.
    pub node: Prometheus,
}

impl PrometheusGroup {
    /// Resolves one `prometheus` node.
    #[allow(clippy::too_many_arguments)]
    pub fn build(
        node: &Prometheus,
        cluster: &str,
        base: String,
        profile: &Profile,
        versions: &Versions,
        sidecar: bool,
        mode: Option<Mode>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> PrometheusGroup {
        let shards_node = node.shards.as_ref();
        let shards = match shards_node {
            Some(shards) => {
                if !(1..=256).contains(&shards.count.value) {
                    diagnostics.push(
                        Diagnostic::error(
                            "KDL007",
                            shards.count.span,
                            format!("{} shards", shards.count.value),
                        )
                        .help("between 1 and 256"),
                    );
                }
                Sourced { value: shards.count.value.clamp(1, 256), origin: Origin::Line(shards.count.span) }
            }
            None => Sourced::derived(1, "no `shards`: one shard scrapes everything"),
        };
        let slots = shards_node.and_then(|shards| shards.slots.as_ref());
        let slots_count = slots
            .map_or_else(|| profile.text("prometheus.slots").parse().unwrap_or(256), |slots| slots.value);
        if let Some(slots) = slots
            && (!slots.value.is_power_of_two() || !(64..=4096).contains(&slots.value))
        {
            diagnostics.push(
                Diagnostic::error("KDL007", slots.span, format!("{} slots", slots.value))
                    .help("a power of two between 64 and 4096; 256 unless you run more than 64 shards"),
            );
        }
        let slots_count = if slots_count.is_power_of_two() && (64..=4096).contains(&slots_count) {
            slots_count
        } else {
            256
        };
        let mut weights = vec![1.0; shards.value as usize];
        for weight in shards_node.iter().flat_map(|shards| &shards.weights) {
            match weights.get_mut(weight.shard.value as usize) {
                Some(place) if weight.factor.value > 0.0 && weight.factor.value <= 100.0 => {
                    *place = weight.factor.value
                }
                Some(_) => diagnostics.push(
                    Diagnostic::error(
                        "KDL007",
                        weight.factor.span,
                        format!("weight {}", weight.factor.value),
                    )
                    .help("a weight is above 0 and at most 100; a shard without one has 1"),
                ),
                None => diagnostics.push(
                    Diagnostic::info(
                        "SHD010",
                        weight.span,
                        format!("there is no shard {}, its weight is left out", weight.shard.value),
                    )
                    .help(format!("shards are numbered 0 to {}", shards.value - 1)),
                ),
            }
        }
        let every = node.every.as_ref();
        let interval = every.map_or_else(
            || {
                profile
                    .or_duration(None, "prometheus.interval")
                    .map(|d| d.unwrap_or(PromDuration::from_secs(30)))
            },
            |every| line(&every.interval),
        );
        let mut timeout = profile
            .or_duration(every.and_then(|every| every.timeout.as_ref()), "prometheus.timeout")
            .map(|d| d.unwrap_or(PromDuration::from_secs(10)));
        if timeout.value > interval.value {
            match every.and_then(|every| every.timeout.as_ref()) {
                Some(written) => diagnostics.push(
                    Diagnostic::error("RES006", written.span, "the timeout is longer than the interval")
                        .help("Prometheus refuses it; leave `timeout` out, or make it shorter"),
                ),
                None => timeout = Sourced::derived(interval.value, "not longer than the interval"),
            }
        }
        let evaluation =
            profile.or_duration(every.and_then(|every| every.evaluation.as_ref()), "prometheus.evaluation");
        let identity = node.identity.as_ref();
        let mut external_labels: Vec<(String, Sourced<String>)> = identity
            .iter()
            .flat_map(|identity| &identity.labels)
            .map(|(name, value)| (name.value.clone(), line(value)))
            .collect();
        if !external_labels.iter().any(|(name, _)| name == "cluster") {
            let why = "the name of the topology, as no `identity cluster=` says otherwise";
            external_labels.push(("cluster".to_string(), Sourced::derived(cluster.to_string(), why)));
        }
        external_labels.sort_by(|a, b| a.0.cmp(&b.0));
        let native = versions.prometheus >= Version { major: 3, minor: 12, patch: 0 };
        let agent = node.mode.as_ref().map(|mode| mode.value).or(mode) == Some(Mode::Agent);
        let sidecar = sidecar && !agent;
        let reload = match &node.reload {
            Some(reload) => line(&reload.strategy),
            None if profile.is_bare() => Sourced::derived(ReloadStrategy::Thanos, "the tutorial's way"),
            None if native => {
                Sourced::derived(ReloadStrategy::Native, "Prometheus 3.12 and later reload by themselves")
            }
            None if sidecar => {
                Sourced::derived(ReloadStrategy::Thanos, "Prometheus before 3.12 needs a reloader")
            }
            None => Sourced::derived(ReloadStrategy::Sidecar, "Prometheus before 3.12 needs a reloader"),
        };
        if reload.value == ReloadStrategy::Native
            && !native
            && let Some(node) = &node.reload
        {
            diagnostics.push(
                Diagnostic::error(
                    "VER003",
                    node.span,
                    format!("Prometheus {} cannot reload by itself", versions.prometheus),
                )
                .help("needs 3.12 or later; write `reload thanos` or `reload sidecar`"),
            );
        }
        if reload.value == ReloadStrategy::Thanos
            && !sidecar
            && let Some(node) = &node.reload
        {
            diagnostics.push(
                Diagnostic::error(
                    "RLD004",
                    node.span,
                    "`reload thanos` needs the Thanos sidecar, and this group has none",
                )
                .help("write `reload sidecar`, or add `query` or `bucket`"),
            );
        }
        let disk = profile.or_size(node.disk.as_ref(), "prometheus.disk").value;
        let retention_size = match &node.retention_size {
            Some(size) => Some(line(size)),
            None if profile.is_bare() => None,
            None => disk.map(|disk| {
                let mebibytes = disk.bytes / 100 * 80 / (1 << 20);
                let text = if mebibytes % 1024 == 0 {
                    format!("{}GiB", mebibytes / 1024)
                } else {
                    format!("{mebibytes}MiB")
                };
                // Prometheus reads KB, MB, GB as powers of 1024.
                let text = text.replace("iB", "B");
                Sourced::derived(Size { text, bytes: mebibytes << 20 }, "80 % of the volume")
            }),
        };
        PrometheusGroup {
            name: node.name.as_ref().map(|name| name.value.clone()),
            base,
            shards,
            slots: slots_count,
            strategy: shards_node
                .and_then(|shards| shards.strategy.as_ref())
                .map_or(Strategy::Slots, |s| s.value),
            weights,
            replicas: profile.or_count(node.replicas.as_ref(), "prometheus.replicas"),
            retention: profile
                .or_duration(node.retention.as_ref(), "prometheus.retention")
                .map(|d| d.unwrap_or(PromDuration::from_secs(86400))),
            retention_size,
            interval,
            timeout,
            evaluation: match evaluation {
                Sourced { value: Some(value), origin } => Some(Sourced { value, origin }),
                _ => None,
            },
            replica_label: profile.or_text(
                identity.and_then(|identity| identity.replica_label.as_ref()),
                "prometheus.replica-label",
            ),
            shard_label: profile.or_text(
                identity.and_then(|identity| identity.shard_label.as_ref()),
                "prometheus.shard-label",
            ),
            external_labels,
            merged: node.continuity.as_ref().is_some_and(|continuity| continuity.value == Continuity::Merge),
            reload,
            agent,
            sidecar,
            plan: ShardPlan::single(),
            jobs: Vec::new(),
            remotes: Remotes::default(),
            node: node.clone(),
        }
    }

    /// Whether several shards share the targets.
    pub fn sharded(&self) -> bool {
        self.shards.value > 1
    }

    /// Name of the objects of one shard: shard 0 keeps the name without number, so that one shard grows into several.
    pub fn shard_name(&self, shard: u32) -> String {
        if shard == 0 { self.base.clone() } else { format!("{}-shard-{shard}", self.base) }
    }
}
