//! The kinds of object that are known: with their type, or as a custom resource that passes as it is.

use k8s_openapi::api::{apps, autoscaling, batch, core, networking, policy, rbac, scheduling, storage};
use serde_json::Value;

use super::{Author, Problem, round_trip};

/// How an object of a known kind is checked.
#[derive(Clone, Copy)]
pub(super) enum Schema {
    /// Against its type.
    Typed(fn(Value, Author) -> Result<Value, Problem>),
    /// Not at all; `named` tells whether it has `metadata`.
    Custom { named: bool },
}

const KINDS: &[(&str, &str, Schema)] = &[
    ("v1", "Namespace", Schema::Typed(round_trip::<core::v1::Namespace>)),
    ("v1", "ServiceAccount", Schema::Typed(round_trip::<core::v1::ServiceAccount>)),
    ("v1", "ConfigMap", Schema::Typed(round_trip::<core::v1::ConfigMap>)),
    ("v1", "Secret", Schema::Typed(round_trip::<core::v1::Secret>)),
    ("v1", "Service", Schema::Typed(round_trip::<core::v1::Service>)),
    ("v1", "PersistentVolumeClaim", Schema::Typed(round_trip::<core::v1::PersistentVolumeClaim>)),
    ("apps/v1", "Deployment", Schema::Typed(round_trip::<apps::v1::Deployment>)),
    ("apps/v1", "StatefulSet", Schema::Typed(round_trip::<apps::v1::StatefulSet>)),
    ("apps/v1", "DaemonSet", Schema::Typed(round_trip::<apps::v1::DaemonSet>)),
    ("batch/v1", "Job", Schema::Typed(round_trip::<batch::v1::Job>)),
    ("batch/v1", "CronJob", Schema::Typed(round_trip::<batch::v1::CronJob>)),
    ("rbac.authorization.k8s.io/v1", "Role", Schema::Typed(round_trip::<rbac::v1::Role>)),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", Schema::Typed(round_trip::<rbac::v1::RoleBinding>)),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", Schema::Typed(round_trip::<rbac::v1::ClusterRole>)),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        Schema::Typed(round_trip::<rbac::v1::ClusterRoleBinding>),
    ),
    ("networking.k8s.io/v1", "NetworkPolicy", Schema::Typed(round_trip::<networking::v1::NetworkPolicy>)),
    ("networking.k8s.io/v1", "Ingress", Schema::Typed(round_trip::<networking::v1::Ingress>)),
    ("storage.k8s.io/v1", "StorageClass", Schema::Typed(round_trip::<storage::v1::StorageClass>)),
    ("policy/v1", "PodDisruptionBudget", Schema::Typed(round_trip::<policy::v1::PodDisruptionBudget>)),
    (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        Schema::Typed(round_trip::<autoscaling::v2::HorizontalPodAutoscaler>),
    ),
    ("scheduling.k8s.io/v1", "PriorityClass", Schema::Typed(round_trip::<scheduling::v1::PriorityClass>)),
    ("cert-manager.io/v1", "Certificate", Schema::Custom { named: true }),
    ("cert-manager.io/v1", "Issuer", Schema::Custom { named: true }),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", Schema::Custom { named: true }),
    ("gateway.networking.k8s.io/v1", "GRPCRoute", Schema::Custom { named: true }),
    ("external-secrets.io/v1", "ExternalSecret", Schema::Custom { named: true }),
    ("external-secrets.io/v1beta1", "ExternalSecret", Schema::Custom { named: true }),
    ("kustomize.config.k8s.io/v1beta1", "Kustomization", Schema::Custom { named: false }),
];

/// Looks a kind up.
pub(super) fn schema(api_version: &str, kind: &str) -> Option<Schema> {
    let is_asked = |entry: &&(&str, &str, Schema)| entry.0 == api_version && entry.1 == kind;
    KINDS.iter().find(is_asked).map(|(_, _, schema)| *schema)
}

/// Says which known kind may have been meant.
pub(super) fn unknown(api_version: &str, kind: &str) -> Problem {
    if let Some((right, _, _)) = KINDS.iter().find(|(_, known, _)| *known == kind) {
        return Problem::new("/apiVersion", format!("`{kind}` is not in `{api_version}` but in `{right}`"));
    }
    let near = super::strict::nearest(kind, KINDS.iter().map(|(_, known, _)| *known));
    Problem::new("/kind", format!("unknown kind `{kind}` of `{api_version}`{near}"))
}
