//! Garbage that no account proves: both blocks are read, and every sample is looked for.

use block::{BlockId, Meta};
use tsdb::block::BlockReader;

use crate::blocking::aside;
use crate::cycle::Compactor;
use crate::cycle::views::chain;
use crate::source::OpenSource;
use crate::verify::{Account, CompareError, SourceRead, compare_contained};

/// How many bytes are read ahead of each of the two blocks.
const AHEAD_BYTES: u64 = 8 << 20;

/// A part whose samples are not all in another block, and that block. Blocks never change, so it need not be asked twice.
pub(in crate::cycle) type Apart = (BlockId, BlockId);

impl Compactor {
    /// Reads two blocks, and sees whether all samples of `part` are in `output`: then an account of what `output` holds.
    ///
    /// # Errors
    /// In words, why not: what is missing, or what could not be read.
    pub(super) async fn account_by_contents(&self, output: &Meta, part: &Meta) -> Result<Account, String> {
        let pair = (part.id(), output.id());
        if self.apart().contains(&pair) {
            return Err(format!("not all of its samples are in block {}", output.id()));
        }
        let open = async |meta: &Meta| {
            let opened = OpenSource::open(&self.bucket, meta, AHEAD_BYTES).await;
            opened.map_err(|error| chain(&error))
        };
        let (of_part, of_output) = (open(part).await?, open(output).await?);
        let files = [of_part.files, of_output.files];
        let resolution = part.thanos.downsample.resolution.0;
        let (small, large): (BlockReader, BlockReader) = (of_part.block, of_output.block);
        let compared = aside(move || compare_contained(&small, resolution, &large)).await;
        let compared = compared.map_err(|error| error.to_string())?;
        if let Some(error) = files.iter().find_map(|files| files.failure()) {
            return Err(chain(&error));
        }
        for files in &files {
            files.confirm().await.map_err(|error| chain(&error))?;
        }
        let samples = match compared {
            Ok(samples) => samples,
            Err(error) => {
                if let CompareError::Differs { .. } = error {
                    self.apart().insert(pair);
                }
                return Err(chain(&error));
            }
        };
        let written = output.block.stats.num_samples;
        let rest = SourceRead {
            block: output.id(),
            min_time: output.block.max_time,
            max_time: output.block.max_time,
            samples: written.saturating_sub(samples),
        };
        let read = vec![SourceRead::new(&part.block, samples), rest];
        Ok(Account { read, written, ..Account::default() })
    }

    fn apart(&self) -> std::sync::MutexGuard<'_, std::collections::BTreeSet<Apart>> {
        self.apart.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
