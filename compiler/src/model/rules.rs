//! Rules: from nodes, files and the built-in alerts to groups that know where they are evaluated, and why.

pub mod builtin;
pub mod expression;
pub mod file;
mod findings;
mod inline;
pub mod library;
mod placement;

use std::sync::Arc;

use prom_model::PromDuration;
use serde_json::{Map, Value, json};

use super::Cluster;
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::topology::nodes::alerting::PartialResponse;
pub use expression::Expression;
pub use findings::CONFIG_MAP_BYTES_MAX;
pub use library::Library;

/// The rules of one cluster, in the order of output.
#[derive(Debug, Default)]
pub struct Rules {
    /// Groups and their places.
    pub groups: Vec<Placed>,
}

/// Who evaluates a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Every Prometheus.
    Local,
    /// The ruler.
    Ruler,
    /// Every Prometheus and the ruler, each on its own account.
    Both,
}

impl Place {
    /// Whether every Prometheus evaluates it.
    pub fn is_local(self) -> bool {
        self != Place::Ruler
    }

    /// Whether the ruler evaluates it.
    pub fn is_ruler(self) -> bool {
        self != Place::Local
    }

    /// The place in words.
    pub fn word(self) -> &'static str {
        match self {
            Place::Local => "local",
            Place::Ruler => "ruler",
            Place::Both => "local and ruler",
        }
    }
}

/// A group in its place.
#[derive(Debug, Clone)]
pub struct Placed {
    /// The group, shared by all clusters that use it.
    pub group: Arc<RuleGroup>,
    /// Who evaluates it.
    pub place: Place,
    /// Why there.
    pub reason: String,
    /// Whether it came with the compiler.
    pub builtin: bool,
}

/// A group of rules.
#[derive(Debug, Clone)]
pub struct RuleGroup {
    /// Where it comes from: a path, a name, `builtin-NAME`; groups of one source share a key of a ConfigMap.
    pub source: String,
    /// Name.
    pub name: String,
    /// Where the name is written.
    pub span: Option<Span>,
    /// Evaluation interval; `None` leaves it to who evaluates.
    pub interval: Option<PromDuration>,
    /// Most series or alerts a rule may yield.
    pub limit: Option<u64>,
    /// Evaluates that far in the past.
    pub query_offset: Option<PromDuration>,
    /// On the ruler: what to do with answers that have holes.
    pub partial_response: Option<PartialResponse>,
    /// Labels of all its rules.
    pub labels: Vec<Pair>,
    /// The rules.
    pub rules: Vec<Rule>,
    /// The group as one item of a list in YAML, the form in which Prometheus reads it.
    pub text: Arc<str>,
}

/// A label or annotation with the place of its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// Where the name is written.
    pub span: Option<Span>,
}

/// A duration as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Delay {
    /// The duration.
    pub value: PromDuration,
    /// As written.
    pub text: String,
    /// Where.
    pub span: Option<Span>,
}

/// One rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Alert or recording rule.
    pub alert: bool,
    /// Name of the alert, or of the new metric.
    pub name: String,
    /// Where the name is written.
    pub span: Option<Span>,
    /// The expression.
    pub expr: Arc<Expression>,
    /// Where the expression is written.
    pub expr_span: Option<Span>,
    /// How long the condition must hold.
    pub wait: Option<Delay>,
    /// How long it keeps firing afterwards.
    pub keep_firing_for: Option<Delay>,
    /// Labels.
    pub labels: Vec<Pair>,
    /// Annotations.
    pub annotations: Vec<Pair>,
}

impl Rule {
    /// A label's value.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|pair| pair.name == name).map(|pair| pair.value.as_str())
    }

    fn value(&self) -> Value {
        let mut rule = Map::new();
        rule.insert(if self.alert { "alert" } else { "record" }.to_string(), json!(self.name));
        rule.insert("expr".to_string(), json!(&*self.expr.text));
        for (key, delay) in [("for", &self.wait), ("keep_firing_for", &self.keep_firing_for)] {
            if let Some(delay) = delay {
                rule.insert(key.to_string(), json!(delay.text));
            }
        }
        for (key, pairs) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !pairs.is_empty() {
                rule.insert(key.to_string(), object(pairs));
            }
        }
        Value::Object(rule)
    }
}

impl RuleGroup {
    /// Writes [`RuleGroup::text`] anew; whoever changes a field calls it.
    pub fn write(&mut self) {
        let mut group = Map::new();
        group.insert("name".to_string(), json!(self.name));
        for (key, duration) in [("interval", self.interval), ("query_offset", self.query_offset)] {
            if let Some(duration) = duration {
                group.insert(key.to_string(), json!(duration.to_string()));
            }
        }
        if let Some(limit) = self.limit {
            group.insert("limit".to_string(), json!(limit));
        }
        if let Some(answer) = self.partial_response {
            group.insert("partial_response_strategy".to_string(), json!(answer.word()));
        }
        if !self.labels.is_empty() {
            group.insert("labels".to_string(), object(&self.labels));
        }
        group.insert("rules".to_string(), self.rules.iter().map(Rule::value).collect());
        self.text = crate::render::yaml::to_yaml(&Value::Array(vec![Value::Object(group)])).into();
    }
}

fn object(pairs: &[Pair]) -> Value {
    let mut sorted: Vec<&Pair> = pairs.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    Value::Object(sorted.into_iter().map(|pair| (pair.name.clone(), json!(pair.value))).collect())
}

/// Collects, places and judges all rules of a cluster.
pub fn resolve(cluster: &Cluster, library: &mut Library, diagnostics: &mut Vec<Diagnostic>) -> Rules {
    let wanted = library.collect(cluster, diagnostics);
    let mut groups = placement::place(cluster, wanted, diagnostics);
    groups.extend(builtin::groups(cluster, &groups, diagnostics));
    findings::check(cluster, library.sources(), &groups, diagnostics);
    Rules { groups }
}
