use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::Client;
use super::parting::Parting;
use super::shared::Shared;
use super::stats::add;
use super::{connection, keeper};

/// How long what waits may take to be sent at the end.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// How long to wait when the system has no more sockets to give.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(100);

/// Accepts connections and owns their tasks, until it is told to end.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>, mut ending: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let mut kept = JoinSet::new();
    kept.spawn(keeper::keep(shared.clone()));
    loop {
        tokio::select! {
            () = told(&mut ending) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let stream = Arc::new(stream);
                    if let Ok(client) = admit(&stream, &shared) {
                        connections.spawn(connection::run(client, stream, shared.clone()));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(OUT_OF_SOCKETS).await;
                }
            },
            // So that those that ended are not kept.
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    for client in shared.clients().values() {
        client.part(Parting::Shutdown);
    }
    // What is left after that ends with the set.
    let _ = tokio::time::timeout(ENDS_WITHIN, async { while connections.join_next().await.is_some() {} }).await;
}

/// Waits until the bus is to end, or nobody is left to say so.
async fn told(ending: &mut watch::Receiver<bool>) {
    // What it gives is a lock, which must not be held while waiting.
    let _ = ending.wait_for(|ends| *ends).await;
}

/// Greets a connection and enters it among the clients.
fn admit(stream: &Arc<TcpStream>, shared: &Arc<Shared>) -> io::Result<Arc<Client>> {
    add(&shared.counters.connections, 1);
    stream.set_nodelay(true)?;
    let peer = stream.peer_addr()?;
    let id = shared.next_id();
    let client = Arc::new(Client::new(id, stream.clone(), shared.options.max_pending, shared.options.token.is_none()));
    client.say(shared.greeting(id, peer).as_bytes());
    let mut clients = shared.clients();
    if clients.len() >= shared.options.max_connections {
        tracing::warn!(limit = shared.options.max_connections, "a connection over the limit was refused");
        client.part(Parting::TooManyConnections);
    } else {
        clients.insert(id, client.clone());
    }
    Ok(client)
}
