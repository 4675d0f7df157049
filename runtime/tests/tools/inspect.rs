//! `tools bucket inspect`: the table and its orders.

use super::{METAS, three_blocks};

#[test]
fn thirteen_columns_as_a_table_csv_and_tsv() {
    let bucket = three_blocks();
    let table = bucket.run(&["inspect"]);
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!(lines.len(), 5, "{}", table.out);
    assert!(
        lines.iter().all(|line| line.len() == lines[0].len() && line.matches('|').count() == 14),
        "{}",
        table.out
    );
    assert!(
        lines[0].starts_with("|            ULID            |         FROM         |        UNTIL         |"),
        "{}",
        lines[0]
    );
    let cells: Vec<&str> = lines[2].split('|').map(str::trim).collect();
    assert_eq!(
        cells[1..14],
        [
            METAS[0].id,
            "2024-01-01T00:00:00Z",
            "2024-01-01T02:00:00Z",
            "2h0m0s",
            "38h0m0s",
            "13",
            "3,120",
            "26",
            "1",
            "false",
            "cluster=eu,prometheus_replica=a",
            "0s",
            "sidecar",
        ]
    );
    let csv = bucket.run(&["inspect", "--output=csv"]);
    let last = csv.out.lines().last().unwrap();
    assert_eq!(
        last,
        "01HK153X010000000000000002,2024-01-01T02:00:00Z,2024-01-03T02:00:00Z,48h0m0s,-8h0m0s,13,\"1,234,567\",26,3,false,\"cluster=us,prometheus_replica=a\",0s,sidecar"
    );
    let tsv = bucket.run(&["inspect", "--output=tsv"]);
    assert_eq!(tsv.out.lines().next().unwrap().split('\t').count(), 13);
    assert!(tsv.out.contains("\t1,234,567\t"), "{}", tsv.out);
}

#[test]
fn sorted_by_value_and_selected_by_labels() {
    let bucket = three_blocks();
    let order = |arguments: &[&str]| -> String {
        let run = bucket.run(&[&["inspect", "--output=csv"], arguments].concat());
        assert_eq!(run.code, Some(0), "{}", run.err);
        run.out.lines().skip(1).filter_map(|line| line.split(',').next()?.chars().last()).collect()
    };
    for (arguments, want) in [
        (&[][..], "132"),
        (&["--sort-by=#SAMPLES"], "312"),
        (&["--sort-by=RANGE"], "123"),
        (&["--sort-by=RESOLUTION", "--sort-by=#SAMPLES"], "123"),
        (&["--sort-by=LABELS", "--sort-by=COMP-LEVEL"], "132"),
        (&["-l", "cluster=\"eu\""], "13"),
        (&["-l", "cluster=\"eu\"", "-l", "prometheus_replica=\"b\""], ""),
        (&["--selector=cluster=\"us\""], "2"),
    ] {
        assert_eq!(order(arguments), want, "{arguments:?}");
    }
    assert_eq!(bucket.run(&["inspect", "--sort-by=SIZE"]).code, Some(2));
    let unquoted = bucket.run(&["inspect", "-l", "cluster=eu"]);
    assert!(unquoted.code == Some(2) && unquoted.err.contains("cluster=\"eu\""), "{}", unquoted.err);
}
