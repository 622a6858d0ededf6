use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::model::Span;
use crate::otlp;
use crate::store::{Store, StoreOptions};
use crate::workflows::Workflows;

/// Where the database is, if nothing else is said.
pub(crate) const DEFAULT_DB: &str = "wilco.db";

/// Where a command looks: a running server, a database file, or files of OTLP/JSON.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SourceArguments {
    /// Ask the running server at this URL, as in http://127.0.0.1:4480
    #[arg(long, value_name = "URL", env = "WILCO_SERVER")]
    server: Option<String>,
    /// Read this database file. Default: wilco.db, if there is one
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    db: Option<PathBuf>,
    /// Read these files of OTLP/JSON, one request per line, as the OpenTelemetry Collector's file exporter writes them;
    /// - is standard input
    #[arg(long, value_name = "FILE", num_args = 1..)]
    file: Vec<PathBuf>,
}

impl SourceArguments {
    /// The URL of the server, if one is to be asked.
    pub(crate) fn server(&self) -> Option<&str> {
        self.server.as_deref().filter(|_| self.db.is_none() && self.file.is_empty())
    }

    pub(crate) async fn open(&self) -> anyhow::Result<Workflows> {
        if let Some(url) = self.server() {
            return Ok(Workflows::server(url)?);
        }
        Ok(Workflows::of(self.store().await?))
    }

    /// What is read in this process: a database, or files.
    pub(crate) async fn store(&self) -> anyhow::Result<Store> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.store_blocking()).await?
    }

    fn store_blocking(&self) -> anyhow::Result<Store> {
        if self.file.is_empty() {
            let path = self.db.clone().unwrap_or_else(|| DEFAULT_DB.into());
            if !path.exists() {
                bail!(
                    "{}: there is no such database; name one by --db, a server by --server, or files by --file",
                    path.display()
                );
            }
            return Ok(Store::open(path, StoreOptions::default())?);
        }
        let store = Store::in_memory(StoreOptions::default())?;
        for file in &self.file {
            read(file, |spans| {
                store.insert_blocking(spans)?;
                Ok(())
            })?;
        }
        Ok(store)
    }
}

/// Reads requests of OTLP/JSON, one per line, and gives the spans of each.
pub(crate) fn read(path: &Path, mut take: impl FnMut(Vec<Span>) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let input: Box<dyn std::io::Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).with_context(|| format!("{}", path.display()))?)
    };
    let mut lines = std::io::BufReader::with_capacity(1 << 20, input);
    let mut line = Vec::new();
    for number in 1_u64.. {
        let here = || format!("{}: line {number}", path.display());
        line.clear();
        let limit = otlp::limits::LONGEST_REQUEST as u64 + 1;
        let read = std::io::BufRead::read_until(&mut std::io::Read::take(&mut lines, limit), b'\n', &mut line)
            .with_context(here)?;
        if read == 0 {
            break;
        }
        if !line.trim_ascii().is_empty() {
            take(otlp::from_json(line.trim_ascii_end()).with_context(here)?).with_context(here)?;
        }
    }
    Ok(())
}
