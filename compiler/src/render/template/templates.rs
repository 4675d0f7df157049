//! The shipped templates: every file of `templates/`, compiled into the binary.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../templates/", $name)))),*]
    };
}

/// Name and text of every shipped template, sorted by name.
pub const SHIPPED: &[(&str, &str)] = shipped!["namespace.yaml.j2", "service.yaml.j2"];
