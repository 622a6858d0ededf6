use std::io;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;

use super::client::Client;
use super::parting::Parting;
use super::session::Session;
use super::shared::Shared;
use super::stats::add;

/// Room for one read, in bytes: at first, and for a connection that fills it.
const READ_LEAST: usize = 4 << 10;
const READ_MOST: usize = 64 << 10;

/// So many reads are dealt with before others get their turn.
const READS_IN_A_ROW: usize = 8;

/// How long a socket may take for the last bytes that it is given.
const FLUSHES_WITHIN: Duration = Duration::from_secs(1);

/// How long, and how much, is still read of a client after it was told goodbye: closing a socket with unread bytes
/// would take the goodbye back.
const LINGERS: Duration = Duration::from_millis(300);
const LINGERING_BYTES: usize = 4 << 20;

/// Serves one connection to its end.
pub(super) async fn run(client: Arc<Client>, stream: Arc<TcpStream>, shared: Arc<Shared>) {
    let _leaves = Leaves { client: &client, shared: &shared };
    let parting = serve(&client, &stream, &shared).await;
    // Nothing more is for it, while it hears the last.
    shared.leave(&client);
    client.outbox().part(parting);
    tracing::debug!(client = client.id, ?parting, "a connection ends");
    if parting == Parting::SlowConsumer {
        add(&shared.counters.slow_consumers, 1);
        tracing::warn!(client = client.id, limit = shared.options.max_pending, "a slow consumer is cut off");
    }
    if parting != Parting::Gone {
        farewell(&client, &stream).await;
    }
}

/// Takes the client out also if the task is cancelled.
struct Leaves<'a> {
    client: &'a Client,
    shared: &'a Shared,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.shared.leave(self.client);
        let mut outbox = self.client.outbox();
        outbox.part(Parting::Gone);
        outbox.discard();
        drop(outbox);
        self.client.drained.notify_waiters();
    }
}

async fn serve(client: &Arc<Client>, stream: &TcpStream, shared: &Arc<Shared>) -> Parting {
    client.flush();
    let mut session = Session::new(client.clone(), shared.clone());
    let mut unread: Vec<u8> = Vec::with_capacity(READ_LEAST);
    let mut read_len = READ_LEAST;
    loop {
        let (parting, writes) = client.state();
        if let Some(parting) = parting {
            return parting;
        }
        let interest = if writes { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        let ready = tokio::select! {
            ready = stream.ready(interest) => ready,
            () = client.attention.notified() => continue,
        };
        match ready {
            Ok(ready) if ready.is_writable() && writes => {
                client.flush();
                client.drained.notify_waiters();
            }
            Ok(_) => {}
            Err(_) => return Parting::Gone,
        }
        for _ in 0..READS_IN_A_ROW {
            if unread.capacity() - unread.len() < READ_LEAST {
                unread.reserve(read_len);
            }
            let room = unread.capacity() - unread.len();
            let came = match stream.try_read_buf(&mut unread) {
                Ok(0) => return Parting::Gone,
                Ok(came) => came,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Parting::Gone,
            };
            if came == room {
                read_len = (read_len * 2).min(READ_MOST);
            }
            let outcome = session.read(&mut unread);
            session.flush();
            if let Err(parting) = outcome {
                return parting;
            }
            if unread.is_empty() && unread.capacity() < read_len || unread.capacity() > 2 * READ_MOST {
                renew(&mut unread, read_len);
            }
            session.hold_back().await;
        }
    }
}

/// Gives the read buffer its usual size again, unless there is more in it.
fn renew(unread: &mut Vec<u8>, read_len: usize) {
    if unread.len() < read_len {
        let mut renewed = Vec::with_capacity(read_len.max(unread.len() + READ_LEAST));
        renewed.extend_from_slice(unread);
        *unread = renewed;
    }
}

/// Sends what waits, with the goodbye at its end, and closes in order.
async fn farewell(client: &Client, stream: &TcpStream) {
    let flushed = tokio::time::timeout(FLUSHES_WITHIN, async {
        loop {
            let done = client.outbox().flush();
            match done {
                Ok(true) => return true,
                Ok(false) if stream.writable().await.is_ok() => {}
                _ => return false,
            }
        }
    });
    if !matches!(flushed.await, Ok(true)) {
        return;
    }
    if end_of_stream(stream).is_err() {
        return;
    }
    let mut scrap = [0; 4096];
    let mut left = LINGERING_BYTES;
    // Whether it ends or the time does: nothing is expected of it any more.
    let _ = tokio::time::timeout(LINGERS, async {
        while left > 0 && stream.readable().await.is_ok() {
            match stream.try_read(&mut scrap) {
                Ok(0) => return,
                Ok(came) => left = left.saturating_sub(came),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    })
    .await;
}

/// Tells the other side that nothing more comes. tokio does this only for a stream that nobody else holds.
#[cfg(unix)]
fn end_of_stream(stream: &TcpStream) -> io::Result<()> {
    use std::os::fd::AsFd;
    std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?).shutdown(Shutdown::Write)
}

/// As above.
#[cfg(windows)]
fn end_of_stream(stream: &TcpStream) -> io::Result<()> {
    use std::os::windows::io::AsSocket;
    std::net::TcpStream::from(stream.as_socket().try_clone_to_owned()?).shutdown(Shutdown::Write)
}
