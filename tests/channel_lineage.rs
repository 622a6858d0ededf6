//! What is handed off from inside a task carries its trace, workflow, parent and inputs, and shared work is shared.
#![cfg(feature = "channel")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use std::collections::HashSet;

use serde_json::{Value, json};
use support::newsroom::{Newsroom, SHORT, WORKFLOW, intent, take, task};
use wilco::channel::{Decision, Handoff, NoResult, Step};

#[tokio::test]
async fn a_task_within_a_task_carries_trace_workflow_parent_and_inputs() {
    let Some(room) = Newsroom::open().await else { return };
    let (mut researchers, mut writers) = (room.inbox("researcher").await, room.inbox("writer").await);
    let outer = room.planner.hand_off("researcher", task()).await.unwrap();
    let researching = take(&mut researchers).await;

    let first = researching.hand_off("writer", Handoff::new(intent(), &1).unwrap()).await.unwrap();
    take(&mut writers).await.complete(&"a draft").await.unwrap();
    let draft = first.result::<String>().await.unwrap();
    let hash = draft.hash().short().to_string();
    assert_eq!(draft.used(), "a draft");
    let second = researching.hand_off("writer", Handoff::new(intent(), &2).unwrap()).await.unwrap();
    assert_eq!(second.workflow().as_str(), WORKFLOW);
    take(&mut writers).await.complete(&"a text").await.unwrap();
    second.result::<String>().await.unwrap().used();
    researching.complete(&"done").await.unwrap();
    outer.result::<String>().await.unwrap().used();
    let id = outer.id().to_string();
    drop((outer, first, second));

    let outer = &room.sent.named("handoff researcher").await[0];
    let researching = &room.done.named("process researcher").await[0];
    researching.assert_processes(outer);
    let inner = room.done.named("handoff writer").await;
    assert_eq!(inner.len(), 2);
    for handoff in &inner {
        assert_eq!((&handoff.trace, &handoff.parent), (&outer.trace, &researching.id));
        assert_eq!(handoff.text("wilco.handoff.parent"), Some(id.as_str()));
        assert_eq!(handoff.text("wilco.workflow.id"), Some(WORKFLOW));
        handoff.assert_clean();
    }
    assert_eq!(inner[0].get("wilco.handoff.inputs"), None);
    assert_eq!(inner[1].get("wilco.handoff.inputs"), Some(&json!([hash])));
    for (process, handoff) in room.done.named("process writer").await.iter().zip(&inner) {
        process.assert_processes(handoff);
        assert_eq!(process.text("wilco.handoff.parent"), Some(id.as_str()));
    }
}

#[tokio::test]
async fn the_steps_of_an_agent_stand_under_its_task_and_cause_its_handoffs() {
    let Some(room) = Newsroom::open().await else { return };
    let mut inbox = room.inbox("researcher").await;
    let _receipt = room.planner.hand_off("researcher", task()).await.unwrap();
    let work = take(&mut inbox).await;
    let whole = work.begin(Step::work());
    work.begin(Step::tool("search")).fail("no answer within 5 s");
    drop(work.begin(Step::iteration(2)));
    let decision = Decision::new("route").choice("writer").confidence(1.5).because("it is the last step");
    let decided = work.begin(decision.alternative("reviewer").alternative("nobody").step("read").outcome("sent")).end();
    let next = work.hand_off("writer", task().triggered_by(decided)).await.unwrap();
    drop(next);
    whole.end();
    work.complete(&1).await.unwrap();
    room.there.clone().close(SHORT).await;

    let [process] = room.done.named("process researcher").await.try_into().unwrap();
    for name in ["invoke_agent researcher", "execute_tool search", "iteration", "decision route"] {
        let [span] = room.done.named(name).await.try_into().unwrap();
        assert_eq!(
            (&span.trace, &span.parent, span.kind.as_str()),
            (&process.trace, &process.id, "Internal"),
            "{name}"
        );
        assert_eq!(span.text("wilco.workflow.id"), Some(WORKFLOW), "{name}");
    }
    let [tool] = room.done.named("execute_tool search").await.try_into().unwrap();
    assert_eq!((tool.text("gen_ai.tool.name"), tool.text("error.type")), (Some("search"), Some("failed")));
    let [round] = room.done.named("iteration").await.try_into().unwrap();
    assert_eq!(round.get("wilco.iteration"), Some(&2.into()));
    let [decision] = room.done.named("decision route").await.try_into().unwrap();
    assert_eq!(decision.text("wilco.decision.choice"), Some("writer"));
    assert_eq!(decision.get("wilco.decision.confidence"), Some(&1.0.into()));
    assert_eq!(decision.text("wilco.decision.alternatives"), Some(r#"["reviewer","nobody"]"#));
    let [handoff] = room.done.named("handoff writer").await.try_into().unwrap();
    assert_eq!(handoff.text("wilco.handoff.triggered_by"), Some(decision.id.as_str()));
}

#[tokio::test]
async fn a_join_says_who_is_missing_and_why() {
    let Some(room) = Newsroom::open().await else { return };
    let (mut researchers, mut writers) = (room.inbox("researcher").await, room.inbox("writer").await);
    let agents = ["researcher", "writer", "archivist"];
    let asked = room.planner.fan_out(agents, task().result_within(SHORT)).await.unwrap();
    take(&mut researchers).await.complete(&1).await.unwrap();
    let _slow = take(&mut writers).await;
    let joined = asked.join::<Value>().await;
    assert_eq!(joined.results.len(), 1);
    let [(writer, late), (archivist, absent)] = joined.missing.as_slice() else { panic!("two are missing") };
    assert!(*writer == "writer" && matches!(late, NoResult::TimedOut { .. }), "{late}");
    assert!(*archivist == "archivist" && matches!(absent, NoResult::Undelivered { .. }), "{absent}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_of_an_agent_share_its_tasks() {
    let Some(room) = Newsroom::open().await else { return };
    let mut counts = Vec::new();
    for _ in 0..2 {
        let mut inbox = room.inbox("researcher").await;
        counts.push(tokio::spawn(async move {
            let mut seen = HashSet::new();
            while let Some(offer) = inbox.next().await {
                assert_eq!(offer.mismatches(), []);
                assert!(seen.insert(offer.id().unwrap()));
                offer.read_back(intent()).await.unwrap().complete(&1).await.unwrap();
            }
            seen
        }));
    }
    let mut ids = HashSet::new();
    for _ in 0..200 {
        let receipt = room.planner.hand_off("researcher", task()).await.unwrap();
        assert!(receipt.verdict().await.is_agreed());
        receipt.result::<Value>().await.unwrap().used();
        assert_eq!(receipt.mismatches(), []);
        ids.insert(receipt.id());
    }
    room.there.close(SHORT).await;
    let (one, two) = (counts.remove(0).await.unwrap(), counts.remove(0).await.unwrap());
    assert!(!one.is_empty() && !two.is_empty(), "{} and {}", one.len(), two.len());
    assert!(one.is_disjoint(&two));
    assert_eq!(one.union(&two).copied().collect::<HashSet<_>>(), ids);
}
