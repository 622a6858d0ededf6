use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

/// Address of a NATS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UpstreamUrl {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// We speak TLS to it.
    pub(crate) tls: bool,
}

const DEFAULT_PORT: u16 = 4222;

impl UpstreamUrl {
    /// Reads `nats://host:port`, `tls://host:port`, `host:port` or `host`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no URL of a NATS server; write one as in nats://127.0.0.1:4222");
        let (tls, rest) = match text.split_once("://") {
            Some(("nats", rest)) => (false, rest),
            Some(("tls", rest)) => (true, rest),
            Some(_) => return Err(wrong()),
            None => (false, text),
        };
        if rest.contains('@') {
            return Err(format!("{text:?} has credentials; take them out, as each client sends its own"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of an IPv6 address without brackets are not ours to tell apart.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (rest, DEFAULT_PORT),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':' | '%');
        let known = host.parse::<std::net::IpAddr>().is_ok() || host.contains(|letter: char| letter.is_alphabetic());
        if host.is_empty() || port == 0 || !known || !host.chars().all(is_name) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }

    /// Whether who connects there arrives at this listener of ours, as far as the text tells.
    pub(crate) fn is_at(&self, listener: SocketAddr) -> bool {
        let localhost = IpAddr::from(Ipv4Addr::LOCALHOST);
        let named = self.host.parse::<IpAddr>().ok();
        let ip = if self.host == "localhost" { Some(localhost) } else { named };
        let takes_it = |ip: IpAddr| ip == listener.ip() || listener.ip().is_unspecified() && ip.is_loopback();
        self.port == listener.port() && ip.is_some_and(takes_it)
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "nats" };
        if self.host.contains(':') {
            write!(f, "{scheme}://[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// The servers, in the order in which they are tried.
#[derive(Debug)]
pub(crate) struct Upstreams {
    servers: Vec<Server>,
    /// Clients for which no server was found since one answered last.
    turned_away: AtomicU64,
    began: Instant,
    within: Duration,
}

#[derive(Debug)]
struct Server {
    url: UpstreamUrl,
    /// Until when it is tried last, in milliseconds since `began`.
    avoid_until: AtomicU64,
    /// It did not answer when it was asked last.
    is_down: AtomicBool,
}

/// How long a server that did not answer, or is about to stop, is tried last.
const AVOID: Duration = Duration::from_secs(10);

impl Upstreams {
    pub(crate) fn new(urls: &[UpstreamUrl], within: Duration) -> Self {
        let server = |url: &UpstreamUrl| Server {
            url: url.clone(),
            avoid_until: AtomicU64::new(0),
            is_down: AtomicBool::new(false),
        };
        Self {
            servers: urls.iter().map(server).collect(),
            turned_away: AtomicU64::new(0),
            began: Instant::now(),
            within,
        }
    }

    /// The order in which to try: as they are listed, those to be avoided last.
    pub(crate) fn order(&self) -> impl Iterator<Item = usize> {
        let now = self.millis();
        let avoided = move |index: &usize| self.servers[*index].avoid_until.load(Ordering::Relaxed) > now;
        let all = 0..self.servers.len();
        all.clone().filter(move |index| !avoided(index)).chain(all.filter(move |index| avoided(index)))
    }

    pub(crate) fn url(&self, index: usize) -> &UpstreamUrl {
        &self.servers[index].url
    }

    /// Tries this one last for a while.
    pub(crate) fn avoid(&self, index: usize) {
        let until = self.millis() + AVOID.as_millis() as u64;
        self.servers[index].avoid_until.store(until, Ordering::Relaxed);
    }

    /// This one does not answer, and is tried last for a while. Told once an outage, however many clients come meanwhile.
    pub(crate) fn found_down(&self, index: usize, error: &io::Error) {
        self.avoid(index);
        if !self.servers[index].is_down.swap(true, Ordering::Relaxed) {
            tracing::warn!(server = %self.url(index), %error, "a NATS server does not answer");
        }
    }

    /// This one answers.
    pub(crate) fn found_up(&self, index: usize) {
        let turned_away = self.turned_away.swap(0, Ordering::Relaxed);
        if self.servers[index].is_down.swap(false, Ordering::Relaxed) {
            tracing::warn!(server = %self.url(index), turned_away, "a NATS server answers again");
        } else if turned_away > 0 {
            tracing::warn!(server = %self.url(index), turned_away, "clients are connected again");
        }
    }

    /// There is no server for a client.
    pub(crate) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) async fn connect(&self, index: usize) -> io::Result<TcpStream> {
        let url = &self.servers[index].url;
        let connecting = TcpStream::connect((url.host.as_str(), url.port));
        let stream = tokio::time::timeout(self.within, connecting).await.map_err(|_| {
            io::Error::new(io::ErrorKind::TimedOut, format!("did not answer within {:?}", self.within))
        })??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn millis(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_credentials_refused() {
        for (text, shown) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("nats.example", "nats://nats.example:4222"),
            ("tls://nats.example:4223/", "tls://nats.example:4223"),
            ("nats://[::1]:4222", "nats://[::1]:4222"),
            ("[::1]", "nats://[::1]:4222"),
        ] {
            assert_eq!(UpstreamUrl::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "http://a", "nats://", "nats://a:b", "nats://a:0", "a b", "nats://a:99999", "5"] {
            assert!(UpstreamUrl::parse(text).is_err(), "{text}");
        }
        assert!(UpstreamUrl::parse("nats://u:p@a:1").unwrap_err().contains("each client sends its own"));
    }

    #[test]
    fn a_server_to_be_avoided_is_tried_last() {
        let urls = ["nats://a:1", "nats://b:1", "nats://c:1"].map(|text| UpstreamUrl::parse(text).unwrap());
        let upstreams = Upstreams::new(&urls, Duration::from_secs(1));
        assert_eq!(upstreams.order().collect::<Vec<_>>(), [0, 1, 2]);
        upstreams.avoid(0);
        assert_eq!(upstreams.order().collect::<Vec<_>>(), [1, 2, 0]);
    }
}
