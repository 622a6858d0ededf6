//! A user of the channel alone compiles no command line, no web server and no database.

use std::collections::BTreeSet;
use std::process::Command;

/// What only the product's own binary may bring. (anyhow is its own too, but gRPC code brings it to everybody.)
const APP_ONLY: [&str; 11] = [
    "anstream",
    "axum",
    "clap",
    "clap_builder",
    "crossterm",
    "indicatif",
    "libsqlite3-sys",
    "ratatui",
    "rusqlite",
    "sqlx",
    "tracing-subscriber",
];

#[test]
fn the_channel_alone_brings_nothing_of_the_app() {
    let tree = tree(&["--no-default-features", "--features", "channel"]);
    assert!(tree.contains("async-nats"), "the channel is in: {tree:?}");
    let found: Vec<_> = APP_ONLY.into_iter().filter(|name| tree.contains(*name)).collect();
    assert!(found.is_empty(), "features = [\"channel\"] compiles {found:?}");
}

#[test]
fn the_pure_floors_alone_bring_no_network_and_no_runtime() {
    let tree = tree(&["--no-default-features"]);
    assert!(tree.contains("blake3"), "the pure floors are in: {tree:?}");
    for name in ["tokio", "async-nats", "rustls", "reqwest", "hyper", "opentelemetry-otlp"] {
        assert!(!tree.contains(name), "no features at all still compile {name}");
    }
}

#[test]
fn ring_is_the_one_crypto_provider() {
    for features in [&["--no-default-features", "--features", "channel"][..], &["--all-features"]] {
        let tree = tree(features);
        assert!(tree.contains("rustls") && tree.contains("ring"), "{features:?}: {tree:?}");
        for other in ["aws-lc-rs", "aws-lc-sys", "rustls-openssl", "openssl-sys", "native-tls", "boring"] {
            assert!(!tree.contains(other), "{features:?} compile {other} beside ring");
        }
    }
}

#[test]
fn the_tree_of_the_app_is_told_apart_from_the_tree_of_the_channel() {
    assert!(tree(&[]).contains("clap"), "else the names above would be looked for in vain");
}

/// The names of the crates that a build with these features compiles into the library.
fn tree(features: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .args(features)
        .output()
        .expect("run cargo tree");
    assert!(output.status.success(), "cargo tree failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("crate names are UTF-8");
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}
