//! The query and storage path: store gateway, compactor, querier, ruler, receiver.

use prom_model::PromDuration;

use super::alerting::{PartialResponse, Rules};
use crate::topology::decode::{node, words};
use crate::topology::values::{Cpu, SecretValue, Size, Text};

words! {
    /// How a store set is divided when one is not enough.
    DivideBy {
        /// By the shard label of the blocks.
        Shard = "shard",
        /// By block id.
        Block = "block",
    }
}

words! {
    /// Replica deduplication in the compactor.
    DedupFunc {
        /// For pairs that scrape on their own.
        Penalty = "penalty",
        /// For copies of the same samples.
        OneToOne = "one-to-one",
    }
}

words! {
    /// PromQL engine of the querier.
    EngineName {
        /// Prometheus' own.
        Prometheus = "prometheus",
        /// The vectorised one.
        Thanos = "thanos",
    }
}

words! {
    /// How another cluster is reached.
    ReachVia {
        /// Through its querier.
        Query = "query",
        /// Its sidecars one by one.
        Sidecar = "sidecar",
        /// Through its store gateways.
        Store = "store",
    }
}

words! {
    /// Placement of tenants and series on receivers.
    HashringAlgorithm {
        /// Consistent: few series move when the ring grows.
        Ketama = "ketama",
        /// Modulo: most series move.
        Hashmod = "hashmod",
    }
}

node! {
    /// Store gateways: the bucket's blocks as StoreAPI.
    Store "store" {
        props {
            /// Replicas of each shard and window.
            replicas: u32 = "replicas",
            /// Divides the blocks.
            shards: u32 = "shards",
            /// Volume size.
            disk: Size = "disk",
            /// Storage class.
            class: String = "class",
            /// In-memory index cache.
            index_cache: Size = "index-cache",
            /// Memory for chunks.
            chunk_pool: Size = "chunk-pool",
            /// Remote cache: `memcached:ADDRESS` or `redis:ADDRESS`.
            cache: String = "cache",
            /// Memory request and limit.
            memory: Size = "memory",
            /// Processor request.
            cpu: Cpu = "cpu",
            /// `thanos`, `pronoia` or a full image.
            image: String = "image",
        }
        many {
            /// Time windows.
            windows: Window,
        }
    }
}

node! {
    /// Blocks between two ages.
    Window "window" {
        needs {
            /// Youngest age.
            from: PromDuration,
            /// Oldest age.
            to: PromDuration,
        }
        props {
            /// Replicas of this window.
            replicas: u32 = "replicas",
        }
    }
}

node! {
    /// The compactor: merges, downsamples, deletes. One owner per stream.
    Compact "compact" {
        props {
            /// One compactor for each value.
            by: DivideBy = "by",
            /// Groups compacted at once.
            concurrency: u32 = "concurrency",
            /// Volume size.
            disk: Size = "disk",
            /// Storage class.
            class: String = "class",
            /// Memory request and limit.
            memory: Size = "memory",
            /// Processor request.
            cpu: Cpu = "cpu",
            /// Makes 5m and 1h resolutions.
            downsample: bool = "downsample",
            /// Time between mark and deletion.
            delete_delay: PromDuration = "delete-delay",
            /// `thanos`, `pronoia` or a full image.
            image: String = "image",
        }
        one {
            /// Retention.
            keep: Keep,
            /// Offline deduplication.
            dedup: Dedup,
        }
    }
}

node! {
    /// How long each resolution is kept; `0d` means for ever.
    Keep "keep" {
        props {
            /// Raw samples.
            raw: PromDuration = "raw",
            /// 5-minute resolution.
            m5: PromDuration = "m5",
            /// 1-hour resolution.
            h1: PromDuration = "h1",
        }
    }
}

node! {
    /// Merges replicas in the bucket; cannot be undone.
    Dedup "dedup" {
        rest {
            /// Replica labels.
            labels: String
        }
        props {
            /// How.
            func: DedupFunc = "func",
        }
    }
}

node! {
    /// Queriers: PromQL over everything.
    Query "query" {
        props {
            /// Replicas.
            replicas: u32 = "replicas",
            /// PromQL engine.
            engine: EngineName = "engine",
            /// Longest query.
            timeout: PromDuration = "timeout",
            /// Queries at once.
            max_concurrent: u32 = "max-concurrent",
            /// Publishes a NodePort.
            node_port: bool = "node-port",
            /// Host name of its Ingress.
            host: String = "host",
            /// TLS Secret of its Ingress.
            tls: SecretValue = "tls",
            /// Chooses resolution by step.
            auto_downsampling: bool = "auto-downsampling",
            /// Memory request and limit.
            memory: Size = "memory",
            /// Processor request.
            cpu: Cpu = "cpu",
            /// `thanos`, `pronoia` or a full image.
            image: String = "image",
        }
        one {
            /// Splitting and caching in front.
            frontend: Frontend,
            /// What to do with holes.
            partial_response: PartialResponseNode,
        }
        many {
            /// Other clusters or endpoints.
            reaches: Reach,
        }
    }
}

node! {
    /// What to do when a store does not answer.
    PartialResponseNode "partial-response" {
        needs {
            /// The strategy.
            strategy: PartialResponse,
        }
    }
}

node! {
    /// The query frontend.
    Frontend "frontend" {
        props {
            /// Replicas.
            replicas: u32 = "replicas",
            /// Splits ranges into pieces of this length.
            split: PromDuration = "split",
            /// `memory`, `memcached`, `memcached:ADDRESS` or `redis:ADDRESS`.
            cache: String = "cache",
            /// Memory request and limit.
            memory: Size = "memory",
            /// `thanos`, `pronoia` or a full image.
            image: String = "image",
        }
    }
}

node! {
    /// Endpoints outside this cluster: clusters of this file, or addresses.
    Reach "reach" {
        rest {
            /// Cluster names, `local`, or `host:port`.
            targets: String
        }
        props {
            /// How.
            via: ReachVia = "via",
        }
    }
}

node! {
    /// Rulers: rules over the whole view.
    Ruler "ruler" {
        props {
            /// Replicas.
            replicas: u32 = "replicas",
            /// Volume size.
            disk: Size = "disk",
            /// Storage class.
            class: String = "class",
            /// Evaluation interval.
            every: PromDuration = "every",
            /// Local retention.
            retention: PromDuration = "retention",
            /// Memory request and limit.
            memory: Size = "memory",
            /// Processor request.
            cpu: Cpu = "cpu",
            /// `thanos`, `pronoia` or a full image.
            image: String = "image",
        }
        one {
            /// External labels of what rules yield.
            origin: OriginLabel,
        }
        many {
            /// Rules that run here only.
            rules: Rules,
        }
    }
}

node! {
    /// External labels of the ruler; never `cluster`, which would hide the alert's own.
    OriginLabel "origin-label" {
        open {
            /// `ruled_by=hub`.
            labels
        }
    }
}

node! {
    /// Receivers: remote write in, blocks out.
    Receive "receive" {
        props {
            /// Ingestors.
            replicas: u32 = "replicas",
            /// Copies of each sample.
            factor: u32 = "factor",
            /// Volume size.
            disk: Size = "disk",
            /// Storage class.
            class: String = "class",
            /// Local retention.
            retention: PromDuration = "retention",
            /// Samples up to this old are accepted.
            out_of_order: PromDuration = "out-of-order",
            /// Memory request and limit.
            memory: Size = "memory",
            /// Processor request.
            cpu: Cpu = "cpu",
            /// `thanos`, `pronoia` or a full image.
            image: String = "image",
        }
        one {
            /// Tenants.
            tenants: Tenants,
            /// Placement.
            hashring: Hashring,
            /// Routers in front.
            routers: Routers,
        }
    }
}

node! {
    /// Tenants and their limits.
    Tenants "tenants" {
        props {
            /// HTTP header with the tenant.
            header: String = "header",
            /// Tenant of requests without the header.
            default: String = "default",
            /// Label that carries the tenant.
            label: String = "label",
        }
        many {
            /// Tenants.
            tenants: Tenant,
        }
    }
}

node! {
    /// One tenant.
    Tenant "tenant" {
        needs {
            /// Name.
            name: Text,
        }
        props {
            /// Most active series.
            limit_series: u64 = "limit-series",
            /// Most series in one request.
            limit_request_series: u64 = "limit-request-series",
            /// Most samples in one request.
            limit_request_samples: u64 = "limit-request-samples",
            /// Ingestors that serve the tenant.
            shard_size: u32 = "shard-size",
        }
    }
}

node! {
    /// How series find their ingestors.
    Hashring "hashring" {
        needs {
            /// Algorithm.
            algorithm: HashringAlgorithm,
        }
        props {
            /// Copies go to different zones.
            zones: bool = "zones",
        }
    }
}

node! {
    /// Stateless routers in front of the ingestors.
    Routers "routers" {
        props {
            /// Replicas.
            replicas: u32 = "replicas",
            /// Host name under which other clusters write.
            ingress: String = "ingress",
            /// TLS Secret of the Ingress.
            tls: SecretValue = "tls",
        }
    }
}

node! {
    /// Remote write to the receivers of this file.
    Push "push" {
        needs {
            /// `receive`.
            to: PushTo,
        }
        props {
            /// Tenant.
            tenant: Text = "tenant",
            /// Cluster whose receivers are meant, when there are several.
            cluster: String = "cluster",
        }
    }
}

words! {
    /// What is pushed to.
    PushTo {
        /// The receivers.
        Receive = "receive",
    }
}
