use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::Bus;
use super::error::BusError;
use super::listener;
use super::shared::Shared;
use crate::nats::limits::{MAX_CONTROL_LINE, MAX_PAYLOAD};

/// How a bus is to be.
#[derive(Clone, Debug)]
#[must_use = "a bus runs only once it is started"]
pub struct BusBuilder {
    pub(super) listen: String,
    pub(super) token: Option<String>,
    pub(super) max_payload: usize,
    pub(super) max_pending: usize,
    pub(super) max_connections: usize,
    pub(super) ping_interval: Duration,
    pub(super) auth_timeout: Duration,
}

impl Default for BusBuilder {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            token: None,
            max_payload: MAX_PAYLOAD,
            max_pending: 64 << 20,
            max_connections: 1_024,
            ping_interval: Duration::from_secs(120),
            auth_timeout: Duration::from_secs(2),
        }
    }
}

impl BusBuilder {
    /// Where to listen, as `HOST:PORT`. Port 0: one that is free. Default: `127.0.0.1:0`.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// Clients must give this token (`auth_token` of `CONNECT`). Default: anyone may come.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Most bytes of headers and payload of a message. A longer one closes its sender's connection. Default: 1 MiB;
    /// at most 64 MiB.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// Most bytes that wait for one connection. Who lets more pile up is cut off, and told `Slow Consumer`. Senders
    /// are held back a little before that. Default: 64 MiB, as nats-server has it.
    pub fn max_pending(mut self, bytes: usize) -> Self {
        self.max_pending = bytes;
        self
    }

    /// Most connections at a time. Default: 1024.
    pub fn max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// How long a connection may be silent before it is asked (`PING`). Who leaves two unanswered is cut off. Default:
    /// 2 minutes; at least 10 ms.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.ping_interval = interval.max(Duration::from_millis(10));
        self
    }

    /// How long a client may take to give the token. Default: 2 seconds; at least 10 ms.
    pub fn auth_timeout(mut self, timeout: Duration) -> Self {
        self.auth_timeout = timeout.max(Duration::from_millis(10));
        self
    }

    /// Listens, and serves from then on, in tasks of the current runtime.
    ///
    /// # Errors
    /// [`BusError`] if the address cannot be listened on, or a limit cannot be.
    ///
    /// # Cancel safety
    /// If dropped, nothing listens.
    pub async fn start(self) -> Result<Bus, BusError> {
        const MOST: usize = 64 << 20;
        if self.max_payload == 0 || self.max_payload > MOST {
            return Err(BusError::MaxPayload { bytes: self.max_payload, most: MOST });
        }
        let least = 2 * (self.max_payload + MAX_CONTROL_LINE);
        if self.max_pending < least {
            return Err(BusError::MaxPending { bytes: self.max_pending, least });
        }
        let listener = TcpListener::bind(&self.listen)
            .await
            .map_err(|source| BusError::Listen { address: self.listen.clone(), source })?;
        let address =
            listener.local_addr().map_err(|source| BusError::Listen { address: self.listen.clone(), source })?;
        let shared = Arc::new(Shared::new(self, address));
        let (ends, ending) = watch::channel(false);
        let serving = tokio::spawn(listener::serve(listener, shared.clone(), ending));
        Ok(Bus { address, shared, ends, serving })
    }
}
