//! Operators between vectors against a plain model of what Prometheus does at each step.

use std::collections::BTreeMap;

use promql::script::MemoryStorage;
use promql::{QueryRange, Value};
use proptest::prelude::*;

use super::memory::{evaluate, free, load};

const STEPS: usize = 70;
const RANGE: QueryRange = QueryRange::Range { start: 0, end: (STEPS as i64 - 1) * 60_000, step: 60_000 };
const SAME_LABELS: &str = "vector cannot contain metrics with the same labelset";

type Labels = BTreeMap<String, String>;
/// Series with their values at one step, in order.
type Vector = Vec<(Labels, f64)>;

/// An operator and how it matches.
#[derive(Debug, Clone)]
struct Join {
    op: &'static str,
    is_bool: bool,
    on: bool,
    labels: Vec<&'static str>,
    /// `group_left` or `group_right`, and what it includes.
    group: Option<(bool, Vec<&'static str>)>,
    fill_left: Option<f64>,
    fill_right: Option<f64>,
}

impl Join {
    fn text(&self) -> String {
        let mut text = self.op.to_owned();
        if self.is_bool {
            text.push_str(" bool");
        }
        text.push_str(&format!(" {} ({})", if self.on { "on" } else { "ignoring" }, self.labels.join(",")));
        if let Some((left, include)) = &self.group {
            let side = if *left { "left" } else { "right" };
            text.push_str(&format!(" group_{side} ({})", include.join(",")));
        }
        for (side, fill) in [("left", self.fill_left), ("right", self.fill_right)] {
            if let Some(fill) = fill {
                text.push_str(&format!(" fill_{side} ({fill})"));
            }
        }
        text
    }

    fn key(&self, labels: &Labels) -> Labels {
        let keep = |name: &str| {
            let listed = self.labels.contains(&name);
            if self.on { listed } else { !listed && name != "__name__" }
        };
        labels
            .iter()
            .filter(|(name, _)| keep(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    fn value(&self, left: f64, right: f64) -> (f64, bool) {
        match self.op {
            "+" => (left + right, true),
            "-" => (left - right, true),
            "/" => (left / right, true),
            ">" => (left, left > right),
            "==" => (left, left == right),
            _ => (left, left <= right),
        }
    }

    fn changes_metric(&self) -> bool {
        matches!(self.op, "+" | "-" | "/")
    }

    fn set(&self, left: &Vector, right: &Vector) -> Vector {
        let has = |side: &Vector, labels: &Labels| {
            side.iter().any(|(other, _)| self.key(other) == self.key(labels))
        };
        match self.op {
            "and" => left.iter().filter(|(labels, _)| has(right, labels)).cloned().collect(),
            "unless" => left.iter().filter(|(labels, _)| !has(right, labels)).cloned().collect(),
            _ => left.iter().chain(right.iter().filter(|(labels, _)| !has(left, labels))).cloned().collect(),
        }
    }

    /// What comes out at one step, or the error.
    fn apply(&self, left: &Vector, right: &Vector) -> Result<Vector, String> {
        if matches!(self.op, "and" | "or" | "unless") {
            return Ok(self.set(left, right));
        }
        let filled = self.fill_left.is_some() || self.fill_right.is_some();
        if left.is_empty() && right.is_empty() || !filled && (left.is_empty() || right.is_empty()) {
            return Ok(Vec::new());
        }
        let swapped = matches!(self.group, Some((false, _)));
        let (many, one) = if swapped { (right, left) } else { (left, right) };
        let mut groups: BTreeMap<Labels, &(Labels, f64)> = BTreeMap::new();
        for series in one {
            let key = self.key(&series.0);
            if let Some(first) = groups.insert(key.clone(), series) {
                let mut both = [text(&series.0), text(&first.0)];
                both.sort();
                let side = if swapped { "left" } else { "right" };
                return Err(format!(
                    "found duplicate series for the match group {} on the {side} hand-side of the operation: \
                     [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
                    text(&key),
                    both[0],
                    both[1]
                ));
            }
        }
        let mut matched: BTreeMap<Labels, Vec<Labels>> = BTreeMap::new();
        let mut results = Vec::new();
        let mut pair = |key: &Labels, many: &(Labels, f64), one: &(Labels, f64)| {
            let (left, right) = if swapped { (one.1, many.1) } else { (many.1, one.1) };
            let (mut value, mut keep) = self.value(left, right);
            if self.is_bool {
                (value, keep) = (if keep { 1.0 } else { 0.0 }, true);
            }
            let labels = self.result(&many.0, &one.0);
            let known = matched.entry(key.clone()).or_default();
            match &self.group {
                None if !known.is_empty() => return Err("multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)".to_owned()),
                Some(_) if known.contains(&labels) => return Err("multiple matches for labels: grouping labels must ensure unique matches".to_owned()),
                _ => known.push(labels.clone()),
            }
            if keep {
                results.push((labels, value));
            }
            Ok(())
        };
        for series in many {
            let key = self.key(&series.0);
            match (groups.get(&key), self.fill_right) {
                (Some(one), _) => pair(&key, series, one)?,
                (None, Some(fill)) => pair(&key, series, &(key.clone(), fill))?,
                (None, None) => {}
            }
        }
        if let Some(fill) = self.fill_left {
            let keys: Vec<Labels> = many.iter().map(|(labels, _)| self.key(labels)).collect();
            for series in one.iter().filter(|(labels, _)| !keys.contains(&self.key(labels))) {
                let key = self.key(&series.0);
                pair(&key, &(key.clone(), fill), series)?;
            }
        }
        let alike =
            (1..results.len()).any(|at| results[..at].iter().any(|(known, _)| *known == results[at].0));
        if alike { Err(SAME_LABELS.to_owned()) } else { Ok(results) }
    }

    fn result(&self, many: &Labels, one: &Labels) -> Labels {
        let mut labels = many.clone();
        if self.changes_metric() || self.is_bool {
            labels.remove("__name__");
        }
        match &self.group {
            None => labels.retain(|name, _| self.labels.contains(&name.as_str()) == self.on),
            Some((_, include)) => {
                for name in include {
                    match one.get(*name) {
                        Some(value) => labels.insert((*name).to_owned(), value.clone()),
                        None => labels.remove(*name),
                    };
                }
            }
        }
        labels
    }
}

fn text(labels: &Labels) -> String {
    let labels: prom_model::Labels =
        labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    labels.to_string()
}

/// The vectors of an expression at all steps.
fn vectors(storage: &MemoryStorage, query: &str) -> Result<Vec<Vector>, String> {
    let answer = evaluate(storage, query, RANGE, free()).map_err(|error| error.to_string())?;
    let Value::Matrix { series, .. } = &answer.value else { panic!("{query} has series") };
    let mut vectors = vec![Vector::new(); STEPS];
    for row in series {
        let labels: Labels = row
            .labels
            .to_labels(&answer.symbols)
            .iter()
            .map(|label| (label.name.to_string(), label.value.to_string()))
            .collect();
        for (step, vector) in vectors.iter_mut().enumerate() {
            if let Some(value) = row.column.float(step) {
                vector.push((labels.clone(), value));
            }
        }
    }
    Ok(vectors)
}

/// Sorted, with bits for values: what can be compared.
fn comparable(vector: &Vector) -> Vec<(Labels, u64)> {
    let mut all: Vec<_> = vector.iter().map(|(labels, value)| (labels.clone(), value.to_bits())).collect();
    all.sort();
    all
}

/// Series of the names `a` and `b`, each with values in some stretches.
fn series() -> impl Strategy<Value = Vec<String>> {
    let label = || prop::sample::select(vec!["", "1", "2"]);
    let stretch = (0..STEPS, 1..STEPS, 0..4_u8);
    let one = (
        prop::sample::select(vec!["a", "b"]),
        label(),
        label(),
        label(),
        prop::collection::vec(stretch, 1..3),
    );
    prop::collection::vec(one, 1..9).prop_map(|all| {
        let mut seen = BTreeMap::new();
        for (name, x, y, z, stretches) in all {
            let labels = format!(r#"{name}{{x="{x}",y="{y}",z="{z}"}}"#);
            let mut values = vec!["stale".to_owned(); STEPS];
            for (start, length, value) in stretches {
                for place in values.iter_mut().skip(start).take(length) {
                    *place = value.to_string();
                }
            }
            seen.insert(
                labels
                    .replace(r#"x="","#, "")
                    .replace(r#"y="","#, "")
                    .replace(r#",z="""#, "")
                    .replace(r#"z="""#, ""),
                values.join(" "),
            );
        }
        seen.into_iter().map(|(labels, values)| format!("{labels} {values}")).collect()
    })
}

fn join() -> impl Strategy<Value = Join> {
    let op = prop::sample::select(vec!["+", "-", "/", ">", "==", "<=", "and", "or", "unless"]);
    let labels =
        prop::sample::select(vec![vec![], vec!["x"], vec!["x", "y"], vec!["z"], vec!["x", "y", "z"]]);
    let include = prop::sample::select(vec![vec![], vec!["z"], vec!["w"]]);
    let group = prop::option::of((any::<bool>(), include));
    let fill = || prop::option::weighted(0.2, Just(2.0));
    (op, any::<bool>(), any::<bool>(), labels, group, fill(), fill()).prop_map(
        |(op, is_bool, on, labels, group, fill_left, fill_right)| {
            let is_set = matches!(op, "and" | "or" | "unless");
            let mut group = group.filter(|_| !is_set);
            if let Some((_, include)) = &mut group {
                include.retain(|name| !on || !labels.contains(name));
            }
            let compares = matches!(op, ">" | "==" | "<=");
            let fills = if is_set { (None, None) } else { (fill_left, fill_right) };
            Join {
                op,
                is_bool: is_bool && compares,
                on,
                labels,
                group,
                fill_left: fills.0,
                fill_right: fills.1,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn joins_are_what_the_model_says(
        series in series(),
        join in join(),
        left in prop::sample::select(vec!["a", r#"{__name__=~"a|b"}"#, "-a", "sum by (x, y) (a)", "max by (x) (a)"]),
        right in prop::sample::select(vec!["b", r#"{__name__=~"a|b"}"#, "-b", "sum by (x, z) (b)", "a"]),
    ) {
        let lines: Vec<&str> = series.iter().map(String::as_str).collect();
        let storage = load(60_000, &lines);
        let query = format!("{left} {} {right}", join.text());
        let ours = vectors(&storage, &query);
        let (left, right) = (vectors(&storage, left), vectors(&storage, right));
        let (Ok(left), Ok(right)) = (left, right) else {
            prop_assert!(ours.is_err(), "{query}: an operand cannot be evaluated");
            return Ok(());
        };
        let model: Result<Vec<Vector>, String> =
            left.iter().zip(&right).map(|(left, right)| join.apply(left, right)).collect();
        match (ours, model) {
            (Ok(ours), Ok(model)) => {
                for step in 0..STEPS {
                    prop_assert_eq!(comparable(&ours[step]), comparable(&model[step]), "{} at {}", query, step);
                }
            }
            (Err(ours), Err(model)) if model == SAME_LABELS || ours == SAME_LABELS => {
                prop_assert!(!ours.is_empty());
            }
            // Which of several mistakes at a step is told depends on the order that aggregations give.
            (Err(ours), Err(model)) if query.contains("by") => {
                prop_assert_eq!(ours.split(" for ").next(), model.split(" for ").next(), "{}", query);
            }
            (Err(ours), Err(model)) => prop_assert_eq!(ours, model, "{}", query),
            (ours, model) => prop_assert!(false, "{query}: {:?}, not {:?}", ours.map(|_| ()), model.map(|_| ())),
        }
    }
}
