//! `--no-NAME` for every switch, as kingpin gives it to Thanos' flags.

use clap::{Arg, ArgAction, Command};

/// Adds a hidden `--no-NAME` for each switch of the command and of what is below it; the last one given counts.
pub(crate) fn with_negations(command: Command) -> Command {
    let switches: Vec<(String, String)> = command
        .get_arguments()
        .filter(|argument| matches!(argument.get_action(), ArgAction::SetTrue))
        .filter_map(|argument| Some((argument.get_id().to_string(), argument.get_long()?.to_owned())))
        .filter(|(_, long)| !long.starts_with("no-"))
        .collect();
    let command = switches.into_iter().fold(command, |command, (id, long)| {
        let negation = format!("no-{long}");
        command.mut_arg(&id, |argument| argument.overrides_with(negation.clone())).arg(
            Arg::new(negation.clone())
                .long(negation)
                .action(ArgAction::SetTrue)
                .overrides_with(id)
                .hide(true),
        )
    });
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| command.mut_subcommand(name, with_negations))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_counts() {
        let command = with_negations(
            Command::new("ls").arg(Arg::new("delete").long("exclude-delete").action(ArgAction::SetTrue)),
        );
        for (arguments, set) in [
            (&["ls"][..], false),
            (&["ls", "--exclude-delete"], true),
            (&["ls", "--no-exclude-delete"], false),
            (&["ls", "--no-exclude-delete", "--exclude-delete"], true),
            (&["ls", "--exclude-delete", "--no-exclude-delete"], false),
        ] {
            let matches = command.clone().try_get_matches_from(arguments).unwrap();
            assert_eq!(matches.get_flag("delete"), set, "{arguments:?}");
        }
    }
}
