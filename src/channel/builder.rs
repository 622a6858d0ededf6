use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};

use super::channel::Channel;
use super::delivery::ACKNOWLEDGE_WITHIN;
use super::dispatch;
use super::error::ConnectError;
use super::hooks::Hooks;
use super::hub::{Hub, LONGEST_WAIT, Settings, Subjects};
use super::login;
use crate::client;
use crate::model::{AgentName, ChannelName, Clock, InvalidName};
use crate::telemetry::Telemetry;
use crate::telemetry::record::{AgentInfo, ServerAddress};
use crate::verify::intent::Comparer;
use crate::wire::MacKey;
use crate::wire::names::CHANNEL_CONNECTION;

/// Sets a channel up.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use wilco::channel::Channel;
/// let channel = Channel::builder("newsroom")
///     .agents(["planner", "researcher"])
///     .connect("nats://127.0.0.1:4222")
///     .await?;
/// # let _ = channel;
/// # Ok(()) }
/// ```
#[must_use = "the channel is opened by `connect`"]
pub struct ChannelBuilder {
    name: String,
    agents: Option<Vec<String>>,
    subjects: Vec<(String, String)>,
    options: ConnectOptions,
    traces: Option<String>,
    settings: Settings,
}

impl ChannelBuilder {
    /// How many handoffs may be open at once unless set otherwise: 65,536.
    pub const OPEN_HANDOFFS: usize = 65_536;

    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            agents: None,
            subjects: Vec::new(),
            options: ConnectOptions::new(),
            traces: None,
            settings: Settings {
                telemetry: Telemetry::off(),
                clock: Clock::system(),
                key: None,
                comparer: Comparer::new(),
                hooks: None,
                ack_within: ACKNOWLEDGE_WITHIN,
                keep_duplicates: false,
                open_limit: Self::OPEN_HANDOFFS,
                described: HashMap::new(),
            },
        }
    }

    /// The agents of the channel. Handing off to anyone else, or joining as anyone else, is then an error at once
    /// rather than a task that nobody takes. Default: any agent.
    pub fn agents<A: Into<String>>(mut self, agents: impl IntoIterator<Item = A>) -> Self {
        self.agents.get_or_insert_with(Vec::new).extend(agents.into_iter().map(Into::into));
        self
    }

    /// An agent that listens on a subject of its own: a plain NATS service, say.
    pub fn agent_at(mut self, agent: impl Into<String>, subject: impl Into<String>) -> Self {
        self.subjects.push((agent.into(), subject.into()));
        self
    }

    /// Which version of an agent this is and which model it asks, on the spans of its handoffs: of those to it that are
    /// made here, and of what it does here. Default: not said.
    pub fn describe(mut self, agent: impl Into<String>, info: AgentInfo) -> Self {
        self.settings.described.insert(agent.into(), Arc::new(info));
        self
    }

    /// Where spans and metrics go. Default: nowhere.
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.settings.telemetry = telemetry;
        self
    }

    /// The server that keeps what is traced (`wilco serve`), by the URL of its API, as in `http://127.0.0.1:4480`: it is
    /// what [`Channel::get_trace`] asks. It is not asked before that, and shown the token that the environment variable
    /// `WILCO_TOKEN` holds, if any. Default: none.
    pub fn traces(mut self, url: impl Into<String>) -> Self {
        self.traces = Some(url.into());
        self
    }

    /// How readbacks are compared with intents: synonyms, and a matcher for free text.
    pub fn comparer(mut self, comparer: Comparer) -> Self {
        self.settings.comparer = comparer;
        self
    }

    /// Hooks into the life of every handoff of this process on the channel.
    pub fn hooks(mut self, hooks: impl Hooks + 'static) -> Self {
        self.settings.hooks = Some(Arc::new(hooks));
        self
    }

    /// A key that the agents of the channel share: headers then carry a keyed BLAKE3, and one that was altered is the
    /// finding `corrupted`. Tasks are checked, receipts and decisions are not.
    pub fn mac_key(mut self, key: MacKey) -> Self {
        self.settings.key = Some(key);
        self
    }

    /// How long an agent may think about an offer before its sender is told that the task arrived. Default 100 ms.
    pub fn acknowledge_within(mut self, limit: Duration) -> Self {
        self.settings.ack_within = limit.min(LONGEST_WAIT);
        self
    }

    /// Offers redeliveries to the agent too. Default: an inbox suppresses what it has offered before. Processing one
    /// twice is the finding `duplicated`.
    pub fn keep_duplicates(mut self) -> Self {
        self.settings.keep_duplicates = true;
        self
    }

    /// How many handoffs may be open at once; `hand_off` waits for a place. Default [`Self::OPEN_HANDOFFS`].
    pub fn open_handoffs(mut self, limit: usize) -> Self {
        self.settings.open_limit = limit.clamp(1, tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// The clock that stamps messages and spans; for tests.
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.settings.clock = clock.into();
        self
    }

    /// How the connection is made: credentials, TLS, and all else that async-nats offers. An event callback set here
    /// is replaced by [`ChannelBuilder::connect`]; use [`ChannelBuilder::client`] to keep one.
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    /// Connects to `server` (`nats://host:4222`; several, separated by commas) and opens the channel.
    ///
    /// A user that a URL names (`nats://user:password@host:4222`, or `nats://token@host:4222`) counts before one that
    /// [`ChannelBuilder::options`] name. Where those say `retry_on_initial_connect`, a server that is not there yet is
    /// waited for, however long it takes.
    ///
    /// Later breaks of the connection are survived: the client reconnects by itself, and a handoff that was under way
    /// ends in a verdict.
    ///
    /// # Errors
    /// [`ConnectError`] if a name is not one, or the server cannot be reached or used.
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, nothing is opened.
    pub async fn connect(mut self, server: &str) -> Result<Channel, ConnectError> {
        let channel = self.name.clone();
        let options = std::mem::take(&mut self.options)
            .name(format!("{CHANNEL_CONNECTION}{channel}"))
            .event_callback(|event| async move { log(&event) });
        let addresses: Vec<&str> = server.split(',').map(str::trim).collect();
        let client = login::from_urls(server, options).connect(&addresses[..]).await.map_err(|source| {
            ConnectError::Connect { server: login::without_user(server), source: Box::new(source) }
        })?;
        self.open(client, server).await
    }

    /// Opens the channel over a connection that exists. Its event callback, if any, is left as it is.
    ///
    /// # Errors
    /// As [`ChannelBuilder::connect`].
    ///
    /// # Cancel safety
    /// If it is dropped before it returns, nothing is opened.
    pub async fn client(self, client: Client) -> Result<Channel, ConnectError> {
        let info = client.server_info();
        let server = format!("{}:{}", info.host, info.port);
        self.open(client, &server).await
    }

    async fn open(self, client: Client, server: &str) -> Result<Channel, ConnectError> {
        let name = ChannelName::new(self.name)?;
        let traces = self.traces.as_deref().map(client::Client::new).transpose()?;
        // In whichever order they were named.
        let elsewhere = self.subjects.iter().map(|(agent, _)| agent.clone()).collect::<Vec<_>>();
        let agents = self
            .agents
            .map(|agents| agents.into_iter().chain(elsewhere).map(AgentName::new).collect::<Result<Vec<_>, _>>());
        let own = self.subjects.into_iter().map(|(agent, subject)| Ok((AgentName::new(agent)?, subject)));
        let own = own.collect::<Result<_, InvalidName>>()?;
        if client.try_server_info().is_none() {
            // It connects in the background, and does what it is asked to only then.
            let left = |source| ConnectError::Connect { server: login::without_user(server), source: Box::new(source) };
            client.flush().await.map_err(left)?;
        }
        let info = client.server_info();
        if !info.headers {
            return Err(ConnectError::NoHeaders { server: login::without_user(server), version: info.version });
        }
        let address = address(server).map(Arc::new);
        let (hub, outgoing) =
            Hub::new(client.clone(), name, agents.transpose()?, Subjects { own }, address, self.settings);
        let subject = format!("{}.>", hub.inbox);
        let refused = |subject: &str, source| ConnectError::Subscribe { subject: subject.to_owned(), source };
        let subscriber =
            client.subscribe(subject.clone()).await.map_err(|source| refused(&subject, Box::new(source)))?;
        let dispatcher = dispatch::dispatch(Arc::downgrade(&hub), hub.inbox.clone(), subscriber);
        tokio::spawn(dispatch::courier(client, Arc::downgrade(&hub), outgoing));
        let channel = Channel::new(hub.clone(), tokio::spawn(dispatcher).abort_handle(), traces);
        hub.confirm().await.map_err(|source| refused(&subject, source))?;
        Ok(channel)
    }
}

/// Host and port of the first server named.
fn address(server: &str) -> Option<ServerAddress> {
    let first = server.split(',').next()?.trim();
    let address: async_nats::ServerAddr = first.parse().ok()?;
    Some(ServerAddress { host: address.host().into(), port: address.port() })
}

fn log(event: &Event) {
    match event {
        Event::SlowConsumer(subscription) => tracing::error!(
            subscription,
            "messages were dropped: an inbox holds as many as its capacity allows; take tasks faster, run more instances, or raise `subscription_capacity`"
        ),
        Event::Disconnected | Event::ServerError(_) | Event::ClientError(_) => {
            tracing::warn!(%event, "NATS connection")
        }
        _ => tracing::info!(%event, "NATS connection"),
    }
}
