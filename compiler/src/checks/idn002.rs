//! IDN002: two producers of blocks with the same external labels in one bucket.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::model::{Cluster, Model, PrometheusGroup};
use crate::source::Span;

/// Compaction merges blocks of equal labels; two sources with equal labels overlap and stop it.
pub(super) fn check(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, (Span, String)> = BTreeMap::new();
    for cluster in &model.clusters {
        for group in cluster.prometheus.iter().filter(|group| group.sidecar) {
            let key = format!("{}\u{0}{}", bucket(cluster), identity(group));
            let who = format!("`{}` of cluster `{}`", group.base, cluster.name);
            let span = group.node.identity.as_ref().map_or(group.node.name_span, |identity| identity.span);
            match seen.get(&key) {
                Some((first, other)) => {
                    let mut diagnostic = Diagnostic::error(
                        "IDN002",
                        span,
                        format!("{who} has the same external labels as {other}"),
                    )
                    .help("tell them apart: `identity cluster=…`, or a further label");
                    if *first != span {
                        diagnostic = diagnostic.related(*first, "the other one");
                    }
                    diagnostics.push(diagnostic);
                }
                None => {
                    seen.insert(key, (span, who));
                }
            }
        }
    }
}

fn identity(group: &PrometheusGroup) -> String {
    group.external_labels.iter().map(|(name, value)| format!("{name}={}\u{1}", value.value)).collect()
}

/// Buckets are one when provider, address, name and prefix are.
fn bucket(cluster: &Cluster) -> String {
    let Some(bucket) = &cluster.topology.bucket else { return format!("none:{}", cluster.name) };
    let text = |value: &Option<crate::topology::decode::Written<String>>| {
        value.as_ref().map_or("", |v| v.value.as_str()).to_string()
    };
    let place = if let Some(s3) = &bucket.s3 {
        format!(
            "s3/{}/{}",
            text(&s3.endpoint),
            s3.bucket.as_ref().map_or(&bucket.name.value, |name| &name.value)
        )
    } else if let Some(gcs) = &bucket.gcs {
        format!("gcs/{}", gcs.bucket.as_ref().map_or(&bucket.name.value, |name| &name.value))
    } else if let Some(azure) = &bucket.azure {
        format!("azure/{}/{}", text(&azure.account), text(&azure.container))
    } else {
        // MinIO and folders live inside their cluster.
        format!("own/{}", cluster.name)
    };
    format!("{place}/{}", text(&bucket.prefix))
}
