use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::config::Config;
use super::counters::Counters;
use super::error::ProxyError;
use super::observer::Rules;
use super::tls::Tls;
use super::upstream::Upstreams;
use crate::nats::Info;

/// What all workers share, and none of them changes.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) upstreams: Upstreams,
    pub(crate) tls: Tls,
    pub(crate) rules: Arc<Rules>,
    /// Somebody was told of addresses that lead around us.
    warned: AtomicBool,
}

impl Shared {
    pub(crate) fn new(config: Config, rules: Arc<Rules>) -> Result<Self, ProxyError> {
        let upstreams = Upstreams::new(&config.upstreams, config.connect_within);
        let tls = Tls::load(&config.tls, config.upstreams.iter().any(|url| url.tls))?;
        Ok(Self { config, upstreams, tls, rules, warned: AtomicBool::new(false) })
    }

    /// What an `INFO` means for all: a server that is about to stop is tried last, and addresses that lead clients
    /// around us are counted, and told once.
    pub(crate) fn check(&self, info: &Info, upstream: usize, rewritten: bool, counters: &Counters) {
        if info.lame_duck {
            counters.lame_ducks.add();
            self.upstreams.avoid(upstream);
        }
        if rewritten || info.connect_urls.is_empty() {
            return;
        }
        counters.around.add();
        if !self.warned.swap(true, Ordering::Relaxed) {
            let addresses = info.connect_urls.join(", ");
            tracing::warn!(
                addresses,
                "the server offers clients addresses at which they would reconnect around the proxy; set \
                 client_advertise (to the proxy's address) or no_advertise on the server, or --advertise here"
            );
        }
    }
}
