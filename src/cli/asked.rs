use serde_json::Value;

use super::Outcome;
use super::printer::Printer;
use super::source::SourceArguments;
use crate::diagnose::{Diagnosis, Status, Workflow};

/// Which workflows a command tells of, from where, and for whom.
#[derive(Debug, clap::Args)]
pub(crate) struct AskedArguments {
    /// Workflow id
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    workflow: Option<String>,

    /// Every workflow there is
    #[arg(long)]
    all: bool,

    /// Print one JSON object per workflow and line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    source: SourceArguments,
}

impl AskedArguments {
    /// Tells of each, with its diagnosis: by `document` for machines, by `show` for people, a blank line in between.
    /// Gives what they come to.
    pub(crate) async fn tell(
        &self,
        document: impl Fn(&Workflow, &Diagnosis) -> Value,
        show: impl Fn(&mut Printer, &Workflow, &Diagnosis),
    ) -> anyhow::Result<Outcome> {
        let mut out = Printer::new();
        let mut statuses = Vec::new();
        let tell = |workflow: &Workflow| {
            let diagnosis = workflow.diagnose();
            if self.json {
                out.line(document(workflow, &diagnosis));
            } else {
                if !statuses.is_empty() {
                    out.line("");
                }
                show(&mut out, workflow, &diagnosis);
            }
            statuses.push(diagnosis.status);
        };
        self.source.each(self.workflow.as_deref(), tell).await?;
        Ok(outcome(&statuses))
    }
}

/// What several workflows come to: a failure if any failed, else unknown if any is, else clean.
fn outcome(statuses: &[Status]) -> Outcome {
    if statuses.contains(&Status::Failure) {
        Outcome::FailureFound
    } else if statuses.contains(&Status::Unknown) {
        Outcome::Unknown
    } else {
        Outcome::Clean
    }
}
