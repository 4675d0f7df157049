//! Presets whose targets the user names: fixed addresses, files, DNS, HTTP discovery, probes, federation.

use super::build::Draft;
use super::config::{DnsSd, FileSd, HttpSd, KubernetesSd, ScrapeConfig, SdRole, StaticConfig};
use super::presets::job_name;
use super::rule::Rule;
use super::sharding::Sharding;
use super::{Component, Surroundings};
use crate::diagnostic::Diagnostic;
use crate::topology::nodes::scrape::{Preset, Scrape};

/// Whether the user names targets.
pub(super) fn has_targets(scrape: &Scrape) -> bool {
    !(scrape.statics.is_empty()
        && scrape.files.is_empty()
        && scrape.http_sds.is_empty()
        && scrape.dns.is_empty())
}

/// Writes the targets that the user names.
pub(super) fn targets(scrape: &Scrape, config: &mut ScrapeConfig) {
    let texts = |written: &[crate::topology::decode::Written<String>]| -> Vec<String> {
        written.iter().map(|text| text.value.clone()).collect()
    };
    let group = |node: &crate::topology::nodes::scrape::Static| StaticConfig {
        targets: texts(&node.targets),
        labels: node.labels.iter().map(|(name, value)| (name.value.clone(), value.value.clone())).collect(),
    };
    config.static_configs = scrape.statics.iter().map(group).collect();
    let files = |node: &crate::topology::nodes::scrape::File| FileSd {
        files: texts(&node.paths),
        refresh_interval: None,
    };
    config.file_sd_configs = scrape.files.iter().map(files).collect();
    config.http_sd_configs = scrape
        .http_sds
        .iter()
        .map(|node| HttpSd {
            url: node.url.value.clone(),
            refresh_interval: node.refresh.as_ref().map(|every| every.value),
        })
        .collect();
    config.dns_sd_configs = scrape
        .dns
        .iter()
        .map(|node| DnsSd {
            names: texts(&node.names),
            record: node.record.as_ref().map(|record| record.value.to_uppercase()),
            port: node.port.as_ref().map(|port| port.value),
            refresh_interval: node.refresh.as_ref().map(|every| every.value),
        })
        .collect();
}

/// A job over the targets that the user names.
pub(super) fn plain(scrape: &Scrape, diagnostics: &mut Vec<Diagnostic>) -> Option<Draft> {
    if !has_targets(scrape) {
        diagnostics.push(
            Diagnostic::error("DSC014", scrape.span, "this job has no targets")
                .help("add `static \"host:port\"`, `file`, `http-sd` or `dns`"),
        );
        return None;
    }
    let mut config = ScrapeConfig::default();
    targets(scrape, &mut config);
    for node in &scrape.dns {
        let record = node.record.as_ref().map_or("SRV", |record| record.value.as_str()).to_uppercase();
        let known = matches!(record.as_str(), "SRV" | "A" | "AAAA" | "MX" | "NS");
        if !known || (record != "SRV" && node.port.is_none()) {
            diagnostics.push(
                Diagnostic::error(
                    "KDL007",
                    node.span,
                    format!("DNS discovery by {record} records as it stands"),
                )
                .help("types are SRV, A, AAAA, MX, NS; all but SRV need `port=`"),
            );
        }
    }
    Some(Draft::new(job_name(scrape.preset.value), config))
}

/// Probes: the exporter is asked, the target is a parameter.
pub(super) fn blackbox(
    scrape: &Scrape,
    around: &Surroundings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Draft> {
    let Some(exporter) = around.components.iter().find(|component| component.job == "blackbox") else {
        diagnostics.push(
            Diagnostic::error("DSC014", scrape.span, "nothing to probe with: there is no blackbox")
                .help("add `blackbox` to the topology"),
        );
        return None;
    };
    let address = match (exporter.targets.first(), exporter.services.first()) {
        (Some(address), _) => address.clone(),
        (None, service) => {
            let service = service.map_or(exporter.job.as_str(), String::as_str);
            format!("{service}.{}.svc:{}", exporter.namespace, exporter.port)
        }
    };
    let mut config = ScrapeConfig { metrics_path: Some("/probe".into()), ..ScrapeConfig::default() };
    let module = scrape.module.as_ref().map_or("http_2xx", |module| module.value.as_str());
    config.params.insert("module".into(), vec![module.into()]);
    let mut rules = Vec::new();
    if has_targets(scrape) {
        targets(scrape, &mut config);
    } else {
        const PROBE: &str = "__meta_kubernetes_service_annotation_prometheus_io_probe";
        config.kubernetes_sd_configs = vec![KubernetesSd::new(SdRole::Service, &[])];
        rules.push(Rule::keep(&[PROBE], "true"));
    }
    rules.push(Rule::copy("__address__", "__param_target"));
    let at = rules.len();
    rules.extend([Rule::copy("__param_target", "instance"), Rule::set("__address__", &address)]);
    if !config.kubernetes_sd_configs.is_empty() {
        rules.push(Rule::copy("__meta_kubernetes_namespace", "namespace"));
        rules.push(Rule::copy("__meta_kubernetes_service_name", "service"));
    }
    config.relabel_configs = rules;
    Some(Draft {
        sharding: Sharding::by(&["__param_target"], at),
        ..Draft::new(job_name(Preset::Blackbox), config)
    })
}

/// Other Prometheus servers, through `/federate`.
pub(super) fn federate(
    scrape: &Scrape,
    around: &Surroundings,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Draft> {
    let mut config = ScrapeConfig {
        metrics_path: Some("/federate".into()),
        // The series keep the job and instance under which the other server has them.
        honor_labels: Some(true),
        ..ScrapeConfig::default()
    };
    let selectors: Vec<String> = scrape.selects.iter().map(|select| select.selector.value.clone()).collect();
    if selectors.is_empty() {
        diagnostics.push(
            Diagnostic::error("KDL005", scrape.span, "federation does not say which series")
                .help("add `select \"{__name__=~\\\"job:.*\\\"}\"`"),
        );
        return None;
    }
    config.params.insert("match[]".into(), selectors);
    let name = match &scrape.from {
        Some(group) => format!("federate-{}", group.value),
        None => job_name(Preset::Federate).to_owned(),
    };
    if has_targets(scrape) {
        targets(scrape, &mut config);
        return Some(Draft::new(&name, config));
    }
    let Some(from) = &scrape.from else {
        diagnostics.push(
            Diagnostic::error("DSC014", scrape.span, "federation does not say from whom")
                .help("write `from=GROUP`, or add `static \"host:9090\"`"),
        );
        return None;
    };
    let of_group = |component: &&Component| {
        component.job == "prometheus" && component.group.as_deref() == Some(from.value.as_str())
    };
    let servers: Vec<&Component> = around.components.iter().filter(of_group).collect();
    if servers.is_empty() {
        let groups = around.components.iter().filter_map(|component| component.group.as_deref());
        let groups: Vec<&str> = groups.collect();
        diagnostics.push(
            Diagnostic::error("DSC014", from.span, format!("there is no Prometheus group `{}`", from.value))
                .maybe_help(crate::diagnostic::did_you_mean(&from.value, groups)),
        );
        return None;
    }
    Some(Draft { component: None, ..super::presets::reach(&name, &servers, scrape, around, config) })
}
