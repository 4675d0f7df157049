//! Series with values, as scripts and unit tests of rules write them.

use prom_model::{CounterResetHint, FloatHistogram, Labels, Span};
use promql_syntax::SequenceValue::{Float, Omitted, Stale};
use promql_syntax::{SequenceValue, is_start_timestamps, series_description, start_timestamps};

#[track_caller]
fn values(text: &str) -> Vec<SequenceValue> {
    match series_description(text) {
        Ok(series) => series.values,
        Err(error) => panic!("{text}: {}", error.located(text)),
    }
}

fn floats(values: &[f64]) -> Vec<SequenceValue> {
    values.iter().copied().map(Float).collect()
}

#[track_caller]
fn refused(text: &str, want: &str) {
    let error = series_description(text).expect_err(text);
    assert_eq!(error.located(text), want, "{text}");
}

#[test]
fn labels() {
    for (text, want) in [
        ("{} 1", Labels::new()),
        ("up 1", Labels::from([("__name__", "up")])),
        (" sum{} 1", Labels::from([("__name__", "sum")])),
        (r#"a:b{x="1",by='\u00e9',} 1"#, Labels::from([("__name__", "a:b"), ("by", "é"), ("x", "1")])),
        (r#"{"my.metric","a.b"=`c`} 1"#, Labels::from([("__name__", "my.metric"), ("a.b", "c")])),
    ] {
        let series = series_description(text).unwrap();
        assert_eq!(series.labels, want, "{text}");
        assert_eq!(series.values, [Float(1.0)]);
    }
}

#[test]
fn floats_gaps_and_stale_markers() {
    assert_eq!(values("x"), []);
    assert_eq!(values("x 1 -2  +3 .5 1e3 Inf -inf  "), {
        floats(&[1.0, -2.0, 3.0, 0.5, 1000.0, f64::INFINITY, f64::NEG_INFINITY])
    });
    assert_eq!(values("x 1x2 3-10x2 -1+0.5x1 7x0"), {
        floats(&[1.0, 1.0, 1.0, 3.0, -7.0, -17.0, -1.0, -0.5, 7.0])
    });
    assert_eq!(values("x _ stale _x2 1"), [Omitted, Stale, Omitted, Omitted, Float(1.0)]);
    // Steps are added one after the other.
    assert_eq!(values("x 0+0.1x3")[3], Float(0.1 + 0.1 + 0.1));
    assert!(matches!(values("x NaN")[..], [Float(value)] if value.is_nan()));
}

#[test]
fn histograms() {
    let full = "x {{schema:1 sum:-0.3 count:3.1 z_bucket:7 z_bucket_w:0.05 buckets:[5 -10  7 ] offset:-3 n_buckets:[4.1 NaN] n_offset:5 counter_reset_hint:gauge }}";
    let [SequenceValue::Histogram { histogram, hint_written: true }] = &values(full)[..] else {
        panic!("{:?}", values(full));
    };
    let want = FloatHistogram {
        counter_reset_hint: CounterResetHint::Gauge,
        schema: 1,
        sum: -0.3,
        count: 3.1,
        zero_count: 7.0,
        zero_threshold: 0.05,
        positive_buckets: vec![5.0, -10.0, 7.0],
        positive_spans: vec![Span { offset: -3, length: 3 }],
        negative_buckets: vec![4.1, f64::from_bits(0x7ff8_0000_0000_0001)],
        negative_spans: vec![Span { offset: 5, length: 2 }],
        custom_values: Vec::new(),
    };
    assert_eq!(*histogram, want);

    let empty = SequenceValue::Histogram { histogram: FloatHistogram::default(), hint_written: false };
    assert_eq!(values("x {{}} {{ }}x1 1"), [empty.clone(), empty.clone(), empty, Float(1.0)]);
}

#[test]
fn sequences_of_histograms() {
    let sums = |text: &str| -> Vec<(f64, Vec<f64>)> {
        let of = |value| match value {
            SequenceValue::Histogram { histogram, .. } => (histogram.sum, histogram.positive_buckets),
            other => panic!("{other:?}"),
        };
        values(text).into_iter().map(of).collect()
    };
    assert_eq!(
        sums("x {{sum:1 buckets:[5]}}+{{sum:2 schema:1 buckets:[1 2]}}x2"),
        [(1.0, vec![5.0]), (3.0, vec![6.0, 2.0]), (5.0, vec![7.0, 4.0])]
    );
    assert_eq!(
        sums("x {{sum:1 buckets:[5 1]}}-{{buckets:[1 1]}}x1 {{}}"),
        [(1.0, vec![5.0, 1.0]), (1.0, vec![4.0, 0.0]), (0.0, vec![])]
    );
    refused(
        "x {{schema:-53 custom_values:[1]}}+{{}}x1",
        "1:41: parse error: cannot apply this operation on histograms with a mix of exponential and custom bucket schemas",
    );
    refused(
        "x {{schema:1}}+{{schema:0}}x2",
        "1:29: parse error: error combining histograms: cannot merge from schema 0 to 1",
    );
}

#[test]
fn what_is_refused() {
    for (text, want) in [
        ("1 2", "1:1: parse error: unexpected number \"1\" in series values"),
        ("on 2", "1:1: parse error: unexpected <on> in series values"),
        ("x 1+1", "1:6: parse error: unexpected end of input in series values"),
        ("x -3-3 -3", "1:7: parse error: unexpected \" \" in series values"),
        ("x _a4", "1:4: parse error: unexpected identifier \"a4\""),
        ("x _-2", "1:4: parse error: unexpected <op:->"),
        (
            "x old",
            "1:3: parse error: unexpected identifier \"old\" in series values, expected number or \"stale\"",
        ),
        ("x max", "1:3: parse error: unexpected <aggr:max>"),
        ("x 0x1F", "1:5: parse error: bad number syntax: \"1\""),
        ("x 1,2", "1:4: parse error: unexpected character in series sequence: ','"),
        ("x 1..2", "1:3: parse error: bad number syntax: \"1..\""),
        (
            "x 1x1.5",
            "1:5: parse error: invalid repetition in series values: strconv.ParseUint: parsing \"1.5\": invalid syntax",
        ),
        ("x{a} 1", "1:4: parse error: unexpected \"}\" in label set, expected \"=\""),
        ("x{a=1} 1", "1:5: parse error: unexpected character inside braces: '1'"),
        ("x{a=b} 1", "1:5: parse error: unexpected identifier \"b\" in label set, expected string"),
        ("x{,} 1", "1:3: parse error: unexpected \",\" in label set, expected identifier or \"}\""),
        (
            "x{a='b' c='d'} 1",
            "1:9: parse error: unexpected identifier \"c\" in label set, expected \",\" or \"}\"",
        ),
        ("x {{sum:1 sum:1}}", "1:1: parse error: duplicate key \"sum\" in histogram"),
        ("x {{all:1}}", "1:5: parse error: bad histogram descriptor found: \"all\""),
        ("x {{sum :1}}", "1:5: parse error: missing `:` for histogram descriptor"),
        ("x {{sum: 1}}", "1:9: parse error: unexpected \" \" in series values"),
        ("x {{ schema:1}}", "1:6: parse error: unexpected \"<Item 57372>\" \"schema\" in series values"),
        (
            "x {{sum:1 count:reset}}",
            "1:17: parse error: unexpected \"<Item 57446>\" \"reset\" in histogram description, expected histogram description key, e.g. buckets:[5 10 7]",
        ),
        ("x {{buckets:[1", "1:15: parse error: invalid character in buckets description: '\u{fffd}'"),
        ("x {{sum:1", "1:10: parse error: histogram description incomplete unexpected: '\u{fffd}'"),
        ("x 1x99999999999", "1:5: parse error: series has more than 10000000 values"),
    ] {
        refused(text, want);
    }
}

#[test]
fn starts() {
    assert!(!is_start_timestamps("x{a='b'} 1@st"));
    let line = " x{a='b'}@st _ -1m _x2 0sx1 -5s+1sx2 1m-30sx1 ";
    assert!(is_start_timestamps(line));
    let starts = start_timestamps(line).unwrap();
    assert_eq!(starts.labels, Labels::from([("__name__", "x"), ("a", "b")]));
    let seconds: Vec<_> = starts.offsets_ms.iter().map(|offset| offset.map(|ms| ms / 1000)).collect();
    assert_eq!(
        seconds,
        [None, Some(-60), None, None, Some(0), Some(0), Some(-5), Some(-4), Some(-3), Some(60), Some(30)]
    );
    for (line, want) in [
        ("  x{a}@st _", "1:6: parse error: unexpected \"}\" in label set, expected \"=\""),
        ("x@st _x0", "1:6: parse error: invalid @st sequence: invalid ST item \"_x0\": invalid repeat count"),
        (
            "x@st 1s 5",
            "1:9: parse error: invalid @st sequence: invalid ST item \"5\": invalid duration \"5\": not a valid duration string: \"5\"",
        ),
        (
            "x@st 1s+1s",
            "1:6: parse error: invalid @st sequence: invalid ST item \"1s+1s\": expected 'x<count>' after step duration",
        ),
    ] {
        assert_eq!(start_timestamps(line).expect_err(line).located(line), want);
    }
}
