//! How a channel finds its server and is let in.
#![cfg(feature = "channel")]
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

mod support;

use async_nats::ConnectOptions;
use support::PATIENCE;
use support::nats::{NatsServer, each_server_version};
use support::newsroom::{next, task};
use wilco::channel::{Channel, ConnectError};

#[tokio::test]
async fn the_user_that_the_url_names_is_let_in_and_no_other() {
    let Some(binary) = each_server_version().into_iter().next() else { return };
    for (asked, right, wrong) in [
        (["--user", "ada", "--pass", "p@ss/word"].as_slice(), "ada:p%40ss%2Fword", "ada:guess"),
        (["--auth", "s3cret%"].as_slice(), "s3cret%25", "guess"),
    ] {
        let server = NatsServer::start_with(&binary, asked);
        let at = |user: &str| format!("nats://{user}@127.0.0.1:{}", server.port());
        let channel = Channel::builder("newsroom").connect(&at(right)).await.unwrap();
        assert!(channel.is_connected());
        let error = Channel::builder("newsroom").connect(&at(wrong)).await.unwrap_err();
        let ConnectError::Connect { .. } = &error else { panic!("{error:?}") };
        assert!(!format!("{error} {error:?}").contains("guess"), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for_where_that_was_asked_for() {
    let Some(mut server) = NatsServer::start() else { return };
    server.stop();
    assert!(matches!(Channel::builder("newsroom").connect(&server.url()).await, Err(ConnectError::Connect { .. })));
    let url = server.url();
    let opening = tokio::spawn(async move {
        let patient = ConnectOptions::new().retry_on_initial_connect();
        Channel::builder("newsroom").options(patient).connect(&url).await
    });
    server.restart();
    let channel = tokio::time::timeout(PATIENCE, opening).await.unwrap().unwrap().unwrap();
    let mut inbox = channel.join("researcher").await.unwrap().inbox().await.unwrap();
    let planner = channel.join("planner").await.unwrap();
    let receipt = planner.hand_off("researcher", task()).await.unwrap();
    assert_eq!(next(&mut inbox).await.id(), Some(receipt.id()));
}
