//! What surrounds Prometheus in the cluster: storage classes, exporters, network rules, other workloads.

use crate::topology::decode::node;
use crate::topology::values::{Cpu, Size, Text};

node! {
    /// A storage class, created with its provisioner when it needs one.
    Storage "storage" {
        needs {
            /// Name of the class.
            name: String,
        }
        props {
            /// Makes it the cluster's default class.
            default: bool = "default",
            /// Provisioner of an existing CSI driver.
            provisioner: String = "provisioner",
            /// Allows volumes to grow.
            expand: bool = "expand",
        }
        one {
            /// An NFS export with its own provisioner.
            nfs: Nfs,
            /// Parameters of the class.
            parameters: Parameters,
        }
    }
}

node! {
    /// An NFS export.
    Nfs "nfs" {
        needs {
            /// `server:/path`.
            export: String,
        }
        props {
            /// Name of the provisioner.
            provisioner: String = "provisioner",
            /// Keeps a copy of deleted volumes.
            archive_on_delete: bool = "archive-on-delete",
            /// Image of the provisioner.
            image: String = "image",
        }
    }
}

node! {
    /// Parameters of a storage class.
    Parameters "parameters" {
        open {
            /// `type=gp3`.
            parameters
        }
    }
}

node! {
    /// kube-state-metrics.
    KubeStateMetrics "kube-state-metrics" {
        props {
            /// Image instead of the one of `target`.
            image: String = "image",
            /// Memory request and limit.
            memory: Size = "memory",
            /// Processor request.
            cpu: Cpu = "cpu",
            /// Deployed by somebody else.
            external: bool = "external",
            /// Its namespace, when external.
            namespace: String = "namespace",
        }
    }
}

node! {
    /// node-exporter on every node.
    NodeExporter "node-exporter" {
        props {
            /// Image instead of the one of `target`.
            image: String = "image",
            /// Memory request and limit.
            memory: Size = "memory",
            /// Port on the node.
            port: u16 = "port",
            /// Deployed by somebody else.
            external: bool = "external",
            /// Its namespace, when external.
            namespace: String = "namespace",
        }
    }
}

node! {
    /// blackbox-exporter.
    Blackbox "blackbox" {
        props {
            /// Image.
            image: String = "image",
            /// Replicas.
            replicas: u32 = "replicas",
            /// Its own configuration file.
            config: String = "config",
        }
    }
}

node! {
    /// Traffic rules.
    Network "network" {
        props {
            /// Renders NetworkPolicies for every edge of the graph.
            policies: bool = "policies",
            /// IngressClass of all Ingresses.
            ingress_class: String = "ingress-class",
        }
        many {
            /// Namespaces whose pods may query.
            allow_from: AllowFrom,
        }
    }
}

node! {
    /// Namespaces whose pods may query and see the web pages.
    AllowFrom "allow-from" {
        rest {
            /// Namespace names.
            namespaces: String
        }
    }
}

node! {
    /// Another Deployment, for instance to test alerts with.
    Workload "workload" {
        needs {
            /// Name.
            name: String,
        }
        props {
            /// Namespace.
            namespace: String = "namespace",
            /// Image.
            image: String = "image",
            /// Replicas.
            replicas: u32 = "replicas",
            /// Container port.
            port: u16 = "port",
            /// Label `app` and container name; default is the image's name.
            app: Text = "app",
        }
    }
}
