//! Generated envelopes and receipts for the tests of this floor.

use std::time::Duration;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::{ContextAgeReport, Envelope, OffsetBounds, Receipt, encode::LATEST};
use crate::model::{
    AgentName, ContentHash, Context, HandoffId, HandoffKind, InstanceId, Intent, Quality, Refusal, Rung, ShortHash,
    Timestamp, WorkflowId,
};

pub(super) fn envelope() -> impl Strategy<Value = Envelope> {
    let first = (of(id()), of(time()), of(hash()), of(any::<u64>()), of(agent()), of(agent()), of(workflow()));
    let second = (of(any::<u32>()), of(inst()), of(any::<u64>()), any::<bool>(), of(offset()), of(kind()), of(short()));
    let third = (vec(context(), 0..4), vec(short(), 0..4), of(any::<u32>()), of(id()), of(any_time()), of(subject()));
    let fourth = (of(rung()), of(quality()), unknown());
    (first, second, third, fourth).prop_map(|(a, b, c, d)| Envelope {
        id: a.0,
        at: a.1,
        hash: a.2,
        size: a.3,
        from: a.4,
        to: a.5,
        workflow: a.6,
        attempt: b.0,
        inst: b.1,
        seq: b.2,
        hold: b.3,
        offset: b.4,
        kind: b.5,
        intent: b.6,
        contexts: c.0,
        inputs: c.1,
        need: c.2,
        parent: c.3,
        by: c.4,
        receipts: c.5.map(Into::into),
        rung: d.0,
        quality: d.1,
        unknown: d.2,
    })
}

pub(super) fn receipt() -> impl Strategy<Value = Receipt> {
    let first = (rung(), agent(), of(any_time()), any_time(), any_time());
    let second = (of(hash()), of(any::<u64>()), of(subject()), of(intent()), vec(age(), 0..3), of(refusal()));
    let third = (of(any::<String>()), of(quality()), of(hash()), of(any::<u64>()), vec("[a-z_]{1,20}", 0..3));
    (first, second, third, of(any::<String>())).prop_map(|(a, b, c, note)| {
        let mut receipt = Receipt::new(a.0, a.1, a.2, a.3, a.4);
        (receipt.hash, receipt.size, receipt.control) = (b.0, b.1, b.2.map(Into::into));
        (receipt.intent, receipt.context_age, receipt.refusal) = (b.3, b.4, b.5);
        (receipt.error, receipt.quality, receipt.result_hash) = (c.0, c.1, c.2);
        (receipt.result_size, receipt.mismatches, receipt.note) = (c.3, c.4, note);
        receipt
    })
}

pub(super) fn id() -> impl Strategy<Value = HandoffId> {
    any_time().prop_map(HandoffId::new)
}

fn time() -> impl Strategy<Value = Timestamp> {
    (0..=LATEST).prop_map(Timestamp::from_unix_nanos)
}

fn any_time() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_unix_nanos)
}

fn hash() -> impl Strategy<Value = ContentHash> {
    any::<[u8; 32]>().prop_map(ContentHash::from_bytes)
}

fn short() -> impl Strategy<Value = ShortHash> {
    any::<[u8; 16]>().prop_map(ShortHash::from_bytes)
}

fn agent() -> impl Strategy<Value = AgentName> {
    prop_oneof!["[a-z]{1,12}", any::<String>()].prop_filter_map("not a name", |text| AgentName::new(text).ok())
}

fn workflow() -> impl Strategy<Value = WorkflowId> {
    prop_oneof!["[a-z0-9-]{1,12}", "[ -~]{1,40}", any::<String>()]
        .prop_filter_map("not a workflow id", |text| WorkflowId::new(text).ok())
}

fn inst() -> impl Strategy<Value = InstanceId> {
    any::<u32>().prop_map(|n| format!("{n:08x}").parse().expect("8 hex digits"))
}

fn offset() -> impl Strategy<Value = OffsetBounds> {
    any::<(i64, i64)>().prop_map(|(a, b)| OffsetBounds { low: a.min(b), high: a.max(b) })
}

fn kind() -> impl Strategy<Value = HandoffKind> {
    prop_oneof![Just(HandoffKind::Delegation), Just(HandoffKind::Transfer)]
}

fn rung() -> impl Strategy<Value = Rung> {
    proptest::sample::select(&Rung::ALL[..])
}

fn quality() -> impl Strategy<Value = Quality> {
    (0.0..=1.0, any::<String>()).prop_map(|(score, by)| Quality::new(score, by).expect("a score in range"))
}

fn context() -> impl Strategy<Value = Context> {
    let version = of(prop_oneof!["[0-9]{1,4}", any::<String>()].prop_filter("an empty one is none", |v| !v.is_empty()));
    let name = prop_oneof!["[a-z]{1,8}", any::<String>()].prop_filter("a context has a name", |n| !n.is_empty());
    (name, version, of(any_time()), of(any::<u64>()), of(short())).prop_map(
        |(name, version, observed_at, millis, hash)| {
            let mut context = Context::named(name);
            context.version = version;
            context.observed_at = observed_at;
            context.max_age = millis.map(Duration::from_millis);
            context.hash = hash;
            context
        },
    )
}

/// Upper case keeps clear of the keys that have a field of their own.
fn unknown() -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::btree_map("[A-Z0-9_.-]{1,32}", any::<String>(), 0..4)
        .prop_map(|map| map.into_iter().collect())
}

fn subject() -> impl Strategy<Value = String> {
    prop_oneof!["_INBOX\\.[a-zA-Z0-9]{22}", "[a-z;,%=/@ü]{1,10}(\\.[a-z]{1,5}){0,3}"]
}

fn intent() -> impl Strategy<Value = Intent> {
    (any::<String>(), of(any::<String>()), proptest::collection::btree_map(any::<String>(), any::<i32>(), 0..3))
        .prop_filter("an intent has a goal", |(goal, ..)| !goal.trim().is_empty())
        .prop_map(|(goal, object, constraints)| {
            let mut intent = Intent::new(goal);
            if let Some(object) = object {
                intent = intent.object(object);
            }
            constraints.into_iter().fold(intent, |intent, (name, value)| intent.constraint(name, value))
        })
}

fn age() -> impl Strategy<Value = ContextAgeReport> {
    (any::<String>(), of(any::<String>()), of(-1e12..1e12), any::<bool>())
        .prop_map(|(name, version, ms, current)| ContextAgeReport::new(name, version, ms).current(current))
}

fn refusal() -> impl Strategy<Value = Refusal> {
    any::<String>().prop_map(|word| Refusal::from(word.as_str()))
}
