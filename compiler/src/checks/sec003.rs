//! SEC003: a certificate or password that no Secret holds.

use crate::diagnostic::Diagnostic;
use crate::model::Model;
use crate::topology::decode::Written;
use crate::topology::values::SecretValue;

/// Pods and Ingresses find certificates only in Secrets: a file of somebody's machine is out of their reach.
pub(super) fn check(model: &Model, diagnostics: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let topology = &cluster.topology;
        let query = topology.query.as_ref();
        let routers = topology.receive.as_ref().and_then(|receive| receive.routers.as_ref());
        let grafana = topology.grafana.as_ref();
        let minio = topology.bucket.as_ref().and_then(|bucket| bucket.minio.as_ref());
        let references: [Option<&Written<SecretValue>>; 6] = [
            query.and_then(|query| query.tls.as_ref()),
            routers.and_then(|routers| routers.tls.as_ref()),
            grafana.and_then(|grafana| grafana.tls.as_ref()),
            grafana.and_then(|grafana| grafana.password.as_ref()),
            minio.and_then(|minio| minio.tls.as_ref()),
            topology.trust.as_ref().and_then(|trust| trust.ca.as_ref()),
        ];
        for reference in references.into_iter().flatten() {
            // A password that is written out is SEC001.
            let password = grafana.and_then(|grafana| grafana.password.as_ref());
            let told = matches!(reference.value, SecretValue::Literal(_)) && password == Some(reference);
            if !told && !matches!(reference.value, SecretValue::Reference { .. }) {
                diagnostics.push(
                    Diagnostic::error("SEC003", reference.span, "no Secret is named here")
                        .help("write \"secret:NAME/KEY\""),
                );
            }
        }
    }
}
