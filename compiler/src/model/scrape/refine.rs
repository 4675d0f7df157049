//! What the children and properties of a `scrape` node change about its preset.

use super::config::{Authorization, BasicAuth, Limits, SdNamespaces, SdRole, TlsConfig};
use super::kubernetes::port_number;
use super::{Job, Surroundings, relabelling};
use crate::diagnostic::Diagnostic;
use crate::topology::decode::Written;
use crate::topology::nodes::scrape::{Preset, Scrape};
use crate::topology::values::SecretValue;

/// Applies a `scrape` node to a job.
pub(super) fn apply(
    job: &mut Job,
    scrape: &Scrape,
    around: &Surroundings,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let config = &mut job.config;
    if let Some(path) = &scrape.path {
        config.metrics_path = (path.value != "/metrics").then(|| path.value.clone());
    }
    if let Some(scheme) = &scrape.scheme {
        config.scheme = Some(scheme.value.word().to_owned());
    }
    if let Some(honor) = &scrape.honor_labels {
        config.honor_labels = Some(honor.value);
    }
    if let Some(honor) = &scrape.honor_timestamps {
        config.honor_timestamps = Some(honor.value);
    }
    if let Some(params) = &scrape.params {
        for (name, value) in &params.params {
            config.params.entry(name.value.clone()).or_default().push(value.value.clone());
        }
    }
    if let Some(namespaces) = &scrape.namespaces {
        let mut names: Vec<String> = namespaces.names.iter().map(|name| name.value.clone()).collect();
        names.sort();
        names.dedup();
        for discovery in config.kubernetes_sd_configs.iter_mut().filter(|sd| sd.role != SdRole::Node) {
            let own_namespace = false;
            discovery.namespaces =
                (!names.is_empty()).then(|| SdNamespaces { own_namespace, names: names.clone() });
        }
    }
    if let Some(limit) = &scrape.limit {
        let number = |written: &Option<Written<u64>>| written.as_ref().map(|number| number.value);
        let written = Limits {
            body_size_limit: limit.body.as_ref().map(|size| size.value.thanos().replace('k', "K")),
            sample_limit: number(&limit.samples),
            label_limit: number(&limit.labels),
            label_name_length_limit: number(&limit.label_name_length),
            label_value_length_limit: number(&limit.label_value_length),
            target_limit: number(&limit.targets),
        };
        config.limits = written.or(std::mem::take(&mut config.limits));
    }
    unused_port(job, scrape, diagnostics);
    credentials(job, scrape, around, diagnostics);
    relabelling::apply(job, scrape, around, diagnostics);
}

/// Fixed addresses carry their port.
fn unused_port(job: &Job, scrape: &Scrape, diagnostics: &mut Vec<Diagnostic>) {
    let fixed = job.config.kubernetes_sd_configs.is_empty();
    let named = port_number(scrape).is_none();
    let nodes = matches!(job.preset, Preset::Kubelet | Preset::Cadvisor);
    if let Some(port) = &scrape.port
        && (fixed || (named && nodes))
    {
        diagnostics.push(
            Diagnostic::error("KDL007", port.span, format!("`port={}` changes nothing here", port.value.0))
                .help("fixed addresses carry their port, and nodes have no named ones"),
        );
    }
}

fn credentials(job: &mut Job, scrape: &Scrape, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) {
    let mut secrets = Vec::new();
    let mut file = |secret: &Written<SecretValue>| match &secret.value {
        SecretValue::Reference { name, key } => {
            secrets.push((name.clone(), key.clone()));
            Ok(format!("{}/{name}/{key}", around.secrets_dir))
        }
        SecretValue::File(path) => Ok(path.clone()),
        SecretValue::Literal(text) => {
            diagnostics.push(
                Diagnostic::error("SEC001", secret.span, "a secret in plain text")
                    .help("put it into a Secret and write \"secret:NAME/KEY\""),
            );
            Err(text.clone())
        }
    };
    let http = &mut job.config.http;
    if let Some(auth) = &scrape.auth {
        if let Some(token) = &auth.token {
            let mut authorization = Authorization::default();
            match file(token) {
                Ok(path) => authorization.credentials_file = Some(path),
                Err(text) => authorization.credentials = Some(text),
            }
            http.authorization = Some(authorization);
            http.bearer_token_file = None;
        }
        if auth.user.is_some() || auth.password.is_some() {
            let mut basic = BasicAuth {
                username: auth.user.as_ref().map(|user| user.value.clone()),
                ..BasicAuth::default()
            };
            match auth.password.as_ref().map(&mut file) {
                Some(Ok(path)) => basic.password_file = Some(path),
                Some(Err(text)) => basic.password = Some(text),
                None => {}
            }
            http.basic_auth = Some(basic);
        }
    }
    if let Some(tls) = &scrape.tls {
        let mut certificate =
            |secret: &Option<Written<SecretValue>>| secret.as_ref().and_then(|secret| file(secret).ok());
        let (ca, cert, key) = (certificate(&tls.ca), certificate(&tls.cert), certificate(&tls.key));
        let written = http.tls_config.get_or_insert_with(TlsConfig::default);
        written.ca_file = ca.or(written.ca_file.take());
        written.cert_file = cert.or(written.cert_file.take());
        written.key_file = key.or(written.key_file.take());
        if let Some(name) = &tls.server_name {
            written.server_name = Some(name.value.clone());
        }
        if let Some(skip) = &tls.insecure_skip_verify {
            written.insecure_skip_verify = skip.value.then_some(true);
        }
        if job.config.scheme.is_none() {
            job.config.scheme = Some("https".into());
        }
    }
    if let Some(skip) = &scrape.insecure_skip_verify
        && skip.value
    {
        let tls = job.config.http.tls_config.get_or_insert_with(TlsConfig::default);
        tls.insecure_skip_verify = Some(true);
    }
    secrets.sort();
    secrets.dedup();
    job.secrets = secrets;
    skipped_verification(job, scrape, diagnostics);
}

fn skipped_verification(job: &Job, scrape: &Scrape, diagnostics: &mut Vec<Diagnostic>) {
    let Some(tls) = job.config.http.tls_config.as_ref().filter(|tls| tls.insecure_skip_verify == Some(true))
    else {
        return;
    };
    let message = format!("job `{}` accepts any certificate", job.name);
    diagnostics.push(match tls.ca_file {
        Some(_) => {
            Diagnostic::error("SEC007", scrape.span, format!("{message}, although it has an authority"))
                .help("remove insecure-skip-verify, or the authority that it makes useless")
        }
        None => Diagnostic::warning("SEC007", scrape.span, message).help(
            "give kubelets certificates of the cluster's authority (serverTLSBootstrap), or `tls ca=…`",
        ),
    });
}
