//! What requests ask for, or the status that says what is wrong with them.

use std::collections::BTreeSet;

use prom_model::Matcher;
use prost::Message;
use storeapi::hints::TYPE_URL;
use storeapi::thanos::LabelMatcher;
use storeapi::{Aggregate, hints};
use tonic::Status;

/// Reads matchers; `what` stands before what is wrong with them.
pub(super) fn matchers(list: &[LabelMatcher], what: &str) -> Result<Vec<Matcher>, Status> {
    storeapi::from_wire(list).map_err(|error| Status::invalid_argument(format!("{what}{error}")))
}

/// Reads the matchers of blocks out of hints. `message` is what the hints must be, `of` names the request.
pub(super) fn block_matchers<M: Message + Default>(
    hints: Option<&prost_types::Any>,
    message: &str,
    of: &str,
    get: impl Fn(M) -> Vec<LabelMatcher>,
) -> Result<Vec<Matcher>, Status> {
    let Some(any) = hints else { return Ok(Vec::new()) };
    let wrong = |text: String| Status::invalid_argument(format!("unmarshal {of} request hints: {text}"));
    let found = any.type_url.rsplit_once('/').map_or(any.type_url.as_str(), |(_, name)| name);
    let wanted = format!("hintspb.{message}");
    if found != wanted {
        return Err(wrong(format!("mismatched message type: got {found:?} want {wanted:?}")));
    }
    // Go's words for whatever is wrong with the bytes of a message.
    let decoded = M::decode(any.value.as_slice()).map_err(|_| wrong("unexpected EOF".to_owned()))?;
    matchers(&get(decoded), "translate request hints labels matchers: ")
}

/// The hints of an answer: which blocks were looked at.
pub(super) fn answer_hints(message: &str, value: Vec<u8>) -> prost_types::Any {
    prost_types::Any { type_url: format!("{TYPE_URL}{message}"), value }
}

/// Blocks as hints name them.
pub(super) fn queried(blocks: &[std::sync::Arc<super::block::Block>]) -> Vec<hints::Block> {
    blocks.iter().map(|block| hints::Block { id: block.id.to_string() }).collect()
}

/// The aggregates that are asked for, each once; those that nobody knows are left out.
pub(super) fn aggregates(numbers: &[i32]) -> Vec<Aggregate> {
    let mut seen = BTreeSet::new();
    let known = numbers.iter().filter_map(|number| Aggregate::from_request(*number));
    known.filter(|aggregate| seen.insert(*aggregate)).collect()
}

/// Labels that are to be taken off, sorted.
pub(super) fn removed(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names.dedup();
    names
}
