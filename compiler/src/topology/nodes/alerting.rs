//! Rules, Alertmanager, Grafana.

use prom_model::PromDuration;

use super::scrape::Yaml;
use crate::topology::decode::{node, words};
use crate::topology::values::{Cpu, SecretValue, Size};

words! {
    /// Where rules are evaluated.
    Placement {
        /// Decided for each group from the labels that its rules need.
        Auto = "auto",
        /// On every Prometheus.
        Local = "local",
        /// On the ruler.
        Ruler = "ruler",
    }
}

words! {
    /// Whether an answer with holes is good enough.
    PartialResponse {
        /// Answers with a warning.
        Warn = "warn",
        /// Fails.
        Abort = "abort",
    }
}

node! {
    /// A group of rules written here, or files of rules (`rules "rules/*.yaml"`).
    Rules "rules" {
        needs {
            /// Name of the group, or a path or glob that ends in .yaml or .yml.
            name: String,
        }
        props {
            /// Where they are evaluated.
            place: Placement = "place",
            /// Evaluation interval.
            every: PromDuration = "every",
            /// Most series or alerts a rule may yield.
            limit: u64 = "limit",
            /// Evaluates that far in the past.
            query_offset: PromDuration = "query-offset",
            /// On the ruler: what to do with answers that have holes.
            partial_response: PartialResponse = "partial-response",
        }
        many {
            /// Alerts.
            alerts: Alert,
            /// Recording rules.
            records: Record,
        }
    }
}

node! {
    /// An alerting rule. Any other property is a label: `team=node`.
    Alert "alert" {
        needs {
            /// Name.
            name: String,
        }
        props {
            /// How long the condition must hold.
            wait: PromDuration = "for",
            /// How long it keeps firing afterwards.
            keep_firing_for: PromDuration = "keep-firing-for",
            /// Label `severity`.
            severity: String = "severity",
        }
        open {
            /// Labels.
            labels
        }
        one {
            /// The condition.
            expr: Expr,
            /// Annotation `summary`.
            summary: Summary,
            /// Annotation `description`.
            description: Description,
            /// Annotation `runbook_url`.
            runbook: Runbook,
            /// Further annotations.
            annotations: Annotations,
        }
    }
}

node! {
    /// A recording rule. Any property is a label.
    Record "record" {
        needs {
            /// Name of the new metric.
            name: String,
        }
        open {
            /// Labels.
            labels
        }
        one {
            /// The expression.
            expr: Expr,
        }
    }
}

node! {
    /// A PromQL expression.
    Expr "expr" {
        needs {
            /// The expression.
            text: String,
        }
    }
}

node! {
    /// One sentence for the person who is woken.
    Summary "summary" {
        needs {
            /// Text with Prometheus' templates.
            text: String,
        }
    }
}

node! {
    /// What it means and what to look at.
    Description "description" {
        needs {
            /// Text with Prometheus' templates.
            text: String,
        }
    }
}

node! {
    /// Where the way out is written.
    Runbook "runbook" {
        needs {
            /// URL.
            text: String,
        }
    }
}

node! {
    /// Further annotations.
    Annotations "annotations" {
        open {
            /// `dashboard="https://…"`.
            annotations
        }
    }
}

node! {
    /// Alertmanager: deployed here, or somebody else's.
    Alertmanager "alertmanager" {
        props {
            /// Address of one that exists: `host:port`.
            external: String = "external",
            /// Replicas; they form a cluster.
            replicas: u32 = "replicas",
            /// Configuration file.
            config: String = "config",
            /// How long silences and notifications are kept.
            retention: PromDuration = "retention",
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
            /// `http` or `https`, for an external one.
            scheme: super::scrape::Scheme = "scheme",
            /// Address under which users reach it.
            external_url: String = "external-url",
        }
        one {
            /// The configuration in Alertmanager's own YAML.
            yaml: Yaml,
        }
        many {
            /// Receivers.
            receivers: Receiver,
        }
    }
}

node! {
    /// Who is told.
    Receiver "receiver" {
        needs {
            /// Name.
            name: String,
        }
        props {
            /// URL of a webhook.
            webhook: SecretValue = "webhook",
            /// URL of a Slack webhook.
            slack: SecretValue = "slack",
            /// Slack channel.
            channel: String = "channel",
            /// PagerDuty routing key.
            pagerduty: SecretValue = "pagerduty",
            /// E-mail address.
            email: String = "email",
            /// Also told when resolved.
            send_resolved: bool = "send-resolved",
        }
        open {
            /// Alerts with these labels go here: `severity=critical`. Without any, it is the default.
            matches
        }
    }
}

words! {
    /// What Grafana asks.
    Datasource {
        /// The querier or its frontend.
        Thanos = "thanos",
        /// A Prometheus.
        Prometheus = "prometheus",
    }
}

node! {
    /// Grafana: deployed here, or an existing one that gets data source and dashboards.
    Grafana "grafana" {
        props {
            /// URL of one that exists.
            external: String = "external",
            /// What it asks.
            datasource: Datasource = "datasource",
            /// Namespace of its ConfigMaps.
            namespace: String = "namespace",
            /// Renders dashboards.
            dashboards: bool = "dashboards",
            /// Password of the first user.
            password: SecretValue = "password",
            /// Host name of its Ingress.
            host: String = "host",
            /// TLS Secret of its Ingress.
            tls: SecretValue = "tls",
            /// Replicas.
            replicas: u32 = "replicas",
            /// Volume size.
            disk: Size = "disk",
            /// Storage class.
            class: String = "class",
            /// Image instead of the one of `target`.
            image: String = "image",
        }
    }
}
