//! One `scrape` node to its jobs: the preset's draft, then what the node refines, then what follows from both.

use prom_model::PromDuration;

use super::config::ScrapeConfig;
use super::sharding::Sharding;
use super::{Job, Surroundings, bare, declared, estimate, kubernetes, permissions, presets, raw, refine};
use crate::diagnostic::Diagnostic;
use crate::topology::nodes::scrape::{Preset, Scrape};

/// A job as its preset has it.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) config: ScrapeConfig,
    pub(super) sharding: Sharding,
    /// The component that it scrapes.
    pub(super) component: Option<String>,
}

impl Draft {
    pub(super) fn new(name: &str, config: ScrapeConfig) -> Draft {
        Draft { name: name.to_owned(), config, sharding: Sharding::by_address(), component: None }
    }
}

/// Resolves one `scrape` node.
pub(super) fn jobs(scrape: &Scrape, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) -> Vec<Job> {
    let drafts = drafts(scrape, around, diagnostics);
    let several = drafts.len() > 1 || scrape.preset.value == Preset::Thanos;
    let mut jobs = Vec::new();
    for mut draft in drafts {
        if let Some(name) = &scrape.name {
            draft.name = match draft.name.strip_prefix("thanos-").filter(|_| several) {
                Some(part) => format!("{}-{part}", name.value),
                None => name.value.clone(),
            };
        }
        jobs.push(finish(draft, scrape, around, diagnostics));
    }
    jobs
}

fn drafts(scrape: &Scrape, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) -> Vec<Draft> {
    use Preset as P;
    let preset = scrape.preset.value;
    let one = |draft: Option<Draft>| draft.into_iter().collect::<Vec<_>>();
    match preset {
        P::Raw => return raw::drafts(scrape, diagnostics),
        P::Static | P::File => return one(declared::plain(scrape, diagnostics)),
        P::Blackbox => return one(declared::blackbox(scrape, around, diagnostics)),
        P::Federate => return one(declared::federate(scrape, around, diagnostics)),
        _ => {}
    }
    if declared::has_targets(scrape) {
        return one(addressed(scrape, around));
    }
    if around.bare
        && let Some(draft) = bare::draft(scrape, around)
    {
        return vec![draft];
    }
    match preset {
        P::Kubelet | P::Cadvisor | P::Apiserver | P::Coredns | P::Etcd | P::AnnotatedServices | P::Pods => {
            if around.local {
                diagnostics.push(
                    Diagnostic::info(
                        "DSC014",
                        scrape.span,
                        format!("`scrape {}` is left out: there is no Kubernetes here", preset.word()),
                    )
                    .help("add `static \"host:port\"` to scrape it on this machine too"),
                );
                return Vec::new();
            }
            vec![kubernetes::draft(scrape, around)]
        }
        _ => presets::drafts(scrape, around, diagnostics),
    }
}

/// A preset whose targets the user names: its scheme, path and credentials, without its discovery.
fn addressed(scrape: &Scrape, around: &Surroundings) -> Option<Draft> {
    let preset = scrape.preset.value;
    let component = around.components.iter().find(|component| component.job == presets::job_name(preset));
    let kubernetes = matches!(preset, Preset::Kubelet | Preset::Cadvisor | Preset::Apiserver);
    let mut config = match (kubernetes, around.bare) {
        (true, true) => bare::draft(scrape, around)?.config,
        (true, false) => kubernetes::draft(scrape, around).config,
        _ => ScrapeConfig {
            metrics_path: component.and_then(|component| component.path.clone()),
            scheme: component.filter(|component| component.tls).map(|_| "https".into()),
            ..ScrapeConfig::default()
        },
    };
    config.kubernetes_sd_configs.clear();
    config.relabel_configs.clear();
    declared::targets(scrape, &mut config);
    let component = component.map(|component| component.job.clone());
    Some(Draft { component, ..Draft::new(presets::job_name(preset), config) })
}

fn finish(draft: Draft, scrape: &Scrape, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) -> Job {
    let mut job = Job {
        name: draft.name.clone(),
        preset: scrape.preset.value,
        span: scrape.span,
        config: draft.config,
        sharding: draft.sharding,
        interval: around.interval,
        timeout: around.timeout,
        series: None,
        permissions: Vec::new(),
        secrets: Vec::new(),
        component: draft.component,
    };
    job.config.job_name = draft.name;
    times(&mut job, scrape, around, diagnostics);
    refine::apply(&mut job, scrape, around, diagnostics);
    if !around.bare {
        let limits = std::mem::take(&mut job.config.limits);
        job.config.limits = limits.or(around.limits.clone()).or(presets::limits(job.preset));
    }
    job.permissions = permissions::of_job(&job.config, &around.namespace);
    job.series = estimate::series(&job, around);
    job
}

/// Interval and timeout: the node's, else those of a raw job's text, else the group's.
fn times(job: &mut Job, scrape: &Scrape, around: &Surroundings, diagnostics: &mut Vec<Diagnostic>) {
    let config = &mut job.config;
    let written = scrape.timeout.as_ref().map(|timeout| timeout.value).or(config.scrape_timeout);
    config.scrape_interval = scrape.every.as_ref().map(|every| every.value).or(config.scrape_interval);
    job.interval = config.scrape_interval.unwrap_or(around.interval);
    if job.interval <= PromDuration::ZERO {
        let span = scrape.every.as_ref().map_or(scrape.span, |every| every.span);
        diagnostics.push(
            Diagnostic::error("KDL007", span, "a scrape interval of nothing").help("write \"30s\" or so"),
        );
        job.interval = PromDuration::from_secs(30);
    }
    let span = scrape.timeout.as_ref().map_or(scrape.span, |timeout| timeout.span);
    if let Some(timeout) = written {
        if timeout > job.interval {
            diagnostics.push(
                Diagnostic::error(
                    "RES006",
                    span,
                    format!("the timeout {timeout} is longer than the interval {}", job.interval),
                )
                .help("Prometheus refuses it: make it shorter"),
            );
        } else if timeout == job.interval {
            diagnostics.push(
                Diagnostic::warning("RES006", span, format!("the timeout is the whole interval {timeout}"))
                    .help("a slow target then delays its next scrape: leave some seconds between the two"),
            );
        }
    }
    let head_room = PromDuration::from_millis((job.interval.as_millis() / 5 * 4).max(1));
    // Prometheus itself shortens an inherited timeout to the interval, no further.
    let inherited = if around.bare { job.interval } else { head_room };
    job.timeout = written.unwrap_or(around.timeout.min(inherited));
    if around.bare {
        config.scrape_timeout = written;
    } else {
        config.scrape_interval = Some(job.interval);
        config.scrape_timeout = Some(job.timeout);
    }
}
