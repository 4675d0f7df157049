//! What can happen to a call, and the script that says to which.

use std::collections::BTreeMap;
use std::fmt;

use crate::chance::Chance;

/// What a call does; `Display` gives Thanos' word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    /// [`Bucket::list`](crate::Bucket::list).
    List,
    /// [`Bucket::get`](crate::Bucket::get).
    Get,
    /// [`Bucket::get_range`](crate::Bucket::get_range).
    GetRange,
    /// [`Bucket::exists`](crate::Bucket::exists).
    Exists,
    /// [`Bucket::attributes`](crate::Bucket::attributes).
    Attributes,
    /// [`Bucket::put`](crate::Bucket::put).
    Put,
    /// [`Bucket::delete`](crate::Bucket::delete).
    Delete,
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fault {
    /// The store fails and does nothing.
    FailBefore,
    /// The store does it and fails then; a listing breaks off in the middle.
    AppliedThenError,
    /// The store asks to slow down, with a `Retry-After` of one second.
    Throttle,
    /// The process dies before the call: this call and all later ones fail.
    CrashBefore,
    /// The process dies after the call has had its effect.
    CrashAfter,
    /// The answer comes late.
    Slow,
    /// The answer never comes.
    Hang,
    /// Some bytes are missing at the end, and the reader is told.
    ShortBody,
    /// Some bytes are missing at the end, and nobody says so.
    SilentlyShort,
    /// There are more bytes than announced.
    ExtraBytes,
    /// One bit is wrong.
    BitFlip,
    /// The object is not there at this call; it is at the next.
    Missing,
    /// A listing that does not know the last changes.
    StaleList,
    /// A listing without one of its pages.
    ListPageLost,
    /// A listing with one of its pages twice.
    ListPageTwice,
    /// A conditional write that finds an object where there is none.
    Conflict,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 16] = [
        Fault::FailBefore,
        Fault::AppliedThenError,
        Fault::Throttle,
        Fault::CrashBefore,
        Fault::CrashAfter,
        Fault::Slow,
        Fault::Hang,
        Fault::ShortBody,
        Fault::SilentlyShort,
        Fault::ExtraBytes,
        Fault::BitFlip,
        Fault::Missing,
        Fault::StaleList,
        Fault::ListPageLost,
        Fault::ListPageTwice,
        Fault::Conflict,
    ];

    /// Whether it can happen to this operation.
    pub const fn can_hit(self, operation: Operation) -> bool {
        use Operation::{Attributes, Delete, Exists, Get, GetRange, List, Put};
        match self {
            Fault::FailBefore
            | Fault::Throttle
            | Fault::CrashBefore
            | Fault::CrashAfter
            | Fault::Slow
            | Fault::Hang => true,
            Fault::AppliedThenError => matches!(operation, Put | Delete | List),
            Fault::ShortBody | Fault::SilentlyShort | Fault::ExtraBytes | Fault::BitFlip => {
                matches!(operation, Get | GetRange)
            }
            Fault::Missing => matches!(operation, Get | GetRange | Exists | Attributes),
            Fault::StaleList | Fault::ListPageLost | Fault::ListPageTwice => matches!(operation, List),
            Fault::Conflict => matches!(operation, Put),
        }
    }

    /// Its name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Fault::FailBefore => "fail-before",
            Fault::AppliedThenError => "applied-then-error",
            Fault::Throttle => "throttle",
            Fault::CrashBefore => "crash-before",
            Fault::CrashAfter => "crash-after",
            Fault::Slow => "slow",
            Fault::Hang => "hang",
            Fault::ShortBody => "short-body",
            Fault::SilentlyShort => "silently-short",
            Fault::ExtraBytes => "extra-bytes",
            Fault::BitFlip => "bit-flip",
            Fault::Missing => "missing",
            Fault::StaleList => "stale-list",
            Fault::ListPageLost => "list-page-lost",
            Fault::ListPageTwice => "list-page-twice",
            Fault::Conflict => "conflict",
        }
    }
}

/// Which calls are hit.
#[derive(Debug, Clone, Default)]
pub enum Script {
    /// None.
    #[default]
    Clean,
    /// Those with these numbers; the first call is number 1. A fault that cannot hit the call does nothing.
    At(BTreeMap<u64, Fault>),
    /// So many in a thousand, each with one of these faults that can hit it.
    Seeded {
        /// Decides everything.
        seed: u64,
        /// Calls in a thousand that are hit.
        per_mille: u16,
        /// What may happen.
        faults: Vec<Fault>,
    },
}

impl Script {
    /// One fault, at one call.
    pub fn once(number: u64, fault: Fault) -> Self {
        Script::At(BTreeMap::from([(number, fault)]))
    }

    /// What happens to a call, and the chance for its details. Depends on the number alone, not on calls before it.
    pub(super) fn fate(&self, number: u64, operation: Operation) -> (Option<Fault>, Chance) {
        match self {
            Script::Clean => (None, Chance::from_seed(0)),
            Script::At(faults) => {
                let fault = faults.get(&number).copied().filter(|fault| fault.can_hit(operation));
                (fault, Chance::from_seed(number))
            }
            Script::Seeded { seed, per_mille, faults } => {
                let mut chance =
                    Chance::from_seed(seed.wrapping_add(number.wrapping_mul(0x2545_f491_4f6c_dd1d)));
                let hit = chance.below(1000) < u64::from(*per_mille);
                let apt: Vec<Fault> =
                    faults.iter().copied().filter(|fault| fault.can_hit(operation)).collect();
                let pick = usize::try_from(chance.below(apt.len() as u64)).unwrap_or_default();
                (apt.get(pick).copied().filter(|_| hit), chance)
            }
        }
    }
}

/// One call, as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its number, from 1 on.
    pub number: u64,
    /// What was asked for.
    pub operation: Operation,
    /// Of which object or folder.
    pub name: String,
    /// What was done to it.
    pub fault: Option<Fault>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::List => "iter",
            Operation::Get => "get",
            Operation::GetRange => "get_range",
            Operation::Exists => "exists",
            Operation::Attributes => "attributes",
            Operation::Put => "upload",
            Operation::Delete => "delete",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fault = self.fault.map_or("ok", Fault::as_str);
        write!(f, "{} {} {:?} {fault}", self.number, self.operation, self.name)
    }
}
