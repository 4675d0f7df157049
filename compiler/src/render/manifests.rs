//! The user's own manifests, among the rest.

use super::output::{Object, Output};

const FILE: &str = "95-manifests.yaml";

/// Adds them as they are; kinds that are not known pass.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    for value in cluster.manifests.iter().flat_map(|(_, objects)| objects) {
        out.objects.push(Object {
            file: FILE.to_string(),
            value: value.clone(),
            texts: Vec::new(),
            foreign: true,
        });
    }
}
