use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::builder::BusBuilder;
use super::client::Client;
use super::router::Router;
use super::stats::{BusStats, Counters, get};
use super::subscription::Subscription;
use crate::nats::Info;

/// The nats-server whose core protocol is spoken. Clients tell by it what they may ask for.
const SPEAKS_LIKE: &str = "2.9.10";

/// What all connections of a bus share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: BusBuilder,
    pub(super) router: Router,
    pub(super) counters: Counters,
    clients: Mutex<HashMap<u64, Arc<Client>>>,
    ids: AtomicU64,
    info: Info,
}

impl Shared {
    pub(super) fn new(options: BusBuilder, address: SocketAddr) -> Self {
        let info = Info {
            server_id: format!("WILCO{}", uuid::Uuid::now_v7().simple()).to_uppercase(),
            server_name: "wilco-bus".to_owned(),
            version: SPEAKS_LIKE.to_owned(),
            proto: 1,
            host: address.ip().to_string(),
            port: address.port(),
            headers: true,
            max_payload: options.max_payload as i64,
            auth_required: options.token.is_some(),
            ..Info::default()
        };
        Self {
            options,
            router: Router::default(),
            counters: Counters::default(),
            clients: Mutex::default(),
            ids: AtomicU64::new(1),
            info,
        }
    }

    pub(super) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn clients(&self) -> MutexGuard<'_, HashMap<u64, Arc<Client>>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The line with which a client is greeted.
    pub(super) fn greeting(&self, id: u64, peer: SocketAddr) -> String {
        let mut info = self.info.clone();
        info.client_id = Some(id);
        info.client_ip = Some(peer.ip().to_string());
        // Text and numbers only, so it cannot fail.
        let json = serde_json::to_string(&info).unwrap_or_default();
        format!("INFO {json} \r\n")
    }

    /// Takes out a subscription that is over.
    pub(super) fn forget(&self, subscription: &Arc<Subscription>) {
        self.router.remove(subscription);
        let mut subscriptions = subscription.client.subscriptions();
        // Its name may have been given to another since.
        if subscriptions.get(&subscription.sid).is_some_and(|known| Arc::ptr_eq(known, subscription)) {
            subscriptions.remove(&subscription.sid);
        }
    }

    /// Takes out a client with all that it subscribed to.
    pub(super) fn leave(&self, client: &Client) {
        let subscriptions = std::mem::take(&mut *client.subscriptions());
        for subscription in subscriptions.values() {
            subscription.end();
            self.router.remove(subscription);
        }
        self.clients().remove(&client.id);
    }

    pub(super) fn stats(&self) -> BusStats {
        BusStats {
            connections: self.clients().len(),
            connections_total: get(&self.counters.connections),
            subscriptions: self.router.len(),
            messages_in: get(&self.counters.messages_in),
            messages_out: get(&self.counters.messages_out),
            bytes_in: get(&self.counters.bytes_in),
            slow_consumers: get(&self.counters.slow_consumers),
        }
    }
}
