//! OTLP collectors for tests: good ones and bad ones, over HTTP and gRPC, each on a thread and a port of its own.

#![allow(dead_code, reason = "each test program uses its part of this file")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// How a collector treats what it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// Takes everything at once.
    Good,
    /// Takes everything, each time after a while.
    Slow(Duration),
    /// Takes connections and requests, and never answers.
    Hung,
    /// Never answers so many requests, then takes everything.
    HangsFirst(usize),
    /// Says "not now" so many times (503, `UNAVAILABLE`), then takes everything.
    RefusesFirst(usize),
    /// Says once when to come again (`Retry-After`, `RetryInfo`), then takes everything.
    Asks(Duration),
    /// Says "not now" for ever.
    RefusesAll,
    /// Says that the request is wrong for ever (400, `INVALID_ARGUMENT`).
    Objects,
    /// Takes each batch but for so many of its spans.
    Rejects(u64),
}

/// What a collector was sent.
#[derive(Debug, Default)]
pub(crate) struct Received {
    pub(crate) traces: Vec<ExportTraceServiceRequest>,
    pub(crate) metrics: Vec<ExportMetricsServiceRequest>,
    /// Headers or metadata of each request, names in lower case.
    pub(crate) headers: Vec<BTreeMap<String, String>>,
    /// Requests for spans, answered or not.
    pub(crate) attempts: usize,
    /// When each of them came.
    pub(crate) attempted: Vec<Instant>,
    /// Requests that the client gave up before they were answered.
    pub(crate) abandoned: usize,
}

/// A collector that runs until it is dropped.
#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    received: Mutex<Received>,
}

impl Collector {
    pub(crate) fn http(manner: Manner) -> Self {
        Self::start(manner, false)
    }

    pub(crate) fn grpc(manner: Manner) -> Self {
        Self::start(manner, true)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn received(&self) -> MutexGuard<'_, Received> {
        self.state.received.lock().unwrap()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let received = self.received();
        let scopes = received.traces.iter().flat_map(|t| &t.resource_spans).flat_map(|r| &r.scope_spans);
        scopes.flat_map(|s| s.spans.iter().cloned()).collect()
    }

    /// The metrics of the last export that had any, by name.
    pub(crate) fn metrics(&self) -> BTreeMap<String, Metric> {
        let received = self.received();
        let Some(last) = received.metrics.last() else { return BTreeMap::new() };
        let scopes = last.resource_metrics.iter().flat_map(|r| &r.scope_metrics);
        scopes.flat_map(|s| &s.metrics).map(|m| (m.name.clone(), m.clone())).collect()
    }

    fn start(manner: Manner, grpc: bool) -> Self {
        let state = Arc::new(State { manner, received: Mutex::default() });
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let serve = async {
                    if grpc { serve_grpc(listener, shared).await } else { serve_http(listener, shared).await }
                };
                tokio::select! { () = serve => {} _ = stopped => {} }
            });
            runtime.shutdown_background();
        });
        Self { address: told.recv().unwrap(), state, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The URL of a port on which nothing listens.
pub(crate) fn absent() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// A port that takes connections and then does nothing at all; it lives as long as the listener.
pub(crate) fn mute() -> (String, std::net::TcpListener) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    (format!("http://{}", listener.local_addr().unwrap()), listener)
}

enum Answer {
    Take(u64),
    NotNow(Option<Duration>),
    Wrong,
}

impl State {
    async fn spans(&self, request: ExportTraceServiceRequest, headers: BTreeMap<String, String>) -> Answer {
        let attempts = {
            let mut received = self.received.lock().unwrap();
            received.attempts += 1;
            received.attempted.push(Instant::now());
            received.headers.push(headers);
            received.attempts
        };
        let answer = self.treat(attempts).await;
        if let Answer::Take(_) = answer {
            self.received.lock().unwrap().traces.push(request);
        }
        answer
    }

    async fn metrics(&self, request: ExportMetricsServiceRequest, headers: BTreeMap<String, String>) -> Answer {
        let answer = self.treat(usize::MAX).await;
        let mut received = self.received.lock().unwrap();
        received.headers.push(headers);
        if let Answer::Take(_) = answer {
            received.metrics.push(request);
        }
        answer
    }

    async fn treat(&self, attempts: usize) -> Answer {
        match self.manner {
            Manner::Good => Answer::Take(0),
            Manner::Slow(wait) => {
                tokio::time::sleep(wait).await;
                Answer::Take(0)
            }
            Manner::HangsFirst(n) if attempts > n => Answer::Take(0),
            Manner::Hung | Manner::HangsFirst(_) => {
                let _given_up = GivenUp(self);
                std::future::pending().await
            }
            Manner::RefusesFirst(n) if attempts > n => Answer::Take(0),
            Manner::RefusesFirst(_) | Manner::RefusesAll => Answer::NotNow(None),
            Manner::Asks(_) if attempts > 1 => Answer::Take(0),
            Manner::Asks(pause) => Answer::NotNow(Some(pause)),
            Manner::Objects => Answer::Wrong,
            Manner::Rejects(n) => Answer::Take(n),
        }
    }
}

/// Counts a request whose handling is dropped, as both servers do when its client goes away.
struct GivenUp<'a>(&'a State);

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        self.0.received.lock().unwrap().abandoned += 1;
    }
}

async fn serve_http(listener: TcpListener, state: Arc<State>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            // A client that goes away is no fault of the collector.
            let _ = serve_http_connection(stream, &state).await;
        });
    }
}

async fn serve_http_connection(mut stream: TcpStream, state: &State) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let head_end = loop {
            if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        };
        let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
        let mut lines = head.split("\r\n");
        let path = lines.next().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let length: usize = headers["content-length"].parse().unwrap();
        while bytes.len() < head_end + length {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
        }
        let body = bytes[head_end..head_end + length].to_vec();
        bytes.drain(..head_end + length);
        let is_zipped = headers.get("content-encoding").is_some_and(|coding| coding == "gzip");
        let body = if is_zipped { unzipped(&body)? } else { body };
        let answer = async {
            match path.as_str() {
                "/v1/traces" => state.spans(ExportTraceServiceRequest::decode(&body[..]).unwrap(), headers).await,
                "/v1/metrics" => state.metrics(ExportMetricsServiceRequest::decode(&body[..]).unwrap(), headers).await,
                other => panic!("a request to {other}"),
            }
        };
        let answer = tokio::select! {
            answer = answer => answer,
            // Nothing more is sent before the answer, so this is the end of the connection.
            _ = stream.read_buf(&mut bytes) => return Ok(()),
        };
        let (status, body) = match answer {
            Answer::Take(rejected) => ("200 OK".to_owned(), taken(rejected).encode_to_vec()),
            Answer::NotNow(None) => ("503 Service Unavailable".to_owned(), Vec::new()),
            Answer::NotNow(Some(pause)) => {
                (format!("503 Service Unavailable\r\nretry-after: {}", pause.as_secs()), Vec::new())
            }
            Answer::Wrong => ("400 Bad Request".to_owned(), Vec::new()),
        };
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(&body).await?;
    }
}

fn unzipped(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(body), &mut plain)?;
    Ok(plain)
}

fn taken(rejected_spans: u64) -> ExportTraceServiceResponse {
    let partial_success = (rejected_spans > 0).then(|| ExportTracePartialSuccess {
        rejected_spans: i64::try_from(rejected_spans).unwrap(),
        error_message: "too many attributes".to_owned(),
    });
    ExportTraceServiceResponse { partial_success }
}

async fn serve_grpc(listener: TcpListener, state: Arc<State>) {
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let service = Service(state);
    tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(service.clone()).accept_compressed(CompressionEncoding::Gzip))
        .add_service(MetricsServiceServer::new(service).accept_compressed(CompressionEncoding::Gzip))
        .serve_with_incoming(incoming)
        .await
        .unwrap();
}

#[derive(Clone)]
struct Service(Arc<State>);

impl Answer {
    fn into_grpc<T>(self, take: impl FnOnce(u64) -> T) -> Result<Response<T>, Status> {
        match self {
            Self::Take(rejected) => Ok(Response::new(take(rejected))),
            Self::NotNow(None) => Err(Status::unavailable("not now")),
            Self::NotNow(pause) => {
                let details = ErrorDetails::with_retry_info(pause);
                Err(Status::with_error_details(Code::Unavailable, "not now", details))
            }
            Self::Wrong => Err(Status::invalid_argument("what is this")),
        }
    }
}

fn metadata<T>(request: &Request<T>) -> BTreeMap<String, String> {
    let headers = request.metadata().clone().into_headers();
    headers.iter().map(|(k, v)| (k.to_string(), v.to_str().unwrap_or_default().to_owned())).collect()
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let headers = metadata(&request);
        self.0.spans(request.into_inner(), headers).await.into_grpc(taken)
    }
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let headers = metadata(&request);
        let answer = self.0.metrics(request.into_inner(), headers).await;
        answer.into_grpc(|_| ExportMetricsServiceResponse::default())
    }
}

/// The `tv` program of PyPI's `trace-view`, an OTLP backend of somebody else's writing: in the venv that
/// `WILCO_TEST_VENV` names, or else in `.venv` of the repository. `None` is a skip, said aloud; an error under `CI=true`.
#[allow(clippy::print_stderr, reason = "a skipped test has to say so")]
pub(crate) fn find_tv() -> Option<PathBuf> {
    let venv = std::env::var_os("WILCO_TEST_VENV").map(PathBuf::from);
    let venv = venv.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv"));
    let tv = venv.join("bin").join("tv");
    if tv.exists() {
        return Some(tv);
    }
    let why = format!("no {}: make a venv with `pip install trace-view` and name it in WILCO_TEST_VENV", tv.display());
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{why}");
    eprintln!("SKIPPED: {why}");
    None
}
