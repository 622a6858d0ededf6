//! Files of OTLP/JSON, as commands take them.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::diagnose::Workflow;
use crate::model::Span;
use crate::otlp;

/// How much of a file is read at once.
const BUFFER: usize = 1 << 20;

/// Where spans are read from.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FileArguments {
    /// Files of OTLP/JSON: one request per line, as the OpenTelemetry Collector's file exporter writes them, or one
    /// request in all. `-` is standard input
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) file: Vec<PathBuf>,
}

impl FileArguments {
    /// The workflows in all files together, in the order in which each is first heard of.
    pub(crate) fn workflows(&self) -> anyhow::Result<Vec<Workflow>> {
        let mut spans = Vec::new();
        for file in &self.file {
            read(file, &mut spans)?;
        }
        Ok(Workflow::group(spans))
    }

    /// The one workflow with this id.
    pub(crate) fn workflow(&self, id: &str) -> anyhow::Result<Workflow> {
        let workflows = self.workflows()?;
        let count = workflows.len();
        workflows.into_iter().find(|workflow| workflow.id() == id).ok_or_else(|| {
            anyhow!("no span names the workflow {id:?}; there are {count} others, and `wilco why --all` names each")
        })
    }
}

fn read(path: &Path, spans: &mut Vec<Span>) -> anyhow::Result<()> {
    let name = || path.display().to_string();
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(std::fs::File::open(path).with_context(name)?)
    };
    let mut input = BufReader::with_capacity(BUFFER, input);
    for number in 1_usize.. {
        let mut line = Vec::new();
        let limit = otlp::limits::LONGEST_REQUEST as u64 + 1;
        if input.by_ref().take(limit).read_until(b'\n', &mut line).with_context(name)? == 0 {
            return Ok(());
        }
        let here = || format!("{} line {number}", path.display());
        // A line that goes on may be the first one of a request that somebody has laid out for reading.
        let is_blank = line.trim_ascii().is_empty();
        if number == 1
            && !is_blank
            && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_err_and(|error| error.is_eof())
        {
            input.by_ref().take(limit).read_to_end(&mut line).with_context(name)?;
            spans.extend(otlp::from_json(&line).with_context(name)?);
            return Ok(());
        }
        if !is_blank {
            spans.extend(otlp::from_json(&line).with_context(here)?);
        }
    }
    Ok(())
}
