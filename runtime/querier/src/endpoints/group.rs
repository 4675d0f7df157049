//! Several servers behind one name that count as one endpoint: calls go to them in turn.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use server::grpc::{Channel, ChannelSettings};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tonic::transport::Error;
use tonic::{Code, Status};
use tower::{Service, ServiceExt};

use crate::discovery::{Lookup, resolve_group};

/// How long what a name resolved to is used.
const FRESH: Duration = Duration::from_secs(30);
/// A call that did not reach anybody goes to the next server, so often.
const ATTEMPTS: usize = 3;
/// The pause before the second attempt; it doubles.
const PAUSE: Duration = Duration::from_millis(100);

/// The servers behind a name; clones share them.
#[derive(Clone)]
pub(super) struct Group(Arc<Inner>);

struct Inner {
    name: String,
    lookup: Arc<dyn Lookup>,
    settings: Arc<ChannelSettings>,
    servers: Mutex<BTreeMap<String, Channel>>,
    resolved: AsyncMutex<Option<Instant>>,
    turn: AtomicUsize,
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl Group {
    pub(super) fn new(name: String, lookup: Arc<dyn Lookup>, settings: Arc<ChannelSettings>) -> Self {
        Group(Arc::new(Inner {
            name,
            lookup,
            settings,
            servers: Mutex::default(),
            resolved: AsyncMutex::default(),
            turn: AtomicUsize::new(0),
        }))
    }

    /// Whose turn it is; `Err` says why there is nobody.
    async fn next(&self) -> Result<Channel, Status> {
        let inner = &*self.0;
        self.resolve().await.map_err(Status::unavailable)?;
        let servers = inner.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let at = inner.turn.fetch_add(1, Ordering::Relaxed).checked_rem(servers.len()).unwrap_or(0);
        servers
            .values()
            .nth(at)
            .cloned()
            .ok_or_else(|| Status::unavailable(format!("{} has no address in DNS", inner.name)))
    }

    async fn resolve(&self) -> Result<(), String> {
        let inner = &*self.0;
        let mut resolved = inner.resolved.lock().await;
        if resolved.is_some_and(|at| at.elapsed() < FRESH) {
            return Ok(());
        }
        let found = resolve_group(&*inner.lookup, &inner.name).await;
        let mut servers = inner.servers.lock().unwrap_or_else(PoisonError::into_inner);
        match found {
            Ok(addresses) => {
                servers.retain(|address, _| addresses.contains(address));
                for address in addresses {
                    if let (false, Ok(channel)) =
                        (servers.contains_key(&address), Channel::lazy(&address, &inner.settings))
                    {
                        servers.insert(address, channel);
                    }
                }
            }
            // Old addresses stay.
            Err(_) if !servers.is_empty() => {}
            Err(why) => return Err(why),
        }
        *resolved = Some(Instant::now());
        Ok(())
    }
}

impl Service<Request<Body>> for Group {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let group = self.clone();
        Box::pin(async move {
            let (head, body) = request.into_parts();
            // Requests are small, and must be sent again.
            let body = match http_body_util::BodyExt::collect(body).await {
                Ok(body) => body.to_bytes(),
                Err(status) => return Ok(status.into_http()),
            };
            let mut attempt = 1;
            loop {
                let mut channel = match group.next().await {
                    Ok(channel) => channel,
                    Err(status) => return Ok(status.into_http()),
                };
                let body = Body::new(http_body_util::Full::new(body.clone()));
                let request = Request::from_parts(head.clone(), body);
                let answer = match channel.ready().await {
                    Ok(ready) => ready.call(request).await,
                    Err(error) => Err(error),
                };
                let is_unreached = match &answer {
                    Ok(response) => Status::from_header_map(response.headers())
                        .is_some_and(|status| status.code() == Code::Unavailable),
                    Err(_) => true,
                };
                if !is_unreached || attempt == ATTEMPTS {
                    return answer;
                }
                tokio::time::sleep(PAUSE * (1 << (attempt - 1))).await;
                attempt += 1;
            }
        })
    }
}
