use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::client::Client;
use super::parting::Parting;
use super::shared::Shared;

/// As many pings may be without an answer.
const UNANSWERED_PINGS: u32 = 2;

/// Looks after connections that are silent: pings them, and cuts off those that do not answer or do not say who they
/// are. One task for all, so that a message costs no timer. Never ends.
pub(super) async fn keep(shared: Arc<Shared>) {
    let options = &shared.options;
    let step =
        (options.ping_interval.min(options.auth_timeout) / 4).clamp(Duration::from_millis(5), Duration::from_secs(1));
    let mut pinged = Instant::now();
    loop {
        tokio::time::sleep(step).await;
        let ping_now = pinged.elapsed() >= options.ping_interval;
        if ping_now {
            pinged = Instant::now();
        }
        let clients: Vec<Arc<Client>> = shared.clients().values().cloned().collect();
        for client in clients {
            if !client.admitted.load(Ordering::Relaxed) {
                if client.since.elapsed() >= options.auth_timeout {
                    client.part(Parting::AuthenticationTimeout);
                }
            } else if ping_now {
                ping(&client);
            }
        }
    }
}

fn ping(client: &Client) {
    if client.heard.swap(false, Ordering::Relaxed) {
        client.unanswered_pings.store(0, Ordering::Relaxed);
        return;
    }
    if client.unanswered_pings.fetch_add(1, Ordering::Relaxed) >= UNANSWERED_PINGS {
        client.part(Parting::Stale);
        return;
    }
    client.say(b"PING\r\n");
    client.flush();
}
