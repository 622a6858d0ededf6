use clap::CommandFactory;
use clap_complete::Shell;

use super::Outcome;
use super::args;
use super::printer::Printer;

/// Print what a shell needs to complete wilco's commands and options
///
/// For bash: `wilco completions bash > ~/.local/share/bash-completion/completions/wilco`. For zsh, a file `_wilco` in a
/// folder of `$fpath`; for fish, `~/.config/fish/completions/wilco.fish`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut args::Arguments::command(), "wilco", &mut script);
    Printer::new().raw(&script)?;
    Ok(Outcome::Clean)
}
