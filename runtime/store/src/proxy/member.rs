//! The stores that a proxy asks, and those that it should be able to ask.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prom_model::quote;
use storeapi::LabelBytes;
use tokio::sync::Notify;

use crate::{About, Store};

/// The stores behind a proxy, asked for at each request.
pub trait Members: fmt::Debug + Send + Sync {
    /// All that are configured, also those that cannot be asked now.
    fn members(&self) -> Vec<Member>;
}

/// A list that never changes.
impl Members for Vec<Member> {
    fn members(&self) -> Vec<Member> {
        self.clone()
    }
}

/// One store behind a proxy.
#[derive(Debug, Clone)]
pub struct Member {
    /// The address that it is asked at, as `storeMatch[]` sees it; `None` for a store inside this process.
    pub address: Option<String>,
    /// What is known of it: for a store that is away, what it said last.
    pub about: About,
    /// The store, or why there is none.
    pub access: Access,
    /// What was found out about it by asking.
    pub conduct: Conduct,
}

/// How a store can be asked.
#[derive(Debug, Clone)]
pub enum Access {
    /// It answers.
    Open(Arc<dyn Store>),
    /// It is configured and may hold data, but cannot be asked: why, in words for users.
    Away(Arc<str>),
}

/// What a store was seen doing; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Conduct {
    unsorted: Arc<AtomicBool>,
    failed: Arc<Notify>,
}

impl Conduct {
    /// Says that a check of its health has failed. Calls that it has left without a word for two checks in a row give it up.
    pub fn check_failed(&self) {
        self.failed.notify_waiters();
    }

    /// Waits for so many checks to fail.
    pub(super) async fn is_lost(&self, checks: usize) {
        for _ in 0..checks {
            self.failed.notified().await;
        }
    }

    /// Remembers that it sent series out of order, so that its next answers are sorted here.
    pub(super) fn sends_unsorted(&self) {
        self.unsorted.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_unsorted(&self) -> bool {
        self.unsorted.load(Ordering::Relaxed)
    }
}

impl Member {
    /// A store that answers at an address.
    pub fn open(address: impl Into<String>, about: About, store: Arc<dyn Store>) -> Self {
        Member {
            address: Some(address.into()),
            about,
            access: Access::Open(store),
            conduct: Conduct::default(),
        }
    }

    /// A store inside this process.
    pub fn local(store: Arc<dyn Store>) -> Self {
        Member {
            address: None,
            about: store.about(),
            access: Access::Open(store),
            conduct: Conduct::default(),
        }
    }

    /// A store that should answer at an address and does not.
    pub fn away(address: impl Into<String>, about: About, why: impl Into<Arc<str>>) -> Self {
        Member {
            address: Some(address.into()),
            about,
            access: Access::Away(why.into()),
            conduct: Conduct::default(),
        }
    }

    /// Its label sets as Thanos' messages name a store.
    pub(super) fn identity(&self) -> String {
        let mut sets: Vec<String> =
            self.about.label_sets.iter().filter(|set| !set.is_empty()).map(label_text).collect();
        sets.sort_unstable();
        if sets.is_empty() { "Store Gateway".to_owned() } else { sets.join(",") }
    }
}

/// The member as Thanos' messages describe a store.
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = &self.address {
            write!(f, "Addr: {address} ")?;
        }
        write!(f, "MinTime: {} MaxTime: {}", self.about.min_time, self.about.max_time)
    }
}

/// A label set as Go prints it: `{a="b", c="d"}`.
fn label_text(set: &LabelBytes) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let pairs: Vec<String> =
        set.iter().map(|(name, value)| format!("{}={}", text(name), quote(&text(value)))).collect();
    format!("{{{}}}", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_described_as_in_thanos() {
        let set = |pairs: &[(&str, &str)]| {
            LabelBytes::from_pairs(pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
        };
        let mut about = About::whole();
        (about.min_time, about.max_time) = (-1, 2);
        let member = Member::away("10.0.0.1:10901", about.clone(), "gone");
        assert_eq!(member.to_string(), "Addr: 10.0.0.1:10901 MinTime: -1 MaxTime: 2");
        assert_eq!(member.identity(), "Store Gateway");
        about.label_sets = vec![set(&[("b", "\"x\""), ("c", "2")]), set(&[("a", "1")])];
        let member = Member { address: None, ..Member::away("", about, "gone") };
        assert_eq!(member.to_string(), "MinTime: -1 MaxTime: 2");
        assert_eq!(member.identity(), r#"{a="1"},{b="\"x\"", c="2"}"#);
    }
}
