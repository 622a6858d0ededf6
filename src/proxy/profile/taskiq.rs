//! taskiq over NATS: the body is the JSON that taskiq's formatter makes, `{"task_id":...,"task_name":...,"labels":...}`,
//! and the labels are headers.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::proxy::observer::LARGEST_JSON;

/// The id of the task in a body that is a task's.
pub(crate) fn task_id(payload: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Task<'a> {
        #[serde(borrow)]
        task_id: Cow<'a, str>,
        #[serde(rename = "task_name")]
        _name: IgnoredAny,
    }
    if !payload.starts_with(b"{") || payload.len() > LARGEST_JSON {
        return None;
    }
    let task: Task<'_> = serde_json::from_slice(payload).ok()?;
    (!task.task_id.is_empty()).then(|| task.task_id.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tasks_id_is_found_in_its_body() {
        let body = br#"{"task_id":"7d1b","task_name":"app:add","labels":{},"args":[1,2],"kwargs":{}}"#;
        assert_eq!(task_id(body).as_deref(), Some("7d1b"));
        for other in [&b"{}"[..], b"hello", br#"{"task_id":"x"}"#, br#"{"task_id":7,"task_name":"a"}"#, b"{\xff"] {
            assert_eq!(task_id(other), None, "{other:?}");
        }
    }
}
