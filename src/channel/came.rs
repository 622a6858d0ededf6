//! What a message brought, the same to whoever holds it: an offer that is thought about, or a task that is worked on.

/// The methods by which `$holder`, which has a `delivery()`, tells what came.
macro_rules! what_came {
    ($holder:ident) => {
        impl $holder {
            /// The handoff's id; `None` if a plain message named none.
            pub fn id(&self) -> Option<$crate::model::HandoffId> {
                self.delivery().id()
            }

            /// Who handed it over, if the message says so.
            pub fn from(&self) -> Option<&$crate::model::AgentName> {
                self.delivery().envelope.from.as_ref()
            }

            /// The workflow it belongs to, if the message says so.
            pub fn workflow(&self) -> Option<&$crate::model::WorkflowId> {
                self.delivery().envelope.workflow.as_ref()
            }

            /// Delegation or transfer. A plain message with a reply subject is taken for a delegation.
            pub fn kind(&self) -> $crate::model::HandoffKind {
                self.delivery().kind
            }

            /// 1 for the sender's first attempt.
            pub fn attempt(&self) -> u32 {
                self.delivery().attempt()
            }

            /// When the sender stops waiting for the result, by the sender's clock.
            pub fn deadline(&self) -> Option<$crate::model::Timestamp> {
                self.delivery().envelope.by
            }

            /// The payload, read as JSON.
            ///
            /// # Errors
            /// [`PayloadError`](crate::channel::PayloadError) if it is not the JSON that was asked for.
            pub fn payload<T: serde::de::DeserializeOwned>(&self) -> Result<T, $crate::channel::PayloadError> {
                Ok(serde_json::from_slice(&self.delivery().payload)?)
            }

            /// The payload's bytes, as they came.
            pub fn bytes(&self) -> &bytes::Bytes {
                &self.delivery().payload
            }

            /// The hash of the payload as it came.
            pub fn hash(&self) -> $crate::model::ContentHash {
                self.delivery().received.hash
            }

            /// Whether the payload is what was sent. `true` also where the message does not say what was sent.
            pub fn is_intact(&self) -> bool {
                !self.mismatches().iter().any(|mismatch| {
                    matches!(
                        mismatch.kind,
                        $crate::model::MismatchKind::Corrupted | $crate::model::MismatchKind::Truncated
                    )
                })
            }

            /// Whether the task's header was written by a holder of the channel's key. `false` without a key, and for a task
            /// from an agent or a proxy that has none: whoever needs it to be right refuses the task.
            pub fn is_authentic(&self) -> bool {
                self.delivery().authentic
            }

            /// What does not agree, as far as this side knows.
            pub fn mismatches(&self) -> Vec<$crate::model::Mismatch> {
                self.delivery().found()
            }

            /// The context items that came, and how old they are now. Looking at the list is not using an item.
            pub fn contexts(&self) -> Vec<$crate::channel::ContextRead> {
                self.delivery().contexts_now()
            }
        }
    };
}

pub(super) use what_came;
