//! The frozen vectors of wire version 1, made without any code of this library by `tests/fixtures/wire/make.py`.

// Clippy's exception for tests does not reach the helpers beside them.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::Value;
use wilco::model::{ContentHash, Context, Intent, Quality, Timestamp, WorkflowId};
use wilco::wire::{Decision, Envelope, MacCheck, MacKey, OffsetBounds, Problem, Receipt, trace};

macro_rules! vectors {
    ($name:literal) => {
        serde_json::from_str::<Value>(include_str!(concat!("fixtures/wire/", $name))).unwrap()
    };
}

fn list(vectors: &Value) -> &[Value] {
    let list = vectors.as_array().unwrap();
    assert!(!list.is_empty());
    list
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("no text `{field}` in {vector}"))
}

fn key(vector: &Value) -> Option<MacKey> {
    if let Some(passphrase) = vector["passphrase"].as_str() {
        return Some(MacKey::from_passphrase(passphrase));
    }
    let digits = vector["key"].as_str()?;
    Some(MacKey::from_bytes(*digits.parse::<ContentHash>().unwrap().as_bytes()))
}

fn expected_mac(vector: &Value) -> MacCheck {
    if key(vector).is_some() { MacCheck::Right } else { MacCheck::Absent }
}

fn parts(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| &*problem.part).collect()
}

fn expected_parts(vector: &Value) -> Vec<&str> {
    vector["problems"].as_array().unwrap().iter().map(|part| part.as_str().unwrap()).collect()
}

/// The envelope that a vector describes by the wire's own keys.
fn envelope(facts: &Value) -> Envelope {
    let number = |field: &str| facts[field].as_u64();
    let words = |field: &str| facts[field].as_array().cloned().unwrap_or_default();
    let hold = facts["hold"] == 1;
    Envelope {
        id: facts["id"].as_str().map(|v| v.parse().unwrap()),
        at: number("at").map(Timestamp::from_unix_nanos),
        hash: facts["hash"].as_str().map(|v| v.parse().unwrap()),
        size: number("size"),
        from: facts["from"].as_str().map(|v| v.try_into().unwrap()),
        to: facts["to"].as_str().map(|v| v.try_into().unwrap()),
        workflow: facts["wf"].as_str().map(|v| v.try_into().unwrap()),
        attempt: number("n").map(|n| n.try_into().unwrap()),
        inst: facts["inst"].as_str().map(|v| v.parse().unwrap()),
        seq: number("seq"),
        hold,
        offset: facts["off"].as_str().map(|v| {
            let (low, high) = v.split_once('/').unwrap();
            OffsetBounds { low: low.parse().unwrap(), high: high.parse().unwrap() }
        }),
        kind: facts["kind"].as_str().map(|v| v.parse().unwrap()),
        intent: facts["intent"].as_str().map(|v| v.parse().unwrap()),
        contexts: words("ctx").iter().map(context).collect(),
        inputs: words("in").iter().map(|v| v.as_str().unwrap().parse().unwrap()).collect(),
        need: number("need").map(|n| n.try_into().unwrap()),
        parent: facts["parent"].as_str().map(|v| v.parse().unwrap()),
        by: number("by").map(Timestamp::from_unix_nanos),
        receipts: facts["rcpt"].as_str().map(Into::into),
        rung: facts["rung"].as_str().map(|v| v.parse().unwrap()),
        quality: facts["q"].as_f64().map(|score| Quality::new(score, text(facts, "qby")).unwrap()),
        unknown: words("unknown")
            .iter()
            .map(|pair| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()))
            .collect(),
    }
}

fn context(item: &Value) -> Context {
    let mut context = Context::named(text(item, "name"));
    context.version = item["version"].as_str().map(Into::into);
    context.observed_at = item["observed_at"].as_u64().map(Timestamp::from_unix_nanos);
    context.max_age = item["max_age_ms"].as_u64().map(Duration::from_millis);
    context.hash = item["hash"].as_str().map(|v| v.parse().unwrap());
    context
}

#[test]
fn headers_are_written_byte_for_byte_and_read_back_whole() {
    for vector in list(&vectors!("headers.json")) {
        let (name, envelope, key) = (text(vector, "name"), envelope(&vector["facts"]), key(vector));
        assert_eq!(envelope.encode(key.as_ref()).unwrap(), text(vector, "value"), "{name}");
        let decoded = Envelope::decode(text(vector, "value"), key.as_ref());
        assert_eq!(decoded.envelope, envelope, "{name}");
        assert_eq!((decoded.problems, decoded.mac), (vec![], expected_mac(vector)), "{name}");
    }
}

#[test]
fn headers_of_others_are_read_as_far_as_they_are_well_formed() {
    for vector in list(&vectors!("headers_read.json")) {
        let decoded = Envelope::decode(text(vector, "value"), None);
        assert_eq!(decoded.envelope.encode(None).unwrap(), text(vector, "read"), "{vector}");
        assert_eq!(parts(&decoded.problems), expected_parts(vector), "{vector}");
    }
}

#[test]
fn intents_have_the_canonical_form_and_digest_that_an_independent_library_gives() {
    for vector in list(&vectors!("intents.json")) {
        let intent = Intent::from_json(text(vector, "json").as_bytes()).unwrap();
        assert_eq!(intent.canonical_json(), text(vector, "canonical"), "{vector}");
        assert_eq!(intent.digest().to_string(), text(vector, "digest"), "{vector}");
    }
}

#[test]
fn receipts_are_read_and_written_as_they_were() {
    for vector in list(&vectors!("receipts.json")) {
        let (header, body, key) = (text(vector, "header"), text(vector, "body"), key(vector));
        let decoded = Receipt::decode(Some(header), body.as_bytes(), key.as_ref()).unwrap();
        assert_eq!(parts(&decoded.problems), expected_parts(vector), "{vector}");
        assert_eq!(decoded.mac, expected_mac(vector), "{vector}");
        let written = decoded.receipt.encode(decoded.id, key.as_ref()).unwrap();
        let again = Receipt::decode(Some(&written.0), &written.1, key.as_ref()).unwrap();
        assert_eq!(again.receipt, decoded.receipt, "{vector}");
        assert_eq!(again.problems, vec![], "{vector}");
        let read_as_it_was = decoded.problems.is_empty() && !text(vector, "name").starts_with("of a");
        if read_as_it_was {
            let value = |json: &[u8]| serde_json::from_slice::<Value>(json).unwrap();
            assert_eq!(value(&written.1), value(body.as_bytes()), "{vector}");
            if key.is_none() {
                assert_eq!(written.0, header, "{vector}");
            }
        }
    }
}

#[test]
fn a_receipt_of_a_later_writer_says_what_this_version_has_words_for() {
    let vectors = vectors!("receipts.json");
    let vector = list(&vectors).iter().find(|v| text(v, "name").starts_with("of a later writer")).unwrap();
    let receipt = Receipt::decode(Some(text(vector, "header")), text(vector, "body").as_bytes(), None).unwrap().receipt;
    assert_eq!(receipt.mismatches, ["bewitched"]);
    assert_eq!(receipt.known_mismatches().count(), 0);
    assert_eq!(receipt.refusal.unwrap().as_str(), "no_moon");
}

#[test]
fn decisions_are_read_and_written_as_they_were() {
    for vector in list(&vectors!("decisions.json")) {
        let (header, body, key) = (text(vector, "header"), text(vector, "body"), key(vector));
        let decoded = Decision::decode(Some(header), body.as_bytes(), key.as_ref()).unwrap();
        assert_eq!((parts(&decoded.problems), decoded.mac), (expected_parts(vector), expected_mac(vector)), "{vector}");
        let written = decoded.decision.encode(decoded.id, key.as_ref()).unwrap();
        if !text(vector, "name").starts_with("of a") {
            assert_eq!((written.0.as_str(), std::str::from_utf8(&written.1).unwrap()), (header, body), "{vector}");
        }
    }
}

#[test]
fn a_workflow_without_a_trace_has_the_one_that_its_id_gives() {
    for vector in list(&vectors!("traces.json")) {
        let (trace_id, span_id) = trace::workflow_trace(&WorkflowId::new(text(vector, "workflow")).unwrap());
        assert_eq!(trace_id.to_string(), text(vector, "trace_id"), "{vector}");
        assert_eq!(span_id.to_string(), text(vector, "span_id"), "{vector}");
    }
}

#[test]
fn the_exchange_of_the_contract_is_what_the_vectors_say() {
    let (exchange, contract) = (vectors!("exchange.json"), include_str!("../src/docs/wire.md"));
    for step in ["task", "receipt", "decision", "result"] {
        for field in ["subject", "reply", "traceparent", "wilco", "payload"] {
            if let Some(bytes) = exchange[step][field].as_str() {
                assert!(contract.contains(bytes), "{step}.{field} is not in the contract: {bytes}");
            }
        }
    }
    let part = |step: &str, field: &str| text(&exchange[step], field).to_owned();
    let task = Envelope::decode(&part("task", "wilco"), None).envelope;
    let intent = Intent::from_json(text(&exchange, "intent").as_bytes()).unwrap();
    assert_eq!(task.intent, Some(intent.digest()));
    assert_eq!(task.hash, Some(ContentHash::of(part("task", "payload").as_bytes())));
    let receipt =
        Receipt::decode(Some(&part("receipt", "wilco")), part("receipt", "payload").as_bytes(), None).unwrap();
    assert_eq!((Some(receipt.id), receipt.receipt.hash, receipt.problems), (task.id, task.hash, vec![]));
    assert_ne!(receipt.receipt.intent.unwrap().digest(), intent.digest());
    let decision =
        Decision::decode(Some(&part("decision", "wilco")), part("decision", "payload").as_bytes(), None).unwrap();
    assert_eq!((Some(decision.id), decision.problems), (task.id, vec![]));
    let result = Envelope::decode(&part("result", "wilco"), None).envelope;
    assert_eq!((result.id, result.hash), (task.id, Some(ContentHash::of(part("result", "payload").as_bytes()))));
}

#[test]
fn every_vector_cut_at_every_byte_is_read_without_a_panic() {
    let keyed = MacKey::from_bytes([1; 32]);
    for vector in list(&vectors!("headers.json")).iter().chain(list(&vectors!("headers_read.json"))) {
        let value = text(vector, "value");
        let whole = Envelope::decode(value, None).envelope;
        for cut in (0..value.len()).filter(|cut| value.is_char_boundary(*cut)) {
            let read = Envelope::decode(&value[..cut], Some(&keyed)).envelope;
            // A part is either whole or, cut, another text; what stands before the last `;` is untouched.
            if value[..cut].contains(";at=") && whole.id.is_some() {
                assert_eq!(read.id, whole.id, "{value} cut at {cut}");
            }
        }
    }
    for vector in list(&vectors!("receipts.json")) {
        let (header, body) = (text(vector, "header"), text(vector, "body"));
        for cut in 0..body.len() {
            assert!(Receipt::decode(Some(header), &body.as_bytes()[..cut], None).is_err());
        }
        for cut in 0..header.len() {
            let _ = Receipt::decode(Some(&header[..cut]), body.as_bytes(), None);
        }
    }
    for vector in list(&vectors!("decisions.json")) {
        let (header, body) = (text(vector, "header"), text(vector, "body"));
        for cut in 0..body.len() {
            assert!(Decision::decode(Some(header), &body.as_bytes()[..cut], None).is_err());
        }
    }
    for vector in list(&vectors!("intents.json")) {
        let json = text(vector, "json");
        for cut in 0..json.len() {
            assert!(Intent::from_json(&json.as_bytes()[..cut]).is_err());
        }
    }
}
