use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where a server listens, and what it allows.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    pub(super) http: SocketAddr,
    pub(super) otlp_http: SocketAddr,
    pub(super) otlp_grpc: Option<SocketAddr>,
    pub(super) token: Option<Token>,
    pub(super) open_to_all: bool,
    pub(super) body_bytes: usize,
    pub(super) bytes_in_flight: usize,
    pub(super) request_time: Duration,
    pub(super) bus: Option<String>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            http: loopback(4480),
            otlp_http: loopback(4318),
            otlp_grpc: Some(loopback(4317)),
            token: None,
            open_to_all: false,
            body_bytes: 16 << 20,
            bytes_in_flight: 64 << 20,
            request_time: Duration::from_secs(30),
            bus: None,
        }
    }
}

impl ServerOptions {
    /// Where the pages and the API are. Default: 127.0.0.1:4480. May be the address of OTLP over HTTP, too.
    #[must_use]
    pub const fn http(mut self, address: SocketAddr) -> Self {
        self.http = address;
        self
    }

    /// Where OTLP over HTTP is taken. Default: 127.0.0.1:4318, the standard port.
    #[must_use]
    pub const fn otlp_http(mut self, address: SocketAddr) -> Self {
        self.otlp_http = address;
        self
    }

    /// Where OTLP over gRPC is taken, if at all. Default: 127.0.0.1:4317, the standard port.
    #[must_use]
    pub const fn otlp_grpc(mut self, address: Option<SocketAddr>) -> Self {
        self.otlp_grpc = address;
        self
    }

    /// Asks every request but those for health for `Authorization: Bearer ...`, or, of a browser, to sign in. Default:
    /// nobody is asked.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.token = Some(token);
        self
    }

    /// Listens on addresses other than loopback without a token. Default: that is refused.
    #[must_use]
    pub const fn open_to_all(mut self, open: bool) -> Self {
        self.open_to_all = open;
        self
    }

    /// Whether it may listen where others reach it.
    pub(super) const fn is_open(&self) -> bool {
        self.open_to_all || self.token.is_some()
    }

    /// The longest body of a request, in bytes, unpacked. Default: 16 MiB.
    #[must_use]
    pub const fn body_bytes(mut self, bytes: usize) -> Self {
        self.body_bytes = bytes;
        self
    }

    /// The most bytes of bodies that are read at once; more requests are told to come again. Default: 64 MiB.
    #[must_use]
    pub const fn bytes_in_flight(mut self, bytes: usize) -> Self {
        self.bytes_in_flight = bytes;
        self
    }

    /// The longest time that a request may take. Default: 30 s. Live events have none.
    #[must_use]
    pub const fn request_time(mut self, time: Duration) -> Self {
        self.request_time = time;
        self
    }

    /// The address of the bus that agents connect to, as in `nats://127.0.0.1:4222`, for the pages to tell of. Default:
    /// none is known.
    #[must_use]
    pub fn bus(mut self, url: impl Into<String>) -> Self {
        self.bus = Some(url.into());
        self
    }
}

/// What a caller must show. Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token of printable ASCII without blanks, at least 8 characters. `None` for any other text.
    pub fn new(text: &str) -> Option<Self> {
        (text.len() >= 8 && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// A secret that follows from the token, and does not tell it.
    pub(super) fn derive(&self, purpose: &str) -> [u8; 32] {
        blake3::derive_key(purpose, self.0.as_bytes())
    }

    /// Whether this is the one; how long it takes tells nothing of where they differ.
    pub(super) fn is(&self, shown: &str) -> bool {
        blake3::hash(self.0.as_bytes()) == blake3::hash(shown.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(...)")
    }
}
