//! `pronoiad tools tsdb` as a user calls it: blocks from a text, and what `promtool` says of them.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use super::run;

const TEXT: &str = "# TYPE requests counter\n\
    requests_total{code=\"200\",path=\"/a\\\"b\"} 5 1704067200.5\n\
    requests_total{code=\"200\",path=\"/a\\\"b\"} 1e+06 1704067215.5 # {id=\"1\"} 1\n\
    requests_total{code=\"200\",path=\"/a\\\"b\"} NaN 1704074400\n\
    level -0.25 1704067200\n\
    level +Inf 1704067260\n\
    # EOF\n";
const DUMP: &str = "{__name__=\"level\"} -0.25 1704067200000\n\
    {__name__=\"level\"} +Inf 1704067260000\n\
    {__name__=\"requests_total\", code=\"200\", path=\"/a\\\"b\"} 5 1704067200500\n\
    {__name__=\"requests_total\", code=\"200\", path=\"/a\\\"b\"} 1e+06 1704067215500\n\
    {__name__=\"requests_total\", code=\"200\", path=\"/a\\\"b\"} NaN 1704074400000\n";

fn promtool(arguments: &[&str]) -> String {
    let Output { stdout, stderr, status } =
        Command::new("promtool").args(arguments).output().expect("promtool (Debian: prometheus)");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn blocks_from_a_text_say_the_same_to_promtool() {
    let folder = tempfile::tempdir().unwrap();
    let (text, blocks) = (folder.path().join("text"), folder.path().join("blocks"));
    std::fs::write(&text, TEXT).unwrap();
    // Its database has to have a log.
    std::fs::create_dir_all(blocks.join("wal")).unwrap();
    let (text, blocks) = (text.to_str().unwrap(), blocks.to_str().unwrap());
    let made = run(&["tools", "tsdb", "create-blocks-from", "openmetrics", text, blocks]);
    assert_eq!(made.code, Some(0), "{}", made.err);
    assert_eq!(made.out, promtool(&["tsdb", "list", blocks]));
    assert_eq!(run(&["tools", "tsdb", "list", blocks]).out, made.out);
    let readable = run(&["tools", "tsdb", "list", "-r", blocks]).out;
    assert_eq!(readable, promtool(&["tsdb", "list", "-r", blocks]));
    assert_eq!(promtool(&["tsdb", "dump", blocks]), DUMP);
    assert_eq!(run(&["tools", "tsdb", "dump", blocks]).out, DUMP);
    let some = ["tools", "tsdb", "dump", "--match={code=~\"2..\"}", "--max-time=1704067200500", blocks];
    assert_eq!(run(&some).out, DUMP.lines().nth(2).unwrap().to_owned() + "\n");
    let json = run(&["tools", "tsdb", "dump", "--format=seriesjson", "--match=level", blocks]).out;
    assert_eq!(json, "{\"__name__\":\"level\"}\n");
    let again = run(&["tools", "tsdb", "dump-openmetrics", "--match=level", blocks]).out;
    assert_eq!(again, "level{} -0.25 1704067200.000\nlevel{} +Inf 1704067260.000\n# EOF\n");
}

#[test]
fn what_is_only_in_the_log_is_dumped_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let options = tsdb::head::DbOptions::default();
    let (db, _) =
        tsdb::head::Db::open(Arc::new(tsdb::fs::RealFs), folder.path(), options, &mut |_| {}).unwrap();
    let mut appender = db.head().appender();
    let series = appender.series(&[("__name__", "a"), ("job", "b")]).unwrap();
    for step in 0..300 {
        appender.append(series, 1_704_067_200_000 + step * 15_000, step as f64 / 4.0).unwrap();
    }
    appender.commit().unwrap();
    drop(db);
    let path = folder.path().to_str().unwrap();
    let files = || {
        let mut files: Vec<(PathBuf, Vec<u8>)> = std::fs::read_dir(folder.path().join("wal"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let before = files();
    let ours = run(&["tools", "tsdb", "dump", path]);
    assert_eq!(ours.code, Some(0), "{}", ours.err);
    assert_eq!(ours.out.lines().count(), 300);
    assert!(files() == before, "reading changed the log");
    assert!(
        !std::fs::read_dir(folder.path())
            .unwrap()
            .any(|entry| { entry.unwrap().file_name().to_string_lossy().contains("sandbox") })
    );
    assert_eq!(ours.out, promtool(&["tsdb", "dump", path]));
}

#[test]
fn a_wrong_text_makes_no_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let (text, blocks) = (folder.path().join("text"), folder.path().join("blocks"));
    for (content, error) in [
        ("a 1 1\nb 1\n# EOF\n", "line 2: expected timestamp for series, got none"),
        ("a 1 1\na{ 1 2\n# EOF\n", "line 2: not a label name"),
        ("a 2 2\na 1 1\n# EOF\n", "line 2: out of order sample"),
    ] {
        std::fs::write(&text, content).unwrap();
        let (text, blocks) = (text.to_str().unwrap(), blocks.to_str().unwrap());
        let made = run(&["tools", "tsdb", "create-blocks-from", "openmetrics", text, blocks]);
        assert_eq!((made.code, made.out.as_str()), (Some(1), ""));
        assert!(made.err.contains(error), "{}", made.err);
        assert!(run(&["tools", "tsdb", "list", blocks]).out.lines().count() == 1);
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (text, blocks) = (folder.path().join("text"), folder.path().join("blocks"));
    let samples: String = (0..50_000).map(|n| format!("a {n} {n}\n")).collect();
    std::fs::write(&text, samples + "# EOF\n").unwrap();
    let (text, blocks) = (text.to_str().unwrap(), blocks.to_str().unwrap());
    assert_eq!(run(&["tools", "tsdb", "create-blocks-from", "openmetrics", "-q", text, blocks]).out, "");
    let mut dump = Command::new(env!("CARGO_BIN_EXE_pronoiad"))
        .args(["tools", "tsdb", "dump", blocks])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(dump.stdout.take());
    let Output { status, stderr, .. } = dump.wait_with_output().unwrap();
    assert!(status.success() && stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
}
