//! `scrape raw`: a job in Prometheus' own YAML. What the compiler understands it takes over, the rest passes through.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::build::Draft;
use super::config::{HttpClient, Limits, ScrapeConfig};
use crate::diagnostic::Diagnostic;
use crate::render::yaml;
use crate::source::Span;
use crate::topology::nodes::scrape::Scrape;

/// The jobs of the text: one mapping, or a list of them.
pub(super) fn drafts(scrape: &Scrape, diagnostics: &mut Vec<Diagnostic>) -> Vec<Draft> {
    let Some(text) = &scrape.yaml else {
        diagnostics.push(
            Diagnostic::error("KDL005", scrape.span, "`scrape raw` has no text")
                .help("add `yaml \"\"\"…\"\"\"` with the job in Prometheus' own form"),
        );
        return Vec::new();
    };
    let span = text.text.span;
    let documents = match yaml::parse(&text.text.value) {
        Ok(documents) => documents,
        Err(error) => {
            diagnostics.push(Diagnostic::error("KDL006", span, format!("no legal YAML: {error}")));
            return Vec::new();
        }
    };
    let jobs = documents.into_iter().flat_map(|document| match document {
        Value::Array(jobs) => jobs,
        other => vec![other],
    });
    let mut drafts = Vec::new();
    for job in jobs {
        match job {
            Value::Object(fields) => drafts.push(draft(fields, scrape, span, diagnostics)),
            _ => diagnostics.push(
                Diagnostic::error("KDL006", span, "a job is a mapping")
                    .help("begin with `job_name:`, or with `- job_name:` for several"),
            ),
        }
    }
    if drafts.len() > 1
        && let Some(name) = &scrape.name
    {
        diagnostics.push(
            Diagnostic::error("KDL008", name.span, "one name for several jobs")
                .help("give each its `job_name` in the text"),
        );
    }
    drafts
}

/// Takes fields out of the mapping.
struct Fields<'a> {
    rest: Map<String, Value>,
    span: Span,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Fields<'_> {
    /// A field that the compiler must understand: what it cannot read, Prometheus cannot either.
    fn take<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.rest.shift_remove(name).filter(|value| !value.is_null())?;
        match serde_json::from_value(value) {
            Ok(read) => Some(read),
            Err(error) => {
                self.diagnostics.push(Diagnostic::error("KDL006", self.span, format!("`{name}`: {error}")));
                None
            }
        }
    }

    /// A field that passes through unchanged when it holds more than the compiler knows.
    fn take_known<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let read = serde_json::from_value(self.rest.get(name)?.clone()).ok()?;
        self.rest.shift_remove(name);
        Some(read)
    }
}

fn draft(
    fields: Map<String, Value>,
    scrape: &Scrape,
    span: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Draft {
    let mut fields = Fields { rest: fields, span, diagnostics };
    let name: Option<String> = fields.take("job_name");
    let mut config = ScrapeConfig {
        scrape_interval: fields.take("scrape_interval"),
        scrape_timeout: fields.take("scrape_timeout"),
        fallback_scrape_protocol: fields.take("fallback_scrape_protocol"),
        metrics_path: fields.take("metrics_path"),
        honor_labels: fields.take("honor_labels"),
        honor_timestamps: fields.take("honor_timestamps"),
        scheme: fields.take("scheme"),
        params: fields.take("params").unwrap_or_default(),
        http: HttpClient {
            basic_auth: fields.take_known("basic_auth"),
            authorization: fields.take_known("authorization"),
            tls_config: fields.take_known("tls_config"),
            bearer_token_file: fields.take("bearer_token_file"),
        },
        file_sd_configs: fields.take_known("file_sd_configs").unwrap_or_default(),
        kubernetes_sd_configs: fields.take_known("kubernetes_sd_configs").unwrap_or_default(),
        static_configs: fields.take("static_configs").unwrap_or_default(),
        relabel_configs: fields.take("relabel_configs").unwrap_or_default(),
        metric_relabel_configs: fields.take("metric_relabel_configs").unwrap_or_default(),
        limits: Limits {
            body_size_limit: fields.take_known("body_size_limit"),
            sample_limit: fields.take("sample_limit"),
            label_limit: fields.take("label_limit"),
            label_name_length_limit: fields.take("label_name_length_limit"),
            label_value_length_limit: fields.take("label_value_length_limit"),
            target_limit: fields.take("target_limit"),
        },
        ..ScrapeConfig::default()
    };
    let name = name.or_else(|| scrape.name.as_ref().map(|name| name.value.clone()));
    if name.is_none() {
        fields.diagnostics.push(
            Diagnostic::error("KDL005", scrape.span, "a raw job without a name")
                .help("write `scrape raw as=NAME`, or `job_name: NAME` in the text"),
        );
    }
    config.extra = fields.rest;
    Draft::new(name.as_deref().unwrap_or("raw"), config)
}
