use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{Query as Parameters, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream, StreamExt};

use super::api::blocking;
use super::error::Problem;
use super::server::Shared;
use crate::model::Timestamp;
use crate::store::query::Query;
use crate::store::{StoreError, Watch};

/// `GET /api/events`: handoffs as they change, each as one event `handoff` in the form of `/api/handoffs/{id}`. An event
/// `lagged` says that so many commits were passed over. With `q`, only handoffs that the query finds.
pub(super) async fn events(
    State(shared): State<Shared>,
    parameters: Result<Parameters<Asked>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Parameters(asked) = parameters.map_err(|error| Problem::bad(error.body_text()))?;
    let watch = watch(&shared, &asked.q).await?;
    let permit = std::sync::Arc::clone(&shared.listeners)
        .try_acquire_owned()
        .map_err(|_| Problem::overloaded("too many listen to events already"))?;
    let stream = stream::unfold((watch, shared.closing.clone(), permit), |(mut watch, mut closing, permit)| async {
        let events = tokio::select! {
            events = next(&mut watch) => events?,
            // Ends with the server, which would otherwise wait for it.
            _ = closing.wait_for(|closing| *closing) => return None,
        };
        Some((stream::iter(events.into_iter().map(Ok::<_, Infallible>)), (watch, closing, permit)))
    });
    Ok(sse(stream.flatten()).into_response())
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
}

async fn watch(shared: &Shared, wanted: &str) -> Result<Watch, Problem> {
    let watch = shared.store.watch();
    if wanted.trim().is_empty() {
        return Ok(watch);
    }
    let query = Query::parse(wanted).map_err(StoreError::from)?;
    let watch = watch.only(query.clone()).map_err(StoreError::from)?;
    // Some faults show only when it is asked, such as a word that a field cannot have.
    blocking(shared, move |store| store.query(&query.at_most(1), Timestamp::now())).await?;
    Ok(watch)
}

fn sse<S: Stream<Item = Result<Event, Infallible>> + Send + 'static>(
    stream: S,
) -> Sse<axum::response::sse::KeepAliveStream<S>> {
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}

async fn next(watch: &mut Watch) -> Option<Vec<Event>> {
    let handoffs = match watch.next().await {
        Ok(Some(Ok(handoffs))) => handoffs,
        Ok(Some(Err(lagged))) => return Some(vec![Event::default().event("lagged").data(lagged.0.to_string())]),
        Ok(None) => return None,
        Err(error) => return Some(vec![Event::default().event("error").data(error.to_string())]),
    };
    let event = |handoff| {
        let line = serde_json::to_string(&handoff).unwrap_or_default();
        Event::default().event("handoff").data(line)
    };
    Some(handoffs.into_iter().map(event).collect())
}
