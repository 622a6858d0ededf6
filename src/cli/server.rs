//! The NATS server that a command works on: the one it is told of, or an embedded bus.

use std::time::Duration;

use anyhow::{Context, bail};

use super::args::ServerArguments;
use crate::bus::Bus;

/// How long a server may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// A server to work on. An embedded one ends with this value.
#[derive(Debug)]
pub(crate) struct Server {
    url: String,
    /// Where it came from, for people.
    origin: &'static str,
    _embedded: Option<Bus>,
}

impl Server {
    pub(crate) async fn find(arguments: &ServerArguments) -> anyhow::Result<Self> {
        if let Some(url) = &arguments.nats {
            return Ok(Self { url: url.clone(), origin: "given", _embedded: None });
        }
        let bus = Bus::builder().start().await?;
        Ok(Self { url: bus.url(), origin: "embedded bus (core NATS, nothing stored)", _embedded: Some(bus) })
    }

    /// Looks whether the server can be reached, so that a wrong address is named as it was given.
    pub(crate) async fn reach(&self) -> anyhow::Result<()> {
        let url = &self.url;
        reach(url.split(',').next().unwrap_or(url).trim()).await
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn origin(&self) -> &str {
        self.origin
    }
}

/// Looks whether a server answers at this URL.
pub(crate) async fn reach(url: &str) -> anyhow::Result<()> {
    let address: async_nats::ServerAddr =
        url.parse().with_context(|| format!("{url:?} is no NATS URL; write it like nats://127.0.0.1:4222"))?;
    let connecting = tokio::net::TcpStream::connect((address.host(), address.port()));
    let why = match tokio::time::timeout(ANSWERS_WITHIN, connecting).await {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {ANSWERS_WITHIN:?}"),
    };
    bail!(
        "nothing answers at {url} ({why}); start a nats-server there, or leave --nats and NATS_URL out for the embedded \
         bus"
    );
}
