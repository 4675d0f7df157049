//! The memory that a query may hold, as a value: a tree from the process down to the query, asked before memory grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// An allowance of bytes; clones share it. What is asked of a child is asked of all above it too.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Account>);

#[derive(Debug)]
struct Account {
    name: String,
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
    parent: Option<Budget>,
}

/// More memory was wanted than a budget has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{holder} needs {wanted} more bytes, but {used} of the {limit} bytes of the {budget} are in use")]
pub struct BudgetExceeded {
    /// What the memory was for.
    pub holder: &'static str,
    /// The bytes that were asked for.
    pub wanted: u64,
    /// The bytes that were held already.
    pub used: u64,
    /// The bytes there are.
    pub limit: u64,
    /// The budget that is exhausted.
    pub budget: String,
}

impl Budget {
    /// An allowance of its own; `name` stands in errors.
    pub fn new(name: impl Into<String>, limit_bytes: u64) -> Self {
        Budget(Arc::new(Account {
            name: name.into(),
            limit: limit_bytes,
            used: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            parent: None,
        }))
    }

    /// An allowance without a limit, which counts all the same.
    pub fn unlimited() -> Self {
        Budget::new("memory", u64::MAX)
    }

    /// An allowance inside this one.
    #[must_use]
    pub fn child(&self, name: impl Into<String>, limit_bytes: u64) -> Self {
        Budget(Arc::new(Account {
            name: name.into(),
            limit: limit_bytes,
            used: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            parent: Some(self.clone()),
        }))
    }

    /// Bytes held now.
    pub fn used(&self) -> u64 {
        self.0.used.load(Ordering::Relaxed)
    }

    /// The most bytes ever held.
    pub fn peak(&self) -> u64 {
        self.0.peak.load(Ordering::Relaxed)
    }

    /// The bytes there are.
    pub fn limit(&self) -> u64 {
        self.0.limit
    }

    /// Takes nothing yet; grow it with [`Held::resize`].
    pub fn hold(&self, holder: &'static str) -> Held {
        Held { budget: self.clone(), holder, bytes: 0 }
    }

    fn take(&self, bytes: u64, holder: &'static str) -> Result<(), BudgetExceeded> {
        let account = &*self.0;
        let before = account.used.fetch_add(bytes, Ordering::Relaxed);
        let after = before.saturating_add(bytes);
        if after > account.limit {
            account.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(BudgetExceeded {
                holder,
                wanted: bytes,
                used: before,
                limit: account.limit,
                budget: account.name.clone(),
            });
        }
        if let Some(parent) = &account.parent
            && let Err(error) = parent.take(bytes, holder)
        {
            account.used.fetch_sub(bytes, Ordering::Relaxed);
            return Err(error);
        }
        account.peak.fetch_max(after, Ordering::Relaxed);
        Ok(())
    }

    fn give(&self, bytes: u64) {
        let mut budget = Some(self);
        while let Some(Budget(account)) = budget {
            account.used.fetch_sub(bytes, Ordering::Relaxed);
            budget = account.parent.as_ref();
        }
    }
}

/// Bytes that were taken from a budget; given back when dropped.
#[derive(Debug)]
pub struct Held {
    budget: Budget,
    holder: &'static str,
    bytes: u64,
}

/// Small changes are not worth an atomic operation.
const GRAIN: u64 = 4096;

impl Held {
    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Holds so many bytes from now on (rounded up to pages). On an error the bytes are as before.
    pub fn resize(&mut self, bytes: usize) -> Result<(), BudgetExceeded> {
        let wanted = (bytes as u64).div_ceil(GRAIN).saturating_mul(GRAIN);
        if wanted > self.bytes {
            self.budget.take(wanted - self.bytes, self.holder)?;
        } else {
            self.budget.give(self.bytes - wanted);
        }
        self.bytes = wanted;
        Ok(())
    }

    /// Holds so many bytes more. On an error the bytes are as before.
    pub fn grow(&mut self, bytes: usize) -> Result<(), BudgetExceeded> {
        self.budget.take(bytes as u64, self.holder)?;
        self.bytes += bytes as u64;
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.give(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_bound_by_its_parent_and_gives_back_what_it_held() {
        let process = Budget::new("process", 20_000);
        let (one, two) = (process.child("query", 15_000), process.child("query", 15_000));
        let mut first = one.hold("rows");
        first.resize(12_000).expect("fits both");
        let mut second = two.hold("groups");
        let error = second.resize(10_000).expect_err("the process has no more");
        assert_eq!((error.holder, error.budget.as_str(), error.limit), ("groups", "process", 20_000));
        assert_eq!(two.used(), 0);
        drop(first);
        second.resize(10_000).expect("now it fits");
        assert_eq!(process.used(), 12_288);
        drop(second);
        assert_eq!((process.used(), process.peak()), (0, 12_288));
    }
}
