"""The two agents of the wire contract's document, as they stand there.

    contract.py researcher URL    takes tasks, and says what it read
    contract.py planner URL       hands one task off, and says what it learnt
"""
import pathlib
import re
import sys

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "src/docs/wire.md"
[PROGRAM] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
exec(compile(PROGRAM, str(DOCUMENT), "exec"))

INTENT = json.loads(sys.argv[3])


def work(payload):
    return INTENT, b'{"sources":["https://example.org/1"]}'


async def main(role, url):
    nc = await nats.connect(url)
    if role == "researcher":
        await researcher(nc, work)
        await nc.flush()
        print("peer: READY", flush=True)
        await asyncio.sleep(60)
    else:
        rung, agrees, whole, data = await planner(nc, b'{"topic":"solid-state batteries"}', INTENT, wait=20)
        data = data and json.loads(data)
        print("peer: LEARNT", json.dumps({"rung": rung, "agrees": agrees, "whole": whole, "data": data}), flush=True)


asyncio.run(main(*sys.argv[1:3]))
