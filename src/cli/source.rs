use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use super::files::read;
use crate::diagnose::Workflow;
use crate::store::{Store, StoreOptions};
use crate::workflows::Workflows;

/// Where the database is, if nothing else is said.
pub(crate) const DEFAULT_DB: &str = "wilco.db";

/// How long a workflow that a server does not know is waited for, and how often it is looked for.
const COMES_WITHIN: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Workflows that are asked for at once.
const PAGE: usize = 500;

/// Where a command looks: a running server, a database file, or files of OTLP/JSON.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SourceArguments {
    /// Ask the running server at this URL, as in http://127.0.0.1:4480
    #[arg(long, value_name = "URL", env = "WILCO_SERVER")]
    server: Option<String>,
    /// Read this database file. Default: wilco.db, if there is one
    #[arg(long, value_name = "FILE", conflicts_with = "file")]
    db: Option<PathBuf>,
    /// Read these files of OTLP/JSON: one request per line, as the OpenTelemetry Collector's file exporter writes them, or
    /// one request in all. `-` is standard input
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

    /// Gives one workflow, or, without an id, each that there is: those of files in the order in which they are first
    /// heard of, others by when something last came, newest first.
    pub(crate) async fn each(&self, id: Option<&str>, mut take: impl FnMut(&Workflow)) -> anyhow::Result<()> {
        if !self.file.is_empty() {
            return self.each_in_files(id, take);
        }
        let workflows = self.open().await?;
        if let Some(id) = id {
            take(&self.wait_for(&workflows, id).await?);
            return Ok(());
        }
        for offset in (0..).step_by(PAGE) {
            let page = workflows.list(PAGE, offset).await?;
            for summary in &page {
                take(&workflows.get_trace(&summary.id).await?);
            }
            if page.len() < PAGE {
                break;
            }
        }
        Ok(())
    }

    /// One workflow. At a running server it is waited for a little: spans leave their processes in batches, and whoever asks
    /// right after the agents would be told that there is no such workflow.
    async fn wait_for(&self, workflows: &Workflows, id: &str) -> anyhow::Result<Workflow> {
        let by = Instant::now() + if self.server().is_some() { COMES_WITHIN } else { Duration::ZERO };
        loop {
            match workflows.get_trace(id).await {
                Err(error) if error.is_unknown() && Instant::now() < by => tokio::time::sleep(LOOK_AGAIN).await,
                Err(error) if error.is_unknown() => bail!("{error}; `wilco query 'workflow{{}}'` lists those that are"),
                found => return Ok(found?),
            }
        }
    }

    fn each_in_files(&self, id: Option<&str>, mut take: impl FnMut(&Workflow)) -> anyhow::Result<()> {
        let mut spans = Vec::new();
        for file in &self.file {
            read(file, |more| {
                spans.extend(more);
                Ok(())
            })?;
        }
        let workflows = Workflow::group(spans);
        let Some(id) = id else {
            workflows.iter().for_each(take);
            return Ok(());
        };
        let found = workflows.iter().find(|workflow| workflow.id() == id).ok_or_else(|| {
            let count = workflows.len();
            anyhow!("no span names the workflow {id:?}; there are {count} others, and `wilco why --all` names each")
        })?;
        take(found);
        Ok(())
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
