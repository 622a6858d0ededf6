use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Notify, mpsc};

use super::correlate::Outlet;
use super::counters::Counters;
use super::error::ProxyError;
use super::record::{Batch, Shed};
use super::session::{self, Buffers};
use super::shared::Shared;

/// How long records wait for their batch to fill: to wake two threads costs as much as a dozen records.
const SHIP_WITHIN: Duration = Duration::from_millis(50);

/// One thread's share: the connections that it carries, one at a time.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) desk: RefCell<Desk>,
    /// Connections end as soon as they are between two messages.
    pub(crate) draining: Cell<bool>,
    wakers: RefCell<HashMap<u64, Waker>>,
    outlet: Outlet,
    /// A batch has its first record.
    begun: Notify,
    is_begun: Cell<bool>,
}

/// What lies on a worker's desk while it serves one connection.
pub(crate) struct Desk {
    pub(crate) buffers: Buffers,
    pub(crate) batch: Batch,
}

/// What a worker is told.
pub(crate) enum Order {
    Serve { client: std::net::TcpStream, peer: SocketAddr, number: u64, place: Place },
    Drain,
}

/// A connection's place among those that are open, given back when it is dropped.
pub(crate) struct Place(Arc<AtomicUsize>);

impl Place {
    /// `None` if all are taken.
    pub(crate) fn take(open: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < most).then_some(count + 1)).ok()?;
        Some(Self(Arc::clone(open)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Starts a worker's thread. It ends when its orders do, and closes what is open then.
///
/// # Errors
/// [`ProxyError::Thread`] if there can be no further thread.
pub(crate) fn start(
    index: usize,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    outlet: Outlet,
    orders: mpsc::UnboundedReceiver<Order>,
) -> Result<std::thread::JoinHandle<()>, ProxyError> {
    let (started, has_started) = std::sync::mpsc::sync_channel(1);
    let run = move || {
        // It can only be driven by the thread that made it.
        let runtime = match Builder::new_current_thread().enable_all().build_local(LocalOptions::default()) {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(error))),
        };
        let _ = started.send(Ok(()));
        let desk = Desk { buffers: Buffers::default(), batch: Batch::default() };
        let worker = Rc::new(Worker {
            shared,
            counters,
            desk: RefCell::new(desk),
            draining: Cell::new(false),
            wakers: RefCell::default(),
            outlet,
            begun: Notify::new(),
            is_begun: Cell::new(false),
        });
        runtime.block_on(work(&worker, orders));
        // Connections that have not ended in time end here; each tells its observer.
        drop(runtime);
        worker.ship(&mut worker.desk.borrow_mut().batch);
    };
    let thread = std::thread::Builder::new().name(format!("proxy-{index}")).spawn(run).map_err(ProxyError::Thread)?;
    let outcome = has_started.recv().unwrap_or_else(|_| Err(std::io::Error::other("it ended as it began")));
    outcome.map_err(ProxyError::Thread).map(|()| thread)
}

async fn work(worker: &Rc<Worker>, mut orders: mpsc::UnboundedReceiver<Order>) {
    tokio::task::spawn_local(ship(Rc::clone(worker)));
    loop {
        match orders.recv().await {
            Some(Order::Serve { client, peer, number, place }) => {
                let worker = Rc::clone(worker);
                tokio::task::spawn_local(serve(worker, client, peer, number, place));
            }
            Some(Order::Drain) => {
                worker.draining.set(true);
                worker.wakers.borrow_mut().drain().for_each(|(_, waker)| waker.wake());
            }
            None => return,
        }
    }
}

/// Sends batches that do not fill.
async fn ship(worker: Rc<Worker>) {
    loop {
        worker.begun.notified().await;
        tokio::time::sleep(SHIP_WITHIN).await;
        worker.ship(&mut worker.desk.borrow_mut().batch);
    }
}

async fn serve(worker: Rc<Worker>, client: std::net::TcpStream, peer: SocketAddr, number: u64, place: Place) {
    worker.counters.connections.add();
    let opened = match tokio::net::TcpStream::from_std(client) {
        // In a box, as a connection keeps the room of what its task has ever waited for, and this is TLS and all.
        Ok(client) => Box::pin(session::open(client, peer, number, &worker)).await,
        Err(error) => {
            tracing::warn!(%peer, %error, "a client could not be served");
            Err(error)
        }
    };
    match opened {
        Ok(mut session) => session.run().await,
        Err(error) => {
            worker.counters.refused_upstream.add();
            // Why was told where it was found, and once: clients come again and again.
            tracing::debug!(%peer, %error, "a client was let go: it could not be connected to a server");
        }
    }
    worker.wakers.borrow_mut().remove(&number);
    drop(place);
}

impl Worker {
    /// Remembers how to wake a connection's task, for a drain.
    pub(crate) fn remember(&self, number: u64, waker: &Waker) {
        self.wakers.borrow_mut().insert(number, waker.clone());
    }

    /// Called after records were made: sees to it that they leave, when there are enough or after a while.
    #[inline]
    pub(crate) fn mind(&self, batch: &mut Batch) {
        let shed = batch.take_shed();
        if shed != Shed::default() {
            self.counters.shed_sent.add_many(shed.sent);
            self.counters.shed_received.add_many(shed.received);
        }
        if batch.is_full() {
            self.ship(batch);
        } else if !batch.is_empty() && !self.is_begun.replace(true) {
            self.begun.notify_one();
        }
    }

    /// Called before a message is looked at: one read may hold more of them than a batch is to.
    #[inline]
    pub(crate) fn mind_full(&self, batch: &mut Batch) {
        if batch.is_full() {
            self.mind(batch);
        }
    }

    fn ship(&self, batch: &mut Batch) {
        self.is_begun.set(false);
        self.outlet.ship(batch);
    }
}
