//! `query_explain`, `query_range_explain`, `analyze`: our own plan in the shape in which Thanos shows its operators.

use axum::extract::State;
use axum::response::Response;
use promql::{NodeStats, QueryStats};
use server::duration::GoDuration;

use super::answer::{Refusal, success};
use super::object::Object;
use super::query::{Wanted, instant_question, range_question};
use super::tenancy::Call;
use super::{Asked, EngineName, ThanosApi, parameters};

pub(super) async fn instant(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    explainable(&api, &call)?;
    plan(&api, instant_question(&api, &call)?)
}

pub(super) async fn range(State(api): Asked, call: Call) -> Result<Response, Refusal> {
    explainable(&api, &call)?;
    plan(&api, range_question(&api, &call)?)
}

fn explainable(api: &ThanosApi, call: &Call) -> Result<(), Refusal> {
    match parameters::engine(&call.form, &api.settings)? {
        EngineName::Thanos => Ok(()),
        EngineName::Prometheus => Err(Refusal::bad_data("engine type must be 'thanos'")),
    }
}

fn plan(api: &ThanosApi, wanted: Wanted) -> Result<Response, Refusal> {
    let prepared = api.evaluator.prepare(&wanted.question).map_err(|reason| Refusal::unanswered(&reason))?;
    let text = prepared.explain();
    let nodes: Vec<(usize, &str)> = text
        .lines()
        .map(|line| {
            let name = line.trim_start();
            ((line.len() - name.len()) / 2, name)
        })
        .collect();
    let mut data = Vec::new();
    push_tree(&mut data, &nodes, |(depth, _)| *depth, &|object, (_, name)| object.text("name", name));
    Ok(success(&data, &[]))
}

/// What each operator of a query did.
pub(super) fn analysis(nodes: &[NodeStats], stats: &QueryStats) -> Vec<u8> {
    let mut data = Vec::new();
    let top = nodes.first().map_or(0, |node| node.depth);
    push_tree(&mut data, nodes, |node| node.depth, &|object, node| {
        object.text("name", &node.operator);
        object.text("executionTime", &GoDuration(node.time).to_string());
        // Samples are counted for the query as a whole.
        if node.depth == top {
            object.whole("peakSamples", i64::try_from(stats.samples_peak).unwrap_or(i64::MAX));
            object.whole("totalSamples", i64::try_from(stats.samples_total).unwrap_or(i64::MAX));
        } else if node.samples > 0 {
            object.whole("totalSamples", i64::try_from(node.samples).unwrap_or(i64::MAX));
        }
    });
    data
}

/// Writes the first node with those below it: the ones behind it that lie deeper. Trees are no deeper than queries may be.
fn push_tree<T>(
    out: &mut Vec<u8>,
    nodes: &[T],
    depth: impl Fn(&T) -> usize + Copy,
    push: &dyn Fn(&mut Object<'_>, &T),
) {
    let mut object = Object::new(out);
    let Some((first, mut behind)) = nodes.split_first() else {
        object.end();
        return;
    };
    push(&mut object, first);
    let mut first_child = true;
    while let Some(child) = behind.first().filter(|node| depth(node) > depth(first)) {
        let more = behind.iter().skip(1).take_while(|node| depth(node) > depth(child)).count() + 1;
        let (own, rest) = behind.split_at_checked(more).unwrap_or((behind, &[]));
        if first_child {
            object.field("children").push(b'[');
            first_child = false;
        } else {
            object.raw().push(b',');
        }
        push_tree(object.raw(), own, depth, push);
        behind = rest;
    }
    if !first_child {
        object.raw().push(b']');
    }
    object.end();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_become_a_tree() {
        let nodes = [(0, "a"), (1, "b"), (2, "c"), (1, "d")];
        let mut out = Vec::new();
        push_tree(&mut out, &nodes, |node| node.0, &|object, node| object.text("name", node.1));
        let expected = r#"{"name":"a","children":[{"name":"b","children":[{"name":"c"}]},{"name":"d"}]}"#;
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
