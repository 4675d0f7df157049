//! Alertmanager's configuration from `receiver` nodes: who is told what, and what keeps quiet meanwhile.

use serde_json::{Map, Value, json};

use super::secret_path;
use crate::diagnostic::Diagnostic;
use crate::facts::Version;
use crate::model::Cluster;
use crate::source::Span;
use crate::topology::decode::Written;
use crate::topology::nodes::alerting::{Alertmanager, Receiver};
use crate::topology::values::SecretValue;

/// Name of the receiver that tells nobody.
const NOBODY: &str = "null";

/// What came out.
pub(super) struct Built {
    pub(super) config: Value,
    pub(super) sensitive: bool,
    pub(super) secrets: Vec<(String, String)>,
}

/// Lays receivers and routes over `base`, which holds what the user wrote in Alertmanager's own words.
pub(super) fn config(
    cluster: &Cluster,
    node: &Alertmanager,
    base: Value,
    diagnostics: &mut Vec<Diagnostic>,
) -> Built {
    let mail = base.pointer("/global/smtp_smarthost").is_some();
    let mut builder = Builder { cluster, diagnostics, mail, sensitive: false, secrets: Vec::new() };
    let receivers: Vec<Value> = node.receivers.iter().map(|receiver| builder.receiver(receiver)).collect();
    let default = builder.default(node);
    let mut all = vec![json!({ "name": NOBODY })];
    all.extend(receivers);
    let routes = builder.routes(&node.receivers);
    let (sensitive, secrets) = (builder.sensitive, builder.secrets);
    let mut config = match base {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    config.insert(
        "route".to_string(),
        json!({
            "receiver": default,
            "group_by": ["alertname", "cluster", "namespace"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "4h",
            "routes": routes,
        }),
    );
    config.entry("inhibit_rules").or_insert_with(|| {
        let hides = |louder: &str, quieter: &str| {
            json!({
                "source_matchers": [format!("severity=\"{louder}\"")],
                "target_matchers": [format!("severity=~\"{quieter}\"")],
                "equal": ["alertname", "cluster", "namespace"],
            })
        };
        json!([hides("critical", "warning|info"), hides("warning", "info")])
    });
    config.insert("receivers".to_string(), Value::Array(all));
    Built { config: Value::Object(config), sensitive, secrets }
}

struct Builder<'a> {
    cluster: &'a Cluster,
    diagnostics: &'a mut Vec<Diagnostic>,
    mail: bool,
    sensitive: bool,
    secrets: Vec<(String, String)>,
}

impl Builder<'_> {
    /// The receiver of everything that no other one wants.
    fn default(&mut self, node: &Alertmanager) -> String {
        let mut open = node.receivers.iter().filter(|receiver| receiver.matches.is_empty());
        let Some(first) = open.next() else {
            let (span, message) = match node.receivers.first() {
                Some(receiver) => (receiver.name_span, "an alert that no receiver matches reaches nobody"),
                None => (node.name_span, "Alertmanager has no receiver: alerts reach nobody"),
            };
            self.diagnostics.push(
                Diagnostic::warning("ALR006", span, message)
                    .help("write a `receiver` without labels: it gets what no other one matches"),
            );
            return NOBODY.to_string();
        };
        for second in open {
            self.diagnostics.push(
                Diagnostic::error("KDL008", second.name_span, "a second receiver for everything")
                    .related(first.name_span, "the first one")
                    .help("say which alerts it gets, such as `severity=critical`"),
            );
        }
        first.name.value.clone()
    }

    fn routes(&mut self, receivers: &[Receiver]) -> Vec<Value> {
        let matching: Vec<&Receiver> =
            receivers.iter().filter(|receiver| !receiver.matches.is_empty()).collect();
        let last = matching.len().saturating_sub(1);
        let mut routes: Vec<Value> = matching
            .iter()
            .enumerate()
            .map(|(at, receiver)| {
                let matchers: Vec<String> = receiver
                    .matches
                    .iter()
                    .map(|(name, value)| format!("{}={}", name.value, quoted(&value.value)))
                    .collect();
                let mut route = json!({ "receiver": receiver.name.value, "matchers": matchers });
                if at < last {
                    // Two receivers may want the same alert.
                    route["continue"] = json!(true);
                }
                route
            })
            .collect();
        // The dead-man switch fires always; it is for an outside service, not for people.
        let expected = matching.iter().any(|receiver| {
            receiver
                .matches
                .iter()
                .any(|(name, value)| name.value == "alertname" && value.value == "Watchdog")
        });
        if !expected {
            routes.insert(0, json!({ "receiver": NOBODY, "matchers": ["alertname=\"Watchdog\""] }));
        }
        routes
    }

    fn receiver(&mut self, node: &Receiver) -> Value {
        let mut receiver = Map::from_iter([("name".to_string(), json!(node.name.value))]);
        if node.name.value == NOBODY {
            self.diagnostics.push(
                Diagnostic::error("KDL007", node.name.span, "`null` is the receiver that tells nobody")
                    .help("name it otherwise"),
            );
        }
        let resolved = node.send_resolved.as_ref().map(|resolved| resolved.value);
        let with_resolved = |mut settings: Map<String, Value>| {
            if let Some(resolved) = resolved {
                settings.insert("send_resolved".to_string(), json!(resolved));
            }
            json!([settings])
        };
        if let Some(url) = &node.webhook {
            let settings = self.secret(url, "url", Version { major: 0, minor: 26, patch: 0 }, "webhooks");
            receiver.insert("webhook_configs".to_string(), with_resolved(settings));
        }
        if let Some(url) = &node.slack {
            let mut settings =
                self.secret(url, "api_url", Version { major: 0, minor: 22, patch: 0 }, "Slack");
            match &node.channel {
                Some(channel) => {
                    settings.insert("channel".to_string(), json!(channel.value));
                }
                None => self.diagnostics.push(
                    Diagnostic::error(
                        "KDL005",
                        node.name.span,
                        format!("`{}` names no Slack channel", node.name.value),
                    )
                    .help("write channel=\"#alerts\""),
                ),
            }
            receiver.insert("slack_configs".to_string(), with_resolved(settings));
        }
        if let Some(key) = &node.pagerduty {
            let settings =
                self.secret(key, "routing_key", Version { major: 0, minor: 25, patch: 0 }, "PagerDuty");
            receiver.insert("pagerduty_configs".to_string(), with_resolved(settings));
        }
        if let Some(address) = &node.email {
            if !self.mail {
                self.diagnostics.push(
                    Diagnostic::error("KDL005", address.span, "an e-mail receiver needs a mail server")
                        .help("add `yaml \"\"\"global: …\"\"\"` with `smtp_smarthost` and `smtp_from` inside `alertmanager`"),
                );
            }
            let settings = Map::from_iter([("to".to_string(), json!(address.value))]);
            receiver.insert("email_configs".to_string(), with_resolved(settings));
        }
        if receiver.len() == 1 {
            self.diagnostics.push(
                Diagnostic::warning("ALR006", node.name_span, format!("`{}` tells nobody", node.name.value))
                    .help("give it webhook=, slack=, pagerduty= or email="),
            );
        }
        Value::Object(receiver)
    }

    /// The setting `KEY_file` for a reference, and `KEY` for a literal, which only `bare` tolerates.
    fn secret(
        &mut self,
        secret: &Written<SecretValue>,
        key: &str,
        since: Version,
        what: &str,
    ) -> Map<String, Value> {
        let (name, value) = match &secret.value {
            SecretValue::Reference { name, key: entry } => {
                self.secrets.push((name.clone(), entry.clone()));
                (format!("{key}_file"), secret_path(name, entry))
            }
            SecretValue::File(path) => (format!("{key}_file"), path.clone()),
            SecretValue::Literal(text) => {
                self.literal(secret.span);
                return Map::from_iter([(key.to_string(), json!(text))]);
            }
        };
        let version = self.cluster.versions.alertmanager;
        if version < since {
            self.diagnostics.push(
                Diagnostic::error(
                    "VER003",
                    secret.span,
                    format!("Alertmanager {version} cannot read the secret of {what} from a file"),
                )
                .help(format!("{since} and later can: raise `target alertmanager=`")),
            );
        }
        Map::from_iter([(name, json!(value))])
    }

    fn literal(&mut self, span: Span) {
        self.sensitive = true;
        self.diagnostics.push(
            Diagnostic::error("SEC001", span, "a secret in clear text")
                .help("put it into a Secret and write \"secret:NAME/KEY\""),
        );
    }
}

/// A matcher's value in quotes.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
