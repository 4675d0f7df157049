//! What comes back when a meta.json is read and written, and what is refused.

use super::*;

const UNKNOWN: &str = r#"{
	"ulid": "01HK153X00AAAAAAAAAAAAAAAA",
	"minTime": -5,
	"maxTime": 9,
	"stats": {
		"numSamples": 1,
		"numDreams": 2
	},
	"compaction": {
		"level": -1,
		"sources": [
			"01HK153X00AAAAAAAAAAAAAAAA"
		],
		"mood": "good"
	},
	"version": 1,
	"colour": {
		"a": [
			1,
			null
		]
	},
	"thanos": {
		"version": 1,
		"labels": {
			"empty": "",
			"z\u003c": "1"
		},
		"downsample": {
			"resolution": 300000,
			"method": "new"
		},
		"source": "somebody",
		"files": [
			{
				"rel_path": "index",
				"size_bytes": 5,
				"hash": {
					"hashFunc": "SHA256",
					"value": "00",
					"salt": 1
				},
				"class": "cold"
			}
		],
		"rewrites": [
			{
				"sources": [
					"01HK153X00AAAAAAAAAAAAAAAB"
				],
				"deletions_applied": [
					{
						"matchers": [
							{
								"Type": 0,
								"Name": "a",
								"Value": "b"
							}
						],
						"intervals": [
							{
								"Mint": 1,
								"Maxt": 2
							}
						],
						"request_id": "r"
					}
				],
				"relabels_applied": [
					{
						"action": "drop"
					}
				],
				"by": "me"
			}
		],
		"index_stats": {
			"chunk_max_size": 5,
			"symbols": 3
		},
		"extensions": {
			"parquet_migrated": true
		},
		"upload_time": "0001-01-01T00:00:00Z",
		"moon": "full",
		"weight": 1.7040744000922335e+34
	}
}
"#;

#[test]
fn unknown_fields_are_kept_on_every_level() {
    let meta = Meta::from_bytes(UNKNOWN.as_bytes()).unwrap();
    assert_eq!(String::from_utf8(meta.to_bytes().unwrap()).unwrap(), UNKNOWN);
    assert_eq!(meta.thanos.source, Source::Other("somebody".to_owned()));
    assert_eq!(meta.thanos.external_labels().len(), 1);
}

#[test]
fn a_block_of_prometheus_alone_gets_an_empty_section() {
    let bytes = br#"{"ulid":"01HK153X00AAAAAAAAAAAAAAAA","minTime":0,"maxTime":1,"compaction":{"level":1,"sources":null},"version":1}"#;
    let meta = Meta::from_bytes(bytes).unwrap();
    let text = String::from_utf8(meta.to_bytes().unwrap()).unwrap();
    let expect = "\t\"thanos\": {\n\t\t\"labels\": {},\n\t\t\"downsample\": {\n\t\t\t\"resolution\": 0\n\t\t},\n\
        \t\t\"source\": \"\",\n\t\t\"index_stats\": {},\n\t\t\"upload_time\": \"0001-01-01T00:00:00Z\"\n\t}\n}\n";
    assert!(text.ends_with(expect), "{text}");
}

#[test]
fn a_version_or_a_folder_that_is_not_its_own_is_refused() {
    let with = |version: &str, thanos: &str| {
        let text = format!(
            r#"{{"ulid":"01HK153X00AAAAAAAAAAAAAAAA","minTime":0,"maxTime":1,"version":{version},"thanos":{{"version":{thanos},"labels":null}}}}"#
        );
        Meta::of_block("01HK153X00AAAAAAAAAAAAAAAA".parse().unwrap(), text.as_bytes())
    };
    assert!(with("1", "0").is_ok() && with("1", "1").is_ok());
    assert!(matches!(with("2", "1"), Err(MetaError::Version(2))));
    assert!(matches!(with("1", "9"), Err(MetaError::ThanosVersion(9))));
    let other: BlockId = "01HK153X00AAAAAAAAAAAAAAAB".parse().unwrap();
    assert!(matches!(Meta::of_block(other, UNKNOWN.as_bytes()), Err(MetaError::WrongBlock { .. })));
    for wrong in ["", "null", "[]", "{}", "{\"ulid\":1}", "\0\0\0", r#"{"ulid":"x"}"#] {
        assert!(matches!(Meta::from_bytes(wrong.as_bytes()), Err(MetaError::Json(_))), "{wrong}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(Meta::from_bytes(deep.as_bytes()).is_err());
    assert!(matches!(Meta::from_bytes(&vec![b' '; 1 << 21]), Err(MetaError::TooLarge(_))));
}
