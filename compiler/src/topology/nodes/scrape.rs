//! `scrape`: one job. A preset brings discovery, relabelling and permissions; children refine it.

use prom_model::PromDuration;

use crate::topology::decode::{node, words};
use crate::topology::values::{LabelList, SecretValue, Size, Text};

words! {
    /// What is scraped.
    Preset {
        /// The Prometheus servers of this group.
        Itself = "self",
        /// kubelet.
        Kubelet = "kubelet",
        /// cAdvisor inside the kubelet.
        Cadvisor = "cadvisor",
        /// Kubernetes API server.
        Apiserver = "apiserver",
        /// CoreDNS.
        Coredns = "coredns",
        /// etcd.
        Etcd = "etcd",
        /// node-exporter.
        NodeExporter = "node-exporter",
        /// kube-state-metrics.
        KubeStateMetrics = "kube-state-metrics",
        /// Every Thanos component of this topology.
        Thanos = "thanos",
        /// Alertmanager.
        Alertmanager = "alertmanager",
        /// MinIO.
        Minio = "minio",
        /// Grafana.
        Grafana = "grafana",
        /// Services annotated with `prometheus.io/scrape`.
        AnnotatedServices = "annotated-services",
        /// Pods.
        Pods = "pods",
        /// Probes through the blackbox-exporter.
        Blackbox = "blackbox",
        /// Fixed addresses.
        Static = "static",
        /// Targets from files.
        File = "file",
        /// Other Prometheus servers, through `/federate`.
        Federate = "federate",
        /// A job in Prometheus' own YAML.
        Raw = "raw",
    }
}

words! {
    /// How cAdvisor is reached.
    Via {
        /// Straight from the kubelet.
        Kubelet = "kubelet",
        /// Through the API server's node proxy, which needs a dangerous permission.
        ApiserverProxy = "apiserver-proxy",
    }
}

words! {
    /// `http` or `https`.
    Scheme {
        /// Plain.
        Http = "http",
        /// TLS.
        Https = "https",
    }
}

node! {
    /// One job of a Prometheus group.
    Scrape "scrape" {
        needs {
            /// What is scraped.
            preset: Preset,
        }
        props {
            /// Job name; the preset's own name otherwise.
            name: String = "as",
            /// Metrics path.
            path: String = "path",
            /// Scheme.
            scheme: Scheme = "scheme",
            /// Port number or port name of the targets.
            port: Text = "port",
            /// How cAdvisor is reached.
            via: Via = "via",
            /// Interval of this job.
            every: PromDuration = "every",
            /// Timeout of this job.
            timeout: PromDuration = "timeout",
            /// Keeps labels of the target that clash with ours.
            honor_labels: bool = "honor-labels",
            /// Keeps timestamps of the target.
            honor_timestamps: bool = "honor-timestamps",
            /// Prober module of the blackbox-exporter.
            module: String = "module",
            /// Name of the Prometheus group that is federated.
            from: String = "from",
            /// Accepts self-signed certificates of kubelets.
            insecure_skip_verify: bool = "insecure-skip-verify",
        }
        one {
            /// Labels of pods that are kept.
            keep_labels: KeepLabels,
            /// Metrics that are dropped after scraping.
            drop_metrics: DropMetrics,
            /// Metrics that alone are kept.
            keep_metrics: KeepMetrics,
            /// Limits.
            limit: Limit,
            /// Query parameters.
            params: Params,
            /// Namespaces that discovery looks into.
            namespaces: Namespaces,
            /// Credentials.
            auth: Auth,
            /// TLS.
            tls: Tls,
            /// The job in Prometheus' own YAML.
            yaml: Yaml,
        }
        many {
            /// Fixed addresses.
            statics: Static,
            /// Files with targets.
            files: File,
            /// URLs with targets.
            http_sds: HttpSd,
            /// DNS names.
            dns: Dns,
            /// Which discovered targets are kept.
            matches: Match,
            /// Selectors for `/federate`.
            selects: Select,
            /// Extra target relabelling.
            relabels: RelabelRule,
            /// Extra metric relabelling.
            metric_relabels: MetricRelabelRule,
        }
    }
}

node! {
    /// Fixed addresses `host:port`.
    Static "static" {
        rest {
            /// Addresses.
            targets: String
        }
        open {
            /// Labels of these targets.
            labels
        }
    }
}

node! {
    /// Files with targets, in Prometheus' file discovery form.
    File "file" {
        rest {
            /// Paths; the last part may hold `*`.
            paths: String
        }
    }
}

node! {
    /// HTTP service discovery.
    HttpSd "http-sd" {
        needs {
            /// URL.
            url: String,
        }
        props {
            /// Refresh interval.
            refresh: PromDuration = "refresh",
        }
    }
}

node! {
    /// DNS discovery.
    Dns "dns" {
        rest {
            /// Names.
            names: String
        }
        props {
            /// Record type: SRV, A, AAAA.
            record: String = "type",
            /// Port, for A and AAAA.
            port: u16 = "port",
            /// Refresh interval.
            refresh: PromDuration = "refresh",
        }
    }
}

node! {
    /// Keeps targets that carry an annotation or a label.
    Match "match" {
        props {
            /// Pod or Service annotation.
            annotation: String = "annotation",
            /// Pod or Service label.
            label: String = "label",
            /// Namespace (a regular expression).
            namespace: String = "namespace",
            /// Port name of the container or Service.
            port: String = "port",
            /// Value it must have (a regular expression).
            equals: Text = "equals",
        }
    }
}

node! {
    /// Selector for `/federate`.
    Select "select" {
        needs {
            /// Such as `{__name__=~"job:.*"}`.
            selector: String,
        }
    }
}

node! {
    /// Labels of pods or Services that become labels of the series.
    KeepLabels "keep-labels" {
        rest {
            /// Label names.
            names: String
        }
    }
}

node! {
    /// Metrics dropped after scraping.
    DropMetrics "drop-metrics" {
        rest {
            /// Regular expressions over the metric name.
            names: String
        }
    }
}

node! {
    /// Metrics that alone are kept.
    KeepMetrics "keep-metrics" {
        rest {
            /// Regular expressions over the metric name.
            names: String
        }
    }
}

node! {
    /// Limits; a target past one of them fails as a whole.
    Limit "limit" {
        props {
            /// Samples per scrape.
            samples: u64 = "samples",
            /// Labels per sample.
            labels: u64 = "labels",
            /// Characters of a label name.
            label_name_length: u64 = "label-name-length",
            /// Characters of a label value.
            label_value_length: u64 = "label-value-length",
            /// Targets of the job.
            targets: u64 = "targets",
            /// Size of an answer.
            body: Size = "body",
        }
    }
}

node! {
    /// Query parameters of each request.
    Params "params" {
        open {
            /// `module=http_2xx`.
            params
        }
    }
}

node! {
    /// Namespaces that discovery looks into.
    Namespaces "namespaces" {
        rest {
            /// Names.
            names: String
        }
    }
}

node! {
    /// Credentials of the job.
    Auth "auth" {
        props {
            /// Bearer token.
            token: SecretValue = "token",
            /// User of basic authentication.
            user: String = "user",
            /// Password of basic authentication.
            password: SecretValue = "password",
        }
    }
}

node! {
    /// TLS of the job.
    Tls "tls" {
        props {
            /// Certificate authority.
            ca: SecretValue = "ca",
            /// Client certificate.
            cert: SecretValue = "cert",
            /// Client key.
            key: SecretValue = "key",
            /// Name expected in the certificate.
            server_name: String = "server-name",
            /// Accepts any certificate.
            insecure_skip_verify: bool = "insecure-skip-verify",
        }
    }
}

node! {
    /// Text in YAML.
    Yaml "yaml" {
        needs {
            /// The text.
            text: String,
        }
    }
}

words! {
    /// What a relabelling rule does.
    RelabelAction {
        /// Sets a label.
        Replace = "replace",
        /// Keeps matching targets.
        Keep = "keep",
        /// Drops matching targets.
        Drop = "drop",
        /// Copies labels by name.
        Labelmap = "labelmap",
        /// Drops labels by name.
        Labeldrop = "labeldrop",
        /// Keeps labels by name.
        Labelkeep = "labelkeep",
        /// Hashes.
        Hashmod = "hashmod",
        /// Lower case.
        Lowercase = "lowercase",
        /// Upper case.
        Uppercase = "uppercase",
        /// Keeps equal ones.
        Keepequal = "keepequal",
        /// Drops equal ones.
        Dropequal = "dropequal",
    }
}

node! {
    /// One relabelling rule, with Prometheus' own words.
    RelabelRule "relabel" {
        needs {
            /// What to do.
            action: RelabelAction,
        }
        props {
            /// Source labels, separated by commas.
            from: LabelList = "from",
            /// Target label.
            to: String = "to",
            /// Regular expression, anchored.
            regex: Text = "regex",
            /// Replacement with `$1`.
            replacement: Text = "replacement",
            /// Joins source labels.
            separator: String = "separator",
            /// Modulus of `hashmod`.
            modulus: u64 = "modulus",
        }
    }
}

node! {
    /// One relabelling rule over scraped samples.
    MetricRelabelRule "metric-relabel" {
        needs {
            /// What to do.
            action: RelabelAction,
        }
        props {
            /// Source labels, separated by commas.
            from: LabelList = "from",
            /// Target label.
            to: String = "to",
            /// Regular expression, anchored.
            regex: Text = "regex",
            /// Replacement with `$1`.
            replacement: Text = "replacement",
            /// Joins source labels.
            separator: String = "separator",
            /// Modulus of `hashmod`.
            modulus: u64 = "modulus",
        }
    }
}
