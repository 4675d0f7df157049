//! The command line of the tools before a bucket is asked.

use std::fs;

use super::{Bucket, METAS, run, three_blocks};

#[test]
fn the_flags_of_the_bucket_stand_anywhere_behind_bucket() {
    let bucket = three_blocks();
    let config = format!("--objstore.config={}", bucket.config());
    for arguments in [
        vec!["tools", "bucket", &config, "ls"],
        vec!["tools", "bucket", "ls", &config],
        vec!["tools", "--log.format=json", "bucket", &config, "ls", "--log.level=error"],
        vec!["tools", "bucket", "ls", &config, "--log.level", "debug", "--log.format", "logfmt"],
    ] {
        let listed = run(&arguments);
        assert_eq!((listed.code, listed.out.lines().count()), (Some(0), 3), "{arguments:?}: {}", listed.err);
    }
}

#[test]
fn the_bucket_is_given_once() {
    let bucket = Bucket::new();
    let file = bucket.beside("conf").join("bucket.yml");
    fs::write(&file, bucket.config()).unwrap();
    let (inline, file) = (
        format!("--objstore.config={}", bucket.config()),
        format!("--objstore.config-file={}", file.display()),
    );
    assert_eq!(run(&["tools", "bucket", "ls", &file]).code, Some(0));
    let both = run(&["tools", "bucket", &inline, "ls", &file]);
    assert_eq!(both.code, Some(1));
    assert!(both.err.contains("--objstore.config and --objstore.config-file"), "{}", both.err);
    let none = run(&["tools", "bucket", "ls"]);
    assert_eq!(none.code, Some(1));
    assert!(none.err.contains("give --objstore.config-file=FILE"), "{}", none.err);
    let missing = run(&["tools", "bucket", "ls", "--objstore.config-file=/no/such/file"]);
    assert!(missing.err.contains("cannot read /no/such/file"), "{}", missing.err);
}

#[test]
fn variables_are_put_into_the_configuration() {
    let bucket = three_blocks();
    let config = "--objstore.config={type: FILESYSTEM, config: {directory: $(BUCKET_FOLDER)}}";
    let listed = std::process::Command::new(env!("CARGO_BIN_EXE_pronoiad"))
        .args(["tools", "bucket", "ls", config])
        .env("BUCKET_FOLDER", bucket.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), METAS.len());
    let unset = run(&["tools", "bucket", "ls", config]);
    assert_eq!(unset.code, Some(1));
    assert!(unset.err.contains("variable BUCKET_FOLDER is not set"), "{}", unset.err);
}

#[test]
fn a_flag_that_is_not_known_is_refused_with_the_one_that_was_meant() {
    for (flag, meant) in [
        ("--objstore.conf=x", "--objstore.config"),
        ("--selector.relabel-configs=x", "--selector.relabel-config"),
        ("--exclude-deletes", "--exclude-delete"),
        ("--log.lvl=info", "--log.level"),
    ] {
        let refused = run(&["tools", "bucket", "ls", flag]);
        assert_eq!(refused.code, Some(2), "{flag}");
        assert!(refused.err.contains(meant), "{flag}: {}", refused.err);
    }
    let command = run(&["tools", "bucket", "inspct"]);
    assert_eq!(command.code, Some(2));
    assert!(command.err.contains("inspect"), "{}", command.err);
}

#[test]
fn every_subcommand_of_the_original_is_known() {
    let help = run(&["tools", "bucket", "--help"]);
    assert_eq!(help.code, Some(0));
    for name in [
        "verify",
        "ls",
        "inspect",
        "web",
        "replicate",
        "downsample",
        "cleanup",
        "mark",
        "rewrite",
        "retention",
        "upload-blocks",
    ] {
        assert!(help.out.lines().any(|line| line.trim_start().starts_with(name)), "{name}: {}", help.out);
        let own = run(&["tools", "bucket", name, "--help"]);
        assert_eq!(own.code, Some(0), "{name}: {}", own.err);
        assert!(own.out.contains("--objstore.config"), "{name}: {}", own.out);
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let bucket = Bucket::new();
    for number in 0..3000 {
        let id = format!("01HK153X01000000000000{number:04}");
        let text = METAS[0].json().to_string().replace(METAS[0].id, &id);
        bucket.write(&format!("{id}/meta.json"), text);
    }
    let script =
        "\"$0\" tools bucket ls -o json --objstore.config=\"$1\" | head -n 1; echo \"${PIPESTATUS[0]}\"";
    let shell = std::process::Command::new("bash")
        .args(["-c", script, env!("CARGO_BIN_EXE_pronoiad"), &bucket.config()])
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&shell.stdout), String::from_utf8_lossy(&shell.stderr));
    assert_eq!(out, "{\n0\n", "{err}");
    assert!(!err.contains("panic") && !err.contains("Broken pipe"), "{err}");
}
