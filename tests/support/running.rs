//! A server of ours in this process, on ports of its own.

use std::net::SocketAddr;
use std::time::Duration;

use wilco::model::Span;
use wilco::server::{Addresses, Server, ServerOptions};
use wilco::store::{Store, StoreOptions};

use super::http::{Reply, request};

/// A running one, with a store. Dropping it closes it.
pub(crate) struct Running {
    pub(crate) store: Store,
    pub(crate) at: Addresses,
    pub(crate) runtime: tokio::runtime::Runtime,
    pub(crate) server: Option<Server>,
}

impl Running {
    pub(crate) fn start(change: impl FnOnce(ServerOptions) -> ServerOptions) -> Self {
        Self::over(Store::in_memory(StoreOptions::default()).unwrap(), change)
    }

    pub(crate) fn over(store: Store, change: impl FnOnce(ServerOptions) -> ServerOptions) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let options = change(ServerOptions::default().http(any).otlp_http(any).otlp_grpc(Some(any)));
        let server = runtime.block_on(Server::start(store.clone(), options)).unwrap();
        Self { store, at: server.addresses(), runtime, server: Some(server) }
    }

    /// One that knows these spans.
    pub(crate) fn with(spans: impl IntoIterator<Item = Span>) -> Self {
        let running = Self::start(|options| options);
        running.store.insert_blocking(spans.into_iter().collect()).unwrap();
        running
    }

    /// As a browser asks.
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.get_with(path, &[])
    }

    pub(crate) fn get_with(&self, path: &str, more: &[(&str, &str)]) -> Reply {
        let headers: Vec<_> = [("accept", "text/html,*/*")].into_iter().chain(more.iter().copied()).collect();
        request(self.at.http, "GET", path, &headers, b"").unwrap()
    }

    /// As a browser sends a form.
    pub(crate) fn form(&self, path: &str, body: &str, more: &[(&str, &str)]) -> Reply {
        let kind = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
        let headers: Vec<_> = kind.into_iter().chain(more.iter().copied()).collect();
        request(self.at.http, "POST", path, &headers, body.as_bytes()).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.close(Duration::from_secs(5)));
        }
    }
}
