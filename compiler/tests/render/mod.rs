//! Rendering: YAML, templates, Kubernetes objects.

mod hostile;
mod yaml;
