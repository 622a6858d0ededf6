//! A store, and the server before it: what `wilco serve` is, and a part of `wilco dev`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;

use super::claim::Claim;
use super::content::ContentArguments;
use super::units;
use crate::server::{Addresses, Listening, Server, ServerOptions, Token};
use crate::store::{Store, StoreOptions};

/// Where spans are taken, who may ask, and how long they are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct BackendArguments {
    /// Address of the pages and the API
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4480")]
    http: SocketAddr,
    /// Address where OTLP over HTTP is taken
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4318")]
    otlp_http: SocketAddr,
    /// Address where OTLP over gRPC is taken
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:4317")]
    otlp_grpc: SocketAddr,
    /// Forget workflows to which nothing came for so long, as in 30d or 12h. Default: keep them
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    keep_for: Option<Duration>,
    /// Forget the oldest workflows while there is more than this, as in 2GiB or 500MiB. Default: keep them; in memory,
    /// 8MiB
    #[arg(long, value_name = "SIZE", value_parser = size_to_keep)]
    keep_size: Option<u64>,
    #[command(flatten)]
    content: ContentArguments,
    /// Ask every request for this token: `Authorization: Bearer ...`; browsers sign in by a link printed at the start
    #[arg(long, value_name = "TOKEN", env = "WILCO_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// Let anybody in who can reach the address, without a token
    #[arg(long)]
    pub(crate) insecure: bool,
}

/// An open database.
#[derive(Debug)]
pub(crate) struct Data {
    store: Store,
    place: String,
    _claim: Option<Claim>,
}

/// A running one.
#[derive(Debug)]
pub(crate) struct Backend {
    data: Data,
    server: Server,
}

/// How long requests under way may take when the server is told to end.
const END_WITHIN: Duration = Duration::from_secs(5);

/// The database that is none.
const IN_MEMORY: &str = ":memory:";

/// Bytes that are kept in memory where nobody said how many.
const KEPT_IN_MEMORY: u64 = 8 << 20;

/// The least that a limit may be: what a nearly empty database takes. A number without its unit is nearly always a slip.
const LEAST_KEPT: u64 = 1 << 20;

fn size_to_keep(text: &str) -> Result<u64, String> {
    match units::bytes(text)? {
        bytes if bytes < LEAST_KEPT => Err(format!("{bytes} bytes would keep nothing; the least is 1MiB")),
        bytes => Ok(bytes),
    }
}

/// Whether this is no file.
pub(crate) fn is_memory(db: &Path) -> bool {
    db.as_os_str() == IN_MEMORY
}

impl Data {
    /// Opens the file, or memory.
    pub(crate) async fn open(arguments: &BackendArguments, db: Option<&Path>) -> anyhow::Result<Self> {
        let file = db.filter(|path| !is_memory(path)).map(PathBuf::from);
        let mut options = arguments.content.apply(StoreOptions::default());
        if let Some(age) = arguments.keep_for {
            options = options.keep_for(age);
        }
        if let Some(bytes) = arguments.keep_size {
            options = options.keep_bytes(bytes);
        }
        let place = match &file {
            Some(path) => path.display().to_string(),
            None => {
                let bytes = arguments.keep_size.unwrap_or(KEPT_IN_MEMORY);
                options = options.keep_bytes(bytes);
                format!("in memory, the last {} MiB; --db FILE keeps all", bytes >> 20)
            }
        };
        let opening = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            Ok(match file {
                Some(path) => {
                    // First, as opening may bring the file up to date.
                    let claim = Claim::on(&path)?;
                    (Store::open(path, options)?, Some(claim))
                }
                None => (Store::in_memory(options)?, None),
            })
        });
        let (store, claim) = opening.await??;
        Ok(Self { store, place, _claim: claim })
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }
}

impl Backend {
    /// Answers from the data.
    pub(crate) fn start(listening: Listening, data: Data) -> Self {
        let server = listening.serve(data.store.clone());
        Self { data, server }
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.server.addresses()
    }

    /// Where the spans are, for people.
    pub(crate) fn data(&self) -> &str {
        &self.data.place
    }

    /// Where the pages are, for people.
    pub(crate) fn pages(&self) -> String {
        match self.server.sign_in_url() {
            Some(url) => format!("{url}  (signs one browser in, once)"),
            None => self.server.pages_url(),
        }
    }

    /// Ends when requests under way are answered and all is written.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        self.server.close(END_WITHIN).await;
        let store = self.data.store;
        // The last handle waits until all is written.
        Ok(tokio::task::spawn_blocking(move || drop(store)).await?)
    }
}

impl BackendArguments {
    /// Takes the addresses. Comes before the data: where a port is taken, no empty database is left behind.
    pub(crate) async fn listen(&self) -> anyhow::Result<Listening> {
        Ok(Listening::at(self.options()?).await?)
    }

    fn options(&self) -> anyhow::Result<ServerOptions> {
        let options = ServerOptions::default()
            .http(self.http)
            .otlp_http(self.otlp_http)
            .otlp_grpc(Some(self.otlp_grpc))
            .open_to_all(self.insecure);
        let Some(token) = &self.token else { return Ok(options) };
        let token = Token::new(token)
            .ok_or_else(|| anyhow!("--token: a token has at least 8 printable ASCII characters and no blanks"))?;
        Ok(options.token(token))
    }
}
