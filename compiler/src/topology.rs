//! What the KDL says: text to tree, tree to one merged topology, topology to typed nodes.

pub mod decode;
pub mod hints;
pub mod load;
pub mod merge;
pub mod nodes;
pub mod parse;
pub mod slips;
pub mod tree;
pub mod values;
pub mod variables;

use crate::diagnostic::Diagnostic;
use crate::source::{Sources, World};
use decode::Decode;
use nodes::whole::Topology;

/// A file, decoded: one topology, or one for each of its clusters.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Name of the whole file's topology.
    pub name: String,
    /// What is rendered: the topology itself, or its clusters when it has some.
    pub parts: Vec<Topology>,
    /// Whether the parts are clusters.
    pub clustered: bool,
    /// Declared profiles, undecoded: their keys belong to the model.
    pub profiles: Vec<tree::Node>,
    /// Names of all environments.
    pub environments: Vec<String>,
}

/// Reads a topology with all that it includes, and decodes it; every problem of the whole input is reported.
pub fn read(
    world: &dyn World,
    path: &str,
    env: Option<&str>,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Decoded {
    let loaded = load::load(world, path, env, sources, diagnostics);
    let mut decoded =
        Decoded { profiles: loaded.profiles, environments: loaded.environments, ..Decoded::default() };
    let Some(node) = loaded.topology else { return decoded };
    decoded.name = node.first_text().unwrap_or_default().to_string();
    decoded.clustered = !loaded.clusters.is_empty();
    if decoded.clustered {
        decoded.parts =
            loaded.clusters.iter().filter_map(|cluster| Topology::decode(cluster, diagnostics)).collect();
    } else {
        decoded.parts.extend(Topology::decode(&node, diagnostics));
    }
    decoded
}
