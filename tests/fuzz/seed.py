"""Fills corpus/ with the frozen vectors of tests/fixtures/wire."""

import json
import pathlib

HERE = pathlib.Path(__file__).parent
VECTORS = HERE.parent / "fixtures" / "wire"


def seed(target, texts):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"vector-{number}").write_bytes(text.encode())


def read(name):
    return json.loads((VECTORS / name).read_text())


seed("envelope", [v["value"] for name in ("headers.json", "headers_read.json") for v in read(name)])
for target in ("receipt", "decision"):
    seed(target, [v["header"] + "\n" + v["body"] for v in read(f"{target}s.json")])
seed("intent_json", [v["json"] for v in read("intents.json")])

# A first byte chooses the side, a second where to cut.
seed("nats", [
    "\x00\x09CONNECT {}\r\nSUB a.> q 1\r\nPUB a.b r 5\r\nhello\r\nUNSUB 1 2\r\nPING\r\n",
    "\x00\x14HPUB a 0 2\r\nhi\r\nhpub\ta  r 12 14 \nNATS/1.0\r\n\r\nhi\r\n",
    "\x01\x05INFO {}\r\nMSG in 1 9  2\r\nhi\r\n-ERR 'x'\r\n+OK\r\n",
    "\x01\x20HMSG a 1 r 16 16\r\nNATS/1.0 503\r\n\r\n\r\nPONG\r\n",
])
