//! Writing over what is there: only our own files go, and nothing outside is touched.

use super::*;

fn artefacts(files: &[(&str, &str)]) -> Vec<Artefact> {
    files.iter().map(|(path, text)| Artefact::new(*path, *text)).collect()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let temporary = tempfile::tempdir().expect("temporary folder");
    let path = temporary.path().join("out");
    (temporary, path)
}

#[test]
fn a_second_render_removes_what_the_first_wrote_and_nothing_else() {
    let (_keep, out) = folder();
    let first = write(&out, &artefacts(&[("a.yaml", "1"), ("old/b.yaml", "2")]), Stale::Listed, false);
    assert_eq!(first.expect("written"), Written { files: 2, changed: 2, removed: 0 });
    fs::write(out.join("mine.txt"), "by hand").expect("file");
    let second = write(&out, &artefacts(&[("a.yaml", "1"), ("c.yaml", "3")]), Stale::Listed, false);
    assert_eq!(second.expect("written"), Written { files: 2, changed: 1, removed: 1 });
    assert_eq!(list(&out).expect("list"), ["a.yaml", "c.yaml", "mine.txt", LOCK]);
    assert!(!out.join("old").exists(), "empty folders go");
}

#[test]
fn a_lock_file_of_the_tree_itself_is_used_and_may_lie_in_a_cluster_folder() {
    let (_keep, out) = folder();
    let lock = |files: &str| format!("{{\"files\": [{files}]}}");
    let with = |files: &str, extra: &str| {
        artefacts(&[("eu/topology.lock.json", &lock(files)), ("eu/a.yaml", "1"), (extra, "2")])
    };
    write(&out, &with("\"a.yaml\", \"b.yaml\"", "eu/b.yaml"), Stale::Listed, false).expect("written");
    write(&out, &with("\"a.yaml\", \"c.yaml\"", "eu/c.yaml"), Stale::Listed, false).expect("written");
    assert_eq!(list(&out).expect("list"), ["eu/a.yaml", "eu/c.yaml", "eu/topology.lock.json"]);
}

#[test]
fn strange_folders_are_refused_unless_forced() {
    let (_keep, out) = folder();
    fs::create_dir(&out).expect("folder");
    write(&out, &artefacts(&[("a", "1")]), Stale::Listed, false).expect("an empty folder is fine");
    fs::remove_file(out.join(LOCK)).expect("lock");
    let error =
        write(&out, &artefacts(&[("a", "1")]), Stale::Listed, false).expect_err("refused").to_string();
    assert!(error.contains("--force"), "{error}");
    write(&out, &artefacts(&[("a", "1")]), Stale::Listed, true).expect("forced");
}

#[test]
fn paths_never_leave_the_folder() {
    let (keep, out) = folder();
    for path in ["../x", "/tmp/x", "a/../../x", ""] {
        assert!(write(&out, &artefacts(&[(path, "1")]), Stale::Listed, false).is_err(), "{path}");
    }
    let outside = keep.path().join("outside.yaml");
    fs::write(&outside, "keep").expect("file");
    write(&out, &artefacts(&[("a", "1")]), Stale::Listed, false).expect("written");
    fs::write(out.join(LOCK), "{\"files\": [\"../outside.yaml\", \"/etc/hosts\"]}").expect("lock");
    write(&out, &artefacts(&[("a", "1")]), Stale::Listed, false).expect("written");
    assert!(outside.exists());
}

#[cfg(unix)]
#[test]
fn links_are_replaced_or_refused_but_not_followed() {
    use std::os::unix::fs::symlink;
    let (keep, out) = folder();
    let elsewhere = keep.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("folder");
    fs::write(elsewhere.join("target"), "keep").expect("file");
    write(&out, &artefacts(&[("a", "1")]), Stale::Listed, false).expect("written");
    symlink(&elsewhere, out.join("sub")).expect("link");
    assert!(write(&out, &artefacts(&[("sub/b", "2")]), Stale::Listed, false).is_err());
    assert!(write(&out, &artefacts(&[("sub/new/b", "2")]), Stale::Listed, false).is_err());
    assert_eq!(fs::read_dir(&elsewhere).expect("list").count(), 1);
    symlink(elsewhere.join("target"), out.join("b")).expect("link");
    write(&out, &artefacts(&[("a", "1"), ("b", "2")]), Stale::Listed, false).expect("written");
    assert_eq!(fs::read_to_string(elsewhere.join("target")).expect("file"), "keep");
    assert_eq!(fs::read_to_string(out.join("b")).expect("file"), "2");
}
