//! The generated code is what the messages in `proto/` say. `UPDATE_GENERATED=1` writes it again.
#![expect(clippy::disallowed_methods, reason = "reads and writes the sources of this crate")]

use std::fs;
use std::path::Path;

const FILES: [&str; 10] = [
    "exemplars.proto",
    "hints.proto",
    "info.proto",
    "metadata.proto",
    "query.proto",
    "remote.proto",
    "rules.proto",
    "status.proto",
    "store.proto",
    "targets.proto",
];

#[test]
fn the_generated_code_is_what_the_messages_say() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::compile(FILES, [home.join("proto")]).expect("the messages compile");
    let out = tempfile::tempdir().expect("a folder");
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".thanos.SeriesResponse", "crate::SeriesFrame")
        .extern_path(".thanos.Series", "crate::Series")
        .extern_path(".thanos.SeriesBatch", "crate::Series")
        .extern_path(".thanos.AggrChunk", "crate::AggrChunk")
        .extern_path(".thanos.Chunk", "crate::Chunk")
        .btree_map(".")
        .codec_path("crate::ExactCodec")
        .out_dir(out.path())
        .compile_fds(descriptors.clone())
        .expect("code is written");
    let mut wanted = vec![("descriptors.bin".to_owned(), prost::Message::encode_to_vec(&descriptors))];
    for package in ["thanos", "thanos.info", "hintspb", "prometheus"] {
        let code = fs::read(out.path().join(format!("{package}.rs"))).expect("the package's code");
        wanted.push((format!("{package}.inc"), code));
    }
    for (name, code) in wanted {
        let path = home.join("src/generated").join(&name);
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            fs::write(&path, &code).expect("written");
        }
        let found = fs::read(&path).unwrap_or_default();
        assert!(found == code, "src/generated/{name} is old: run this test with UPDATE_GENERATED=1");
    }
}
