use maud::{Markup, html};

use crate::diagnose::Handoff;
use crate::model::{Span, names};
use crate::server::pages::words;

/// Every span that tells of it, the sender's first.
pub(super) fn spans<'a>(handoff: &Handoff<'a>) -> impl Iterator<Item = &'a Span> {
    let sent = handoff.attempts.iter().map(|attempt| attempt.span);
    sent.chain(handoff.deliveries.iter().map(|delivery| delivery.span)).collect::<Vec<_>>().into_iter()
}

/// What the sender says of the task, and of every attempt.
pub(super) fn sent(handoff: &Handoff<'_>) -> Markup {
    let span = handoff.attempts.last().map(|attempt| attempt.span);
    let text = |name| span.and_then(|span| span.attributes.text(name));
    html! {
        div.face.card {
            h2 { "Sent" @if let Some(from) = handoff.from { " by " (from) } }
            @match span {
                None => p.faint { "The sender's record is missing." },
                Some(span) => table.facts { tbody {
                    (line("content", hash(text(names::CONTENT_HASH), None)))
                    (line("size", size(span.attributes.int(names::CONTENT_SIZE))))
                    (line("result", hash(text(names::RESULT_HASH), None)))
                    (line("subject", plain(text(names::MESSAGING_DESTINATION_NAME))))
                    (line("reason", plain(text(names::HANDOFF_REASON))))
                    (line("deadline", text(names::DEADLINE).map(|text| words::moment(words::parsed(text)))))
                    (line("began", Some(words::moment(span.start))))
                    (line("host", plain(span.host().or_else(|| span.service()))))
                } },
            }
            @if handoff.attempts.len() > 1 {
                h3 { "Attempts" }
                ul.lines { @for attempt in &handoff.attempts {
                    li { "attempt " (attempt.number) ", " (words::moment(attempt.span.start)) ", " (words::duration(attempt.span.nanos() as f64 / 1e6)) @if let crate::model::SpanStatus::Error(why) = &attempt.span.status { ", " span.bad { (why) } } }
                } }
            }
        }
    }
}

/// What receivers say of it.
pub(super) fn received(handoff: &Handoff<'_>) -> Markup {
    let sent = handoff.attempts.last().map(|attempt| attempt.span);
    let delivery = handoff.worked().or_else(|| handoff.deliveries.last());
    let expected = |name| sent.and_then(|span| span.attributes.text(name));
    html! {
        div.face.card {
            @match delivery {
                None => {
                    h2 { "Received" @if let Some(to) = handoff.to { " by " (to) } }
                    p.faint { "No receiver's record: it was not taken, its record is lost, or the receiver tells none." }
                }
                Some(delivery) => {
                    @let span = delivery.span;
                    @let text = |name| span.attributes.text(name);
                    @let is_other = handoff.to.is_some() && delivery.agent().is_some() && delivery.agent() != handoff.to;
                    h2 { "Received" @if let Some(agent) = delivery.agent() { " by " (agent) } }
                    @if is_other { p.bad { "It was addressed to " (handoff.to.unwrap_or_default()) "." } }
                    table.facts { tbody {
                        (line("content", hash(text(names::CONTENT_HASH_RECEIVED), expected(names::CONTENT_HASH))))
                        (line("size", size_against(span.attributes.int(names::CONTENT_SIZE_RECEIVED), sent.and_then(|span| span.attributes.int(names::CONTENT_SIZE)))))
                        (line("result", hash(text(names::RESULT_HASH), expected(names::RESULT_HASH))))
                        (line("queue group", plain(text(names::MESSAGING_CONSUMER_GROUP))))
                        (line("began", Some(words::moment(span.start))))
                        (line("host", plain(span.host().or_else(|| span.service()))))
                    } }
                }
            }
            @if handoff.deliveries.len() > 1 {
                h3 { "Deliveries" }
                ul.lines { @for delivery in &handoff.deliveries {
                    li { "of attempt " (delivery.attempt) ", by " (delivery.agent().unwrap_or("?")) ", " (words::moment(delivery.span.start)) ", " (words::duration(delivery.span.nanos() as f64 / 1e6)) }
                } }
            }
        }
    }
}

fn line(name: &str, value: Option<Markup>) -> Markup {
    html! { @if let Some(value) = value { tr { th scope="row" { (name) } td { (value) } } } }
}

fn plain(text: Option<&str>) -> Option<Markup> {
    text.map(|text| html! { (text) })
}

/// A hash, and whether it is the one that the other side tells.
fn hash(hash: Option<&str>, other: Option<&str>) -> Option<Markup> {
    let hash = hash?;
    Some(html! {
        code.hash title=(hash) { (hash) }
        @match other { Some(other) if other == hash => span.good { " ✓ the same" }, Some(_) => span.bad { " ✕ another" }, None => {} }
    })
}

fn size(bytes: Option<i64>) -> Option<Markup> {
    bytes.map(|bytes| html! { (words::size(bytes)) })
}

fn size_against(bytes: Option<i64>, other: Option<i64>) -> Option<Markup> {
    let bytes = bytes?;
    Some(html! {
        (words::size(bytes))
        @if let Some(other) = other { @if bytes == other { span.good { " ✓ the same" } } @else { span.bad { " ✕ sent were " (words::size(other)) } } }
    })
}
