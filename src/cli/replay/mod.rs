use super::Outcome;

/// Hand over the messages of a recorded conversation between agents, and report what a bus can say of it
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) server: super::args::ServerArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<Outcome> {
    let server = super::server::Server::find(&arguments.server).await?;
    super::Printer::note(format!("{} {}", server.url(), server.origin()));
    Ok(Outcome::Clean)
}
