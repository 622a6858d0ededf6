use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::TraceServiceServer;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;

use super::auth::Guard;
use super::error::Problem;
use super::gate::Gate;
use super::grpc::Traces;
use super::metrics::Metrics;
use super::{ServerError, ServerOptions, api, auth, otlp_http, pages};
use crate::store::Store;

/// The most connections that listen to events.
const MOST_LISTENERS: usize = 64;

/// The most requests of one gRPC connection at once.
const GRPC_AT_ONCE: usize = 32;

/// A server that is listening. Dropping it stops it at once.
#[derive(Debug)]
pub struct Server {
    addresses: Addresses,
    tasks: JoinSet<()>,
    closing: watch::Sender<bool>,
    guard: Arc<Guard>,
}

/// Where a server listens, ports included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The pages and the API.
    pub http: SocketAddr,
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
    /// OTLP over gRPC.
    pub otlp_grpc: Option<SocketAddr>,
}

impl Addresses {
    /// The address of the pages for a browser or a command on this host.
    pub fn pages_url(&self) -> String {
        let mut at = self.http;
        if at.ip().is_unspecified() {
            at.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
        }
        format!("http://{at}")
    }
}

/// What the handlers share.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) gate: Gate,
    pub(super) metrics: Arc<Metrics>,
    pub(super) listeners: Arc<Semaphore>,
    pub(super) closing: watch::Receiver<bool>,
    pub(super) guard: Arc<Guard>,
    pub(super) addresses: Addresses,
    pub(super) bus: Option<Arc<str>>,
    pub(super) causes: pages::Causes,
    pub(super) sparks: pages::Sparks,
    pub(super) numbers: pages::Numbers,
    pub(super) diagnoses: pages::Diagnoses,
}

impl Server {
    /// Listens, and serves in the background from then on.
    ///
    /// # Errors
    /// [`ServerError`] names the address that is taken or may not be listened on, and what to do.
    ///
    /// # Cancel safety
    /// Nothing listens any more when the future is dropped.
    pub async fn start(store: Store, options: ServerOptions) -> Result<Self, ServerError> {
        Ok(Listening::at(options).await?.serve(store))
    }

    /// Where it listens.
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The address by which one browser may sign in, once. `None` where no token is asked for, or it was used already.
    pub fn sign_in_url(&self) -> Option<String> {
        let once = self.guard.sessions.as_ref()?.once()?;
        Some(format!("{}/sign-in?once={once}", self.pages_url()))
    }

    /// The address of the pages for a browser on this host.
    pub fn pages_url(&self) -> String {
        self.addresses.pages_url()
    }

    /// Takes no more requests, and waits for those under way, at most for `within`.
    ///
    /// # Cancel safety
    /// It stops at once when the future is dropped.
    pub async fn close(mut self, within: Duration) {
        let _ = self.closing.send(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(within, all).await;
    }
}

/// Addresses that are taken, where nobody is answered yet: so that a port that is somebody else's is known before a database
/// is opened, or made.
#[derive(Debug)]
pub(crate) struct Listening {
    http: TcpListener,
    otlp_http: Option<TcpListener>,
    otlp_grpc: Option<TcpListener>,
    options: ServerOptions,
}

impl Listening {
    /// Takes the addresses.
    ///
    /// # Errors
    /// [`ServerError`] names the address that is taken or may not be listened on, and what to do.
    pub(crate) async fn at(options: ServerOptions) -> Result<Self, ServerError> {
        let together = options.http == options.otlp_http && options.http.port() != 0;
        let asked = [Some(options.http), Some(options.otlp_http), options.otlp_grpc];
        if let Some(address) =
            asked.into_iter().flatten().find(|address| !options.is_open() && !address.ip().is_loopback())
        {
            return Err(ServerError::Open { address });
        }
        let http = listen("API", options.http, "--http").await?;
        let otlp_http =
            if together { None } else { Some(listen("OTLP over HTTP", options.otlp_http, "--otlp-http").await?) };
        let otlp_grpc = match options.otlp_grpc {
            Some(address) => Some(listen("OTLP over gRPC", address, "--otlp-grpc").await?),
            None => None,
        };
        Ok(Self { http, otlp_http, otlp_grpc, options })
    }

    fn addresses(&self) -> Addresses {
        let local = |listener: &TcpListener, asked: SocketAddr| listener.local_addr().unwrap_or(asked);
        let http = local(&self.http, self.options.http);
        Addresses {
            http,
            otlp_http: self.otlp_http.as_ref().map_or(http, |listener| local(listener, self.options.otlp_http)),
            otlp_grpc: self
                .otlp_grpc
                .as_ref()
                .zip(self.options.otlp_grpc)
                .map(|(listener, asked)| local(listener, asked)),
        }
    }

    /// Has the pages tell of the bus that agents connect to.
    pub(crate) fn bus(mut self, url: String) -> Self {
        self.options = self.options.bus(url);
        self
    }

    /// Answers from a store, in the background.
    pub(crate) fn serve(self, store: Store) -> Server {
        let addresses = self.addresses();
        let Self { http, otlp_http, otlp_grpc, options } = self;
        let open = options.is_open();
        let (closing, closed) = watch::channel(false);
        let own_names_only = !open && addresses.http.ip().is_loopback();
        let guard = Arc::new(Guard::new(options.token.clone(), addresses.http.port(), own_names_only));
        let shared = Shared {
            store: store.clone(),
            gate: Gate::new(options.body_bytes, options.bytes_in_flight),
            metrics: Arc::default(),
            listeners: Arc::new(Semaphore::new(MOST_LISTENERS)),
            closing: closed.clone(),
            guard: Arc::clone(&guard),
            addresses,
            bus: options.bus.as_deref().map(Arc::from),
            causes: pages::Causes::default(),
            sparks: pages::Sparks::default(),
            numbers: pages::Numbers::default(),
            diagnoses: pages::Diagnoses::default(),
        };
        let otlp = Router::new()
            .route("/v1/traces", post(otlp_http::traces))
            .route("/v1/metrics", post(otlp_http::ignored))
            .route("/v1/logs", post(otlp_http::ignored));
        let finish = |routes: Router<Shared>| {
            let limit = options.request_time;
            routes
                .fallback(|request: Request| async move {
                    Problem::not_found(format!("nothing is at {}; see /api/openapi.json", request.uri().path()))
                })
                .method_not_allowed_fallback(|| async {
                    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "not by this method")
                })
                .layer(middleware::from_fn(move |request, next| in_time(limit, request, next)))
                .layer(middleware::from_fn_with_state(Arc::clone(&guard), auth::check))
                .layer(middleware::from_fn_with_state(shared.clone(), pages::dress))
                .with_state(shared.clone())
        };
        let mut tasks = JoinSet::new();
        let ours = api::routes().merge(pages::routes());
        let ours = if otlp_http.is_some() { ours } else { ours.merge(otlp.clone()) };
        tasks.spawn(serve(http, finish(ours), closed.clone()));
        if let Some(listener) = otlp_http {
            // Health and numbers are asked for here, too.
            tasks.spawn(serve(listener, finish(otlp.merge(api::routes())), closed.clone()));
        }
        if let Some(listener) = otlp_grpc {
            let traces = TraceServiceServer::new(Traces { store, guard: Arc::clone(&guard) })
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(options.body_bytes);
            let mut closed = closed;
            let limit = options.request_time;
            tasks.spawn(async move {
                let served = tonic::transport::Server::builder()
                    .timeout(limit)
                    .concurrency_limit_per_connection(GRPC_AT_ONCE)
                    .add_service(traces)
                    .serve_with_incoming_shutdown(TcpIncoming::from(listener), async move {
                        let _ = closed.wait_for(|closing| *closing).await;
                    })
                    .await;
                if let Err(error) = served {
                    tracing::error!(target: "wilco", "OTLP over gRPC ended: {error}");
                }
            });
        }
        Server { addresses, tasks, closing, guard }
    }
}

async fn listen(what: &'static str, address: SocketAddr, option: &'static str) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address).await.map_err(|reason| ServerError::listening(what, address, option, reason))
}

async fn serve(listener: TcpListener, routes: Router, mut closing: watch::Receiver<bool>) {
    let closed = async move {
        let _ = closing.wait_for(|closing| *closing).await;
    };
    let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
    if let Err(error) = axum::serve(listener, routes).with_graceful_shutdown(closed).await {
        tracing::error!(target: "wilco", "the server ended: {error}");
    }
}

async fn in_time(limit: Duration, request: Request, next: Next) -> Response {
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the request took longer than {limit:?}")).into_response()
        }
    }
}
