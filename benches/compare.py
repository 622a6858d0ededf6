#!/usr/bin/env python3
"""CPU per handoff of the channel against tracing written by hand, in one run.

    python3 benches/compare.py BASELINE [--rounds N] [--msgs N] [--server PATH]

BASELINE is the built baseline program: async-nats plain, and with OpenTelemetry spans, headers and BLAKE3 written by
hand (its variant "(d)"); it takes --server, --rounds, --msgs, --size and --json. Both programs run in turns against a
nats-server started here (from .venv or PATH, or --server), so that a busy machine hits both; the ratio of each turn is
taken within it, and the median of the turns is shown. Prints a Markdown table.
"""
import argparse
import json
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZES = (128, 1024, 8192)


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("baseline")
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--msgs", type=int, default=20_000)
    ask.add_argument("--server")
    asked = ask.parse_args()
    bench = built()
    with tempfile.TemporaryDirectory() as directory:
        server, address = start(asked.server)
        try:
            turns = [turn(asked, bench, address, pathlib.Path(directory)) for _ in range(asked.rounds)]
        finally:
            server.kill()
            server.wait()
    table(turns)


def built():
    """Builds our bench, and returns the path of the program."""
    made = subprocess.run(
        ["cargo", "bench", "--no-default-features", "--features", "channel", "--bench", "cpu", "--no-run",
         "--message-format", "json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    for line in made.stdout.splitlines():
        message = json.loads(line)
        if message.get("executable") and message.get("target", {}).get("name") == "cpu":
            return message["executable"]
    sys.exit("cargo built no bench named cpu")


def start(server):
    program = server or next((str(p) for p in [ROOT / ".venv/bin/nats-server"] if p.exists()), None)
    program = program or shutil.which("nats-server")
    if not program:
        sys.exit("no nats-server: give --server PATH, or run `bash tests/run.sh`, which gets one")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([program, "--addr", "127.0.0.1", "--port", str(port)],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, f"127.0.0.1:{port}"
        except OSError:
            time.sleep(0.02)
    process.kill()
    sys.exit(f"{program} does not listen on port {port}")


def turn(asked, bench, address, directory):
    """One round of each program: {size: (ours, by hand, plain)}, each a pair of send and receive in ns."""
    by_hand, ours = {}, {}
    sizes = [argument for size in SIZES for argument in ("--size", str(size))]
    common = ["--server", address, "--rounds", "1", "--msgs", str(asked.msgs), *sizes]
    for program, file in ((asked.baseline, "theirs.json"), (bench, "ours.json")):
        subprocess.run([program, *common, "--json", str(directory / file)], check=True, stdout=subprocess.DEVNULL)
    for row in json.loads((directory / "theirs.json").read_text()):
        by_hand[row["size"], row["variant"][:3]] = (row["send_ns"], row["receive_ns"])
    for row in json.loads((directory / "ours.json").read_text()):
        ours[row["size"]] = (row["send_ns"], row["receive_ns"])
    return {size: (ours[size], by_hand[size, "(d)"], by_hand[size, "(a)"]) for size in SIZES}


def table(turns):
    print("| payload | side | plain async-nats | by hand | Wilco | Wilco / by hand |")
    print("|---|---|---|---|---|---|")
    for size in SIZES:
        for side, name in enumerate(("send", "receive")):
            ours, by_hand, plain = ([t[size][which][side] for t in turns] for which in range(3))
            ratio = statistics.median(a / b for a, b in zip(ours, by_hand))
            row = [f"{statistics.median(values):,.0f} ns" for values in (plain, by_hand, ours)]
            print(f"| {size} B | {name} | {' | '.join(row)} | {ratio:.2f} |")


if __name__ == "__main__":
    main()
