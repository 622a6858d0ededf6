//! Workflows in a few words: one line a handoff, with everything well unless the line says otherwise.
//!
//! ```text
//! == a title
//! expect stale_context b
//! outcome false
//! a planner>researcher
//! b planner>writer in=a read=crm@41 latest=crm@42
//! ```
//!
//! `expect none` says that nothing may be accused. Further lines: `join AGENT expected=N arrived=N [within=ID]` and
//! `decision AGENT choice=TEXT [within=ID]`. The words of a handoff are those of [`Line::sender`] and [`Line::receiver`].

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry::trace::{SpanId, TraceId};
use wilco::diagnose::Workflow;
use wilco::model::{
    AttributeValue, Attributes, Dropped, Resource, Scope, Span, SpanEvent, SpanKind, SpanStatus, Timestamp,
};

/// One workflow, and what is to be found in it.
pub(crate) struct Scenario {
    pub(crate) title: String,
    /// Kind and handoff; `None`: nobody may be accused.
    pub(crate) expected: Option<(String, String)>,
    pub(crate) spans: Vec<Span>,
}

impl Scenario {
    /// Every scenario of a file.
    pub(crate) fn read(text: &str) -> Vec<Self> {
        let mut sections: Vec<(String, Vec<&str>)> = Vec::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix("== ") {
                Some(title) => sections.push((title.to_owned(), Vec::new())),
                None => sections.last_mut().expect("a title comes first").1.push(line),
            }
        }
        sections.into_iter().map(|(title, lines)| Self::of(title, &lines)).collect()
    }

    fn of(title: String, lines: &[&str]) -> Self {
        let mut expected = None;
        let mut spans = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let line = Line::read(line, at);
            match line.words[0].as_str() {
                "expect" if line.words[1] == "none" => {}
                "expect" => expected = Some((line.words[1].clone(), line.words[2].clone())),
                "outcome" => spans.push(line.outcome()),
                "join" | "decision" => spans.push(line.step()),
                _ => spans.extend(line.sender().into_iter().chain(line.receivers())),
            }
        }
        Self { title, expected, spans }
    }

    pub(crate) fn workflow(&self) -> Workflow {
        let [workflow] = Workflow::group(self.spans.clone()).try_into().expect("one workflow");
        workflow
    }
}

/// One line: its bare words, and its words with a value.
struct Line {
    words: Vec<String>,
    values: HashMap<String, String>,
    at: usize,
}

const START: u64 = 1_772_359_200_000_000_000;
const SECOND: u64 = 1_000_000_000;

impl Line {
    /// Words between blanks; a value in quotes or braces may hold blanks.
    fn read(text: &str, at: usize) -> Self {
        let (mut parts, mut depth, mut quoted) = (vec![String::new()], 0_i32, false);
        for c in text.chars() {
            match c {
                '\'' => quoted = !quoted,
                '{' | '[' => depth += 1,
                '}' | ']' => depth -= 1,
                _ => {}
            }
            if c == ' ' && depth == 0 && !quoted {
                parts.push(String::new());
            } else if c != '\'' {
                parts.last_mut().expect("one").push(c);
            }
        }
        let mut line = Self { words: Vec::new(), values: HashMap::new(), at };
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((key, value)) => drop(line.values.insert(key.to_owned(), value.to_owned())),
                None => line.words.push(part),
            }
        }
        line
    }

    fn id(&self) -> &str {
        self.words[0].split('#').next().expect("an id")
    }

    /// `a#2` is the second attempt of `a`.
    fn attempt(&self) -> i64 {
        self.words[0].split_once('#').map_or(1, |(_, number)| number.parse().expect("a number"))
    }

    fn ends(&self) -> (&str, &str) {
        self.words[1].split_once('>').expect("from>to")
    }

    fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.value(key).map(|value| value.parse().expect("a number"))
    }

    fn list(&self, key: &str) -> Vec<String> {
        self.value(key).map(|value| value.split(',').map(str::to_owned).collect()).unwrap_or_default()
    }

    /// Where the ladder stops; all the way up by default.
    fn stop(&self) -> &str {
        match self.value("stop") {
            Some(stop) => stop,
            None if self.has("unheard") => "sent",
            None if self.has("fails") => "failed",
            None if self.has("refuses") => "refused",
            None if self.has("unused") || self.words[1..].iter().any(|word| word == "transfer") => "completed",
            None => "used",
        }
    }

    fn rungs(&self) -> Vec<&str> {
        match self.stop() {
            "refused" => vec!["sent", "received", "refused"],
            "failed" => vec!["sent", "received", "accepted", "understood", "in_progress", "failed"],
            stop => {
                let all = ["sent", "received", "accepted", "understood", "in_progress", "completed", "used"];
                let last = all.iter().position(|rung| *rung == stop).expect("a rung");
                all[..=last].to_vec()
            }
        }
    }

    fn has_result(&self) -> bool {
        matches!(self.stop(), "completed" | "used")
    }

    fn common(&self, operation: &str) -> Attributes {
        let (from, to) = self.ends();
        let mut all = Attributes::new();
        all.insert("messaging.operation.type", operation);
        all.insert("messaging.message.id", format!("{}.{}", self.id(), self.attempt()));
        all.insert("wilco.workflow.id", "wf");
        all.insert("wilco.handoff.id", self.id());
        all.insert("wilco.handoff.from", from);
        all.insert("wilco.handoff.to", to);
        all.insert("wilco.handoff.kind", if self.has("transfer") { "transfer" } else { "delegation" });
        if let Some(parent) = self.value("parent") {
            all.insert("wilco.handoff.parent", parent);
        }
        all
    }

    /// `no-sender`: its record is lost. `in=a,b` inputs, `need=3` parts owed, `late` it ran out of time, `unheard` nobody
    /// took it, `no-responders`, `unused`, `checked`, `score=`, `demands=` a score, `intent={..}`, `handed=crm@41`, `knew=crm@42`, `seq=`,
    /// `reason='..'`, `says=kind,kind`, `patience=seconds`, `for=seconds`, `size=`, `content=` hash.
    fn sender(&self) -> Option<Span> {
        if self.has("no-sender") {
            return None;
        }
        let mut all = self.common("send");
        all.insert("wilco.handoff.attempt", self.attempt());
        let inputs: Vec<String> = self.list("in").iter().map(|maker| format!("blake3:result-{maker}")).collect();
        let owed = self.number("need").map_or(inputs.len() as i64, |need| need as i64);
        if owed > 0 {
            all.insert("wilco.handoff.expected_inputs", owed);
        }
        if !inputs.is_empty() {
            all.insert("wilco.handoff.inputs", inputs);
        }
        all.insert("wilco.content.hash", self.content());
        all.insert("wilco.content.size", self.number("size").unwrap_or(100.0) as i64);
        all.insert("wilco.intent.sent", self.intent());
        for (key, name) in [("handed", "wilco.context"), ("knew", "wilco.context.latest")] {
            if self.value(key).is_some() {
                all.insert(name, self.list(key));
            }
        }
        if let Some(seq) = self.number("seq") {
            all.insert("wilco.seq", seq as i64);
        }
        if let Some(reason) = self.value("reason") {
            all.insert("wilco.handoff.reason", reason);
        }
        if let Some(patience) = self.number("patience") {
            let at = Timestamp::from_unix_nanos(self.start() + (patience * SECOND as f64) as u64);
            all.insert("wilco.deadline", at.to_rfc3339());
        }
        if self.has_result() {
            all.insert("wilco.result.hash", format!("blake3:result-{}", self.id()));
            if !self.has("transfer") {
                all.insert("wilco.result.used", !self.has("unused"));
                all.insert("wilco.result.checked", self.has("checked"));
            }
        }
        self.score("score", &mut all);
        if let Some(demanded) = self.number("demands") {
            all.insert("wilco.result.quality.threshold", demanded);
        }
        self.mismatches("says", &mut all);
        let status = if self.has("no-responders") {
            SpanStatus::Error("no responders".to_owned())
        } else if self.has("late") {
            SpanStatus::Error("deadline exceeded".to_owned())
        } else {
            SpanStatus::Unset
        };
        let (from, to) = self.ends();
        let mut span =
            self.span(from, SpanKind::Producer, &format!("handoff {to}"), all, 1, self.number("for").unwrap_or(0.8));
        span.parent_span_id = self.value("parent").map(|parent| id(parent, 1, 2));
        span.events = self.climbs(&self.rungs(), to);
        span.status = status;
        Some(span)
    }

    /// `no-receiver`: its record is lost. `twice` processed twice, `again` delivered twice and suppressed, `taker=` another
    /// agent took it, `arrived=` another hash, `got=` bytes, `readback={..}`, `read=`, `latest=`, `age=`, `most=` and
    /// `give=` milliseconds, `own=` its own score, `works=` seconds, `began=` seconds, `tells=kind,kind`.
    fn receivers(&self) -> Vec<Span> {
        if self.has("no-receiver") || self.has("unheard") || self.stop() == "sent" {
            return Vec::new();
        }
        let deliveries = if self.has("twice") || self.has("again") { 2 } else { 1 };
        (1..=deliveries).map(|count| self.receiver(count)).collect()
    }

    fn receiver(&self, count: i64) -> Span {
        let (_, to) = self.ends();
        let agent = self.value("taker").unwrap_or(to);
        let mut all = self.common("process");
        all.insert("gen_ai.agent.name", agent);
        all.insert("wilco.delivery.count", count);
        all.insert("wilco.content.hash.received", self.value("arrived").map_or_else(|| self.content(), str::to_owned));
        let size = self.number("got").or(self.number("size")).unwrap_or(100.0);
        all.insert("wilco.content.size.received", size as i64);
        let suppressed = count > 1 && self.has("again");
        let mut rungs = self.rungs();
        rungs.retain(|rung| !matches!(*rung, "sent" | "used"));
        // What the sender never heard of may still have been done.
        if self.has("done") {
            rungs.push("completed");
        }
        if suppressed {
            rungs.truncate(1);
        } else {
            all.insert("wilco.intent.read_back", self.value("readback").map_or_else(|| self.intent(), str::to_owned));
            if self.has_result() || self.has("done") {
                let twin = if count > 1 { "-again" } else { "" };
                all.insert("wilco.result.hash", format!("blake3:result-{}{twin}", self.id()));
            }
        }
        for (key, name) in [("read", "wilco.context.read"), ("latest", "wilco.context.latest")] {
            if self.value(key).is_some() {
                all.insert(name, self.list(key));
            }
        }
        for (key, name) in [
            ("age", "wilco.context.age_ms"),
            ("most", "wilco.context.max_age_ms"),
            ("give", "wilco.context.age.uncertainty_ms"),
        ] {
            if let Some(ms) = self.number(key) {
                all.insert(name, ms);
            }
        }
        self.score("own", &mut all);
        self.mismatches("tells", &mut all);
        let works = if suppressed { 0.001 } else { self.number("works").unwrap_or(0.6) };
        let mut span = self.span(agent, SpanKind::Consumer, &format!("process {agent}"), all, 1 + count as u8, works);
        span.parent_span_id = Some(id(self.id(), self.attempt(), 1));
        span.start =
            Timestamp::from_unix_nanos(START + (self.number("began").unwrap_or(self.at as f64) * SECOND as f64) as u64);
        span.end = Timestamp::from_unix_nanos(span.start.unix_nanos() + (works * SECOND as f64) as u64);
        span.events = self.climbs(&rungs, agent);
        if self.has("fails") {
            span.status = SpanStatus::Error("the tool broke".to_owned());
        }
        span
    }

    fn outcome(&self) -> Span {
        let mut all = Attributes::new();
        all.insert("wilco.workflow.id", "wf");
        all.insert("wilco.workflow.ok", self.words[1] == "true");
        self.span("owner", SpanKind::Internal, "invoke_workflow job", all, 9, 60.0)
    }

    fn step(&self) -> Span {
        let mut all = Attributes::new();
        all.insert("wilco.workflow.id", "wf");
        for key in ["expected", "arrived"] {
            if let Some(count) = self.number(key) {
                all.insert(format!("wilco.join.{key}"), count as i64);
            }
        }
        if let Some(choice) = self.value("choice") {
            all.insert("wilco.decision.type", "choose");
            all.insert("wilco.decision.choice", choice);
        }
        let mut span = self.span(&self.words[1], SpanKind::Internal, &self.words[0], all, 8, 0.1);
        span.parent_span_id = self.value("within").map(|within| id(within, 1, 2));
        span
    }

    fn content(&self) -> String {
        self.value("content")
            .map_or_else(|| format!("blake3:task-{}", self.id()), |content| format!("blake3:{content}"))
    }

    fn intent(&self) -> String {
        let own = || format!(r#"{{"constraints":{{"currency":"EUR"}},"goal":"work on {}"}}"#, self.id());
        self.value("intent").map_or_else(own, str::to_owned)
    }

    fn score(&self, key: &str, all: &mut Attributes) {
        if let Some(score) = self.number(key) {
            all.insert("wilco.result.quality", score);
            all.insert("wilco.result.quality.threshold", 0.6);
        }
    }

    fn mismatches(&self, key: &str, all: &mut Attributes) {
        if self.value(key).is_some() {
            all.insert("wilco.mismatches", self.list(key));
            all.insert("wilco.verdict", "mismatched");
        }
    }

    fn climbs(&self, rungs: &[&str], agent: &str) -> Vec<SpanEvent> {
        let climb = |rung: &&str| {
            let by =
                if matches!(*rung, "sent" | "used") { self.ends().0 } else { self.value("taker").unwrap_or(agent) };
            let attributes =
                [("rung", AttributeValue::from(*rung)), ("by", by.into()), ("evidence", "declared".into())];
            SpanEvent {
                at: Timestamp::from_unix_nanos(self.start()),
                name: "wilco.rung".to_owned(),
                attributes: attributes.into_iter().collect(),
            }
        };
        rungs.iter().map(climb).collect()
    }

    fn start(&self) -> u64 {
        START + self.at as u64 * SECOND
    }

    fn span(&self, agent: &str, kind: SpanKind, name: &str, attributes: Attributes, side: u8, seconds: f64) -> Span {
        let resource =
            [("service.name", AttributeValue::from(agent)), ("host.name", format!("host-of-{agent}").into())];
        Span {
            trace_id: TraceId::from(7),
            span_id: if side >= 8 {
                id(&format!("{}{}", self.words[0], self.at), 1, side)
            } else {
                id(self.id(), self.attempt(), side)
            },
            parent_span_id: None,
            trace_state: String::new(),
            flags: 1,
            name: name.to_owned(),
            kind,
            start: Timestamp::from_unix_nanos(self.start()),
            end: Timestamp::from_unix_nanos(self.start() + (seconds * SECOND as f64) as u64),
            attributes,
            events: Vec::new(),
            links: Vec::new(),
            status: SpanStatus::Unset,
            dropped: Dropped::default(),
            resource: Arc::new(Resource { attributes: resource.into_iter().collect() }),
            scope: Arc::new(Scope::default()),
        }
    }
}

/// Sender's spans are side 1, the first delivery side 2.
fn id(handoff: &str, attempt: i64, side: u8) -> SpanId {
    let hash = blake3::hash(format!("{handoff}/{attempt}/{side}").as_bytes());
    SpanId::from_bytes(hash.as_bytes()[..8].try_into().expect("eight bytes"))
}
