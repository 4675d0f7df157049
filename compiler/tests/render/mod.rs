//! Rendering: YAML, templates, Kubernetes objects.

mod hostile;
mod kube;
mod prometheus_config;
mod template;
mod yaml;
