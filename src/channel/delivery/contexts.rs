//! What a task rests on: the context items that came with it, and how old they are when they are used.

use super::{ContextsUsed, Delivery, carrier};
use crate::channel::hooks::ContextRead;
use crate::channel::lock::lock;
use crate::model::{Context, Timestamp};
use crate::verify::freshness::{FreshBy, Freshness, freshness, worst_age};
use crate::wire::ContextAgeReport;

impl Delivery {
    pub(crate) fn mark_read(&self, name: &str) {
        let mut state = lock(&self.state);
        let read = &mut state.contexts.get_or_insert_default().read;
        if !read.iter().any(|known| known == name) {
            read.push(name.to_owned());
        }
    }

    pub(crate) fn context_now(&self, item: &Context) -> ContextRead {
        let known = lock(&self.hub().known);
        ContextRead {
            name: item.name.clone(),
            version: item.version.clone(),
            observed_at: item.observed_at,
            freshness: freshness(item, self.hub().clock.now(), self.offset, known.get(&item.name)),
        }
    }

    pub(crate) fn contexts_now(&self) -> Vec<ContextRead> {
        self.envelope.contexts.iter().map(|item| self.context_now(item)).collect()
    }

    /// Judges the items that were used, at the moment at which the agent has made its plan.
    pub(super) fn use_contexts(&self, now: Timestamp) -> Vec<ContextAgeReport> {
        if self.envelope.contexts.is_empty() {
            return Vec::new();
        }
        let read = lock(&self.state).contexts.as_ref().map(|contexts| contexts.read.clone()).unwrap_or_default();
        let used: Vec<&Context> =
            self.envelope.contexts.iter().filter(|item| read.is_empty() || read.contains(&item.name)).collect();
        let mut stale = Vec::new();
        let mut latest = Vec::new();
        let mut reports = Vec::with_capacity(used.len());
        {
            let mut known = lock(&self.hub().known);
            for item in &used {
                let judged = freshness(item, now, self.offset, known.get(&item.name));
                stale.extend(judged.mismatch().cloned());
                let age_ms = item.observed_at.map(|observed_at| now.nanos_since(observed_at) as f64 / 1e6);
                let current = matches!(judged, Freshness::Fresh { by: FreshBy::Version, .. });
                reports.push(ContextAgeReport::new(item.name.as_str(), item.version.clone(), age_ms).current(current));
                if let Some(version) = known.get(&item.name) {
                    latest.push(format!("{}@{}", item.name, version.version));
                }
            }
            for item in &self.envelope.contexts {
                if let Some(version) = &item.version {
                    known.saw(&item.name, version);
                }
            }
        }
        stale.into_iter().for_each(|mismatch| self.find(mismatch));
        let age = worst_age(used.iter().copied(), now, self.offset).map(carrier::context_age);
        let read = used.iter().map(|item| item.name.clone()).collect();
        lock(&self.state).contexts = Some(Box::new(ContextsUsed { read, age, latest }));
        reports
    }
}
