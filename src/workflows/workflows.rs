use std::path::Path;

use super::WorkflowsError;
use crate::client::Client;
use crate::diagnose::Workflow;
use crate::model::Timestamp;
use crate::store::query::{Answer, Query};
use crate::store::{Stats, Store, StoreError, StoreOptions, WorkflowSummary};

/// Workflows that were traced, wherever they are kept.
#[derive(Debug)]
pub struct Workflows {
    place: Place,
}

#[derive(Debug)]
enum Place {
    Server(Client),
    Store(Store),
}

impl Workflows {
    /// Opens a server by its URL (`http://...`, `https://...`), or a database by its file name. A server is not asked
    /// yet; it is shown the token that the environment variable `WILCO_TOKEN` holds, if any.
    ///
    /// # Errors
    /// [`WorkflowsError`] where it is no URL, or no file that is there and ours.
    ///
    /// # Cancel safety
    /// Nothing is left open.
    pub async fn open(place: &str) -> Result<Self, WorkflowsError> {
        if place.contains("://") {
            return Self::server(place);
        }
        if !Path::new(place).exists() {
            return Err(WorkflowsError::NoFile { path: place.to_owned() });
        }
        let path = place.to_owned();
        let opened = tokio::task::spawn_blocking(move || Store::open(path, StoreOptions::default())).await;
        Ok(Self::of(opened.unwrap_or(Err(StoreError::Closed))?))
    }

    /// Those on the server at this URL.
    ///
    /// # Errors
    /// [`ClientError::Url`](crate::client::ClientError::Url) where it is none.
    pub fn server(url: &str) -> Result<Self, WorkflowsError> {
        Ok(Self { place: Place::Server(Client::new(url)?) })
    }

    /// Those in a store that is open already.
    pub fn of(store: Store) -> Self {
        Self { place: Place::Store(store) }
    }

    /// Every span of a workflow, or of the trace of this id: ask it to `find_failure()`.
    ///
    /// # Errors
    /// [`WorkflowsError::Unknown`] where nothing is known of it.
    ///
    /// # Cancel safety
    /// Nothing changes.
    pub async fn get_trace(&self, id: &str) -> Result<Workflow, WorkflowsError> {
        let store = match &self.place {
            Place::Server(client) => return Ok(client.get_trace(id).await?),
            Place::Store(store) => store,
        };
        let wanted = id.to_owned();
        let spans = ask(store, move |store| store.spans(&wanted)).await?;
        if spans.is_empty() {
            return Err(WorkflowsError::Unknown { id: id.to_owned() });
        }
        Ok(Workflow::new(id, spans))
    }

    /// Workflows in lines, those first to which something came last; of these `limit` after the first `offset`.
    ///
    /// # Errors
    /// [`WorkflowsError`] where they cannot be asked for.
    ///
    /// # Cancel safety
    /// Nothing changes.
    pub async fn list(&self, limit: usize, offset: usize) -> Result<Vec<WorkflowSummary>, WorkflowsError> {
        match &self.place {
            Place::Server(client) => {
                #[derive(serde::Deserialize)]
                struct Page {
                    workflows: Vec<WorkflowSummary>,
                }
                let (limit, offset) = (limit.to_string(), offset.to_string());
                let page: Page =
                    client.must_get(&["api", "workflows"], &[("limit", &limit), ("offset", &offset)]).await?;
                Ok(page.workflows)
            }
            Place::Store(store) => ask(store, move |store| store.workflows(limit, offset, false)).await,
        }
    }

    /// What a query finds: see [`store::query`](crate::store::query).
    ///
    /// # Errors
    /// [`WorkflowsError`] says where the query was not understood.
    ///
    /// # Cancel safety
    /// Nothing changes.
    pub async fn query(&self, text: &str) -> Result<Answer, WorkflowsError> {
        // Looked at here, so that what is wrong with it is said in one way.
        let query = Query::parse(text).map_err(StoreError::from)?;
        match &self.place {
            Place::Server(client) => Ok(client.must_get(&["api", "query"], &[("q", text)]).await?),
            Place::Store(store) => ask(store, move |store| store.query(&query, Timestamp::now())).await,
        }
    }

    /// Numbers of the handoffs that began at `since` or later.
    ///
    /// # Errors
    /// [`WorkflowsError`] where they cannot be asked for.
    ///
    /// # Cancel safety
    /// Nothing changes.
    pub async fn stats(&self, since: Timestamp) -> Result<Stats, WorkflowsError> {
        match &self.place {
            Place::Server(client) => Ok(client.must_get(&["api", "stats"], &[("since", &since.to_rfc3339())]).await?),
            Place::Store(store) => ask(store, move |store| store.stats(since)).await,
        }
    }
}

async fn ask<T: Send + 'static>(
    store: &Store,
    question: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, WorkflowsError> {
    let store = store.clone();
    let asked = tokio::task::spawn_blocking(move || question(&store)).await;
    Ok(asked.unwrap_or(Err(StoreError::Closed))?)
}
