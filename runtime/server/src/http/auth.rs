//! Passwords, headers and the rate of requests, as a web configuration says.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use super::web_config::WebConfig;
use crate::base64;

/// Answers remembered at once; checking a password takes a tenth of a second and more.
const REMEMBERED_MAX: usize = 100;
/// Costs as much as one that exists, so that time does not tell who exists.
const NOBODY: &str = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";

/// Lets a request pass, or not.
pub(super) async fn guard(State(web): State<WebConfig>, request: Request, next: Next) -> Response {
    let current = web.current();
    if let Some(limit) = &current.rate
        && !limit.take()
    {
        return plain(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests\n");
    }
    let mut response = if current.users.is_empty() || passes(&web, &current.users, request.headers()).await {
        next.run(request).await
    } else {
        let mut response = plain(StatusCode::UNAUTHORIZED, "Unauthorized\n");
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
        response
    };
    for (name, value) in &current.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response {
    let kind = (CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let sniff = (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    (status, [kind, sniff], text).into_response()
}

async fn passes(web: &WebConfig, users: &BTreeMap<String, String>, headers: &HeaderMap) -> bool {
    let Some((user, password)) = credentials(headers) else { return false };
    let known = users.get(&user);
    let hash = known.map_or(NOBODY, String::as_str).to_owned();
    let key = Sha256::new()
        .chain_update(user.as_bytes())
        .chain_update([0])
        .chain_update(hash.as_bytes())
        .chain_update([0])
        .chain_update(password.as_bytes())
        .finalize()
        .into();
    if let Some(right) = web.remembered().get(&key) {
        return right && known.is_some();
    }
    // One at a time: guessing does not take the whole machine.
    let Ok(_turn) = web.turns().acquire().await else { return false };
    if let Some(right) = web.remembered().get(&key) {
        return right && known.is_some();
    }
    let check = tokio::task::spawn_blocking(move || bcrypt::verify(password, &hash).unwrap_or(false));
    let right = check.await.unwrap_or(false);
    web.remembered().put(key, right);
    right && known.is_some()
}

fn credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(base64::decode(encoded.trim())?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// Which passwords were right or wrong.
#[derive(Debug, Default)]
pub(super) struct Remembered(Mutex<BTreeMap<[u8; 32], bool>>);

impl Remembered {
    fn get(&self, key: &[u8; 32]) -> Option<bool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    fn put(&self, key: [u8; 32], right: bool) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            // A right one goes only when there is no wrong one left: guesses do not push users out.
            let victim = known.iter().find(|(_, right)| !**right).or_else(|| known.iter().next());
            if let Some(victim) = victim.map(|(key, _)| *key) {
                known.remove(&victim);
            }
        }
        known.insert(key, right);
    }
}

/// How many passwords are checked at once.
pub(super) fn turns() -> Semaphore {
    Semaphore::new(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_read() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_static(text));
            credentials(&headers)
        };
        assert_eq!(of("Basic YWxpY2U6czNjOnJldA=="), Some(("alice".into(), "s3c:ret".into())));
        assert_eq!(of("basic OnA="), Some((String::new(), "p".into())));
        for text in ["Bearer YWxpY2U6cA==", "Basic", "Basic !!!!", "Basic YWxpY2U", "Basic YQ=="] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn guesses_do_not_push_users_out() {
        let remembered = Remembered::default();
        remembered.put([1; 32], true);
        for guess in 0..1000_u32 {
            let mut key = [2; 32];
            key[..4].copy_from_slice(&guess.to_be_bytes());
            remembered.put(key, false);
        }
        assert_eq!(remembered.get(&[1; 32]), Some(true));
        assert!(remembered.0.lock().unwrap().len() <= REMEMBERED_MAX);
    }
}
