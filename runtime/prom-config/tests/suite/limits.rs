//! No input makes the checks panic, or run without end.

use prom_config::{Options, check_config, check_rules, check_scrape_configs};
use proptest::prelude::*;

use super::corpus::{golden, own};
use super::mutation::{Random, mutate};

fn all(text: &[u8]) -> usize {
    let options = Options::default();
    check_config(text, &options).problems.len()
        + check_rules(text, &options).problems.len()
        + check_scrape_configs(text, &options).problems.len()
}

proptest! {
    #[test]
    fn bytes_are_checked(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        all(&bytes);
    }

    #[test]
    fn yaml_like_text_is_checked(text in "([a-z_]{1,6}: |- |\\{|\\}|\\[|\\]|\n|  |&a |\\*a|<<: |'|\"|!!|\\||>|#|,|~|0x1|1e3){0,60}") {
        all(text.as_bytes());
    }
}

#[test]
fn changed_files_are_checked() {
    let files: Vec<_> = own().into_iter().chain(golden().into_iter().take(20)).collect();
    let mut random = Random::new(7);
    for _ in 0..400 {
        let file = &files[random.below(files.len())];
        let mut text = file.text.clone().into_bytes();
        for _ in 0..=random.below(4) {
            text = mutate(&mut random, &text).0;
        }
        all(&text);
    }
}

#[test]
fn hostile_files_come_to_an_end() {
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned()
        + &(b'b'..=b'z')
            .map(|c| {
                let (own, last) = (char::from(c), char::from(c - 1));
                format!("{own}: &{own} [{}]\n", vec![format!("*{last}"); 9].join(","))
            })
            .collect::<String>();
    let many = |line: &str, times: usize| line.repeat(times);
    let rules = format!("groups: &g\n- name: x\n  rules: &r [{}]\n- *g\n", many("*r,", 50));
    let merges = (0..2000).fold("x: &m0 {a: b}\n".to_owned(), |text, at| {
        text + &format!("y{at}: &m{} {{<<: *m{at}, <<: *m{at}}}\n", at + 1)
    });
    let files = [
        bomb.clone(),
        format!("{bomb}rule_files: *z\n"),
        rules,
        merges,
        many("[", 100_000),
        many("- ", 100_000),
        many("{a: ", 50_000),
        many("unknown_field: 1\n", 200_000),
        format!("rule_files: [{}]\n", many("\"a\",", 1_000_000)),
        format!("scrape_configs:\n{}", many("- job_name: x\n", 300_000)),
        format!("groups:\n{}", many("- {name: x, rules: [{record: a, expr: b}]}\n", 100_000)),
        format!(
            "global: {{external_labels: {{{}}}}}",
            (0..200_000).map(|n| format!("l{n}: x,")).collect::<String>()
        ),
        format!("groups: [{{name: a, rules: [{{record: a, expr: '{}1'}}]}}]", many("1+", 100_000)),
        format!("a: \"{}\"", many("\\u0041", 500_000)),
        many("? ", 100_000),
        many("\n", 4_000_000),
        many("#", 4_000_000),
        format!("a: {}", many("b ", 2_000_000)),
        many("a: b: ", 100_000),
        many("*a ", 200_000),
        many("&a ", 200_000),
        many("!a ", 200_000),
        many("'", 500_000),
        many("%YAML 1.1\n", 100_000),
        many("---\n", 300_000),
    ];
    for text in files {
        let problems = all(text.as_bytes());
        let shown: String = text.chars().take(40).collect();
        // What is not linear in the input would not end within the time that the runner gives a test.
        assert!(problems <= 300, "{shown:?}: {problems} problems");
    }
}

#[test]
fn aliases_in_themselves_are_refused() {
    for text in ["global: &a\n  external_labels: *a\n", "rule_files: &a [*a]\n", "global: &a {<<: *a}\n"] {
        assert!(!check_config(text.as_bytes(), &Options::default()).problems.is_empty(), "{text}");
    }
}
