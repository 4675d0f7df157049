//! The text of the repository speaks of the product: no trackers, no machines, no unfinished thoughts.

use tests::repository;

use crate::no_problems;

/// A phrase that does not belong here, and what to write instead.
struct Stranger {
    phrase: &'static str,
    instead: &'static str,
    /// Only as a word of its own.
    word: bool,
}

const STRANGERS: &[Stranger] = &[
    Stranger { phrase: "/work/", instead: "a path below the repository", word: false },
    Stranger { phrase: "/root/", instead: "a path below the repository", word: false },
    Stranger { phrase: "/home/", instead: "a path below the repository", word: false },
    Stranger { phrase: "../shared", instead: "the folder that PRONOIA_SHARED names", word: false },
    Stranger { phrase: "shared/reference", instead: "the fact itself", word: false },
    Stranger { phrase: "design.md", instead: "ARCHITECTURE.md", word: false },
    Stranger { phrase: "founder", instead: "the product", word: true },
    Stranger { phrase: "helper.md", instead: "nothing", word: false },
    Stranger { phrase: "this session", instead: "the product", word: false },
    Stranger { phrase: "session", instead: "the connection, the run, or the like", word: true },
    Stranger { phrase: "crates.io", instead: "the crate's name", word: false },
    Stranger { phrase: "pypi.org", instead: "the package's name", word: false },
    Stranger { phrase: "pythonhosted", instead: "the package's name", word: false },
    Stranger { phrase: "npmjs", instead: "the package's name", word: false },
    Stranger { phrase: "deb.debian.org", instead: "the package's name", word: false },
    Stranger { phrase: "proxy.golang.org", instead: "the module's name", word: false },
    Stranger { phrase: "todo", instead: "the work itself, done", word: true },
    Stranger { phrase: "fixme", instead: "the work itself, done", word: true },
    Stranger { phrase: "xxx", instead: "the work itself, done", word: true },
];

/// Places where a phrase is right, each with its reason: path prefix, phrase.
const AT_HOME: &[(&str, &str, &str)] = &[
    ("tests/tests/tidy/wording.rs", "", "names them all"),
    ("Cargo.lock", "crates.io", "written by cargo"),
    ("compiler/fuzz/Cargo.lock", "crates.io", "written by cargo"),
    ("runtime/block/fuzz/Cargo.lock", "crates.io", "written by cargo"),
    ("runtime/promql-syntax/fuzz/Cargo.lock", "crates.io", "written by cargo"),
    ("runtime/tsdb/fuzz/Cargo.lock", "crates.io", "written by cargo"),
    ("Cargo.toml", "todo", "the name of a lint"),
    ("templates/dashboards/", "", "panels of Grafana, whose JSON has words of its own"),
];

/// Files that people read or write; data and locks hold what their makers put there.
fn is_text(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["rs", "md", "toml", "kdl", "yaml", "yml", "j2", "py", "go", "sh", "tsv", "txt", "json", "lock"]
        .iter()
        .any(|ending| name.ends_with(&format!(".{ending}")))
        || ["Makefile", "Dockerfile", "run", "tools", ".gitignore", ".dockerignore"].contains(&name)
}

#[test]
fn the_text_is_about_the_product() {
    let mut problems = Vec::new();
    for path in repository::files().into_iter().filter(|path| is_text(path)) {
        let text = repository::text(&path);
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            for stranger in STRANGERS.iter().filter(|stranger| found(&lower, stranger)) {
                if !at_home(&path, stranger.phrase) {
                    problems.push(format!(
                        "{path}:{}: `{}`; write {} instead",
                        number + 1,
                        stranger.phrase,
                        stranger.instead
                    ));
                }
            }
            if !at_home(&path, "#") && is_prose(&path) && names_an_issue(line) {
                problems
                    .push(format!("{path}:{}: names an issue by number; say what it is about", number + 1));
            }
        }
    }
    no_problems(problems);
}

fn at_home(path: &str, phrase: &str) -> bool {
    AT_HOME.iter().any(|(prefix, own, _)| path.starts_with(prefix) && (own.is_empty() || *own == phrase))
}

fn found(line: &str, stranger: &Stranger) -> bool {
    line.match_indices(stranger.phrase).any(|(at, phrase)| {
        let joined =
            |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let bytes = line.as_bytes();
        !stranger.word || (!joined(bytes[..at].last()) && !joined(bytes.get(at + phrase.len())))
    })
}

/// Where a hash and a number would be an issue, not a colour or a value.
fn is_prose(path: &str) -> bool {
    [".rs", ".md", ".toml", ".kdl", ".py", ".go", ".sh"].iter().any(|ending| path.ends_with(ending))
}

/// `#123` after a space, a bracket or the name of a repository.
fn names_an_issue(line: &str) -> bool {
    line.match_indices('#').any(|(at, _)| {
        let digits = line[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let after = line[at + 1 + digits..].bytes().next();
        let before = line[..at].bytes().next_back();
        digits > 0
            && after.is_none_or(|byte| !byte.is_ascii_alphanumeric())
            && before.is_none_or(|byte| byte == b' ' || byte == b'(' || byte.is_ascii_alphanumeric())
    })
}

#[test]
fn strangers_are_recognised() {
    assert!(names_an_issue("see #123") && names_an_issue("thanos#77.") && names_an_issue("(#9)"));
    assert!(
        !names_an_issue("#![allow]") && !names_an_issue("colour \"#123456\"") && !names_an_issue("#1abc")
    );
    let word = Stranger { phrase: "todo", instead: "", word: true };
    assert!(found("// todo: later", &word) && !found("methodology, todos", &word));
}
