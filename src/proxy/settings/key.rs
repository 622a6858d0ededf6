/// How many values a setting has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One.
    One,
    /// Any number.
    List,
    /// `true` or `false`; the flag stands for `true`.
    Switch,
}

/// One setting: `name` in the file, `--na-me` as a flag, `WILCO_PROXY_NAME` in the environment.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Key {
    /// The name in the file: `snake_case`.
    pub name: &'static str,
    /// How many values it has.
    pub shape: Shape,
    /// What stands for a value in the help.
    pub placeholder: &'static str,
    /// The values that count where nobody says any.
    pub default: &'static [&'static str],
    /// What it is for.
    pub help: &'static str,
}

impl Key {
    const fn one(
        name: &'static str,
        placeholder: &'static str,
        default: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, shape: Shape::One, placeholder, default, help }
    }

    const fn list(
        name: &'static str,
        placeholder: &'static str,
        default: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, shape: Shape::List, placeholder, default, help }
    }

    const fn switch(name: &'static str, help: &'static str) -> Self {
        Self { name, shape: Shape::Switch, placeholder: "BOOL", default: &["false"], help }
    }

    /// The setting of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// Its flag, as in `--stream-over`.
    pub fn flag(&self) -> String {
        format!("--{}", self.name.replace('_', "-"))
    }

    /// Its environment variable, as in `WILCO_PROXY_STREAM_OVER`.
    pub fn variable(&self) -> String {
        format!("WILCO_PROXY_{}", self.name.to_uppercase())
    }

    pub(super) fn split(&self, text: &str) -> Vec<String> {
        match self.shape {
            Shape::List => text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect(),
            Shape::One | Shape::Switch => vec![text.trim().to_owned()],
        }
    }

    /// The values as TOML.
    pub(super) fn shown(&self, values: &[String]) -> String {
        let quoted = |text: &String| {
            let bare =
                self.shape == Shape::Switch || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
            if bare { text.clone() } else { format!("{text:?}") }
        };
        match self.shape {
            Shape::List => format!("[{}]", values.iter().map(quoted).collect::<Vec<_>>().join(", ")),
            Shape::One | Shape::Switch => values.first().map(quoted).unwrap_or_default(),
        }
    }
}

/// All settings, in the order in which they are shown.
pub const KEYS: &[Key] = &[
    Key::one("listen", "ADDR", &["127.0.0.1:4223"], "Where clients connect; port 0 takes any free one"),
    Key::list(
        "upstream",
        "URL",
        &["nats://127.0.0.1:4222"],
        "NATS servers, as in nats://127.0.0.1:4222 or, over TLS, tls://nats.example:4222. A connection goes to the first that answers",
    ),
    Key::one(
        "otlp",
        "URL",
        &[],
        "Send spans and metrics to this OTLP endpoint: http://127.0.0.1:4318, or grpc://127.0.0.1:4317. Without it the standard OTEL_EXPORTER_OTLP_* variables decide, and without those the proxy only counts",
    ),
    Key::list(
        "inject",
        "all|off|SUBJECT,...",
        &["all"],
        "Add trace headers to messages on these subjects (NATS wildcards). `off` leaves every byte as it is",
    ),
    Key::list(
        "trace",
        "SUBJECT,...",
        &[],
        "Also trace these, of the subjects that are left alone by default: $JS.>, $SYS.>, $SRV.>, $KV.>, $O.>, _INBOX.>",
    ),
    Key::list("leave", "SUBJECT,...", &[], "Leave these subjects alone, whatever else is said"),
    Key::one("metrics", "ADDR", &[], "Serve /metrics (Prometheus text) and /healthz here"),
    Key::list(
        "profile",
        "NAME,...",
        &[],
        "Conventions that the agents follow: synadia-agents, faststream, nats-micro, taskiq",
    ),
    Key::list("agents", "PATTERN,...", &[], "Subjects that name their agent, as in agents.{agent}.in"),
    Key::one("workflow_path", "PATH", &[], "Where the workflow id is in a JSON payload, as in meta.workflow_id"),
    Key::one("intent_path", "PATH", &[], "Where the intent is in the JSON payload of a task"),
    Key::one("readback_path", "PATH", &[], "Where the readback is in the JSON payload of a reply"),
    Key::one("reply_within", "TIME", &["60s"], "A request without a reply after this time is `timed_out`"),
    Key::one(
        "settle_within",
        "TIME",
        &["60s"],
        "A message that nobody behind this proxy received is reported after this time",
    ),
    Key::one(
        "stream_over",
        "BYTES",
        &["1MiB"],
        "Pass larger messages on as they come: their header has no hash, which is made in passing",
    ),
    Key::one(
        "control_line",
        "BYTES",
        &["4096"],
        "The servers' max_control_line; no header is added where it would be exceeded",
    ),
    Key::one("connections", "N", &["10000"], "Most client connections at once"),
    Key::one(
        "handoffs_per_second",
        "N",
        &["10000"],
        "Record at most so many handoffs in a second; of more, a share is recorded, each whole or not at all",
    ),
    Key::one(
        "open_handoffs",
        "N",
        &["8192"],
        "Handoffs of which more may be heard at once; beyond, the oldest is settled with what is known of it",
    ),
    Key::one(
        "spans_waiting",
        "N",
        &["2048"],
        "Spans that wait for the collector; beyond, they are dropped and counted",
    ),
    Key::one(
        "workers",
        "N",
        &[],
        "Threads that carry messages. Default: one for every two cores, at least 1, at most 4",
    ),
    Key::one(
        "connect_within",
        "TIME",
        &["2s"],
        "Give up on a server that does not answer within this time, and try the next",
    ),
    Key::one(
        "drain_within",
        "TIME",
        &["10s"],
        "On SIGTERM, wait at most this long for answers that are owed; then closing takes up to 4 s, and telemetry up to 5 s",
    ),
    Key::one(
        "advertise",
        "ADDR",
        &[],
        "Tell clients to reconnect at this address (host:port) instead of those in the server's connect_urls, which lead around the proxy",
    ),
    Key::one("tls_certificate", "FILE", &[], "Terminate the clients' TLS with this certificate chain (PEM)"),
    Key::one("tls_key", "FILE", &[], "The private key of tls_certificate (PEM)"),
    Key::one("tls_client_ca", "FILE", &[], "Ask clients for a certificate signed by one of these (PEM)"),
    Key::switch("tls_first", "Clients begin with TLS, before INFO (handshake_first)"),
    Key::one("upstream_ca", "FILE", &[], "Certificates (PEM) that sign the servers'. Default: the system's"),
    Key::one("upstream_certificate", "FILE", &[], "Our certificate towards the servers (PEM)"),
    Key::one("upstream_key", "FILE", &[], "The private key of upstream_certificate (PEM)"),
    Key::switch("upstream_tls_first", "Begin with TLS towards the servers, before INFO (handshake_first)"),
];
