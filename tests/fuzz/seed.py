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
