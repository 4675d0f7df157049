//! What jobs need from the Kubernetes API: computed, so that nothing is granted that nobody uses.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Job;
use super::config::{KubernetesSd, ScrapeConfig, SdRole};

/// A rule of a Role or ClusterRole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRule {
    /// API groups; the empty one is the core group.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub api_groups: Vec<String>,
    /// Resources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<String>,
    /// Verbs.
    pub verbs: Vec<String>,
    /// Paths of the API server.
    #[serde(rename = "nonResourceURLs", skip_serializing_if = "Vec::is_empty")]
    pub non_resource_urls: Vec<String>,
    /// Namespaces in which it is needed; `None` means the whole cluster, hence a ClusterRole.
    #[serde(skip)]
    pub namespaces: Option<Vec<String>>,
}

const WATCH: [&str; 3] = ["get", "list", "watch"];

/// One resource with its verbs, before rules are put together.
type Need = (&'static str, &'static str, &'static [&'static str]);

impl PolicyRule {
    fn resource((group, resource, verbs): Need, namespaces: Option<Vec<String>>) -> PolicyRule {
        PolicyRule {
            api_groups: vec![group.into()],
            resources: vec![resource.into()],
            verbs: verbs.iter().map(|verb| verb.to_string()).collect(),
            non_resource_urls: Vec::new(),
            namespaces,
        }
    }

    fn path(path: &str) -> PolicyRule {
        PolicyRule {
            api_groups: Vec::new(),
            resources: Vec::new(),
            verbs: vec!["get".into()],
            non_resource_urls: vec![path.into()],
            namespaces: None,
        }
    }
}

/// What a job needs: its discovery, and what it asks kubelets and API servers for.
pub(super) fn of_job(config: &ScrapeConfig, namespace: &str) -> Vec<PolicyRule> {
    let mut rules: Vec<PolicyRule> =
        config.kubernetes_sd_configs.iter().flat_map(|sd| of_discovery(sd, namespace)).collect();
    let authorized = config.http.authorization.is_some() || config.http.bearer_token_file.is_some();
    let https = config.scheme.as_deref() == Some("https");
    let proxied = uses_node_proxy(config);
    if proxied {
        rules.push(PolicyRule::resource(("", "nodes/proxy", &["get"]), None));
    } else if authorized && https {
        let role = |role| config.kubernetes_sd_configs.iter().any(|sd| sd.role == role);
        if role(SdRole::Node) {
            rules.push(PolicyRule::resource(("", "nodes/metrics", &["get"]), None));
        } else if role(SdRole::Endpoints) || role(SdRole::Endpointslice) {
            rules.push(PolicyRule::path(config.metrics_path.as_deref().unwrap_or("/metrics")));
        }
    }
    rules
}

/// Whether requests go through the API server's node proxy.
pub(super) fn uses_node_proxy(config: &ScrapeConfig) -> bool {
    config.relabel_configs.iter().any(|rule| {
        rule.target_label.as_deref() == Some("__metrics_path__")
            && rule.replacement.as_deref().is_some_and(|path| path.contains("/proxy/"))
    })
}

/// What one discovery needs; `namespace` is where Prometheus runs.
pub fn of_discovery(sd: &KubernetesSd, namespace: &str) -> Vec<PolicyRule> {
    let namespaces = sd.namespaces.as_ref().and_then(|chosen| {
        let mut names: BTreeSet<String> = chosen.names.iter().cloned().collect();
        if chosen.own_namespace {
            names.insert(namespace.to_owned());
        }
        (!names.is_empty()).then(|| names.into_iter().collect::<Vec<_>>())
    });
    let needs: &[Need] = match sd.role {
        SdRole::Node => &[("", "nodes", &WATCH)],
        SdRole::Pod => &[("", "pods", &WATCH)],
        SdRole::Service => &[("", "services", &WATCH)],
        SdRole::Endpoints => &[("", "endpoints", &WATCH), ("", "services", &WATCH), ("", "pods", &WATCH)],
        SdRole::Endpointslice => {
            &[("discovery.k8s.io", "endpointslices", &WATCH), ("", "services", &WATCH), ("", "pods", &WATCH)]
        }
        SdRole::Ingress => &[("networking.k8s.io", "ingresses", &WATCH)],
    };
    let namespaces = if sd.role == SdRole::Node { None } else { namespaces };
    let mut rules: Vec<PolicyRule> =
        needs.iter().map(|need| PolicyRule::resource(*need, namespaces.clone())).collect();
    let attached = sd.attach_metadata.clone().unwrap_or_default();
    if attached.node {
        rules.push(PolicyRule::resource(("", "nodes", &WATCH), None));
    }
    if attached.namespace {
        rules.push(PolicyRule::resource(("", "namespaces", &WATCH), None));
    }
    rules
}

/// The least that all these jobs need together, sorted; what the whole cluster grants is not granted again by namespace.
pub fn permissions(jobs: &[Job]) -> Vec<PolicyRule> {
    merge(jobs.iter().flat_map(|job| &job.permissions))
}

/// Namespaces, `None` being all of them.
type Scope = Option<Vec<String>>;

/// Puts rules together: one rule for each group, set of verbs and set of namespaces.
pub fn merge<'a>(rules: impl IntoIterator<Item = &'a PolicyRule>) -> Vec<PolicyRule> {
    // Group (`None` for paths of the API server), resource or path, and verbs.
    type Key = (Option<String>, String, Vec<String>);
    let mut scopes: BTreeMap<Key, Option<BTreeSet<String>>> = BTreeMap::new();
    for rule in rules {
        let resources = rule.api_groups.iter().flat_map(|group| {
            rule.resources.iter().map(move |resource| (Some(group.clone()), resource.clone()))
        });
        let paths = rule.non_resource_urls.iter().map(|path| (None, path.clone()));
        for (group, name) in resources.chain(paths) {
            let wanted = rule.namespaces.clone().map(|names| names.into_iter().collect::<BTreeSet<_>>());
            let scope =
                scopes.entry((group, name, rule.verbs.clone())).or_insert_with(|| Some(BTreeSet::new()));
            *scope = match (scope.take(), wanted) {
                (Some(mut have), Some(wanted)) => {
                    have.extend(wanted);
                    Some(have)
                }
                _ => None,
            };
        }
    }
    type Group = (Scope, Option<String>, Vec<String>);
    let mut merged: BTreeMap<Group, Vec<String>> = BTreeMap::new();
    for ((group, name, verbs), scope) in scopes {
        let namespaces = scope.map(|names| names.into_iter().collect());
        merged.entry((namespaces, group, verbs)).or_default().push(name);
    }
    let rule = |((namespaces, group, verbs), names): (_, Vec<String>)| match group {
        Some(group) => PolicyRule {
            api_groups: vec![group],
            resources: names,
            verbs,
            non_resource_urls: Vec::new(),
            namespaces,
        },
        None => PolicyRule {
            api_groups: Vec::new(),
            resources: Vec::new(),
            verbs,
            non_resource_urls: names,
            namespaces,
        },
    };
    merged.into_iter().map(rule).collect()
}
