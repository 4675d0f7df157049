//! The trait.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use budget::Budget;
use futures::stream::BoxStream;
use prom_model::Matcher;
use storeapi::SeriesFrame;
use storeapi::thanos::{
    LabelNamesRequest, LabelNamesResponse, LabelValuesRequest, LabelValuesResponse, SeriesRequest,
};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::About;

/// So many series a store puts into a batch unless there is a reason for another number.
pub const BATCH: usize = 64;

/// So many chunks a store puts into a batch at most, unless they are of one series.
pub(crate) const BATCH_CHUNKS: usize = 8192;

/// What a call is made in.
#[derive(Debug, Clone)]
pub struct Context {
    /// Whose call it is (metadata `thanos-tenant`); `None` where nobody said.
    pub tenant: Option<String>,
    /// Ends the call.
    pub cancel: CancellationToken,
    /// The memory that the call may hold.
    pub budget: Budget,
    /// Which stores may be asked (`storeMatch[]`): those whose `__address__` satisfies all matchers of any of these sets; all
    /// where there is no set. Only a store over other stores looks at it, and it does not travel on.
    pub store_match: Arc<[Vec<Matcher>]>,
}

impl Context {
    /// A call of nobody in particular, without limits.
    pub fn unlimited() -> Self {
        Context {
            tenant: None,
            cancel: CancellationToken::new(),
            budget: Budget::unlimited(),
            store_match: Arc::default(),
        }
    }
}

/// The answer to `Series` on its way.
///
/// Series come in the order of their label sets; a label set may come again only in the very next frame or place of the batch
/// (a series split into several). Warnings and hints may stand anywhere. After an error there is nothing.
pub type Frames = BoxStream<'static, Result<SeriesFrame, Status>>;

/// A source of series: one StoreAPI.
///
/// An error has the code and the text that Thanos' users know. Whoever drops the answer ends the call.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// The series that satisfy the matchers and have samples in the time range.
    async fn series(&self, request: SeriesRequest, context: Context) -> Result<Frames, Status>;

    /// The names of the labels of these series, sorted.
    async fn label_names(
        &self,
        request: LabelNamesRequest,
        context: Context,
    ) -> Result<LabelNamesResponse, Status>;

    /// The values of a label of these series, sorted.
    async fn label_values(
        &self,
        request: LabelValuesRequest,
        context: Context,
    ) -> Result<LabelValuesResponse, Status>;

    /// What the store says about itself, now.
    fn about(&self) -> About;
}
