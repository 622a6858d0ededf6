//! The names of attributes and events on spans, each written once.

#![cfg_attr(not(feature = "telemetry"), allow(dead_code, reason = "the spans are written by telemetry"))]

// Registry of the conventions that the names below follow.
pub(crate) const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.44.0";
pub(crate) const SCOPE: &str = "wilco";

pub(crate) const SERVICE_NAME: &str = "service.name";
pub(crate) const SERVICE_VERSION: &str = "service.version";
pub(crate) const SERVER_ADDRESS: &str = "server.address";
pub(crate) const SERVER_PORT: &str = "server.port";
pub(crate) const ERROR_TYPE: &str = "error.type";
pub(crate) const LINK_TYPE: &str = "link.type";

pub(crate) const MESSAGING_SYSTEM: &str = "messaging.system";
pub(crate) const MESSAGING_OPERATION_TYPE: &str = "messaging.operation.type";
pub(crate) const MESSAGING_OPERATION_NAME: &str = "messaging.operation.name";
pub(crate) const MESSAGING_DESTINATION_NAME: &str = "messaging.destination.name";
pub(crate) const MESSAGING_DESTINATION_TEMPLATE: &str = "messaging.destination.template";
pub(crate) const MESSAGING_MESSAGE_ID: &str = "messaging.message.id";
pub(crate) const MESSAGING_CONVERSATION_ID: &str = "messaging.message.conversation_id";
pub(crate) const MESSAGING_BODY_SIZE: &str = "messaging.message.body.size";
pub(crate) const MESSAGING_CONSUMER_GROUP: &str = "messaging.consumer.group.name";

pub(crate) const GEN_AI_OPERATION_NAME: &str = "gen_ai.operation.name";
pub(crate) const GEN_AI_AGENT_NAME: &str = "gen_ai.agent.name";
pub(crate) const GEN_AI_AGENT_VERSION: &str = "gen_ai.agent.version";
pub(crate) const GEN_AI_REQUEST_MODEL: &str = "gen_ai.request.model";
pub(crate) const GEN_AI_CALLER_TYPE: &str = "gen_ai.caller.type";
pub(crate) const GEN_AI_CALLER_NAME: &str = "gen_ai.caller.name";
pub(crate) const GEN_AI_CONVERSATION_ID: &str = "gen_ai.conversation.id";
pub(crate) const GEN_AI_TOOL_NAME: &str = "gen_ai.tool.name";
pub(crate) const GEN_AI_WORKFLOW_NAME: &str = "gen_ai.workflow.name";

pub(crate) const EVALUATION_EVENT: &str = "gen_ai.evaluation.result";
pub(crate) const EVALUATION_NAME: &str = "gen_ai.evaluation.name";
pub(crate) const EVALUATION_SCORE: &str = "gen_ai.evaluation.score.value";
pub(crate) const EVALUATION_LABEL: &str = "gen_ai.evaluation.score.label";
pub(crate) const EVALUATION_EXPLANATION: &str = "gen_ai.evaluation.explanation";

pub(crate) const SESSION_ID: &str = "session.id";
pub(crate) const OPENINFERENCE_KIND: &str = "openinference.span.kind";

pub(crate) const HANDOFF_ID: &str = "wilco.handoff.id";
pub(crate) const HANDOFF_FROM: &str = "wilco.handoff.from";
pub(crate) const HANDOFF_TO: &str = "wilco.handoff.to";
pub(crate) const HANDOFF_KIND: &str = "wilco.handoff.kind";
pub(crate) const HANDOFF_PARENT: &str = "wilco.handoff.parent";
pub(crate) const HANDOFF_ATTEMPT: &str = "wilco.handoff.attempt";
pub(crate) const HANDOFF_INPUTS: &str = "wilco.handoff.inputs";
pub(crate) const HANDOFF_EXPECTED_INPUTS: &str = "wilco.handoff.expected_inputs";
pub(crate) const HANDOFF_REASON: &str = "wilco.handoff.reason";
pub(crate) const HANDOFF_PARENT_EVIDENCE: &str = "wilco.handoff.parent.evidence";
pub(crate) const HANDOFF_TRIGGERED_BY: &str = "wilco.handoff.triggered_by";
pub(crate) const DELIVERY_COUNT: &str = "wilco.delivery.count";
pub(crate) const WORKFLOW_ID: &str = "wilco.workflow.id";
pub(crate) const WORKFLOW_OUTCOME: &str = "wilco.workflow.outcome";
pub(crate) const WORKFLOW_OK: &str = "wilco.workflow.ok";
pub(crate) const INST: &str = "wilco.inst";
pub(crate) const SEQ: &str = "wilco.seq";
pub(crate) const CONTENT_HASH: &str = "wilco.content.hash";
pub(crate) const CONTENT_SIZE: &str = "wilco.content.size";
pub(crate) const CONTENT_HASH_RECEIVED: &str = "wilco.content.hash.received";
pub(crate) const CONTENT_SIZE_RECEIVED: &str = "wilco.content.size.received";
pub(crate) const INTENT_SENT: &str = "wilco.intent.sent";
pub(crate) const INTENT_READ_BACK: &str = "wilco.intent.read_back";
pub(crate) const INTENT_DIFF: &str = "wilco.intent.diff";
pub(crate) const CONTEXT: &str = "wilco.context";
pub(crate) const CONTEXT_READ: &str = "wilco.context.read";
pub(crate) const CONTEXT_LATEST: &str = "wilco.context.latest";
pub(crate) const CONTEXT_AGE: &str = "wilco.context.age_ms";
pub(crate) const CONTEXT_MAX_AGE: &str = "wilco.context.max_age_ms";
pub(crate) const CONTEXT_AGE_UNCERTAINTY: &str = "wilco.context.age.uncertainty_ms";
pub(crate) const DEADLINE: &str = "wilco.deadline";
// Also the name of the event for each rung climbed.
pub(crate) const RUNG: &str = "wilco.rung";
pub(crate) const RUNG_EVIDENCE: &str = "wilco.rung.evidence";
pub(crate) const RESULT_HASH: &str = "wilco.result.hash";
pub(crate) const RESULT_SIZE: &str = "wilco.result.size";
pub(crate) const RESULT_QUALITY: &str = "wilco.result.quality";
pub(crate) const RESULT_QUALITY_THRESHOLD: &str = "wilco.result.quality.threshold";
pub(crate) const RESULT_QUALITY_BY: &str = "wilco.result.quality.by";
pub(crate) const RESULT_USED: &str = "wilco.result.used";
pub(crate) const RESULT_CHECKED: &str = "wilco.result.checked";
pub(crate) const VERDICT: &str = "wilco.verdict";
pub(crate) const MISMATCHES: &str = "wilco.mismatches";
pub(crate) const DECISION_TYPE: &str = "wilco.decision.type";
pub(crate) const DECISION_CHOICE: &str = "wilco.decision.choice";
pub(crate) const DECISION_CONFIDENCE: &str = "wilco.decision.confidence";
pub(crate) const DECISION_REASON: &str = "wilco.decision.reason";
pub(crate) const DECISION_ALTERNATIVES: &str = "wilco.decision.alternatives";
pub(crate) const DECISION_STEPS: &str = "wilco.decision.steps";
pub(crate) const DECISION_OUTCOME: &str = "wilco.decision.outcome";
pub(crate) const ITERATION: &str = "wilco.iteration";
pub(crate) const JOIN_EXPECTED: &str = "wilco.join.expected";
pub(crate) const JOIN_ARRIVED: &str = "wilco.join.arrived";
pub(crate) const JOIN_WAIT: &str = "wilco.join.wait_ms";
