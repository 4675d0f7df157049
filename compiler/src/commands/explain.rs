//! `pronoia explain` and `pronoia list-checks`: the pages behind the codes.

use anyhow::anyhow;
use compiler::diagnostic::did_you_mean;
use compiler::explain::{find, pages};
use serde_json::json;

use super::Exit;
use super::console::Console;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The code, as printed in brackets behind the severity
    code: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// One JSON object per line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(console: &Console, args: &Args) -> anyhow::Result<Exit> {
    let page = find(&args.code).ok_or_else(|| {
        let hint =
            did_you_mean(&args.code, pages().map(|page| page.code)).filter(|hint| hint.starts_with("did"));
        let hint = hint.unwrap_or_else(|| "`pronoia list-checks` lists all".to_string());
        anyhow!("there is no page on `{}`\n  {hint}", args.code)
    })?;
    console.out(page.text)?;
    Ok(Exit::Ok)
}

pub(super) fn list(console: &Console, args: &ListArgs) -> anyhow::Result<Exit> {
    let mut out = String::new();
    for page in pages() {
        if args.json {
            let line = json!({ "code": page.code, "severity": page.severity, "title": page.title });
            out.push_str(&format!("{line}\n"));
        } else {
            out.push_str(&format!("{:<8} {:<8} {}\n", page.code, page.severity, page.title));
        }
    }
    console.out(&out)?;
    Ok(Exit::Ok)
}
