//! A block that is copied to another bucket: whatever fails and whenever, it is seen there only when it is whole.

use std::sync::Arc;
use std::time::Duration;

use block::{FileEntry, Meta, Replicated, layout, replicate};
use objstore::layers::{Fault, Faulty, Script};
use objstore::{BucketRef, read_all};

use super::world::{clock, id, memory, meta, names, put};

const FILES: [(&str, &str); 3] =
    [("chunks/000001", "the first segment"), ("chunks/000002", "the second"), ("index", "the index")];

/// A block that lists its files.
fn described() -> Meta {
    let mut meta = meta(id(1), 0);
    let entry = |(path, text): &(&str, &str)| FileEntry {
        rel_path: (*path).to_owned(),
        size_bytes: text.len() as u64,
        ..FileEntry::default()
    };
    meta.thanos.files = FILES.iter().map(entry).collect();
    meta
}

async fn source() -> BucketRef {
    let bucket = memory(&clock());
    for (path, text) in FILES {
        put(bucket.as_ref(), &layout::object(id(1), path), text).await;
    }
    put(bucket.as_ref(), &layout::object(id(1), "no-compact-mark.json"), "{}").await;
    put(bucket.as_ref(), &layout::object(id(1), layout::META), described().to_bytes().unwrap()).await;
    bucket
}

async fn assert_whole_if_seen(target: &BucketRef, case: &str) -> bool {
    let seen = target.exists(&layout::object(id(1), layout::META)).await.unwrap();
    for (path, text) in FILES.iter().filter(|_| seen) {
        let bytes = read_all(target.as_ref(), &layout::object(id(1), path), 1 << 20).await;
        assert_eq!(bytes.unwrap(), *text, "{case}: {path}");
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_fault_at_any_call_leaves_no_visible_half_and_the_next_attempt_completes_it() {
    let mut runs = 0;
    for at_target in [false, true] {
        for fault in Fault::ALL.into_iter().filter(|fault| *fault != Fault::BitFlip) {
            for call in 1.. {
                let (from, to) = (source().await, memory(&clock()));
                let inner = if at_target { &to } else { &from };
                let faulty = Arc::new(Faulty::new(Arc::clone(inner), Script::once(call, fault)).with_page(2));
                let through = Arc::clone(&faulty) as BucketRef;
                let (a, b) = if at_target { (&from, &through) } else { (&through, &to) };
                let case = format!(
                    "{} at call {call} of {}",
                    fault.as_str(),
                    if at_target { "the target" } else { "the source" }
                );
                let attempt =
                    tokio::time::timeout(Duration::from_secs(3600), replicate(a, b.as_ref(), id(1))).await;
                let seen = assert_whole_if_seen(&to, &case).await;
                if let Ok(Ok(_)) = attempt {
                    assert!(seen, "{case}: a success that nobody sees");
                }
                runs += 1;
                let again = replicate(&from, to.as_ref(), id(1)).await;
                assert!(again.is_ok(), "{case}: {again:?}");
                assert!(assert_whole_if_seen(&to, &case).await, "{case}");
                assert!(!names(to.as_ref()).await.iter().any(|name| name.ends_with("-mark.json")), "{case}");
                if faulty.calls() < call {
                    break;
                }
            }
        }
    }
    assert!(runs > 100, "{runs}");
}

#[tokio::test]
async fn what_is_there_is_not_sent_again_and_what_is_not_whole_is_not_sent() {
    let (from, to) = (source().await, memory(&clock()));
    put(to.as_ref(), &layout::object(id(1), "chunks/000001"), FILES[0].1).await;
    put(to.as_ref(), &layout::object(id(1), "index"), "half").await;
    let done = replicate(&from, to.as_ref(), id(1)).await.unwrap();
    assert!(matches!(done, Replicated::Copied { objects: 3, .. }), "{done:?}");
    assert!(assert_whole_if_seen(&to, "after an interruption").await);
    assert_eq!(replicate(&from, to.as_ref(), id(1)).await.unwrap(), Replicated::AlreadyThere);
    from.delete(&layout::object(id(1), "chunks/000002")).await.unwrap();
    let empty = memory(&clock());
    let error = replicate(&from, empty.as_ref(), id(1)).await.unwrap_err();
    assert!(error.to_string().contains("chunks/000002 is in its meta.json"), "{error}");
    assert!(names(empty.as_ref()).await.is_empty());
}
