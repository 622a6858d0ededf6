//! A bad wire: a TCP relay between the agents and the server that passes everything on as it is, and now and then
//! flips a bit. The agents compute right hashes over what they send; what arrives is something else.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The relay; it ends with this value.
#[derive(Debug)]
pub(crate) struct Relay {
    address: SocketAddr,
    armed: Armed,
    accepting: JoinHandle<()>,
}

/// Texts of which the next one that passes is damaged.
type Armed = Arc<Mutex<Vec<Vec<u8>>>>;

impl Relay {
    /// Listens on a free port, and passes on to `server` (host:port).
    pub(crate) async fn start(server: String) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("no free port on 127.0.0.1")?;
        let address = listener.local_addr()?;
        let armed = Armed::default();
        let accepting = tokio::spawn(accept(listener, server, armed.clone()));
        Ok(Self { address, armed, accepting })
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Damages the next occurrence of `text` on its way to the server: one bit of its last byte.
    pub(crate) fn damage(&self, text: &str) {
        lock(&self.armed).push(text.as_bytes().to_vec());
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, server: String, armed: Armed) {
    while let Ok((agent, _)) = listener.accept().await {
        let (server, armed) = (server.clone(), armed.clone());
        tokio::spawn(async move {
            let Ok(server) = TcpStream::connect(&server).await else { return };
            let _ = (agent.set_nodelay(true), server.set_nodelay(true));
            let (from_agent, to_agent) = agent.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::join!(pass(from_agent, to_server, Some(armed)), pass(from_server, to_agent, None));
        });
    }
}

async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, armed: Option<Armed>) {
    let mut buffer = vec![0; 64 * 1024];
    let mut before = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let passing = &mut buffer[..count];
        if let Some(armed) = &armed {
            flip(&mut before, passing, &mut lock(armed));
        }
        if to.write_all(passing).await.is_err() {
            break;
        }
    }
    let _ = to.shutdown().await;
}

/// Flips a bit of every armed text that ends in `passing`; it may have begun in what passed `before`.
fn flip(before: &mut Vec<u8>, passing: &mut [u8], armed: &mut Vec<Vec<u8>>) {
    let mut seen = std::mem::take(before);
    let old = seen.len();
    seen.extend_from_slice(passing);
    armed.retain(|text| {
        let Some(at) = seen.windows(text.len()).position(|window| window == text.as_slice()) else { return true };
        let last = at + text.len() - 1;
        if last < old {
            return true; // gone already
        }
        passing[last - old] ^= 1;
        false
    });
    let keep = armed.iter().map(Vec::len).max().unwrap_or(256).saturating_sub(1);
    before.extend_from_slice(&seen[seen.len().saturating_sub(keep.max(255))..]);
}

fn lock(armed: &Mutex<Vec<Vec<u8>>>) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
    armed.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bit_of_an_armed_text_is_flipped_once_wherever_the_stream_is_cut() {
        let text = b"desk note 17";
        let stream = [b"PUB a 20\r\n<<".as_slice(), text, b">>PUB b desk note 17"].concat();
        for cut in 0..=stream.len() {
            let (mut before, mut armed) = (Vec::new(), vec![text.to_vec()]);
            let (mut first, mut second) = (stream[..cut].to_vec(), stream[cut..].to_vec());
            flip(&mut before, &mut first, &mut armed);
            flip(&mut before, &mut second, &mut armed);
            let out = [first, second].concat();
            let changed: Vec<usize> = (0..stream.len()).filter(|n| out[*n] != stream[*n]).collect();
            assert_eq!(changed, [12 + text.len() - 1], "cut at {cut}");
            assert!(armed.is_empty());
        }
    }
}
