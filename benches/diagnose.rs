//! What it costs to find the handoff that broke, and how that grows: `cargo bench --bench diagnose`.
//!
//! Workflows of one coordinator whose tasks rest on up to three earlier results, with both sides on record, intents,
//! contexts, scores, and a lost handoff in the first third.

#![allow(clippy::unwrap_used, reason = "a bench that cannot run should stop")]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use wilco::diagnose::{Workflow, find_failure};
use wilco::otlp;

fn diagnose(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("find_failure");
    group.sample_size(10);
    for handoffs in [100, 1_000, 10_000] {
        let workflow = workflow(handoffs);
        assert!(workflow.find_failure().is_some(), "a failure is there to be found");
        group.bench_with_input(BenchmarkId::from_parameter(handoffs), &workflow, |b, workflow| {
            b.iter(|| find_failure(black_box(workflow)));
        });
    }
    group.finish();
}

fn workflow(handoffs: usize) -> Workflow {
    let spans = (0..handoffs).flat_map(|at| otlp::from_json(request(at, handoffs / 3).as_bytes()).unwrap()).collect();
    Workflow::new("bench", spans)
}

/// Both spans of one handoff, or only the sender's for the one that is lost.
fn request(at: usize, lost: usize) -> String {
    let text = |key: &str, value: &str| format!("{{\"key\":\"{key}\",\"value\":{{\"stringValue\":{value:?}}}}}");
    let list = |key: &str, values: &[String]| {
        let values: Vec<String> = values.iter().map(|value| format!("{{\"stringValue\":{value:?}}}")).collect();
        format!("{{\"key\":\"{key}\",\"value\":{{\"arrayValue\":{{\"values\":[{}]}}}}}}", values.join(","))
    };
    let int = |key: &str, value: usize| format!("{{\"key\":\"{key}\",\"value\":{{\"intValue\":\"{value}\"}}}}");
    let (id, to) = (format!("019ca8d7-3636-7000-8000-{at:012x}"), format!("agent-{}", at % 37));
    let intent = format!("{{\"constraints\":{{\"currency\":\"EUR\",\"max\":{}}},\"goal\":\"step {at}\"}}", at % 9);
    let common = [
        text("wilco.handoff.id", &id),
        text("wilco.handoff.from", "owner"),
        text("wilco.handoff.to", &to),
        text("wilco.handoff.kind", "delegation"),
        text("wilco.workflow.id", "bench"),
    ];
    let inputs: Vec<usize> = [1, 5, 11].into_iter().filter_map(|back| at.checked_sub(back)).collect();
    let inputs: Vec<String> =
        inputs.into_iter().filter(|input| *input != lost).map(|input| format!("result-{input}")).collect();
    let owed = [1, 5, 11].into_iter().filter(|back| at >= *back).count();
    let mut sender = common.to_vec();
    sender.extend([
        text("messaging.operation.type", "send"),
        text("wilco.content.hash", &format!("task-{at}")),
        text("wilco.intent.sent", &intent),
        list("wilco.handoff.inputs", &inputs),
        list("wilco.context", &[format!("crm@{}/0/10000/", 1 + at / 500)]),
        int("wilco.handoff.expected_inputs", owed),
        int("wilco.seq", 1 + at / 37),
    ]);
    let mut receiver = common.to_vec();
    receiver.extend([
        text("messaging.operation.type", "process"),
        text("gen_ai.agent.name", &to),
        text("wilco.content.hash.received", &format!("task-{at}")),
        text("wilco.intent.read_back", &intent.replace("step", "STEP")),
        text("wilco.result.hash", &format!("result-{at}")),
        text("wilco.rung", "completed"),
        list("wilco.context.read", &[format!("crm@{}", 1 + at / 500)]),
    ]);
    let is_lost = at == lost;
    let rung = if is_lost { "sent" } else { "used" };
    sender.push(text("wilco.rung", rung));
    if !is_lost {
        sender.push(text("wilco.result.hash", &format!("result-{at}")));
    }
    let (start, end) = (1_000_000_000 * (at + 1), 1_000_000_000 * (at + 1) + 900_000_000);
    let mut spans = String::new();
    for (side, name, kind, attributes) in [(1, "handoff", 4, sender), (2, "process", 5, receiver)] {
        if is_lost && side == 2 {
            break;
        }
        let comma = if side == 2 { "," } else { "" };
        write!(
            spans,
            "{comma}{{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"{:016x}\",\"name\":\"{name} {to}\",\
             \"kind\":{kind},\"startTimeUnixNano\":\"{start}\",\"endTimeUnixNano\":\"{end}\",\"attributes\":[{}]}}",
            2 * at + side,
            attributes.join(",")
        )
        .unwrap();
    }
    format!("{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{spans}]}}]}}]}}")
}

criterion_group!(benches, diagnose);
criterion_main!(benches);
