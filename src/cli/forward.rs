//! Every span that a store takes, sent on to another OTLP endpoint. The store is the queue: an endpoint that is away costs
//! time, and no span.

use std::path::PathBuf;
use std::time::Duration;

use super::export::{remember, went_to};
use crate::client::{Client, Sent};
use crate::model::Timestamp;
use crate::store::Store;

/// Spans in one request.
const PAGE: usize = 500;

/// How often it is looked for more, where nothing is left to send.
const EVERY: Duration = Duration::from_millis(500);

/// The pauses between attempts while the endpoint is away.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A forwarder. Dropping its future stops it: what was sent and not yet remembered is sent again by the next.
#[derive(Debug)]
pub(crate) struct Forward {
    store: Store,
    client: Client,
    /// Where the last place is kept; without it, for this process only.
    state: Option<PathBuf>,
    after: i64,
}

impl Forward {
    pub(crate) fn new(store: Store, client: Client, state: Option<PathBuf>) -> anyhow::Result<Self> {
        let after = state.as_deref().map(went_to).transpose()?.unwrap_or(0);
        Ok(Self { store, client, state, after })
    }

    /// Goes on until its future is dropped, or the store can no longer be read.
    pub(crate) async fn run(mut self) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        loop {
            let (store, after) = (self.store.clone(), self.after);
            let page = tokio::task::spawn_blocking(move || store.export(after, Timestamp::EPOCH, PAGE)).await??;
            let Some((request, last, count)) = page else {
                tokio::time::sleep(EVERY).await;
                continue;
            };
            match self.client.send(request).await {
                Ok(Sent::Taken) => {
                    if pause > FIRST_PAUSE {
                        tracing::warn!(target: "wilco", "forwarding again");
                    }
                    pause = FIRST_PAUSE;
                }
                Ok(Sent::Later(wanted, why)) => {
                    // Once an outage.
                    if pause == FIRST_PAUSE {
                        tracing::warn!(target: "wilco", "spans wait to be forwarded: {why}");
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    tokio::time::sleep(wanted.clamp(FIRST_PAUSE, LONGEST_PAUSE).max(pause / 2)).await;
                    continue;
                }
                // The same again would be refused again.
                Err(why) => tracing::warn!(target: "wilco", "{count} spans are not forwarded: {why}"),
            }
            self.after = last;
            if let Some(state) = &self.state {
                remember(state, last)?;
            }
        }
    }
}
