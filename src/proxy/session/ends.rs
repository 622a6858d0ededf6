use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep, timeout};

use crate::proxy::stream::Stream;

/// How long one side may go on after the other has ended.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client's last words are read, and thrown away, after its server has gone: closing with bytes unread makes
/// a reset, which may overtake the server's last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How long a reset waits for what was written before it.
const SETTLE: Duration = Duration::from_millis(20);

/// How a connection ends: an orderly end becomes an orderly end, and only a reset becomes a reset.
#[derive(Debug, Default)]
pub(crate) struct Ends {
    reset_client: bool,
    reset_server: bool,
    server_gone: bool,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Ends {
    /// Reading from the client failed.
    pub(crate) fn client_failed(&mut self, error: &io::Error) {
        self.reset_server |= is_reset(error);
    }

    /// Reading from the server failed.
    pub(crate) fn server_failed(&mut self, error: &io::Error) {
        self.reset_client |= is_reset(error);
    }

    /// Writing to the server failed; `over`: it had ended its own side.
    pub(crate) fn server_refused(&mut self, error: &io::Error, over: bool) {
        self.server_gone = true;
        self.reset_client |= over && is_reset(error);
    }

    /// Writing to the client failed; `over`: it had ended its own side.
    pub(crate) fn client_refused(&mut self, error: &io::Error, over: bool) {
        self.reset_server |= over && is_reset(error);
    }

    /// Whether there is nothing more to wait for.
    pub(crate) fn is_reset(&self) -> bool {
        self.reset_client || self.reset_server
    }

    /// Ready when the side that still goes on has gone on for too long.
    pub(crate) fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE))).as_mut().poll(cx)
    }

    /// The last steps, after which both connections are dropped.
    pub(crate) async fn finish(&mut self, client: &mut Stream, server: &Stream) {
        if self.is_reset() {
            sleep(SETTLE).await;
            if self.reset_client {
                client.reset_on_close();
            }
            if self.reset_server {
                server.reset_on_close();
            }
        } else if self.server_gone {
            // Not on the task, where an idle connection would keep it.
            let mut thrown_away = vec![0; 4096];
            let rest = async { while matches!(poll_fn(|cx| client.poll_read(cx, &mut thrown_away)).await, Ok(1..)) {} };
            let _ = timeout(LAST_WORDS, rest).await;
        }
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
