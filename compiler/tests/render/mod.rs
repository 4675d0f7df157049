//! Rendering: YAML, templates, Kubernetes objects.

mod hostile;
mod kube;
mod template;
mod yaml;
