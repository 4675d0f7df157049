//! `kustomization.yaml`: every file with Kubernetes objects, in the order in which they are applied.

use serde_json::json;

use crate::render::output::Output;
use crate::render::yaml;

/// Files with objects, in the order in which they are applied: by name, with Jobs after what they talk to.
pub(super) fn files(out: &Output) -> Vec<String> {
    let mut files: Vec<String> = out.objects.iter().map(|object| object.file.clone()).collect();
    let key = |file: &String| {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        (
            if folder.is_empty() { name.to_string() } else { folder.to_string() },
            name.starts_with("job-"),
            name.to_string(),
        )
    };
    files.sort_by_cached_key(key);
    files.dedup();
    files
}

/// Adds it.
pub(super) fn render(out: &mut Output) {
    let file = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": files(out),
    });
    out.text("kustomization.yaml", vec![super::HEADER.into(), yaml::to_yaml(&file).into()]);
}
