//! The HTTP client below the clients of the stores: its TLS, its timeouts, and what it notes of every request.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use http_body::Body as _;
use md5::{Digest, Md5};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
    HttpService,
};
use object_store::{ClientConfigKey, ClientOptions, HeaderValue};
use reqwest::redirect::Policy;
use tokio::sync::Semaphore;

use super::answer;
use crate::config::{ConfigError, Environment, HttpSettings};
use crate::layers::RequestCounts;

/// Bodies on their way get this much more time per byte than the answer to an empty request: 64 KiB a second.
const SLOWEST: u64 = 64 << 10;

/// Makes the clients of one bucket.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    /// With TLS alone, and with what the store is configured for; the first never talks plain HTTP.
    secure: reqwest::Client,
    plain: reqwest::Client,
    about: Arc<About>,
}

/// What every request is held to.
#[derive(Debug)]
struct About {
    response_header: Duration,
    connections: Option<Semaphore>,
    content_md5: bool,
    trace: bool,
    counts: Option<RequestCounts>,
}

/// What is done with every request.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Habits {
    /// Send `Content-MD5` with every body.
    pub(super) content_md5: bool,
    /// Log every request at debug.
    pub(super) trace: bool,
}

/// The store did not begin to answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {0:?}")]
struct NoAnswer(Duration);

impl Connector {
    pub(super) fn new(
        kind: &'static str,
        settings: &HttpSettings,
        environment: Environment<'_>,
        habits: Habits,
        counts: Option<RequestCounts>,
    ) -> Result<Self, ConfigError> {
        // One provider of cryptography for the whole process; a second call changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = |https_only| build(kind, settings, environment, https_only);
        Ok(Self {
            secure: client(true)?,
            plain: client(false)?,
            about: Arc::new(About {
                response_header: settings.response_header,
                connections: settings.connections.map(Semaphore::new),
                content_md5: habits.content_md5,
                trace: habits.trace,
                counts,
            }),
        })
    }
}

fn build(
    kind: &'static str,
    settings: &HttpSettings,
    environment: Environment<'_>,
    https_only: bool,
) -> Result<reqwest::Client, ConfigError> {
    let refused =
        |source: reqwest::Error| ConfigError::Client { kind, source: Box::new(source.without_url()) };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("pronoia/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .https_only(https_only)
        // Sizes are those of the stored bytes.
        .no_gzip()
        .pool_max_idle_per_host(settings.idle_connections)
        .no_proxy();
    if settings.idle != Duration::MAX {
        builder = builder.pool_idle_timeout(settings.idle);
    }
    if settings.handshake != Duration::MAX {
        builder = builder.connect_timeout(settings.handshake);
    }
    if settings.response_header != Duration::MAX {
        builder = builder.read_timeout(settings.response_header);
    }
    for proxy in proxies(environment).map_err(refused)? {
        builder = builder.proxy(proxy);
    }
    let tls = &settings.tls;
    if let Some(path) = &tls.ca {
        let pem = file("http_config.tls_config.ca_file", path)?;
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(&pem).map_err(refused)?);
    }
    if let Some((certificate, key)) = &tls.identity {
        let mut pem = file("http_config.tls_config.cert_file", certificate)?;
        pem.push(b'\n');
        pem.extend(file("http_config.tls_config.key_file", key)?);
        builder = builder.identity(reqwest::Identity::from_pem(&pem).map_err(refused)?);
    }
    if tls.insecure_skip_verify {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    builder.build().map_err(refused)
}

/// Proxies from the environment, as Go's default has them: never for this machine, nor for its metadata.
fn proxies(environment: Environment<'_>) -> Result<Vec<reqwest::Proxy>, reqwest::Error> {
    let either = |name: &str| {
        environment(name).or_else(|| environment(&name.to_lowercase())).filter(|value| !value.is_empty())
    };
    let mut except = "localhost,127.0.0.0/8,::1,169.254.0.0/16".to_owned();
    if let Some(more) = either("NO_PROXY") {
        except = format!("{except},{more}");
    }
    let except = || reqwest::NoProxy::from_string(&except);
    let mut proxies = Vec::new();
    if let Some(url) = either("HTTPS_PROXY") {
        proxies.push(reqwest::Proxy::https(url)?.no_proxy(except()));
    }
    if let Some(url) = either("HTTP_PROXY") {
        proxies.push(reqwest::Proxy::http(url)?.no_proxy(except()));
    }
    Ok(proxies)
}

#[expect(clippy::disallowed_methods, reason = "certificates come from files that the configuration names")]
pub(super) fn file(key: &'static str, path: &std::path::Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|source| ConfigError::File { key, path: path.to_owned(), source })
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let client = if plain { self.plain.clone() } else { self.secure.clone() };
        Ok(HttpClient::new(Service { client, about: Arc::clone(&self.about) }))
    }
}

#[derive(Debug)]
struct Service {
    client: reqwest::Client,
    about: Arc<About>,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let _permit = match &self.about.connections {
            Some(connections) => connections.acquire().await.ok(),
            None => None,
        };
        if self.about.content_md5 && request.method() == "PUT" {
            let sum = content_md5(request.body());
            request.headers_mut().entry("content-md5").or_insert(sum);
        }
        let (method, uri) = (request.method().clone(), request.uri().clone());
        if let Some(counts) = &self.about.counts {
            counts.count(method.as_str(), uri.query().unwrap_or_default());
        }
        let carried = Duration::from_secs(request.body().content_length() as u64 / SLOWEST);
        let limit = self.about.response_header.saturating_add(carried);
        let answer = match tokio::time::timeout(limit, self.client.call(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(HttpError::new(HttpErrorKind::Timeout, NoAnswer(limit))),
        };
        let status = answer.as_ref().ok().map(|answer| answer.status().as_u16());
        answer::note(status, answer.as_ref().ok().map(|answer| answer.headers()));
        if self.about.trace {
            // A query may hold a signature.
            tracing::debug!(%method, host = uri.host(), path = uri.path(), status, "request to the bucket");
        }
        answer
    }
}

/// The sum of a body, as the header has it.
fn content_md5(body: &HttpRequestBody) -> HeaderValue {
    let mut sum = Md5::new();
    let mut body = std::pin::pin!(body.clone());
    let mut context = Context::from_waker(Waker::noop());
    // A body is in memory, so it is always ready.
    while let Poll::Ready(Some(Ok(frame))) = body.as_mut().poll_frame(&mut context) {
        if let Some(bytes) = frame.data_ref() {
            sum.update(bytes);
        }
    }
    let text = base64(&sum.finalize());
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Base64 with padding.
pub(super) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        for (place, byte) in group.iter_mut().zip(chunk) {
            *place = *byte;
        }
        let [one, two, three] = group.map(usize::from);
        let bits = one << 16 | two << 8 | three;
        for place in 0..4 {
            let index = bits >> (18 - 6 * place) & 63;
            let digit = if place <= chunk.len() { ALPHABET.get(index).copied() } else { None };
            text.push(char::from(digit.unwrap_or(b'=')));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_its_padding() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("\u{3ff}?~", "z78/fg=="),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xff; 3]), "////");
        assert_eq!(base64(&[0xfb, 0xf0]), "+/A=");
    }
}
