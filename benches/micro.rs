//! What single steps of a handoff cost: `cargo bench --bench micro`.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use wilco::model::{AgentName, ContentHash, HandoffId, HandoffKind, InstanceId, Intent, Timestamp, WorkflowId};
use wilco::verify::intent::{Comparer, compare};
use wilco::wire::Envelope;

fn envelope() -> Envelope {
    Envelope {
        id: Some(HandoffId::new(Timestamp::now())),
        at: Some(Timestamp::now()),
        hash: Some(ContentHash::of(b"payload")),
        size: Some(7),
        from: Some(AgentName::new("planner").unwrap()),
        to: Some(AgentName::new("researcher").unwrap()),
        workflow: Some(WorkflowId::new("abc-123").unwrap()),
        attempt: Some(1),
        inst: Some(InstanceId::random()),
        seq: Some(17),
        kind: Some(HandoffKind::Delegation),
        intent: Some(Intent::new("find_sources").digest()),
        ..Envelope::default()
    }
}

fn header(criterion: &mut Criterion) {
    let envelope = envelope();
    let value = envelope.encode(None).unwrap();
    criterion.bench_function("header, encode", |b| b.iter(|| black_box(&envelope).encode(None)));
    criterion.bench_function("header, decode", |b| b.iter(|| Envelope::decode(black_box(&value), None)));
}

fn readback(criterion: &mut Criterion) {
    let comparer = Comparer::new();
    let sent = Intent::new("find_sources").object("solid-state batteries").constraint("max", 5).output("list of urls");
    let same = Intent::new("find_sources").object("solid-state batteries").constraint("max", 5).output("list of urls");
    let other = Intent::new("Find Sources").object("solid-state batteries").constraint("max", "50").output("urls");
    criterion.bench_function("readback, the same", |b| b.iter(|| compare(black_box(&sent), &same, &comparer)));
    criterion.bench_function("readback, another", |b| b.iter(|| compare(black_box(&sent), &other, &comparer)));
}

fn content(criterion: &mut Criterion) {
    for size in [128, 1024, 8192] {
        let payload = vec![b'x'; size];
        criterion.bench_function(&format!("hash, {size} B"), |b| b.iter(|| ContentHash::of(black_box(&payload))));
    }
}

criterion_group!(steps, header, readback, content);
criterion_main!(steps);
