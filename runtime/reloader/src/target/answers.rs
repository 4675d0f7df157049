//! Reads what Prometheus and Alertmanager say about themselves.

use prom_config::Version;
use serde_json::Value;

use super::Loaded;

fn data(body: &str) -> Option<Value> {
    let mut body: Value = serde_json::from_str(body).ok()?;
    Some(match body.get_mut("data") {
        Some(data) => data.take(),
        None => body,
    })
}

/// `data.version` of Prometheus, `versionInfo.version` of Alertmanager.
pub(super) fn version(body: &str) -> Option<Version> {
    let data = data(body)?;
    data.get("version").or_else(|| data.pointer("/versionInfo/version"))?.as_str()?.parse().ok()
}

/// `/api/v1/status/runtimeinfo`.
pub(super) fn runtime_info(body: &str) -> Option<Loaded> {
    let data = data(body)?;
    let successful = data.get("reloadConfigSuccess")?.as_bool()?;
    Some(Loaded { successful, at: data.get("lastConfigTime")?.as_str()?.to_owned() })
}

/// `/metrics`, when there is no better way.
pub(super) fn metrics(body: &str, prefix: &str) -> Option<Loaded> {
    let value = |name: &str| {
        let line = body.lines().find(|line| {
            line.strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix(name))
                .is_some_and(|rest| rest.starts_with(' '))
        })?;
        line.rsplit(' ').next().map(str::to_owned)
    };
    let successful = value("config_last_reload_successful")? == "1";
    Some(Loaded { successful, at: value("config_last_reload_success_timestamp_seconds")? })
}

/// `/api/v1/status/config`.
pub(super) fn configuration(body: &str) -> Option<String> {
    Some(data(body)?.get("yaml")?.as_str()?.to_owned())
}

/// Alertmanager's `/api/v2/status`.
pub(super) fn original(body: &str) -> Option<String> {
    Some(data(body)?.pointer("/config/original")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_is_understood() {
        let body = r#"{"status":"success","data":{"reloadConfigSuccess":false,"lastConfigTime":"2026-11-22T21:00:00Z"}}"#;
        let loaded = runtime_info(body).unwrap();
        assert_eq!((loaded.successful, loaded.at.as_str()), (false, "2026-11-22T21:00:00Z"));
        let body = r#"{"config":{"original":"route: {}\n"},"versionInfo":{"version":"0.25.0"}}"#;
        assert_eq!(original(body).as_deref(), Some("route: {}\n"));
        assert_eq!(version(body).unwrap().to_string(), "0.25.0");
        let body = "# HELP x\nalertmanager_config_last_reload_successful 1\n\
                    alertmanager_config_last_reload_success_timestamp_seconds 1.69e+09\n";
        assert_eq!(
            metrics(body, "alertmanager_").unwrap(),
            Loaded { successful: true, at: "1.69e+09".into() }
        );
        assert_eq!(runtime_info("<html>"), None);
    }
}
