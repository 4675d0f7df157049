//! `pronoiad`, the runtime command: picks the component and runs it. Called as `pronoia-store` and the like it is that component.
//!
//! Exit codes: 0 fine, 1 the component failed, 2 the command line is wrong.

mod arenas;
mod arguments;
mod called;
mod commands;
mod flags;

use std::io::Write;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

const USAGE: u8 = 2;

fn main() -> ExitCode {
    arenas::bound();
    let components = commands::components();
    let names: Vec<String> = components.iter().map(|(command, _)| command.get_name().to_owned()).collect();
    let mut cli = cli(&names).subcommands(components.iter().map(|(command, _)| command.clone()));
    let arguments = match arguments::expanded(std::env::args_os()) {
        Ok(arguments) => called::with_component(arguments),
        Err(text) => return usage_error(&format!("error: {text}")),
    };
    let matches = match cli.try_get_matches_from_mut(arguments) {
        Ok(matches) => matches,
        Err(error) => error.exit(),
    };
    let Some((name, arguments)) = matches.subcommand() else {
        return usage_error(&format!("{}\n{}", cli.render_help(), "error: no component given"));
    };
    match components.iter().find(|(command, _)| command.get_name() == name) {
        Some((_, run)) => run_component(*run, arguments),
        None => usage_error(&unknown(name, &names)),
    }
}

fn cli(names: &[String]) -> Command {
    Command::new("pronoiad")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Runs one component of a Prometheus + Thanos deployment")
        .override_usage("pronoiad <COMPONENT> [FLAGS]")
        .subcommand_help_heading("Components")
        .subcommand_value_name("COMPONENT")
        .after_help(available(names))
        .disable_help_subcommand(true)
        // An unknown component gets a better answer from us than from the parser.
        .allow_external_subcommands(true)
        .external_subcommand_value_parser(clap::value_parser!(std::ffi::OsString))
}

fn run_component(run: commands::Run, arguments: &ArgMatches) -> ExitCode {
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Says what was meant, and what there is.
fn unknown(name: &str, names: &[String]) -> String {
    let mut text = format!("error: unknown component `{name}`\n");
    let nearest = commands::PLANNED
        .iter()
        .copied()
        .chain(names.iter().map(String::as_str))
        .map(|known| (known, strsim::jaro_winkler(known, name)))
        .filter(|(_, likeness)| *likeness > 0.8)
        .max_by(|(_, a), (_, b)| a.total_cmp(b));
    if let Some((known, _)) = nearest {
        let built = names.iter().any(|built| built == known);
        text.push_str(&match (built, known == name) {
            (true, _) => format!("did you mean `{known}`?\n"),
            (false, true) => format!("`{known}` is planned, but not part of this build\n"),
            (false, false) => {
                format!("did you mean `{known}`? It is planned, but not part of this build\n")
            }
        });
    }
    text.push_str(&available(names));
    text
}

fn available(names: &[String]) -> String {
    let list = if names.is_empty() { "none yet".to_owned() } else { names.join(", ") };
    format!("Components in this build: {list}")
}

fn usage_error(text: &str) -> ExitCode {
    say(text);
    ExitCode::from(USAGE)
}

/// Writes to standard error; there is nobody left to tell when that fails.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
