//! The spans of a process, as an OpenTelemetry exporter gets them.

use std::future::{Future, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry::trace::{SpanKind, Status};
use opentelemetry::{Array, KeyValue, Value};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use serde::{Deserialize, Serialize};
use serde_json::Map;
use wilco::model::WorkflowId;
use wilco::telemetry::{Sampling, Telemetry};

use super::process::{Peer, say};

/// Telemetry whose spans stay in this process.
#[derive(Clone, Debug)]
pub(crate) struct Spans {
    pub(crate) telemetry: Telemetry,
    kept: Arc<Mutex<Vec<Span>>>,
}

/// A span, in a form that can be sent to another process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Span {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) sampled: bool,
    pub(crate) is_error: bool,
    pub(crate) attributes: Map<String, serde_json::Value>,
    pub(crate) events: Vec<Event>,
    pub(crate) links: Vec<Link>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) attributes: Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(crate) id: String,
    pub(crate) attributes: Map<String, serde_json::Value>,
}

impl Spans {
    pub(crate) fn collect() -> Self {
        Self::sampled(Sampling::default())
    }

    pub(crate) fn sampled(sampling: Sampling) -> Self {
        let exporter = Exporter::default();
        let kept = exporter.0.clone();
        let telemetry = Telemetry::builder().exporter(exporter).sampling(sampling).build().expect("telemetry");
        Self { telemetry, kept }
    }

    /// All spans that were recorded so far.
    pub(crate) async fn all(&self) -> Vec<Span> {
        let flushed = self.telemetry.flush(Duration::from_secs(10)).await;
        assert!(flushed.complete, "the spans could not be flushed");
        self.kept.lock().unwrap().clone()
    }

    /// The spans of this name.
    pub(crate) async fn named(&self, name: &str) -> Vec<Span> {
        self.all().await.into_iter().filter(|span| span.name == name).collect()
    }

    /// In a peer: says all spans to the test, one a line.
    pub(crate) async fn say_all(&self) {
        for span in self.all().await {
            say(&format!("SPAN {}", serde_json::to_string(&span).expect("a span is JSON")));
        }
        say("SPANS END");
    }
}

/// What the peer says with [`Spans::say_all`].
#[track_caller]
pub(crate) fn heard_from(peer: &mut Peer) -> Vec<Span> {
    let mut spans = Vec::new();
    loop {
        let line = peer.next().expect("the peer says its spans before it ends");
        if line == "SPANS END" {
            return spans;
        }
        if let Some(span) = line.strip_prefix("SPAN ") {
            spans.push(serde_json::from_str(span).expect("a span"));
        }
    }
}

impl Span {
    pub(crate) fn get(&self, key: &str) -> Option<&serde_json::Value> {
        self.attributes.get(key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    pub(crate) fn mismatches(&self) -> Vec<&str> {
        let list = self.get("wilco.mismatches").and_then(serde_json::Value::as_array);
        list.into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
    }

    /// The rungs that were climbed, as `rung evidence`, in order.
    pub(crate) fn rungs(&self) -> Vec<String> {
        let rungs = self.events.iter().filter(|event| event.name == "wilco.rung");
        let word = |event: &Event, key: &str| event.attributes[key].as_str().unwrap_or_default().to_owned();
        rungs.map(|event| format!("{} {}", word(event, "rung"), word(event, "evidence"))).collect()
    }

    /// Demands that this span tells of one fault, of this kind, in every place where backends look for it.
    #[track_caller]
    pub(crate) fn assert_found(&self, kind: &str) {
        assert_eq!(self.mismatches(), [kind], "{self:#?}");
        assert_eq!(self.text("error.type"), Some(kind), "{self:#?}");
        assert_eq!(self.text("wilco.verdict"), Some("mismatched"), "{self:#?}");
        assert!(self.is_error, "status of {self:#?}");
        let told = self.events.iter().any(|event| {
            event.name == "gen_ai.evaluation.result"
                && event.attributes.get("gen_ai.evaluation.name") == Some(&kind.into())
        });
        assert!(told, "an event tells of {kind} on {self:#?}");
    }

    /// Demands that this span tells of no fault.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert_eq!(self.mismatches(), [""; 0], "{self:#?}");
        assert_eq!(self.get("error.type"), None, "{self:#?}");
        assert!(!self.is_error, "status of {self:#?}");
    }

    /// Demands that this handoff span stands right under the root of its workflow.
    #[track_caller]
    pub(crate) fn assert_under_root_of(&self, workflow: &str) {
        let workflow = WorkflowId::new(workflow).unwrap();
        let (trace, root) = wilco::wire::trace::workflow_trace(&workflow);
        assert_eq!((&self.trace, &self.parent), (&trace.to_string(), &root.to_string()), "{self:#?}");
        assert_eq!(self.text("wilco.workflow.id"), Some(workflow.as_str()));
        assert_eq!(self.text("gen_ai.conversation.id"), Some(workflow.as_str()));
    }

    /// Demands that this process span is of this handoff.
    #[track_caller]
    pub(crate) fn assert_processes(&self, handoff: &Self) {
        assert_eq!((&self.trace, &self.parent), (&handoff.trace, &handoff.id), "{self:#?}");
        assert_eq!(self.kind, "Consumer");
        let [link] = self.links.as_slice() else { panic!("one link on {self:#?}") };
        assert_eq!(link.id, handoff.id);
        assert_eq!(link.attributes.get("link.type"), Some(&"agent_handoff".into()));
        assert_eq!(self.text("wilco.handoff.id"), handoff.text("wilco.handoff.id"));
    }
}

#[derive(Debug, Default)]
struct Exporter(Arc<Mutex<Vec<Span>>>);

impl SpanExporter for Exporter {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        self.0.lock().unwrap().extend(batch.into_iter().map(Span::from));
        ready(Ok(()))
    }
}

impl From<SpanData> for Span {
    fn from(span: SpanData) -> Self {
        Self {
            name: span.name.into_owned(),
            kind: match span.span_kind {
                SpanKind::Client => "Client",
                SpanKind::Server => "Server",
                SpanKind::Producer => "Producer",
                SpanKind::Consumer => "Consumer",
                SpanKind::Internal => "Internal",
            }
            .to_owned(),
            trace: span.span_context.trace_id().to_string(),
            id: span.span_context.span_id().to_string(),
            parent: span.parent_span_id.to_string(),
            sampled: span.span_context.is_sampled(),
            is_error: matches!(span.status, Status::Error { .. }),
            attributes: json(&span.attributes),
            events: span
                .events
                .iter()
                .map(|event| Event { name: event.name.to_string(), attributes: json(&event.attributes) })
                .collect(),
            links: span
                .links
                .iter()
                .map(|link| Link { id: link.span_context.span_id().to_string(), attributes: json(&link.attributes) })
                .collect(),
        }
    }
}

fn json(attributes: &[KeyValue]) -> Map<String, serde_json::Value> {
    attributes.iter().map(|pair| (pair.key.to_string(), value(&pair.value))).collect()
}

fn value(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(flag) => (*flag).into(),
        Value::I64(number) => (*number).into(),
        Value::F64(number) => (*number).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(Array::String(texts)) => texts.iter().map(|text| text.as_str()).collect(),
        other => other.to_string().into(),
    }
}
