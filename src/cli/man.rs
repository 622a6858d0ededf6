use std::path::PathBuf;

use anyhow::Context;
use clap::CommandFactory;

use super::Outcome;
use super::args;
use super::printer::Printer;

/// Print the manual page, as `man` reads it
///
/// `wilco man | man -l -` shows it. With --out, one page for each command, as `wilco-proxy.1`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Write a page for wilco and one for each of its commands into this folder, which is made if it is not there
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let command = args::Arguments::command();
    let Some(folder) = arguments.out else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        Printer::new().raw(&page)?;
        return Ok(Outcome::Clean);
    };
    std::fs::create_dir_all(&folder)
        .and_then(|()| clap_mangen::generate_to(command, &folder))
        .with_context(|| format!("the pages cannot be written into {}", folder.display()))?;
    Ok(Outcome::Clean)
}
