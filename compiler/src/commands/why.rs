//! `pronoia why`: the line or the default behind a field.

use anyhow::{anyhow, bail};
use compiler::diagnostic::nearest;
use compiler::pipeline::{self, Origin, Provenance};
use compiler::source::{Sources, glob_matcher};

use super::Exit;
use super::console::Console;
use super::findings::stop_on_errors;
use super::input::{self, View};

/// Objects or fields that an error message lists.
const LISTED_MAX: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The rendered object, `Kind/name` or `Kind/namespace/name`; `*` matches anything
    object: String,
    /// The field, `spec.replicas`, or a part of its path; all fields without it
    field: Option<String>,
    /// The topology
    #[arg(long, short, default_value = "topology.kdl")]
    file: String,
    #[command(flatten)]
    view: View,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let mut runs = input::run(&args.file, &args.view, pipeline::render)?;
    if let Some(exit) = stop_on_errors(console, &mut runs)? {
        return Ok(exit);
    }
    for run in &runs {
        if let Some(env) = run.env.as_ref().filter(|_| runs.len() > 1) {
            console.out(&format!("# {env}\n"))?;
        }
        let found = select(&run.outcome.provenance, &args.object, args.field.as_deref())?;
        for entry in found {
            console.out(&format!(
                "{} {} = {}\n    {}\n",
                entry.object,
                entry.field,
                entry.value,
                origin(&entry.origin, &run.outcome.sources)
            ))?;
        }
    }
    Ok(Exit::Ok)
}

fn select<'a>(
    all: &'a [Provenance],
    object: &str,
    field: Option<&str>,
) -> anyhow::Result<Vec<&'a Provenance>> {
    let of_object: Vec<&Provenance> =
        all.iter().filter(|entry| matches_object(&entry.object, object)).collect();
    if of_object.is_empty() {
        let mut names: Vec<&str> = all.iter().map(|entry| entry.object.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let hint = nearest(object, names.iter().copied()).map(|name| format!("did you mean `{name}`?"));
        return Err(anyhow!(
            "no rendered object is called `{object}`\n  {}",
            hint.unwrap_or_else(|| listed(&names))
        ));
    }
    let Some(field) = field else { return Ok(of_object) };
    let exact: Vec<&Provenance> = of_object.iter().copied().filter(|entry| entry.field == field).collect();
    if !exact.is_empty() {
        return Ok(exact);
    }
    let near: Vec<&Provenance> =
        of_object.iter().copied().filter(|entry| matches_field(&entry.field, field)).collect();
    if near.is_empty() {
        let mut names: Vec<&str> = of_object.iter().map(|entry| entry.field.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let hint = nearest(field, names.iter().copied()).map(|name| format!("did you mean `{name}`?"));
        bail!(
            "`{object}` has no field `{field}` of known origin\n  {}",
            hint.unwrap_or_else(|| listed(&names))
        );
    }
    Ok(near)
}

fn listed(names: &[&str]) -> String {
    let more = if names.len() > LISTED_MAX { ", …" } else { "" };
    format!("there are: {}{more}", names.iter().take(LISTED_MAX).copied().collect::<Vec<_>>().join(", "))
}

/// `StatefulSet/prometheus` also means `StatefulSet/prom/prometheus`; one word is a kind or a name.
fn matches_object(object: &str, pattern: &str) -> bool {
    let parts: Vec<&str> = object.split('/').collect();
    let matches = |part: &str, pattern: &str| {
        part.eq_ignore_ascii_case(pattern) || glob_matcher(pattern).is_ok_and(|glob| glob.is_match(part))
    };
    match pattern.split('/').collect::<Vec<_>>().as_slice() {
        [one] => {
            parts.first().is_some_and(|part| matches(part, one))
                || parts.last().is_some_and(|part| matches(part, one))
        }
        [kind, name] => {
            parts.first().is_some_and(|part| matches(part, kind))
                && parts.last().is_some_and(|part| matches(part, name))
        }
        all => {
            all.len() == parts.len() && parts.iter().zip(all).all(|(part, pattern)| matches(part, pattern))
        }
    }
}

/// A field below the pattern, a field that ends with it, or one that it matches as a glob.
fn matches_field(field: &str, pattern: &str) -> bool {
    let below = field.strip_prefix(pattern).is_some_and(|rest| rest.starts_with(['.', '[']));
    let ends = field.strip_suffix(pattern).is_some_and(|rest| rest.ends_with('.'));
    below || ends || glob_matcher(pattern).is_ok_and(|glob| glob.is_match(field))
}

fn origin(origin: &Origin, sources: &Sources) -> String {
    match origin {
        Origin::Line(span) => sources.place(*span).map_or_else(
            || "the topology".to_string(),
            |place| format!("{}:{}:{}", place.path, place.line, place.column),
        ),
        Origin::Default(name) => format!("default {name}"),
        Origin::Derived(from) => format!("follows from {from}"),
        Origin::Template(place) => format!("template {place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(object: &str, field: &str) -> Provenance {
        Provenance {
            file: "f.yaml".into(),
            object: object.into(),
            field: field.into(),
            value: "1".into(),
            origin: Origin::Default("hardened@1/x".into()),
        }
    }

    #[test]
    fn objects_and_fields_are_found_by_their_ends() {
        let all = [
            entry("StatefulSet/prom/prometheus", "spec.replicas"),
            entry("StatefulSet/prom/prometheus", "spec.template.spec.containers[a].image"),
            entry("Service/prom/prometheus-shard-1", "spec.replicas"),
        ];
        let count =
            |object: &str, field: Option<&str>| select(&all, object, field).map(|found| found.len()).ok();
        assert_eq!(count("StatefulSet/prometheus", Some("spec.replicas")), Some(1));
        assert_eq!(count("statefulset/prom/prometheus", None), Some(2));
        assert_eq!(count("prometheus*", Some("replicas")), Some(2));
        assert_eq!(count("StatefulSet/prometheus", Some("spec.template")), Some(1));
        assert_eq!(count("StatefulSet/prometheus", Some("spec.repl")), None);
        let error = select(&all, "StatefulSet/prom/promethues", None).expect_err("typo").to_string();
        assert!(error.contains("did you mean `StatefulSet/prom/prometheus`?"), "{error}");
    }
}
