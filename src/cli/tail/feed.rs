use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::client::{Client, ClientError};
use crate::store::HandoffSummary;
use crate::store::query::{Answer, Line};

/// What a running server tells, as long as somebody listens. Dropping it ends the connection.
#[derive(Debug)]
pub(super) struct Feed {
    task: JoinHandle<()>,
    news: mpsc::Receiver<News>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum News {
    /// It listens: for the first time, or once more.
    Listening,
    /// The latest handoffs there are, the one that began last first.
    Known(Vec<HandoffSummary>),
    /// A handoff is new, or more is known of it.
    Handoff(Box<HandoffSummary>),
    /// So much came too fast, and is not told.
    PassedOver(u64),
    /// The server is not there any more, and why. It is looked for again.
    Lost(String),
    /// The server says no, which would not change by itself. The last there is.
    Refused { column: Option<usize>, reason: String },
}

/// The longest line of an event, in bytes; a longer one is passed over.
const LONGEST: usize = 64 << 10;

/// News that wait to be taken; then the server is read no further, and passes over what is too much.
const WAITING: usize = 256;

/// A server says something every 15 s, be it that there is nothing.
const SILENCE: Duration = Duration::from_secs(45);

/// How long an answer may take to begin.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it waits before it looks for a server that is lost; longer each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(4);

impl Feed {
    /// Listens to the handoffs that a query finds; to all where it is empty. Each time that it begins to, it tells of at
    /// most `known` handoffs that there are already.
    pub(super) fn start(client: Arc<Client>, query: String, known: usize) -> Self {
        let (sender, news) = mpsc::channel(WAITING);
        let task = tokio::spawn(async move {
            let mut wait = FIRST_WAIT;
            // An error is that nobody takes the news any more.
            while let Ok(ended) = listen(&client, &query, known, &sender).await {
                let reason = match ended {
                    Ended::Lost(reason) => {
                        wait = FIRST_WAIT;
                        reason
                    }
                    Ended::NeverThere(reason) => reason,
                    Ended::Refused(refused) => return drop(sender.send(refused).await),
                };
                if sender.send(News::Lost(reason)).await.is_err() {
                    return;
                }
                sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        });
        Self { task, news }
    }

    /// `None` after the last there is.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn next(&mut self) -> Option<News> {
        self.news.recv().await
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why one connection came to its end.
enum Ended {
    Lost(String),
    NeverThere(String),
    Refused(News),
}

type Sender = mpsc::Sender<News>;

/// One connection, from its begin to its end.
async fn listen(
    client: &Client,
    query: &str,
    known: usize,
    sender: &Sender,
) -> Result<Ended, mpsc::error::SendError<News>> {
    let mut response = match timeout(PATIENCE, client.events(query)).await {
        Ok(Ok(response)) => response,
        Ok(Err(error)) => return Ok(ended(error)),
        Err(_) => return Ok(Ended::NeverThere("it does not answer".to_owned())),
    };
    sender.send(News::Listening).await?;
    if known > 0 {
        match latest(client, query, known).await {
            Ok(handoffs) => sender.send(News::Known(handoffs)).await?,
            Err(error) => return Ok(ended(error)),
        }
    }
    let mut lines = Lines::default();
    let mut event = String::new();
    loop {
        let part = match timeout(SILENCE, response.chunk()).await {
            Ok(Ok(Some(part))) => part,
            Ok(Ok(None)) => return Ok(Ended::Lost("the server ended".to_owned())),
            Ok(Err(_)) => return Ok(Ended::Lost("the server broke off".to_owned())),
            Err(_) => return Ok(Ended::Lost(format!("the server said nothing for {} s", SILENCE.as_secs()))),
        };
        for line in lines.after(&part) {
            let Some(line) = line else {
                sender.send(News::PassedOver(1)).await?;
                continue;
            };
            if let Some(name) = line.strip_prefix("event:") {
                name.trim().clone_into(&mut event);
            } else if let Some(data) = line.strip_prefix("data:")
                && let Some(news) = told(&event, data.trim_start())
            {
                sender.send(news).await?;
            }
        }
    }
}

fn ended(error: ClientError) -> Ended {
    match error {
        ClientError::Refused { status, reason, column } if (400..500).contains(&status) && status != 429 => {
            Ended::Refused(News::Refused { column, reason })
        }
        other => Ended::NeverThere(other.to_string()),
    }
}

async fn latest(client: &Client, query: &str, known: usize) -> Result<Vec<HandoffSummary>, ClientError> {
    let limit = known.to_string();
    let answer: Answer = client.must_get(&["api", "query"], &[("q", query), ("limit", &limit)]).await?;
    let handoffs = answer.lines.into_iter().filter_map(|line| match line {
        Line::Handoff(handoff) => Some(*handoff),
        _ => None,
    });
    Ok(handoffs.collect())
}

fn told(event: &str, data: &str) -> Option<News> {
    match event {
        "handoff" => serde_json::from_str(data).ok().map(|handoff| News::Handoff(Box::new(handoff))),
        "lagged" => data.parse().ok().map(News::PassedOver),
        _ => None,
    }
}

/// Lines that come in parts.
#[derive(Debug, Default)]
struct Lines {
    rest: Vec<u8>,
    is_too_long: bool,
}

impl Lines {
    /// The lines that end in this part; `None` for one that was too long.
    fn after(&mut self, part: &[u8]) -> Vec<Option<String>> {
        let mut lines = Vec::new();
        for piece in part.split_inclusive(|byte| *byte == b'\n') {
            let is_whole = piece.ends_with(b"\n");
            self.is_too_long |= self.rest.len() + piece.len() > LONGEST;
            if self.is_too_long {
                self.rest.clear();
            } else {
                self.rest.extend_from_slice(piece);
            }
            if is_whole {
                let line = String::from_utf8_lossy(&self.rest).trim_end().to_owned();
                lines.push((!self.is_too_long).then_some(line));
                self.rest.clear();
                self.is_too_long = false;
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_come() {
        let text = "event: handoff\r\ndata: {\"grüße\": 1}\n\n";
        for at in 0..text.len() {
            let mut lines = Lines::default();
            let mut found = lines.after(&text.as_bytes()[..at]);
            found.extend(lines.after(&text.as_bytes()[at..]));
            let found: Vec<String> = found.into_iter().map(Option::unwrap).collect();
            assert_eq!(found, ["event: handoff", "data: {\"grüße\": 1}", ""], "split at {at}");
        }
    }

    #[test]
    fn a_line_without_end_costs_bounded_memory_and_only_itself() {
        let mut lines = Lines::default();
        for _ in 0..100 {
            assert_eq!(lines.after(&[b'x'; 10_000]), []);
            assert!(lines.rest.capacity() <= 2 * LONGEST);
        }
        assert_eq!(lines.after(b"x\ndata: 1\n"), [None, Some("data: 1".to_owned())]);
    }
}
