//! What a compactor of ours writes into the meta.json of a block that it has made: by which right, and from what.

use block::{Meta, Thanos};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tsdb::BlockId;

use super::account::{Account, SourceRead};
use crate::lease::Fence;

/// The key under `thanos.extensions`.
pub(crate) const KEY: &str = "pronoia_compaction";

/// The entry of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The block that this is about. Thanos copies what is under `extensions` from sources to new blocks, where it is not true.
    pub block: BlockId,
    /// The lease under which it was made; none where the compactor was alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<Fence>,
    /// What became of the samples; none for a block that was made by downsampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
}

impl Provenance {
    /// Writes the entry. Extensions that are not a JSON object, which nobody is known to write, stay as they are.
    pub fn write_to(&self, thanos: &mut Thanos) {
        let Ok(entry) = serde_json::to_value(self) else { return };
        match &mut thanos.extensions {
            Value::Object(fields) => drop(fields.insert(KEY.to_owned(), entry)),
            nothing @ Value::Null => {
                *nothing = Value::Object(Map::from_iter([(KEY.to_owned(), entry)]));
            }
            _ => {}
        }
    }

    /// The entry of a block; `None` where it has none, or one that was copied from another block.
    pub fn of(meta: &Meta) -> Option<Self> {
        let entry = meta.thanos.extensions.get(KEY)?;
        let entry = Provenance::deserialize(entry).ok()?;
        (entry.block == meta.id()).then_some(entry)
    }
}

/// The account of a block that was made out of these, as far as metadata tell: `None` where they leave open whether samples were
/// lost. For garbage that an interrupted compactor, or another program, has left.
pub fn account_of_metas(output: &Meta, sources: &[&Meta]) -> Option<Account> {
    if let Some(Provenance { account: Some(account), .. }) = Provenance::of(output)
        && sources.iter().all(|source| account.of(source.id()).is_some())
    {
        return Some(account);
    }
    let read = sources.iter().map(|meta| SourceRead::new(&meta.block, meta.block.stats.num_samples));
    let account =
        Account { read: read.collect(), written: output.block.stats.num_samples, ..Account::default() };
    let is_known = sources.iter().all(|meta| meta.block.stats.num_samples > 0);
    (is_known && account.balance().is_ok()).then_some(account)
}
