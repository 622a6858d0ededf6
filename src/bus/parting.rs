/// Why the bus closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    /// The client closed it, or it broke.
    Gone,
    /// What nats-server closes over without a word: wrong arguments, `CONNECT` that is no JSON, headers unannounced.
    Protocol,
    UnknownOperation,
    ControlLine,
    MaxPayload,
    Authorization,
    AuthenticationTimeout,
    NoRespondersWithoutHeaders,
    ClientProtocol,
    TooManyConnections,
    SlowConsumer,
    Stale,
    Shutdown,
}

impl Parting {
    /// What the client is told, in nats-server's words.
    pub(super) fn line(self) -> &'static [u8] {
        match self {
            Self::Gone | Self::Protocol | Self::Shutdown => b"",
            Self::UnknownOperation => b"-ERR 'Unknown Protocol Operation'\r\n",
            Self::ControlLine => b"-ERR 'maximum control line exceeded'\r\n",
            Self::MaxPayload => b"-ERR 'Maximum Payload Violation'\r\n",
            Self::Authorization => b"-ERR 'Authorization Violation'\r\n",
            Self::AuthenticationTimeout => b"-ERR 'Authentication Timeout'\r\n",
            Self::NoRespondersWithoutHeaders => b"-ERR 'no responders requires headers support'\r\n",
            Self::ClientProtocol => b"-ERR 'invalid client protocol'\r\n",
            Self::TooManyConnections => b"-ERR 'maximum connections exceeded'\r\n",
            Self::SlowConsumer => b"-ERR 'Slow Consumer'\r\n",
            Self::Stale => b"-ERR 'Stale Connection'\r\n",
        }
    }
}
