//! What is said to the sender of a task: receipts, and the reply.

use async_nats::Subject;
use bytes::Bytes;

use super::{Delivery, carrier};
use crate::channel::error::ReplyError;
use crate::channel::hub::{InboxPart, Outgoing, SEND_WITHIN};
use crate::channel::lock::lock;
use crate::channel::send::in_time;
use crate::model::{HandoffKind, Quality, Rung, Timestamp};
use crate::telemetry::record::Content;
use crate::wire::{Envelope, Receipt};

impl Delivery {
    /// A receipt of `rung`, with what is known by now. `None` if none was asked for.
    pub(super) fn receipt(&self, rung: Rung, now: Timestamp) -> Option<Receipt> {
        self.receipts.as_ref()?;
        let mut receipt = Receipt::new(rung, self.agent().clone(), self.envelope.at, self.started, now);
        receipt.hash = Some(self.received.hash);
        receipt.size = Some(self.received.size);
        receipt.control = Some(self.hub().inbox_subject(InboxPart::Decision, self.token).into());
        let state = lock(&self.state);
        receipt.mismatches = state.found.iter().map(|mismatch| mismatch.kind.as_str().to_owned()).collect();
        Some(receipt)
    }

    /// The receipt as a message. A part that does not fit is left out rather than the receipt.
    pub(super) fn receipt_message(&self, mut receipt: Receipt) -> Option<Outgoing> {
        let (subject, id) = (self.receipts.clone()?, self.id()?);
        let encoded = receipt.encode(id, self.hub().key.as_ref()).or_else(|error| {
            tracing::warn!(%error, handoff = %id, "a receipt was too long; its texts are left out");
            (receipt.note, receipt.error) = (None, receipt.error.map(|text| text.chars().take(1_000).collect()));
            receipt.encode(id, self.hub().key.as_ref())
        });
        match encoded {
            Ok((header, body)) => {
                let mut message = Outgoing::with_wilco(subject, header, body);
                if let Some(headers) = &mut message.headers {
                    self.inject_trace(headers);
                }
                Some(message)
            }
            Err(error) => {
                tracing::warn!(%error, handoff = %id, "a receipt could not be written; its sender will not learn of it");
                None
            }
        }
    }

    pub(crate) fn inject_trace(&self, headers: &mut async_nats::HeaderMap) {
        crate::wire::trace::inject(&self.span_context(), &mut carrier::Into(headers));
    }

    pub(crate) async fn say(&self, receipt: Option<Receipt>) -> Result<(), ReplyError> {
        lock(&self.state).answered = true;
        match receipt.and_then(|receipt| self.receipt_message(receipt)) {
            Some(message) => self.publish(message).await,
            None => Ok(()),
        }
    }

    /// Says something from where nobody can wait.
    pub(super) fn say_later(&self, receipt: Option<Receipt>) {
        lock(&self.state).answered = true;
        if let Some(message) = receipt.and_then(|receipt| self.receipt_message(receipt)) {
            self.hub().send_later(message);
        }
    }

    pub(crate) async fn publish(&self, message: Outgoing) -> Result<(), ReplyError> {
        let size = message.payload.len();
        let published = in_time(SEND_WITHIN, self.hub().publish(message), || ()).await;
        match published {
            Some(Ok(())) => Ok(()),
            None => Err(ReplyError::NotSent { waited: SEND_WITHIN }),
            Some(Err(error)) if error.kind() == async_nats::client::PublishErrorKind::MaxPayloadExceeded => {
                Err(ReplyError::TooLarge { size, limit: self.hub().client.max_payload() })
            }
            Some(Err(error)) => Err(ReplyError::Publish(Box::new(error))),
        }
    }

    pub(super) fn result_message(
        &self,
        subject: Subject,
        payload: Bytes,
        content: Content,
        quality: Option<Quality>,
    ) -> Outgoing {
        let mut headers = async_nats::HeaderMap::new();
        if let Some(id) = self.id() {
            let envelope = Envelope {
                id: Some(id),
                hash: Some(content.hash),
                rung: Some(Rung::Completed),
                quality: quality.clone(),
                ..Envelope::default()
            };
            match envelope.encode(self.hub().key.as_ref()) {
                Ok(value) => {
                    self.inject_trace(&mut headers);
                    carrier::set_wilco(&mut headers, value);
                }
                Err(error) => tracing::warn!(%error, handoff = %id, "a result leaves without its header"),
            }
        } else if self.speaks_plain {
            let readback = lock(&self.state).read_back.clone();
            let plain = crate::wire::Plain { readback, quality, ..Default::default() };
            plain.write(|name, value| headers.insert(name, value));
        }
        Outgoing { subject, reply: None, headers: (!headers.is_empty()).then_some(headers), payload }
    }

    pub(super) async fn reply_error(&self, error: &str, rung: Rung, code: u16) -> Result<(), ReplyError> {
        match self.error_message(error, rung, code) {
            Some(message) => self.publish(message).await,
            None => Ok(()),
        }
    }

    /// An empty reply that says what went wrong, in the headers that NATS services use. For senders without receipts.
    pub(super) fn error_message(&self, error: &str, rung: Rung, code: u16) -> Option<Outgoing> {
        let subject = self.reply.clone().filter(|_| self.kind == HandoffKind::Delegation)?;
        let mut headers = async_nats::HeaderMap::new();
        let line: String = error.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect();
        headers.insert(crate::wire::names::NATS_SERVICE_ERROR, line);
        headers.insert(crate::wire::names::NATS_SERVICE_ERROR_CODE, code.to_string());
        if let Some(id) = self.id() {
            let envelope = Envelope { id: Some(id), rung: Some(rung), ..Envelope::default() };
            if let Ok(value) = envelope.encode(self.hub().key.as_ref()) {
                carrier::set_wilco(&mut headers, value);
            }
        }
        Some(Outgoing { subject, reply: None, headers: Some(headers), payload: Bytes::new() })
    }
}
