use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::config::Config;
use super::correlate::Correlator;
use super::counters::Counters;
use super::error::ProxyError;
use super::metrics::{self, Gauges};
use super::shared::Shared;
use super::worker::{self, Order, Place};
use crate::telemetry::{Numbers, Telemetry};

/// A running proxy. Dropping it closes the listener and every connection; [`drain`](Self::drain) does so in order.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    drain_within: Duration,
    stop: watch::Sender<bool>,
    accepting: tokio::task::JoinHandle<()>,
    serving: Option<tokio::task::JoinHandle<()>>,
    workers: Vec<Hand>,
    correlator: Correlator,
    open: Arc<AtomicUsize>,
    /// Telemetry looks at them, too.
    gauges: Arc<Gauges>,
    telemetry: Telemetry,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Handoffs of which an answer or an acknowledgement was still owed when the time was over.
    pub unanswered: usize,
    /// Whether every span was exported, or dropped and counted, in time.
    pub flushed: bool,
}

#[derive(Debug)]
struct Hand {
    orders: mpsc::UnboundedSender<Order>,
    thread: std::thread::JoinHandle<()>,
}

/// What a client is told for which there is no place, in nats-server's words.
const NO_PLACE: &[u8] = b"-ERR 'maximum connections exceeded'\r\n";

/// Connections end between two messages; those that never are, after this time.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// How long what a worker has seen takes to the correlator.
const SEEN_WITHIN: Duration = Duration::from_millis(100);

/// How long telemetry may take to leave.
const FLUSH_WITHIN: Duration = Duration::from_secs(5);

impl Proxy {
    /// Begins to listen, on the calling tokio runtime, and starts the threads that carry messages.
    ///
    /// # Errors
    /// [`ProxyError`] if an address is taken, a certificate cannot be used, a rule cannot be read, or there can be no
    /// further thread.
    ///
    /// # Cancel safety
    /// When dropped, nothing is left running.
    pub async fn start(config: Config, telemetry: Telemetry) -> Result<Self, ProxyError> {
        let rules = Arc::new(config.rules(telemetry.clone()));
        let shared = Arc::new(Shared::new(config, Arc::clone(&rules))?);
        let config = &shared.config;
        let (listener, address) = listen(config.listen).await?;
        let metrics_listener = match config.metrics {
            Some(address) => Some(listen(address).await?),
            None => None,
        };
        let correlator = Correlator::start(rules).map_err(ProxyError::Thread)?;
        let open = Arc::new(AtomicUsize::new(0));
        let mut gauges = Gauges::new(telemetry.clone(), Arc::clone(&open), correlator.counters());
        let mut workers = Vec::with_capacity(config.workers);
        for index in 0..config.workers {
            let (orders, received) = mpsc::unbounded_channel();
            let outlet = correlator.outlet();
            let thread = worker::start(index, Arc::clone(&shared), gauges.counters(), outlet, received)?;
            workers.push(Hand { orders, thread });
        }
        let (stop, stopped) = watch::channel(false);
        let hands = workers.iter().map(|hand| hand.orders.clone()).collect();
        let accept = Accept {
            hands,
            open: Arc::clone(&open),
            most: config.connections,
            numbers: AtomicU64::new(1),
            counters: gauges.counters(),
        };
        let metrics = metrics_listener.as_ref().map(|(_, address)| *address);
        let gauges = Arc::new(gauges);
        let numbers: Weak<dyn Numbers> = Arc::downgrade(&(Arc::clone(&gauges) as Arc<dyn Numbers>));
        telemetry.send_along(numbers);
        let serving =
            metrics_listener.map(|(listener, _)| metrics::serve(listener, Arc::clone(&gauges), stopped.clone()));
        let accepting = tokio::spawn(accept.run(listener, stopped));
        Ok(Self {
            address,
            metrics,
            drain_within: config.drain_within,
            stop,
            accepting,
            serving,
            workers,
            correlator,
            open,
            gauges,
            telemetry,
        })
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are served.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.metrics
    }

    /// Handoffs that left no span so far: those that were not recorded as there were too many at once, and spans that were
    /// lost on their way.
    pub fn untold(&self) -> u64 {
        self.gauges.thinned() + self.telemetry.stats().dropped.total()
    }

    /// Stops accepting, waits for what is owed an answer or an acknowledgement, within the configured bound and while
    /// connections go on, closes every connection between two messages, which takes 2 s at most, and sends what telemetry
    /// there is, which takes 5 s at most.
    ///
    /// # Cancel safety
    /// When dropped, connections close at once.
    pub async fn drain(self) -> Drained {
        // The receivers may be gone if the tasks are.
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
        let until = Instant::now() + self.drain_within;
        let mut pace = tokio::time::interval(Duration::from_millis(20));
        // What workers have seen reaches the correlator a little later.
        tokio::time::sleep(SEEN_WITHIN.min(self.drain_within)).await;
        let mut unanswered = self.correlator.owed_handoffs().await;
        while self.open.load(Ordering::Relaxed) > 0 && unanswered != Some(0) && Instant::now() < until {
            pace.tick().await;
            unanswered = self.correlator.owed_handoffs().await.or(unanswered);
        }
        for hand in &self.workers {
            let _ = hand.orders.send(Order::Drain);
        }
        let until = Instant::now() + CLOSE_WITHIN;
        while self.open.load(Ordering::Relaxed) > 0 && Instant::now() < until {
            pace.tick().await;
        }
        let (workers, correlator) = (self.workers, self.correlator);
        let ended = tokio::task::spawn_blocking(move || {
            for hand in workers {
                drop(hand.orders);
                let _ = hand.thread.join();
            }
            let _ = correlator.drain(CLOSE_WITHIN);
            correlator.finish();
        });
        let _ = ended.await;
        let flushed = self.telemetry.shutdown(FLUSH_WITHIN).await;
        if let Some(serving) = self.serving {
            serving.abort();
        }
        Drained { unanswered: unanswered.unwrap_or_default(), flushed: flushed.complete }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ProxyError> {
    let failed = |source| ProxyError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

struct Accept {
    hands: Vec<mpsc::UnboundedSender<Order>>,
    open: Arc<AtomicUsize>,
    most: usize,
    numbers: AtomicU64,
    counters: Arc<Counters>,
}

impl Accept {
    async fn run(self, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopped.changed() => return,
            };
            let given = match accepted {
                Ok((client, peer)) => self.give(client, peer),
                Err(error) => Err(error),
            };
            if let Err(error) = given {
                self.counters.accept_failures.add();
                tracing::warn!(%error, "a client could not be accepted");
                // Out of file descriptors, as like as not: trying again at once would spin.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    /// Hands connections round, so that every worker has as many.
    fn give(&self, client: TcpStream, peer: SocketAddr) -> io::Result<()> {
        let Some(place) = Place::take(&self.open, self.most) else {
            self.counters.refused_limit.add();
            // A new connection has room for one line.
            let _ = client.try_write(NO_PLACE);
            return Ok(());
        };
        client.set_nodelay(true)?;
        let client = client.into_std()?;
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let hand = &self.hands[number as usize % self.hands.len()];
        // A worker that is gone has ended with the proxy.
        let _ = hand.send(Order::Serve { client, peer, number, place });
        Ok(())
    }
}
