//! Which requests are logged: `--request.logging-config`.
//!
//! The YAML is Thanos': `options`, and `http` and `grpc` with options of their own and lists of what is logged. The line of a
//! request that went well has level debug, that of one that failed error; `level` keeps lines below it away.

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use serde::Deserialize;
use thiserror::Error;
use tonic::Code;
use tracing::{debug, error};

use crate::connections::Peer;
use crate::yaml::{self, YamlError};

/// What is wrong with the configuration.
#[derive(Debug, Error)]
pub enum RequestLogError {
    /// It is not the YAML that it should be.
    #[error("request logging configuration")]
    Yaml(#[from] YamlError),
    /// A level is missing.
    #[error("request logging configuration: level field is empty")]
    NoLevel,
    /// A level is none.
    #[error(
        "request logging configuration: the format of level is invalid. Expected INFO/DEBUG/ERROR/WARNING, got this {0}"
    )]
    Level(String),
    /// The start of calls without their end.
    #[error("request logging configuration: log start call is not supported")]
    OnlyStart,
}

/// What is logged of requests; nothing by default. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct RequestLog {
    http: Option<Arc<Rule>>,
    grpc: Option<Arc<Rule>>,
}

#[derive(Debug)]
struct Rule {
    start: bool,
    /// Only lines of failures.
    only_errors: bool,
    /// `path:port` or `/service/method`; empty means everything.
    listed: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Config {
    http: HttpConfig,
    grpc: GrpcConfig,
    options: Options,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct HttpConfig {
    options: Options,
    config: Vec<HttpEntry>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct HttpEntry {
    path: String,
    port: u64,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct GrpcConfig {
    options: Options,
    config: Vec<GrpcEntry>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct GrpcEntry {
    service: String,
    method: String,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Options {
    level: String,
    decision: Decision,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Decision {
    log_start: bool,
    log_end: bool,
}

impl RequestLog {
    /// Reads the YAML; an empty text logs nothing.
    ///
    /// # Errors
    /// When it is malformed, has an unknown key or level, or asks for the start of calls alone.
    pub fn from_yaml(text: &str) -> Result<Self, RequestLogError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let config: Config = yaml::read(text)?;
        let http = config.http.config.iter().map(|entry| format!("{}:{}", entry.path, entry.port)).collect();
        let grpc =
            config.grpc.config.iter().map(|entry| format!("/{}/{}", entry.service, entry.method)).collect();
        Ok(Self {
            http: rule(&config.options, &config.http.options, http)?,
            grpc: rule(&config.options, &config.grpc.options, grpc)?,
        })
    }

    /// The log of one gRPC call, if it is logged.
    pub(crate) fn grpc<B>(&self, request: &Request<B>) -> Option<GrpcCall> {
        let rule = self.grpc.as_ref()?;
        let path = request.uri().path();
        if !rule.listed.is_empty() && !rule.listed.iter().any(|listed| listed == path) {
            return None;
        }
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap_or((path, ""));
        let call = GrpcCall {
            rule: Arc::clone(rule),
            service: service.to_owned(),
            method: method.to_owned(),
            request_id: header(request, "request-id"),
            peer: peer(request),
        };
        if rule.start && !rule.only_errors {
            debug!(
                msg = "started call",
                protocol = "grpc",
                grpc.component = "server",
                grpc.service = call.service,
                grpc.method = call.method,
                peer.address = call.peer,
                request_id = call.request_id,
            );
        }
        Some(call)
    }

    /// The log of one HTTP request, if it is logged.
    pub(crate) fn http<B>(&self, request: &Request<B>, handler: &str) -> Option<HttpCall> {
        let rule = self.http.as_ref()?;
        if !rule.listed.is_empty() {
            let host = header(request, "host");
            let port = host.rsplit_once(':').map_or("80", |(_, port)| port);
            let key = format!("{}:{port}", request.uri().path());
            if !rule.listed.contains(&key) {
                return None;
            }
        }
        let forwarded = header(request, "x-forwarded-for");
        let call = HttpCall {
            rule: Arc::clone(rule),
            method: format!("{} {}", request.method(), request.uri()),
            request_id: header(request, "x-request-id"),
            user_agent: header(request, "user-agent"),
            peer: if forwarded.is_empty() { peer(request) } else { forwarded },
            handler: handler.to_owned(),
        };
        if rule.start && !rule.only_errors {
            debug!(
                msg = "started call",
                protocol = "http",
                http.component = "server",
                http.method = call.method,
                http.request_id = call.request_id,
                http.user_agent = call.user_agent,
                thanos.method_name = call.handler,
            );
        }
        Some(call)
    }
}

/// The options of a protocol go before those of all.
fn rule(all: &Options, own: &Options, listed: Vec<String>) -> Result<Option<Arc<Rule>>, RequestLogError> {
    let stated = |options: &Options| {
        let logs = options.decision.log_start || options.decision.log_end;
        if options.level.is_empty() && logs {
            Err(RequestLogError::NoLevel)
        } else {
            Ok(!options.level.is_empty())
        }
    };
    let all_stated = stated(all)?;
    let options = if stated(own)? {
        own
    } else if all_stated {
        all
    } else {
        return Ok(None);
    };
    let only_errors = match options.level.as_str() {
        "ERROR" | "WARNING" | "INFO" => true,
        "DEBUG" => false,
        other => return Err(RequestLogError::Level(other.to_owned())),
    };
    match (options.decision.log_start, options.decision.log_end) {
        (false, false) => Ok(None),
        (true, false) => Err(RequestLogError::OnlyStart),
        (start, true) => Ok(Some(Arc::new(Rule { start, only_errors, listed }))),
    }
}

fn header<B>(request: &Request<B>, name: &str) -> String {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

fn peer<B>(request: &Request<B>) -> String {
    request.extensions().get::<Peer>().map_or_else(String::new, |peer| peer.0.to_string())
}

fn milliseconds(took: Duration) -> String {
    (took.as_secs_f64() * 1000.0).to_string()
}

/// A gRPC call of which the end is logged.
#[derive(Debug)]
pub(crate) struct GrpcCall {
    rule: Arc<Rule>,
    service: String,
    method: String,
    request_id: String,
    peer: String,
}

impl GrpcCall {
    pub(crate) fn finished(self, code: Code, took: Duration) {
        let failed = matches!(code, Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss);
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    msg = "finished call",
                    protocol = "grpc",
                    grpc.component = "server",
                    grpc.service = self.service,
                    grpc.method = self.method,
                    grpc.code = ?code,
                    grpc.time_ms = milliseconds(took),
                    peer.address = self.peer,
                    request_id = self.request_id,
                )
            };
        }
        if failed {
            line!(error);
        } else if !self.rule.only_errors {
            line!(debug);
        }
    }
}

/// An HTTP request of which the end is logged.
#[derive(Debug)]
pub(crate) struct HttpCall {
    rule: Arc<Rule>,
    method: String,
    request_id: String,
    user_agent: String,
    peer: String,
    handler: String,
}

impl HttpCall {
    pub(crate) fn finished(self, status: u16, took: Duration) {
        macro_rules! line {
            ($level:ident) => {
                $level!(
                    msg = "finished call",
                    protocol = "http",
                    http.component = "server",
                    http.method = self.method,
                    http.request_id = self.request_id,
                    http.user_agent = self.user_agent,
                    http.status_code = status,
                    http.time_ms = milliseconds(took),
                    http.remote_addr = self.peer,
                    thanos.method_name = self.handler,
                )
            };
        }
        if !(200..500).contains(&status) {
            line!(error);
        } else if !self.rule.only_errors {
            line!(debug);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_protocol_go_first() {
        let log = RequestLog::from_yaml(
            "options: {level: ERROR, decision: {log_start: false, log_end: true}}\n\
             grpc:\n  options: {level: DEBUG, decision: {log_start: true, log_end: true}}\n  \
             config: [{service: thanos.Store, method: Series}]\n",
        )
        .unwrap();
        assert!(log.http.as_ref().unwrap().only_errors);
        let grpc = log.grpc.unwrap();
        assert!(grpc.start && !grpc.only_errors);
        assert_eq!(grpc.listed, ["/thanos.Store/Series"]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, says) in [
            ("options: {decision: {log_end: true}}", "level field is empty"),
            ("options: {level: info}", "Expected INFO/DEBUG/ERROR/WARNING, got this info"),
            ("options: {level: INFO, decision: {log_start: true}}", "log start call is not supported"),
            ("option: {}", "did you mean `options`?"),
        ] {
            let error = yaml::chain(&RequestLog::from_yaml(text).unwrap_err());
            assert!(error.contains(says), "{text}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
        assert!(RequestLog::from_yaml(" ").unwrap().http.is_none());
    }
}
