use std::collections::HashMap;
use std::sync::Arc;

use super::subscription::Subscription;
use crate::nats::subject::{is_deliverable, tokens};

/// Who subscribes to what: a tree with a level for each token.
#[derive(Debug, Default)]
pub(super) struct Sublist {
    root: Node,
    count: usize,
}

#[derive(Debug, Default)]
struct Node {
    children: HashMap<Box<[u8]>, Node>,
    /// Below `*`.
    any: Option<Box<Node>>,
    /// At `>`.
    rest: Vec<Arc<Subscription>>,
    here: Vec<Arc<Subscription>>,
}

/// Who gets messages on one subject.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub(super) plain: Vec<Arc<Subscription>>,
    /// Each by the name of its queue group; one member of each gets a message.
    pub(super) groups: Vec<Vec<Arc<Subscription>>>,
}

impl Sublist {
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn insert(&mut self, subscription: Arc<Subscription>) {
        let mut node = &mut self.root;
        let subject = subscription.subject.clone();
        for token in tokens(&subject) {
            node = match token {
                b">" => {
                    node.rest.push(subscription);
                    self.count += 1;
                    return;
                }
                b"*" => node.any.get_or_insert_default(),
                _ => node.children.entry(token.into()).or_default(),
            };
        }
        node.here.push(subscription);
        self.count += 1;
    }

    /// Takes a subscription out; `false` if it was not in.
    pub(super) fn remove(&mut self, subscription: &Arc<Subscription>) -> bool {
        let path: Vec<&[u8]> = tokens(&subscription.subject).collect();
        let removed = self.root.remove(&path, subscription);
        self.count -= usize::from(removed);
        removed
    }

    /// Who gets messages on this subject; nobody, if it cannot be delivered.
    pub(super) fn find(&self, subject: &[u8]) -> Matched {
        let mut matched = Matched::default();
        if is_deliverable(subject) {
            let path: Vec<&[u8]> = tokens(subject).collect();
            self.root.find(&path, &mut matched);
        }
        matched
    }
}

impl Node {
    /// As deep as a pattern has tokens, which the limit of a control line bounds.
    fn remove(&mut self, path: &[&[u8]], subscription: &Arc<Subscription>) -> bool {
        let Some((token, path)) = path.split_first() else { return take_out(&mut self.here, subscription) };
        match *token {
            b">" => take_out(&mut self.rest, subscription),
            b"*" => {
                let removed = self.any.as_mut().is_some_and(|node| node.remove(path, subscription));
                self.any.take_if(|node| node.is_empty());
                removed
            }
            token => {
                let Some(node) = self.children.get_mut(token) else { return false };
                let removed = node.remove(path, subscription);
                if node.is_empty() {
                    self.children.remove(token);
                }
                removed
            }
        }
    }

    fn find(&self, path: &[&[u8]], matched: &mut Matched) {
        let Some((token, path)) = path.split_first() else { return matched.extend(&self.here) };
        matched.extend(&self.rest);
        if let Some(node) = self.children.get(*token) {
            node.find(path, matched);
        }
        if let Some(node) = &self.any {
            node.find(path, matched);
        }
    }

    fn is_empty(&self) -> bool {
        self.here.is_empty() && self.rest.is_empty() && self.children.is_empty() && self.any.is_none()
    }
}

impl Matched {
    fn extend(&mut self, subscriptions: &[Arc<Subscription>]) {
        for subscription in subscriptions {
            match &subscription.queue {
                None => self.plain.push(subscription.clone()),
                Some(_) => {
                    let group = self.groups.iter_mut().find(|group| group[0].queue == subscription.queue);
                    match group {
                        Some(group) => group.push(subscription.clone()),
                        None => self.groups.push(vec![subscription.clone()]),
                    }
                }
            }
        }
    }
}

fn take_out(list: &mut Vec<Arc<Subscription>>, subscription: &Arc<Subscription>) -> bool {
    let Some(at) = list.iter().position(|one| Arc::ptr_eq(one, subscription)) else { return false };
    // In order, so that deliveries stay in the order of the subscriptions.
    list.remove(at);
    true
}
