//! `pronoia graph`: who talks to whom, as a table, as Mermaid or as dot.

use std::collections::BTreeMap;
use std::fmt::Write;

use compiler::pipeline::{self, Edge};

use super::Exit;
use super::console::Console;
use super::findings::stop_on_errors;
use super::input::Input;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// As a Mermaid flowchart
    #[arg(long, conflicts_with = "dot")]
    mermaid: bool,
    /// As a Graphviz graph
    #[arg(long)]
    dot: bool,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let mut runs = args.input.run(pipeline::check)?;
    if let Some(exit) = stop_on_errors(console, &mut runs)? {
        return Ok(exit);
    }
    let mut edges: Vec<Edge> = runs.into_iter().flat_map(|run| run.outcome.edges).collect();
    edges.sort();
    edges.dedup();
    let text = match (args.mermaid, args.dot) {
        (true, _) => mermaid(&edges),
        (_, true) => dot(&edges),
        _ => table(&edges),
    };
    console.out(&text)?;
    Ok(Exit::Ok)
}

fn table(edges: &[Edge]) -> String {
    let width = |pick: fn(&Edge) -> &str, title: &str| {
        edges.iter().map(|edge| pick(edge).chars().count()).max().unwrap_or(0).max(title.len())
    };
    let (from, kind) = (width(|edge| &edge.from, "FROM"), width(|edge| &edge.kind, "WHAT"));
    let mut out = format!("{:<from$}  {:<kind$}  TO\n", "FROM", "WHAT");
    for edge in edges {
        let _ = writeln!(out, "{:<from$}  {:<kind$}  {}", edge.from, edge.kind, address(edge));
    }
    out
}

fn address(edge: &Edge) -> String {
    edge.port.map_or_else(|| edge.to.clone(), |port| format!("{}:{port}", edge.to))
}

fn label(edge: &Edge) -> String {
    edge.port.map_or_else(|| edge.kind.clone(), |port| format!("{} :{port}", edge.kind))
}

/// Node names in order, each with a short id that any grammar accepts.
fn nodes(edges: &[Edge]) -> BTreeMap<&str, usize> {
    let mut nodes: BTreeMap<&str, usize> = BTreeMap::new();
    for edge in edges {
        nodes.entry(&edge.from).or_default();
        nodes.entry(&edge.to).or_default();
    }
    for (id, slot) in nodes.values_mut().enumerate() {
        *slot = id;
    }
    nodes
}

fn mermaid(edges: &[Edge]) -> String {
    let quote = |text: &str| text.replace('"', "#quot;").replace(['\n', '\r'], " ");
    let nodes = nodes(edges);
    let mut out = String::from("flowchart LR\n");
    for (name, id) in &nodes {
        let _ = writeln!(out, "    n{id}[\"{}\"]", quote(name));
    }
    for edge in edges {
        let (from, to) = (nodes[edge.from.as_str()], nodes[edge.to.as_str()]);
        let _ = writeln!(out, "    n{from} -->|\"{}\"| n{to}", quote(&label(edge)));
    }
    out
}

fn dot(edges: &[Edge]) -> String {
    let quote = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " ");
    let nodes = nodes(edges);
    let mut out = String::from("digraph topology {\n    rankdir=LR;\n    node [shape=box];\n");
    for (name, id) in &nodes {
        let _ = writeln!(out, "    n{id} [label=\"{}\"];", quote(name));
    }
    for edge in edges {
        let (from, to) = (nodes[edge.from.as_str()], nodes[edge.to.as_str()]);
        let _ = writeln!(out, "    n{from} -> n{to} [label=\"{}\"];", quote(&label(edge)));
    }
    out.push_str("}\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges() -> Vec<Edge> {
        let edge = |from: &str, to: &str, kind: &str, port| Edge {
            from: from.into(),
            to: to.into(),
            kind: kind.into(),
            port,
        };
        vec![edge("query", "say \"hi\"", "query", Some(10901)), edge("store", "bucket", "bucket", None)]
    }

    #[test]
    fn table_aligns() {
        assert_eq!(
            table(&edges()),
            "FROM   WHAT    TO\nquery  query   say \"hi\":10901\nstore  bucket  bucket\n"
        );
    }

    #[test]
    fn names_are_quoted_for_the_drawing_tools() {
        assert_eq!(
            mermaid(&edges()),
            "flowchart LR\n    n0[\"bucket\"]\n    n1[\"query\"]\n    n2[\"say #quot;hi#quot;\"]\n    n3[\"store\"]\n    \
             n1 -->|\"query :10901\"| n2\n    n3 -->|\"bucket\"| n0\n"
        );
        assert!(dot(&edges()).contains("n2 [label=\"say \\\"hi\\\"\"];\n"));
    }
}
