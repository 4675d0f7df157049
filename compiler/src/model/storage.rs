//! Storage classes: what is wrong with how they are written.

use super::Cluster;
use crate::diagnostic::Diagnostic;

/// Tells what is missing in `storage` nodes.
pub fn findings(cluster: &Cluster, diagnostics: &mut Vec<Diagnostic>) {
    let mut default = None;
    for storage in &cluster.topology.storage {
        match (&storage.nfs, &storage.provisioner) {
            (None, None) => diagnostics.push(
                Diagnostic::error("KDL005", storage.name_span, format!("storage `{}` has no provisioner", storage.name.value))
                    .help("write provisioner=\"ebs.csi.aws.com\" with the name of your CSI driver, or `nfs \"SERVER:/PATH\"` between braces"),
            ),
            (Some(nfs), Some(written)) => diagnostics.push(
                Diagnostic::error("KDL008", written.span, "a second provisioner for one class")
                    .related(nfs.name_span, "the first one")
                    .help("write the name of the NFS provisioner at `nfs`, or leave `nfs` out"),
            ),
            _ => {}
        }
        if let Some(nfs) = &storage.nfs
            && !nfs
                .export
                .value
                .split_once(':')
                .is_some_and(|(server, path)| !server.is_empty() && path.starts_with('/'))
        {
            diagnostics.push(
                Diagnostic::error(
                    "KDL007",
                    nfs.export.span,
                    format!("`{}` is no NFS export", nfs.export.value),
                )
                .help("write server and path: \"192.168.0.10:/export/prometheus\""),
            );
        }
        if let Some(written) = storage.default.as_ref().filter(|written| written.value)
            && let Some(first) = default.replace(written.span)
        {
            diagnostics.push(
                Diagnostic::error("STO007", written.span, "a second default storage class")
                    .related(first, "the first one")
                    .help("keep one `default=#true`, or none: classes are named where they are used"),
            );
        }
    }
}
