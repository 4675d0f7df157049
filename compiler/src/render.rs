//! Turns a model into files: YAML writing, templates, and Kubernetes typing.

pub mod template;
pub mod yaml;
