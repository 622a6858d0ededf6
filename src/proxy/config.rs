use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::observer::{AgentPattern, Inject, JsonPath, Rules};
use super::profile::Profile;
use super::settings::text as read;
use super::settings::{Settings, SettingsError};
use super::upstream::UpstreamUrl;
use crate::nats::Pattern;
use crate::telemetry::Telemetry;

/// What the settings mean.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// The OTLP endpoint, as it was given.
    pub otlp: Option<String>,
    /// Where metrics are served.
    pub metrics: Option<SocketAddr>,
    /// Threads that carry messages.
    pub workers: usize,
    /// Most client connections at once.
    pub connections: usize,
    /// Bytes of header and payload over which a message is passed on as it comes.
    pub stream_over: usize,
    /// Bytes that the arguments of a control line may have.
    pub control_line: usize,
    /// How long a server may take to answer.
    pub connect_within: Duration,
    /// How long a drain may take.
    pub drain_within: Duration,
    /// Spans that wait for the collector.
    pub spans_waiting: usize,
    /// The address that clients are told instead of `connect_urls`.
    pub advertise: Option<String>,
    pub(crate) upstreams: Vec<UpstreamUrl>,
    pub(crate) tls: TlsFiles,
    pub(crate) observe: Observe,
}

/// What is injected, traced, and how agents and workflows are named.
#[derive(Clone, Debug)]
pub(crate) struct Observe {
    pub(crate) inject: Inject,
    pub(crate) trace: Vec<Pattern>,
    pub(crate) leave: Vec<Pattern>,
    pub(crate) agents: Vec<AgentPattern>,
    pub(crate) profiles: Vec<Profile>,
    pub(crate) workflow_path: Option<JsonPath>,
    pub(crate) intent_path: Option<JsonPath>,
    pub(crate) readback_path: Option<JsonPath>,
    pub(crate) reply_within: Duration,
    pub(crate) settle_within: Duration,
    pub(crate) handoffs_per_second: u32,
    pub(crate) open_handoffs: usize,
}

/// The files of both sides' TLS.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) client_ca: Option<PathBuf>,
    pub(crate) first: bool,
    pub(crate) upstream_ca: Option<PathBuf>,
    pub(crate) upstream_certificate: Option<PathBuf>,
    pub(crate) upstream_key: Option<PathBuf>,
    pub(crate) upstream_first: bool,
}

/// Most threads unless more are asked for: one carries a gigabyte or a million messages a second.
const MOST_WORKERS: usize = 4;

/// Threads unless told otherwise: one for every two cores. The server needs its cores too, and fewer threads have more to
/// do each time they wake.
fn workers() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores / 2).clamp(1, MOST_WORKERS)
}

impl Config {
    pub(super) fn read(settings: &Settings) -> Result<Self, SettingsError> {
        let all = Reader(settings);
        let tls = TlsFiles {
            certificate: all.file("tls_certificate"),
            key: all.file("tls_key"),
            client_ca: all.file("tls_client_ca"),
            first: all.must("tls_first", read::yes)?,
            upstream_ca: all.file("upstream_ca"),
            upstream_certificate: all.file("upstream_certificate"),
            upstream_key: all.file("upstream_key"),
            upstream_first: all.must("upstream_tls_first", read::yes)?,
        };
        all.pair("tls_certificate", "tls_key")?;
        all.pair("upstream_certificate", "upstream_key")?;
        if tls.certificate.is_none() {
            all.needs("tls_client_ca", tls.client_ca.is_some(), "tls_certificate")?;
            all.needs("tls_first", tls.first, "tls_certificate")?;
        }
        let listen = all.must("listen", read::address)?;
        let upstreams = all.each("upstream", UpstreamUrl::parse)?;
        if upstreams.is_empty() {
            return Err(all.wrong("upstream", "there must be one at least"));
        }
        if let Some(here) = upstreams.iter().find(|url| url.is_at(listen)) {
            return Err(
                all.wrong("upstream", format!("{here} is where clients are to connect; one of the two must move"))
            );
        }
        Ok(Self {
            listen,
            otlp: all.text("otlp"),
            metrics: all.may("metrics", read::address)?,
            workers: all.may("workers", |text| read::number(text, 1, 64))?.unwrap_or_else(workers),
            connections: all.must("connections", |text| read::number(text, 1, 1_000_000))?,
            stream_over: all.must("stream_over", |text| read::bytes(text, 1024, 64 << 20))?,
            control_line: all.must("control_line", |text| read::bytes(text, 128, 1 << 20))?,
            spans_waiting: all.must("spans_waiting", |text| read::number(text, 1, 1_000_000))?,
            connect_within: all.must("connect_within", read::time)?,
            drain_within: all.must("drain_within", read::time)?,
            advertise: all.may("advertise", |text| match text.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() && !text.contains('"') => {
                    Ok(text.to_owned())
                }
                _ => Err(format!("{text:?} is no address; write one as in proxy.example:4223")),
            })?,
            upstreams,
            tls,
            observe: Observe {
                inject: all.inject()?,
                trace: all.patterns("trace")?,
                leave: all.patterns("leave")?,
                agents: all.each("agents", AgentPattern::new)?,
                profiles: all.each("profile", str::parse)?,
                workflow_path: all.may("workflow_path", JsonPath::new)?,
                intent_path: all.may("intent_path", JsonPath::new)?,
                readback_path: all.may("readback_path", JsonPath::new)?,
                reply_within: all.must("reply_within", read::time)?,
                settle_within: all.must("settle_within", read::time)?,
                handoffs_per_second: all.must("handoffs_per_second", |text| read::number(text, 1, 1_000_000))? as u32,
                open_handoffs: all.must("open_handoffs", |text| read::number(text, 1, 1_000_000))?,
            },
        })
    }

    /// What sessions and correlator go by.
    pub(crate) fn rules(&self, telemetry: Telemetry) -> Rules {
        let observe = self.observe.clone();
        let mut rules = Rules::new(telemetry);
        rules.inject = observe.inject;
        rules.trace = observe.trace;
        rules.leave = observe.leave;
        rules.agents = observe.agents;
        rules.profiles = observe.profiles.into_iter().collect();
        rules.workflow_path = observe.workflow_path;
        rules.intent_path = observe.intent_path;
        rules.readback_path = observe.readback_path;
        rules.reply_within = observe.reply_within;
        rules.settle_within = observe.settle_within;
        rules.handoffs_per_second = observe.handoffs_per_second;
        rules.open_handoffs = observe.open_handoffs;
        rules
    }
}

struct Reader<'a>(&'a Settings);

impl Reader<'_> {
    fn text(&self, name: &'static str) -> Option<String> {
        self.0.get(name).values.into_iter().next().filter(|text| !text.is_empty())
    }

    fn file(&self, name: &'static str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    fn may<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingsError> {
        self.text(name).map(|text| read(&text)).transpose().map_err(|why| self.wrong(name, why))
    }

    fn must<T>(&self, name: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, SettingsError> {
        self.may(name, read)?.ok_or_else(|| self.wrong(name, "must have a value"))
    }

    fn each<T>(&self, name: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, SettingsError> {
        self.0.get(name).values.iter().map(|text| read(text).map_err(|why| self.wrong(name, why))).collect()
    }

    fn patterns(&self, name: &'static str) -> Result<Vec<Pattern>, SettingsError> {
        self.each(name, |text| Pattern::new(text).map_err(|error| error.to_string()))
    }

    fn inject(&self) -> Result<Inject, SettingsError> {
        match self.0.get("inject").values.as_slice() {
            [all] if all == "all" => Ok(Inject::All),
            [off] if off == "off" => Ok(Inject::Off),
            [] => Err(self.wrong("inject", "say `all`, `off` or subjects")),
            _ => self.patterns("inject").map(Inject::Subjects),
        }
    }

    fn pair(&self, one: &'static str, other: &'static str) -> Result<(), SettingsError> {
        self.needs(one, self.text(one).is_some() && self.text(other).is_none(), other)?;
        self.needs(other, self.text(other).is_some() && self.text(one).is_none(), one)
    }

    fn needs(&self, name: &'static str, wrong: bool, other: &str) -> Result<(), SettingsError> {
        if wrong { Err(self.wrong(name, format!("has no effect without {other}; set both"))) } else { Ok(()) }
    }

    fn wrong(&self, name: &'static str, why: impl std::fmt::Display) -> SettingsError {
        SettingsError::value(name, &self.0.get(name), why)
    }
}
