//! The two tasks of an open channel.

use std::sync::{Arc, Weak};

use async_nats::{Client, Message, StatusCode, Subject, Subscriber};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::carrier;
use super::entry::{Arrived, Entry, Heard, Reply};
use super::hub::{Hub, InboxPart, Outgoing};
use super::timers::Timer;
use crate::model::{ContentHash, HandoffId, Refusal, Rung};
use crate::telemetry::record::Content;
use crate::verify::offset::ClockOffset;
use crate::wire::{Decision, Envelope, MacCheck, Plain, Receipt, names};

/// Reads what is sent to this process, and watches the deadlines, until the channel is gone.
pub(crate) async fn dispatch(hub: Weak<Hub>, inbox: String, mut subscriber: Subscriber) {
    let prefix = format!("{inbox}.");
    // However this ends, by a connection that is gone for good or by a panic of the application's hooks: nobody watches
    // the deadlines any more, so nobody may wait for them.
    let _end = End(hub.clone());
    loop {
        // Held only for one turn, so that the channel can be dropped while nothing happens.
        let Some(held) = hub.upgrade() else { return };
        let timers = held.timers.clone();
        drop(held);
        tokio::select! {
            message = subscriber.next() => {
                let (Some(message), Some(hub)) = (message, hub.upgrade()) else { return };
                take(&hub, &prefix, message);
                // What has piled up is taken without another look at the timers.
                for _ in 0..256 {
                    match futures_util::FutureExt::now_or_never(subscriber.next()) {
                        Some(Some(message)) => take(&hub, &prefix, message),
                        Some(None) => return,
                        None => break,
                    }
                }
            }
            timer = timers.next() => {
                let Some(hub) = hub.upgrade() else { return };
                fire(&hub, timer);
            }
        }
    }
}

/// Closes the channel when the dispatcher is gone.
struct End(Weak<Hub>);

impl Drop for End {
    fn drop(&mut self) {
        if let Some(hub) = self.0.upgrade().filter(|hub| !hub.is_closed()) {
            tracing::error!(channel = %hub.channel, "the channel is closed: its connection ended, or a hook of the application panicked");
            hub.closed.store(true, std::sync::atomic::Ordering::Release);
            hub.closing.notify_waiters();
            hub.export_all();
        }
    }
}

/// Publishes what others have to say, in order.
///
/// It outlives the channel by what is left to say: the last words of tasks that were dropped with it.
pub(crate) async fn courier(client: Client, hub: Weak<Hub>, mut outgoing: mpsc::Receiver<Outgoing>) {
    while let Some(message) = outgoing.recv().await {
        if let Err(error) = message.publish(&client).await
            && let Some(hub) = hub.upgrade()
        {
            hub.count_lost(&error);
        }
    }
}

fn take(hub: &Arc<Hub>, prefix: &str, message: Message) {
    let subject = message.subject.clone();
    let Some((part, number)) = subject.strip_prefix(prefix).and_then(InboxPart::parse) else {
        tracing::debug!(%subject, "a message on the inbox that is not ours");
        return;
    };
    match part {
        InboxPart::Marker => hub.on_marker(number),
        InboxPart::Confirm => hub.on_confirmed(number),
        InboxPart::Decision => decision(hub, number, &message),
        InboxPart::Reply => {
            if let Some(entry) = hub.entry(number) {
                reply(hub, &entry, message);
            }
        }
        InboxPart::Receipt => {
            if let Some(entry) = hub.entry(number) {
                receipt(hub, &entry, &message);
            }
        }
    }
}

fn receipt(hub: &Hub, entry: &Arc<Entry>, message: &Message) {
    let now = hub.clock.now();
    let header = carrier::From(message.headers.as_ref());
    let decoded = match Receipt::decode(header.get_str(names::WILCO), &message.payload, hub.key.as_ref()) {
        Ok(decoded) if decoded.id == entry.sent.id => decoded,
        Ok(decoded) => {
            tracing::debug!(id = %decoded.id, "a receipt for another handoff than its subject says");
            return;
        }
        Err(error) => {
            tracing::warn!(%error, handoff = %entry.sent.id, "a receipt could not be read");
            return;
        }
    };
    for problem in &decoded.problems {
        tracing::debug!(%problem, handoff = %entry.sent.id, "a part of a receipt could not be read");
    }
    if let Some(doubt) = doubt(hub, decoded.mac) {
        tracing::warn!(handoff = %entry.sent.id, "a receipt is not believed: {doubt}");
        let effects = entry.on_doubt(&format!("a receipt: {doubt}"));
        return hub.apply(entry, effects);
    }
    let receipt = decoded.receipt;
    let control = receipt.control.as_deref().map(Subject::from);
    let heard = Heard { offset: offset(hub, entry, &receipt, now), control, receipt };
    let effects = entry.on_receipt(heard, &hub.comparer, now);
    hub.apply(entry, effects);
}

/// Why a message that only a holder of the key can have written is not believed.
fn doubt(hub: &Hub, mac: MacCheck) -> Option<&'static str> {
    match mac {
        _ if hub.key.is_none() => None,
        MacCheck::Right => None,
        MacCheck::Absent => Some("its header has no authentication code, and this channel has a key"),
        _ => Some("its header's authentication code is wrong: it was altered, or made with another key"),
    }
}

/// The receiver's clock against ours, by this exchange and those before it.
fn offset(hub: &Hub, entry: &Entry, receipt: &Receipt, now: crate::model::Timestamp) -> Option<ClockOffset> {
    let control = receipt.control.as_deref().unwrap_or_default();
    if !control.is_empty() && control.starts_with(&hub.inbox) {
        return Some(ClockOffset::ZERO); // the receiver is in this very process
    }
    // The control subject ends in a number; what is before it names the receiving instance.
    let instance = control.rsplit_once('.').map_or(receipt.by.as_str(), |(inbox, _)| inbox);
    let sent_at = receipt.sent_at.unwrap_or(entry.sent.at);
    entry.sent.lane.exchange(instance, [sent_at, receipt.seen_at, receipt.at, now])
}

fn reply(hub: &Hub, entry: &Arc<Entry>, message: Message) {
    let effects = entry.on_reply(read_reply(hub, entry.sent.id, message), &hub.comparer, hub.clock.now());
    hub.apply(entry, effects);
}

fn read_reply(hub: &Hub, id: HandoffId, message: Message) -> Reply {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Reply::NoResponders;
    }
    let headers = carrier::From(message.headers.as_ref());
    let content = Content { hash: ContentHash::of(&message.payload), size: message.payload.len() as u64 };
    let service_error = headers.get_str(names::NATS_SERVICE_ERROR).map(str::to_owned);
    let packed = headers.get_str(names::WILCO).map(|value| {
        let decoded = Envelope::decode(value, hub.key.as_ref());
        let doubt = match decoded.envelope.id.filter(|named| *named != id) {
            Some(other) => Some(format!("its header names another handoff, {other}")),
            None => doubt(hub, decoded.mac).map(str::to_owned),
        };
        (decoded.envelope, doubt)
    });
    match packed {
        Some((envelope, Some(doubt))) if matches!(envelope.rung, Some(Rung::Refused | Rung::Failed)) => {
            Reply::NotBelieved { doubt }
        }
        Some((envelope, None)) if envelope.rung == Some(Rung::Refused) => {
            let text = service_error.as_deref().unwrap_or("no reason given");
            Reply::Refused(Refusal::from(text.strip_prefix("refused: ").unwrap_or(text)))
        }
        Some((envelope, None)) if envelope.rung == Some(Rung::Failed) => {
            Reply::Failed { error: service_error.unwrap_or_else(|| "no reason given".to_owned()) }
        }
        Some((envelope, doubt)) => Reply::Result {
            claimed: envelope.hash,
            arrived: Arrived { payload: message.payload.clone(), content, quality: envelope.quality },
            plain: false,
            read_back: None,
            doubt,
        },
        None => match service_error {
            Some(error) => Reply::Failed { error },
            None if is_publish_acknowledgement(&message.payload) => Reply::Stored,
            None if is_refused_by_stream(&message.payload) => {
                Reply::Failed { error: format!("not stored: {}", String::from_utf8_lossy(&message.payload)) }
            }
            None => {
                let (plain, _) = Plain::read(|name| headers.get_str(name));
                Reply::Result {
                    claimed: None,
                    arrived: Arrived { payload: message.payload.clone(), content, quality: plain.quality },
                    plain: true,
                    read_back: plain.readback,
                    doubt: None,
                }
            }
        },
    }
}

/// What JetStream answers to a publish: `{"stream":"TASKS","seq":17}`, with a domain or `duplicate` at most. It says
/// that the task is stored, and is never taken for a result.
fn is_publish_acknowledgement(payload: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)] // only its shape matters
    struct Acknowledgement {
        stream: String,
        seq: u64,
        #[serde(default)]
        domain: Option<String>,
        #[serde(default)]
        duplicate: bool,
        #[serde(default)]
        val: Option<String>,
        #[serde(default)]
        batch: Option<String>,
        #[serde(default)]
        count: Option<u64>,
    }
    payload.len() < 1_024 && serde_json::from_slice::<Acknowledgement>(payload).is_ok()
}

/// What JetStream answers when it does not store: `{"error":{"code":503,...},"stream":"TASKS","seq":0}`.
fn is_refused_by_stream(payload: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)] // only its shape matters
    struct Refusal {
        error: ApiError,
        stream: String,
        seq: u64,
        #[serde(default)]
        domain: Option<String>,
    }
    #[derive(serde::Deserialize)]
    #[allow(dead_code)] // only its shape matters
    struct ApiError {
        code: u16,
        err_code: u32,
    }
    payload.len() < 1_024 && serde_json::from_slice::<Refusal>(payload).is_ok()
}

fn decision(hub: &Hub, token: u64, message: &Message) {
    let Some(delivery) = hub.delivery(token) else { return };
    let header = carrier::From(message.headers.as_ref());
    match Decision::decode(header.get_str(names::WILCO), &message.payload, hub.key.as_ref()) {
        Ok(decoded) if Some(decoded.id) != delivery.id() => {
            tracing::debug!(id = %decoded.id, "a decision on another handoff than its subject says");
        }
        Ok(decoded) => match doubt(hub, decoded.mac) {
            Some(doubt) => tracing::warn!(id = %decoded.id, "a decision is not believed: {doubt}"),
            None => delivery.on_decision(&decoded.decision),
        },
        Err(error) => tracing::warn!(%error, "a decision could not be read"),
    }
}

fn fire(hub: &Arc<Hub>, timer: Timer) {
    let now = hub.clock.now();
    match timer {
        Timer::ReadBack(token) => {
            if let Some(entry) = hub.entry(token) {
                let effects = entry.on_readback_deadline(now);
                hub.apply(&entry, effects);
            }
        }
        Timer::Result(token) => {
            if let Some(entry) = hub.entry(token) {
                let effects = entry.on_deadline(now);
                hub.apply(&entry, effects);
            }
        }
        Timer::Export(token) => {
            if let Some(entry) = hub.entry(token) {
                hub.export(&entry);
            }
        }
        Timer::Forget(token) => hub.on_forget(token),
        Timer::MarkerLost(marked) => hub.on_marker_lost(marked),
        Timer::Acknowledge(token) => {
            if let Some(delivery) = hub.delivery(token) {
                delivery.acknowledge_late();
            }
        }
        Timer::Undecided(token) => {
            if let Some(delivery) = hub.delivery(token) {
                delivery.on_undecided();
            }
        }
    }
    hub.sweep_timers();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_publish_acknowledgement_is_told_from_a_result() {
        for yes in [
            r#"{"stream":"TASKS","seq":17}"#,
            r#"{"stream":"TASKS", "domain":"hub", "seq":17}"#,
            r#"{"stream":"TASKS","seq":17,"duplicate":true}"#,
        ] {
            assert!(is_publish_acknowledgement(yes.as_bytes()), "{yes}");
        }
        let refused =
            r#"{"error":{"code":503,"err_code":10077,"description":"maximum messages exceeded"},"stream":"T","seq":0}"#;
        assert!(is_refused_by_stream(refused.as_bytes()) && !is_publish_acknowledgement(refused.as_bytes()));
        assert!(!is_refused_by_stream(br#"{"error":"no such city","stream":"x","seq":1}"#));
        for no in ["", "{}", r#"{"stream":"TASKS"}"#, r#"{"stream":"video","seq":1,"title":"x"}"#, "[1]"] {
            assert!(!is_publish_acknowledgement(no.as_bytes()), "{no}");
        }
    }
}
