//! `prometheus`: replicas, shards, identity, intervals, reload, remote write.

use prom_model::PromDuration;

use super::scrape::{RelabelRule, Scrape};
use crate::topology::decode::{node, words};
use crate::topology::values::{Cpu, SecretValue, Size};

words! {
    /// What kind of Prometheus.
    Mode {
        /// Stores and answers queries.
        Server = "server",
        /// Only forwards by remote write.
        Agent = "agent",
    }
}

words! {
    /// How targets are divided.
    Strategy {
        /// Fixed slots: the fewest targets move when shards are added.
        Slots = "slots",
        /// `hashmod` by the number of shards, as prometheus-operator does.
        Hashmod = "hashmod",
    }
}

words! {
    /// Who applies a changed configuration.
    ReloadStrategy {
        /// Prometheus itself (`--config.auto-reload`, 3.12 and later).
        Native = "native",
        /// Our reloader.
        Sidecar = "sidecar",
        /// The reloader inside the Thanos sidecar.
        Thanos = "thanos",
    }
}

words! {
    /// A wish or a must.
    Strength {
        /// Pods stay pending rather than share.
        Required = "required",
        /// As far as possible.
        Preferred = "preferred",
    }
}

words! {
    /// Whether shards are one series stream for queries.
    Continuity {
        /// Series of different shards stay apart by the `shard` label.
        Separate = "separate",
        /// Queries remove the shard label too, so graphs do not break when targets move.
        Merge = "merge",
    }
}

node! {
    /// A group of Prometheus servers that scrape the same jobs: shards × replicas.
    Prometheus "prometheus" {
        args {
            /// Name, when there are several groups.
            name: String,
        }
        props {
            /// Replicas of each shard.
            replicas: u32 = "replicas",
            /// How long blocks stay on the local disk.
            retention: PromDuration = "retention",
            /// Local disk budget; default is 80 % of `disk`.
            retention_size: Size = "retention-size",
            /// Volume size.
            disk: Size = "disk",
            /// Storage class of the volume.
            class: String = "class",
            /// Memory request and limit.
            memory: Size = "memory",
            /// Processor request.
            cpu: Cpu = "cpu",
            /// Image instead of the one of `target`.
            image: String = "image",
            /// Server or agent.
            mode: Mode = "mode",
            /// Samples up to this old are accepted.
            out_of_order: PromDuration = "out-of-order",
            /// Whether shards are one stream for queries.
            continuity: Continuity = "continuity",
            /// Opens the admin API (deleting series, snapshots).
            admin_api: bool = "admin-api",
            /// Address under which users reach it, for alert links.
            external_url: String = "external-url",
        }
        one {
            /// External labels.
            identity: Identity,
            /// Intervals.
            every: Every,
            /// Sharding.
            shards: Shards,
            /// Placement.
            spread: Spread,
            /// Hot reload.
            reload: Reload,
        }
        many {
            /// Jobs.
            scrapes: Scrape,
            /// Remote write.
            remote_writes: RemoteWrite,
            /// Remote read.
            remote_reads: RemoteRead,
            /// `--enable-feature` names.
            features: Feature,
        }
    }
}

node! {
    /// External labels: who these series belong to. `cluster` defaults to the topology's name.
    Identity "identity" {
        props {
            /// Name of the label that tells replicas apart.
            replica_label: String = "replica-label",
            /// Name of the label that tells shards apart.
            shard_label: String = "shard-label",
        }
        open {
            /// Further external labels: `cluster=prod region=eu`.
            labels
        }
    }
}

node! {
    /// How often targets are scraped.
    Every "every" {
        needs {
            /// Scrape interval.
            interval: PromDuration,
        }
        props {
            /// Scrape timeout.
            timeout: PromDuration = "timeout",
            /// Rule evaluation interval.
            evaluation: PromDuration = "evaluation",
        }
    }
}

node! {
    /// How many Prometheus servers share the targets.
    Shards "shards" {
        needs {
            /// Number of shards.
            count: u32,
        }
        props {
            /// Slots of the fixed table, a power of two between 64 and 4096.
            slots: u32 = "slots",
            /// Division of targets.
            strategy: Strategy = "strategy",
        }
        many {
            /// Jobs that every shard scrapes whole.
            every_shard: EveryShard,
            /// Jobs that live on one shard.
            one_shard: OneShard,
            /// Hash sources.
            keys: Key,
            /// Uneven shares.
            weights: Weight,
        }
    }
}

node! {
    /// Jobs that every shard scrapes whole, such as `self`.
    EveryShard "every-shard" {
        rest {
            /// Job names.
            jobs: String
        }
    }
}

node! {
    /// Jobs that are scraped by one shard only, because rules join their series.
    OneShard "one-shard" {
        rest {
            /// Job names.
            jobs: String
        }
        props {
            /// Which shard; default 0.
            shard: u32 = "shard",
        }
    }
}

node! {
    /// Label that a job's targets are hashed by, instead of `__address__`.
    Key "key" {
        needs {
            /// Job name.
            job: String,
        }
        props {
            /// Label name, such as `__param_target`.
            by: String = "by",
        }
    }
}

node! {
    /// Share of one shard relative to the others, which have 1.
    Weight "weight" {
        needs {
            /// Shard number from 0.
            shard: u32,
            /// Factor.
            factor: f64,
        }
    }
}

node! {
    /// Placement over zones and hosts.
    Spread "spread" {
        props {
            /// Number of zones.
            zones: u32 = "zones",
            /// Replicas on different hosts.
            hosts: Strength = "hosts",
        }
    }
}

node! {
    /// Who applies a changed configuration.
    Reload "reload" {
        needs {
            /// The strategy.
            strategy: ReloadStrategy,
        }
    }
}

node! {
    /// A feature flag of Prometheus.
    Feature "feature" {
        rest {
            /// Names as `--enable-feature` takes them.
            names: String
        }
    }
}

node! {
    /// Remote write to another system.
    RemoteWrite "remote-write" {
        needs {
            /// Where to.
            url: String,
        }
        props {
            /// Name in metrics.
            name: String = "name",
            /// Request timeout.
            timeout: PromDuration = "timeout",
            /// User of basic authentication.
            user: String = "user",
            /// Password of basic authentication.
            password: SecretValue = "password",
            /// Bearer token.
            token: SecretValue = "token",
            /// Certificate authority of the server.
            ca: SecretValue = "ca",
            /// Accepts any certificate.
            insecure_skip_verify: bool = "insecure-skip-verify",
            /// Sends native histograms.
            native_histograms: bool = "native-histograms",
        }
        one {
            /// Queue limits.
            queue: Queue,
            /// HTTP headers.
            headers: Headers,
        }
        many {
            /// Relabelling before sending.
            relabel: RelabelRule,
        }
    }
}

node! {
    /// Limits of a remote-write queue.
    Queue "queue" {
        props {
            /// Most parallel senders.
            max_shards: u32 = "max-shards",
            /// Fewest parallel senders.
            min_shards: u32 = "min-shards",
            /// Samples buffered per sender.
            capacity: u32 = "capacity",
            /// Samples in one request.
            max_samples_per_send: u32 = "max-samples-per-send",
            /// Longest wait before sending.
            batch_send_deadline: PromDuration = "batch-send-deadline",
        }
    }
}

node! {
    /// HTTP headers, such as the tenant.
    Headers "headers" {
        open {
            /// `X-Scope-OrgID=team`.
            headers
        }
    }
}

node! {
    /// Remote read from another system.
    RemoteRead "remote-read" {
        needs {
            /// Where from.
            url: String,
        }
        props {
            /// Also asked for ranges that the local disk has.
            read_recent: bool = "read-recent",
            /// Request timeout.
            timeout: PromDuration = "timeout",
            /// Bearer token.
            token: SecretValue = "token",
        }
        open {
            /// Matchers that a query must carry.
            required
        }
    }
}
