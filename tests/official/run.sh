#!/usr/bin/env bash
# The suite of async-nats itself, its clients connected through `wilco proxy`.
#
#   bash tests/official/run.sh PROGRAM            every test
#   bash tests/official/run.sh PROGRAM FILTER     those that cargo-nextest's filter names
#   bash tests/official/run.sh ""                 every test, without the proxy, for a comparison
#
# PROGRAM is a built `wilco`. The suite is taken from the crate as it was published, the version that Cargo.lock names, and
# not changed, but for the crate that starts its servers: see server/. Needs cargo-nextest, and a nats-server on PATH or
# in NATS_SERVER.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Not run, with or without the proxy: they ask for hosts of the internet, or for programs of their authors'.
elsewhere='test(/connect_domain|service::schemas|service::cross_clients_tests|custom_tls_client|tls_with_native_certs/) | binary(compatibility)'
# Run with `--inject off`: it compares the headers that came with those that were sent.
counts_headers='test(/client::publish_with_headers$/)'

main() {
    local program="${1?name a built wilco, or "" for none}" filter="${2:-all()}"
    local folder="${CARGO_TARGET_DIR:-$PWD/target}/official"
    [[ -z "$program" ]] || program="$(realpath "$program")"
    export NATS_SERVER="${NATS_SERVER:-$(command -v nats-server)}" CARGO_TARGET_DIR="$folder/target" CARGO_PROFILE_DEV_DEBUG=0
    lay_out "$folder"
    cd "$folder/async-nats"
    WILCO="$program" WILCO_ARGS="--otlp http://127.0.0.1:1" suite "($filter) - ($elsewhere) - ($counts_headers)"
    WILCO="$program" WILCO_ARGS="--inject off" suite "($filter) & ($counts_headers)"
}

# A copy of the published crate whose tests find our servers.
lay_out() {
    local manifest copy="$1/async-nats"
    manifest="$(cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-linux-gnu |
        python3 -c 'import json, sys; print(next(p["manifest_path"] for p in json.load(sys.stdin)["packages"] if p["name"] == "async-nats"))')"
    rm -rf "$copy"
    mkdir -p "$1"
    cp -R "$(dirname "$manifest")" "$copy"
    chmod -R u+w "$copy"
    rm -f "$copy/Cargo.lock"
    printf '\n[dev-dependencies.nats-server]\npath = "%s"\n\n[workspace]\n' "$PWD/tests/official/server" >>"$copy/Cargo.toml"
    mkdir -p "$copy/.config"
    # The longest waits for a hundred seconds of heartbeats.
    printf '[profile.default]\nfail-fast = false\nretries = 1\nslow-timeout = { period = "60s", terminate-after = 4 }\n' >"$copy/.config/nextest.toml"
}

# Most tests wait most of their time.
suite() {
    cargo nextest run --tests --test-threads 10 --no-tests pass --hide-progress-bar --status-level fail --final-status-level fail -E "$1"
}

main "$@"
