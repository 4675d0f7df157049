//! Alertmanager: its address, its configuration, and the secrets that this mounts.

mod generate;
mod inspect;

use std::sync::Arc;

use serde_json::Value;

use super::Cluster;
use super::rules::Library;
use crate::diagnostic::Diagnostic;
use crate::render::yaml;
use crate::source::Span;
use crate::topology::nodes::scrape::Scheme;

/// Folder inside the pod below which every Secret has a folder of its own.
pub const SECRETS_FOLDER: &str = "/etc/alertmanager/secrets";

/// Alertmanager as a cluster uses it.
#[derive(Debug)]
pub enum Alertmanager {
    /// One that exists.
    External(External),
    /// One that is deployed.
    Deployed(Deployed),
}

/// An Alertmanager of somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// `host:port`.
    pub address: String,
    /// Path in front of the API; `/` when there is none.
    pub path_prefix: String,
}

/// An Alertmanager that runs here.
#[derive(Debug)]
pub struct Deployed {
    /// The configuration file.
    pub config: Arc<str>,
    /// Whether the configuration itself holds a secret, so that it goes into a Secret.
    pub sensitive: bool,
    /// Keys of Secrets that it reads, sorted: name, key.
    pub secrets: Vec<(String, String)>,
}

/// Path at which the key of a Secret is mounted.
pub fn secret_path(name: &str, key: &str) -> String {
    format!("{SECRETS_FOLDER}/{name}/{key}")
}

/// Resolves the node `alertmanager`.
pub fn resolve(
    cluster: &Cluster,
    library: &mut Library,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<Alertmanager> {
    let node = cluster.topology.alertmanager.as_ref()?;
    if let Some(address) = &node.external {
        let scheme = node.scheme.as_ref().map(|scheme| match scheme.value {
            Scheme::Http => "http",
            Scheme::Https => "https",
        });
        return external(&address.value, scheme, address.span, diagnostics).map(Alertmanager::External);
    }
    let span = node.name_span;
    let written = match (&node.config, &node.yaml) {
        (Some(path), yaml) => {
            if let Some(yaml) = yaml {
                diagnostics.push(
                    Diagnostic::error("KDL008", yaml.name_span, "a second configuration beside `config=`")
                        .help("keep the file, or the text"),
                );
            }
            let name = library.relative(&path.value, path.span);
            let (file, text) = library.file(&name, path.span, diagnostics)?;
            Some((text, Some(file), path.span))
        }
        (None, Some(yaml)) => Some((Arc::from(yaml.text.value.as_str()), None, yaml.text.span)),
        (None, None) => None,
    };
    let Some((text, file, place)) = written else {
        let built = generate::config(cluster, node, Value::Null, diagnostics);
        return Some(deployed(yaml::to_yaml(&built.config).into(), built.sensitive, built.secrets));
    };
    let place_of = inspect::Place { file, span: place };
    let tree = inspect::read(&text, &place_of, diagnostics)?;
    let (literals, mut secrets) = inspect::secrets(&tree);
    for path in &literals {
        diagnostics.push(
            Diagnostic::error("SEC001", place_of.find(&text, path, library.sources()), format!("`{path}` is a secret in clear text"))
                .help(format!(
                    "put it into a Secret and write `{}_file: {SECRETS_FOLDER}/NAME/KEY`; the Secret is mounted there",
                    path.rsplit('.').next().unwrap_or(path)
                )),
        );
    }
    if node.receivers.is_empty() {
        inspect::check(&tree, span, diagnostics);
        return Some(deployed(text, !literals.is_empty(), secrets));
    }
    // The text holds what the language has no words for, such as the mail server; the receivers are the nodes'.
    for key in ["route", "receivers"] {
        if tree.get(key).is_some() {
            diagnostics.push(
                Diagnostic::error(
                    "KDL008",
                    place,
                    format!("`{key}` is in this configuration and follows from `receiver` nodes too"),
                )
                .help("write it in one of the two"),
            );
        }
    }
    let built = generate::config(cluster, node, tree, diagnostics);
    inspect::check(&built.config, span, diagnostics);
    secrets.extend(built.secrets);
    let text = yaml::to_yaml(&built.config);
    Some(deployed(text.into(), built.sensitive || !literals.is_empty(), secrets))
}

fn deployed(config: Arc<str>, sensitive: bool, mut secrets: Vec<(String, String)>) -> Alertmanager {
    secrets.sort();
    secrets.dedup();
    Alertmanager::Deployed(Deployed { config, sensitive, secrets })
}

/// Reads `host:port`, or an address with scheme and path.
fn external(
    written: &str,
    scheme: Option<&'static str>,
    span: Span,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<External> {
    let (own_scheme, rest) = match written.split_once("://") {
        Some(("http", rest)) => (Some("http"), rest),
        Some(("https", rest)) => (Some("https"), rest),
        Some((other, _)) => {
            diagnostics.push(
                Diagnostic::error("KDL007", span, format!("Alertmanager does not speak `{other}`"))
                    .help("write `host:port`, or begin with http:// or https://"),
            );
            return None;
        }
        None => (None, written),
    };
    let scheme = own_scheme.or(scheme).unwrap_or("http");
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let path = path.trim_end_matches('/');
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !name.is_empty() && !port.ends_with(']') => (name, port.parse::<u16>().ok()),
        _ if own_scheme.is_some() => (host, Some(if scheme == "https" { 443 } else { 80 })),
        _ => (host, None),
    };
    let legal = !name.is_empty() && !name.contains([' ', '@', '?', '#', ',']);
    let Some(port) = port.filter(|port| *port > 0 && legal) else {
        diagnostics.push(
            Diagnostic::error("KDL007", span, format!("`{written}` is no address"))
                .help("write `host:port`, such as \"alertmanager.monitoring.svc:9093\""),
        );
        return None;
    };
    Some(External { scheme, address: format!("{name}:{port}"), path_prefix: format!("/{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(&'static str, String, String)> {
        external(text, None, Span::new(0, 0, 0), &mut Vec::new())
            .map(|external| (external.scheme, external.address, external.path_prefix))
    }

    #[test]
    fn addresses_in_every_form() {
        let some = |scheme, address: &str, path: &str| Some((scheme, address.to_string(), path.to_string()));
        assert_eq!(read("alertmanager:9093"), some("http", "alertmanager:9093", "/"));
        assert_eq!(read("https://am.example.net/prod/"), some("https", "am.example.net:443", "/prod"));
        assert_eq!(read("[::1]:9093"), some("http", "[::1]:9093", "/"));
        assert_eq!(read("alertmanager"), None);
        assert_eq!(read("ftp://x:1"), None);
        assert_eq!(read("a b:1"), None);
    }
}
