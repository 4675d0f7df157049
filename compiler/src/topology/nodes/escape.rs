//! The ways out, weakest first: `args`, `patch`, `manifest`; and `allow`, the only way to silence a check.

use crate::topology::decode::node;
use crate::topology::values::Text;

node! {
    /// Extra flags of one component; each child is a flag with its value.
    Args "args" {
        needs {
            /// `prometheus`, `sidecar`, `store`, `compact`, `query`, `frontend`, `ruler`, `receive`, `receive-router`, `alertmanager`, `kube-state-metrics`, `node-exporter`.
            component: String,
        }
        any {
            /// `"--flag" value`, or `"--flag"` alone.
            flags
        }
    }
}

node! {
    /// Changes rendered objects after everything else.
    Patch "patch" {
        needs {
            /// `Kind/name`, either may hold `*`.
            object: String,
        }
        many {
            /// Sets a field.
            sets: Set,
            /// Removes a field.
            removes: Unset,
            /// RFC 6902 operations.
            json_patches: JsonPatch,
        }
    }
}

node! {
    /// Sets a field to a scalar, or to YAML.
    Set "set" {
        needs {
            /// Dotted path: `spec.template.spec.priorityClassName`; list items by number or by `[name]`.
            path: String,
        }
        args {
            /// A scalar.
            value: Scalar,
        }
        props {
            /// A value in YAML, for lists and objects.
            yaml: String = "yaml",
        }
    }
}

node! {
    /// Removes a field.
    Unset "remove" {
        needs {
            /// Dotted path.
            path: String,
        }
    }
}

node! {
    /// RFC 6902 operations, as JSON or YAML.
    JsonPatch "json-patch" {
        needs {
            /// The list of operations.
            text: String,
        }
    }
}

node! {
    /// Extra manifests; they are checked and rendered with the rest.
    Manifest "manifest" {
        rest {
            /// Paths or globs.
            paths: String
        }
    }
}

node! {
    /// Accepts a finding, with a reason, for a time.
    Allow "allow" {
        needs {
            /// Code of the check.
            code: String,
        }
        props {
            /// Object it holds for, as `Kind/name` with `*`; all when left out.
            on: String = "on",
            /// Why; mandatory.
            reason: String = "reason",
            /// Last day, `YYYY-MM-DD`.
            until: String = "until",
        }
    }
}

node! {
    /// Accepts a hazard of `pronoia plan`.
    Ack "ack" {
        needs {
            /// Code of the hazard.
            code: String,
        }
        props {
            /// Why.
            reason: String = "reason",
            /// Last day, `YYYY-MM-DD`.
            until: Text = "until",
        }
    }
}

/// A scalar of any type, kept as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar(pub serde_json::Value);

impl crate::topology::decode::FromValue for Scalar {
    const EXPECTED: &'static str = "any value";
    fn from_value(
        value: &crate::topology::tree::Value,
        _: &mut Vec<crate::diagnostic::Diagnostic>,
    ) -> Option<Self> {
        use crate::topology::tree::Scalar as S;
        Some(Scalar(match &value.scalar {
            S::Str(text) => serde_json::Value::String(text.clone()),
            S::Int(number) => i64::try_from(*number).map_or(serde_json::Value::Null, Into::into),
            S::Float(number) => serde_json::json!(number),
            S::Bool(flag) => (*flag).into(),
            S::Null => serde_json::Value::Null,
        }))
    }
}
