//! Turns a model into files: YAML writing, templates, and Kubernetes typing.

pub mod yaml;
