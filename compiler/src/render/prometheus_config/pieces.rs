//! Jobs as text that shards share.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{PrometheusConfig, plain, yaml};
use crate::model::scrape::{Job, Sharding, hash_rule, keep_rule};
use crate::model::shards::ShardPlan;

/// A part of the jobs' text.
#[derive(Debug)]
enum Piece {
    /// The same on every shard.
    Shared(Arc<str>),
    /// The place of the shard's `keep` rule.
    Keep,
    /// On one shard only.
    Only(u32, Arc<str>),
}

/// The jobs of a group as text, serialised once for all shards.
#[derive(Debug)]
pub struct JobTexts {
    pieces: Vec<Piece>,
    keeps: Vec<Arc<str>>,
    indent: usize,
}

impl JobTexts {
    /// Serialises the jobs; every line is indented by `indent` spaces, for files inside ConfigMaps.
    pub fn new(jobs: &[Job], plan: &ShardPlan, indent: usize) -> JobTexts {
        let mut texts = JobTexts { pieces: Vec::new(), keeps: Vec::new(), indent };
        let mut shared = String::new();
        for job in jobs {
            match (&job.sharding, plan.is_sharded()) {
                (Sharding::Hashed { by, at }, true) => {
                    let (head, tail) = halves(job, hash_rule(by, plan), *at);
                    shared.push_str(&head);
                    texts.push(&mut shared);
                    texts.pieces.push(Piece::Keep);
                    shared.push_str(&tail);
                }
                (Sharding::One(home), true) => {
                    texts.push(&mut shared);
                    let text = indented(&yaml::to_yaml(&json!([plain(&job.config)])), indent);
                    texts.pieces.push(Piece::Only(*home, text.into()));
                }
                _ => shared.push_str(&yaml::to_yaml(&json!([plain(&job.config)]))),
            }
        }
        texts.push(&mut shared);
        if plan.is_sharded() {
            // Members of `relabel_configs` stand two columns right of the job.
            let keep = |shard| yaml::to_yaml(&json!([plain(&keep_rule(plan, shard))]));
            texts.keeps = (0..plan.count()).map(|shard| indented(&keep(shard), indent + 2).into()).collect();
        }
        texts
    }

    fn push(&mut self, shared: &mut String) {
        if !shared.is_empty() {
            self.pieces.push(Piece::Shared(indented(shared, self.indent).into()));
            shared.clear();
        }
    }

    /// The file of one shard around these jobs, as pieces of which most are shared with other shards.
    pub fn config(&self, config: &PrometheusConfig, shard: u32) -> Vec<Arc<str>> {
        let (head, tail) = config.halves();
        let mut jobs: Vec<Arc<str>> = Vec::with_capacity(self.pieces.len() + 2);
        for piece in &self.pieces {
            match piece {
                Piece::Shared(text) => jobs.push(text.clone()),
                Piece::Keep => jobs.extend(self.keeps.get(shard as usize).cloned()),
                Piece::Only(home, text) if *home == shard => jobs.push(text.clone()),
                Piece::Only(..) => {}
            }
        }
        let is_empty = |half: &Value| half.as_object().is_none_or(Map::is_empty);
        let mut first = if is_empty(&head) { String::new() } else { yaml::to_yaml(&head) };
        if !jobs.is_empty() {
            first.push_str("scrape_configs:\n");
        } else if is_empty(&head) && is_empty(&tail) {
            first.push_str("{}\n");
        }
        jobs.insert(0, indented(&first, self.indent).into());
        if !is_empty(&tail) {
            jobs.push(indented(&yaml::to_yaml(&tail), self.indent).into());
        }
        jobs
    }
}

/// The job's text up to its hash rule, and the rest.
fn halves(job: &Job, hash: crate::model::scrape::rule::Rule, at: usize) -> (String, String) {
    const RULES: &str = "relabel_configs";
    let mut config = job.config.clone();
    let at = at.min(config.relabel_configs.len());
    config.relabel_configs.insert(at, hash);
    let Value::Object(fields) = plain(&config) else { return (String::new(), String::new()) };
    let mut head = Map::new();
    let mut rest = Map::new();
    let mut rules_behind = Vec::new();
    let mut behind = false;
    for (name, value) in fields {
        match value {
            Value::Array(mut rules) if name == RULES && !behind => {
                rules_behind = rules.split_off((at + 1).min(rules.len()));
                head.insert(name, Value::Array(rules));
                behind = true;
            }
            value if behind => drop(rest.insert(name, value)),
            value => drop(head.insert(name, value)),
        }
    }
    let mut tail = String::new();
    if !rules_behind.is_empty() {
        tail.push_str(&indented(&yaml::to_yaml(&Value::Array(rules_behind)), 2));
    }
    if !rest.is_empty() {
        tail.push_str(&indented(&yaml::to_yaml(&Value::Object(rest)), 2));
    }
    (yaml::to_yaml(&json!([head])), tail)
}

/// The text with every line moved right; empty lines stay empty, as block scalars want it.
fn indented(text: &str, by: usize) -> String {
    if by == 0 {
        return text.to_owned();
    }
    let pad = " ".repeat(by);
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for line in text.split_inclusive('\n') {
        if line != "\n" {
            out.push_str(&pad);
        }
        out.push_str(line);
    }
    out
}

/// A ConfigMap with one key, around pieces that were made with an indentation of 4.
pub fn config_map(metadata: &Value, key: &str, pieces: Vec<Arc<str>>) -> Vec<Arc<str>> {
    let around = yaml::config_map_yaml(metadata, &[(key, "x\n")]);
    let head = around.strip_suffix("    x\n").unwrap_or(&around);
    std::iter::once(Arc::from(head)).chain(pieces).collect()
}
