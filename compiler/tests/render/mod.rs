//! Rendering: YAML, templates, Kubernetes objects.

mod hostile;
mod template;
mod yaml;
