use std::path::PathBuf;

use anyhow::Context;

use super::Outcome;
use super::content::ContentArguments;
use super::files::read;
use super::printer::Printer;
use super::source::DEFAULT_DB;
use crate::store::{Store, StoreOptions};

/// Put spans from files of OTLP/JSON into a database
///
/// One request per line, as the OpenTelemetry Collector's file exporter writes them. Importing a file twice does no harm:
/// a span that is there already counts once.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The files; - is standard input
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Database file; made if it is not there
    #[arg(long, value_name = "FILE", default_value = DEFAULT_DB)]
    db: PathBuf,
    #[command(flatten)]
    content: ContentArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    tokio::task::spawn_blocking(move || import(&arguments)).await.context("the import broke off")?
}

fn import(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let store = Store::open(&arguments.db, arguments.content.apply(StoreOptions::default()))?;
    let (mut spans, mut duplicates) = (0, 0);
    for file in &arguments.files {
        read(file, |batch| {
            let inserted = store.insert_blocking(batch)?;
            spans += inserted.spans;
            duplicates += inserted.duplicates;
            Ok(())
        })?;
    }
    Printer::new().line(format_args!("{spans} spans into {}, {duplicates} were there already", arguments.db.display()));
    Ok(Outcome::Clean)
}
