use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Session, Talk};
use crate::nats::{Info, Op, Parsed, Parser, Speaker, limits};
use crate::proxy::info::InfoEdit;
use crate::proxy::observer::Observer;
use crate::proxy::record::SessionId;
use crate::proxy::stream::Stream;
use crate::proxy::worker::Worker;

/// Connects a client that was accepted: first to a server, so that no client waits for an INFO that nobody has.
///
/// # Errors
/// If no server answers, or a TLS handshake fails. The client is to be let go then.
pub(crate) async fn open(client: TcpStream, peer: SocketAddr, number: u64, worker: &Rc<Worker>) -> io::Result<Session> {
    let (upstream, server) = connect(&client, worker).await?;
    let observer = Observer::new(worker.shared.rules.clone(), SessionId::new(number), peer);
    let edit = InfoEdit { tls: None, advertise: worker.shared.config.advertise.clone() };
    let mut talk = Talk { info: None, headers: false, edit, observer, number, upstream };
    let tls = &worker.shared.tls;
    let to_server = worker.shared.upstreams.url(upstream).tls;
    if !tls.terminates() && !to_server {
        return Ok(Session::new(Stream::Plain(client), Stream::Plain(server), talk, Rc::clone(worker)));
    }
    let secured = tokio::time::timeout(HANDSHAKE, secure(client, server, &mut talk, worker)).await;
    let (client, server) = match secured {
        Ok(Ok(both)) => both,
        Ok(Err(error)) => return Err(tls_failed(worker, error)),
        Err(_) => return Err(tls_failed(worker, io::ErrorKind::TimedOut.into())),
    };
    Ok(Session::new(client, server, talk, Rc::clone(worker)))
}

/// How long both sides' handshakes may take.
const HANDSHAKE: std::time::Duration = std::time::Duration::from_secs(5);

fn tls_failed(worker: &Worker, error: io::Error) -> io::Error {
    worker.counters.tls_failures.add();
    tracing::warn!(%error, "a TLS handshake failed");
    error
}

/// The first server that answers.
async fn connect(client: &TcpStream, worker: &Worker) -> io::Result<(usize, TcpStream)> {
    let upstreams = &worker.shared.upstreams;
    let mut last = io::Error::from(io::ErrorKind::NotConnected);
    for upstream in upstreams.order() {
        match reach(upstream, client, worker).await {
            Ok(server) => {
                upstreams.found_up(upstream);
                return Ok((upstream, server));
            }
            Err(failed) => {
                worker.counters.upstream_failures.add();
                upstreams.found_down(upstream, &failed);
                last = failed;
            }
        }
    }
    upstreams.turned_away();
    Err(last)
}

/// A server that speaks, or that waits for a client which does.
async fn reach(upstream: usize, client: &TcpStream, worker: &Worker) -> io::Result<TcpStream> {
    let shared = &worker.shared;
    let server = shared.upstreams.connect(upstream).await?;
    // This one waits for our TLS.
    if shared.upstreams.url(upstream).tls && shared.tls.upstream_first {
        return Ok(server);
    }
    let speaks = async {
        tokio::select! {
            ready = server.readable() => ready,
            ready = client.readable() => ready,
        }
    };
    match tokio::time::timeout(shared.config.connect_within, speaks).await {
        Ok(ready) => ready?,
        Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "it accepted, and said nothing")),
    }
    // One that hangs up at once is about to stop, or full.
    match server.try_io(tokio::io::Interest::READABLE, || peek(&server, &mut [0])) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(_) => Ok(server),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(server),
        Err(error) => Err(error),
    }
}

fn peek(server: &TcpStream, into: &mut [u8]) -> io::Result<usize> {
    let mut buffer = tokio::io::ReadBuf::new(into);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match server.poll_peek(&mut cx, &mut buffer) {
        std::task::Poll::Ready(read) => read,
        std::task::Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// Ends TLS on the client's side and begins it on the server's, as configured. NATS says INFO before TLS, unless a side
/// is told to begin with TLS.
async fn secure(
    client: TcpStream,
    mut server: TcpStream,
    talk: &mut Talk,
    worker: &Worker,
) -> io::Result<(Stream, Stream)> {
    let tls = &worker.shared.tls;
    let url = worker.shared.upstreams.url(talk.upstream);
    talk.edit.tls = Some(tls.terminates());
    let (mut server, info) = if url.tls && tls.upstream_first {
        let mut server = tls.connect(&url.host, server).await?;
        let info = match &mut server {
            Stream::Tls(tls) => read_info(tls.as_mut()).await?,
            Stream::Plain(tcp) => read_info(tcp).await?,
        };
        (server, info)
    } else {
        let info = read_info(&mut server).await?;
        (if url.tls { tls.connect(&url.host, server).await? } else { Stream::Plain(server) }, info)
    };
    let line = [b"INFO ", talk.edit.apply(&info).as_slice(), b"\r\n"].concat();
    super::down::heard(talk, &info, worker);
    let mut client = client;
    if tls.terminates() && tls.first {
        let mut client = tls.accept(client).await?;
        if let Stream::Tls(stream) = &mut client {
            stream.write_all(&line).await?;
            stream.flush().await?;
        }
        return Ok((client, server));
    }
    client.write_all(&line).await?;
    let client = tls.accept(client).await?;
    // The server has a client that speaks; nothing of what it says is lost.
    std::future::poll_fn(|cx| server.poll_flush(cx)).await?;
    Ok((client, server))
}

/// Reads the INFO line, and no byte more: what follows may be a TLS handshake.
async fn read_info(server: &mut (impl tokio::io::AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut parser = Parser::new(Speaker::Server, limits::MAX_SERVER_LINE);
    let mut line = Vec::new();
    loop {
        // Byte by byte, once per connection: a server says one line and waits.
        line.push(server.read_u8().await?);
        if line.last() != Some(&b'\n') {
            if line.len() > limits::MAX_SERVER_LINE {
                return Err(io::Error::other("the server's first line does not end"));
            }
            continue;
        }
        return match parser.parse(&line) {
            Parsed::Frame(head) => match head.op {
                Op::Info { json } if Info::from_json(json.of(&line)).is_ok() => Ok(json.of(&line).to_vec()),
                _ => Err(io::Error::other("the server's first line is no INFO")),
            },
            _ => Err(io::Error::other("the server's first line is no INFO")),
        };
    }
}
