//! Why each workflow failed, as the spans tell it: what `wilco why` says first.

use std::path::Path;

use super::story::Story;
use crate::cli::printer::{BAD, FAINT, Printer, STRONG, UNKNOWN, wrap};
use crate::diagnose::{Diagnosis, Status};

/// A sentence for each workflow that failed, in the order in which they ran, and how to see what shows it.
pub(super) fn report(out: &mut Printer, stories: &[Story], whys: &[Diagnosis], saved: Option<&Path>) {
    let failed: Vec<&Diagnosis> = stories
        .iter()
        .filter_map(|story| of(story, whys))
        .filter(|diagnosis| diagnosis.status != Status::Clean)
        .collect();
    let Some(first) = failed.first() else { return };
    out.line("");
    out.line(format_args!("{STRONG}why they failed, from their spans alone{STRONG:#}"));
    for diagnosis in &failed {
        let style = if diagnosis.status == Status::Failure { BAD } else { UNKNOWN };
        out.line(format_args!("{style}{}{style:#}", diagnosis.workflow));
        for line in wrap(&diagnosis.sentence(), Printer::columns() - 4) {
            out.line(format_args!("    {line}"));
        }
    }
    let (workflow, file) = (&first.workflow, saved.unwrap_or(Path::new("FILE")).display());
    let save = if saved.is_some() { "" } else { "with --save FILE, " };
    out.line(format_args!("{FAINT}what shows it: {save}wilco why {workflow} --file {file}{FAINT:#}"));
}

/// What the spans of a story tell.
pub(super) fn of<'a>(story: &Story, whys: &'a [Diagnosis]) -> Option<&'a Diagnosis> {
    whys.iter().find(|diagnosis| diagnosis.workflow == story.job.workflow)
}
