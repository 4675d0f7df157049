//! A store behind gRPC.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use storeapi::SeriesFrame;
use storeapi::thanos::store_client::StoreClient;
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};
use tower::util::BoxCloneSyncService;

use crate::{About, Context, Frames, Store, TENANT_KEY};

/// A channel to another component, whatever lies around it.
pub type Channel = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, tonic::transport::Error>;

/// A Thanos endpoint, asked over a channel; clones share it.
#[derive(Clone)]
pub struct RemoteStore {
    client: StoreClient<Channel>,
    about: Arc<RwLock<About>>,
}

impl fmt::Debug for RemoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteStore").field("about", &self.about()).finish_non_exhaustive()
    }
}

impl RemoteStore {
    /// The store at the other end of a channel. What it says about itself has to be told, here and by [`RemoteStore::learn`].
    pub fn new(channel: Channel, about: About) -> Self {
        let client = StoreClient::new(channel)
            .max_decoding_message_size(storeapi::MESSAGE_MAX)
            .max_encoding_message_size(storeapi::MESSAGE_MAX);
        RemoteStore { client, about: Arc::new(RwLock::new(about)) }
    }

    /// Takes what `Info` said.
    pub fn learn(&self, about: About) {
        *self.about.write().unwrap_or_else(PoisonError::into_inner) = about;
    }
}

/// A request with the tenant of the call; one whose name cannot be metadata is refused.
fn request<T>(message: T, context: &Context) -> Result<Request<T>, Status> {
    let mut request = Request::new(message);
    if let Some(tenant) = &context.tenant {
        let value = MetadataValue::try_from(tenant.as_str())
            .map_err(|_| Status::invalid_argument(format!("tenant {tenant:?} cannot be sent")))?;
        request.metadata_mut().insert(TENANT_KEY, value);
    }
    Ok(request)
}

/// Ends a call when its context does.
async fn unless_cancelled<T>(
    context: &Context,
    call: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    tokio::select! {
        biased;
        () = context.cancel.cancelled() => Err(Status::cancelled("context canceled")),
        answer = call => answer,
    }
}

/// The frames, with an error at the end where the call was cancelled before they had all come.
fn until_cancelled(frames: Frames, cancel: CancellationToken) -> Frames {
    stream::unfold(Some((frames, cancel)), |state| async move {
        let (mut frames, cancel) = state?;
        tokio::select! {
            biased;
            () = cancel.cancelled() => Some((Err(Status::cancelled("context canceled")), None)),
            frame = frames.next() => frame.map(|frame| (frame, Some((frames, cancel)))),
        }
    })
    .boxed()
}

#[async_trait]
impl Store for RemoteStore {
    async fn series(&self, message: SeriesRequest, context: Context) -> Result<Frames, Status> {
        let request = request(message, &context)?;
        let mut client = self.client.clone();
        let frames = unless_cancelled(&context, client.series(request)).await?.into_inner();
        // Empty frames are of a kind that nobody here knows.
        let known = frames.filter(|frame| {
            let is_empty = matches!(frame, Ok(SeriesFrame::Batch(batch)) if batch.is_empty());
            std::future::ready(!is_empty)
        });
        Ok(until_cancelled(known.boxed(), context.cancel))
    }

    async fn label_names(
        &self,
        message: LabelNamesRequest,
        context: Context,
    ) -> Result<LabelNamesResponse, Status> {
        let request = request(message, &context)?;
        let mut client = self.client.clone();
        Ok(unless_cancelled(&context, client.label_names(request)).await?.into_inner())
    }

    async fn label_values(
        &self,
        message: LabelValuesRequest,
        context: Context,
    ) -> Result<LabelValuesResponse, Status> {
        let request = request(message, &context)?;
        let mut client = self.client.clone();
        Ok(unless_cancelled(&context, client.label_values(request)).await?.into_inner())
    }

    fn about(&self) -> About {
        self.about.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
