"""What a client of another language can do on a bus: the same on nats-server and on the embedded one.

Prints one line with what happened, for the test to compare.
"""

import asyncio
import json
import sys

import nats
from nats.errors import NoRespondersError


async def settle(connection):
    """Waits until the server has dealt with what was said. `flush` is no proof: its PING overtakes what is buffered."""
    inbox = connection.new_inbox()
    echo = await connection.subscribe(inbox)
    await connection.publish(inbox, b"")
    await echo.next_msg(5)
    await echo.unsubscribe()


async def main(url):
    saw = {}
    one, other = [await nats.connect(url, name=name, max_reconnect_attempts=1) for name in ("one", "other")]

    received = await other.subscribe("news.*.de")
    await settle(other)
    await one.publish("news.sport.de", b"1", headers={"A": "1", "b": "zwei"})
    await one.publish("news.sport.fr", b"2")
    await one.publish("news.sport.de", b"3")
    messages = [await received.next_msg(5) for _ in range(2)]
    saw["wildcard"] = [(m.subject, m.data.decode(), m.headers) for m in messages]

    async def answer(message):
        await message.respond(message.data[::-1])

    await other.subscribe("reverse", cb=answer)
    await settle(other)
    saw["reply"] = (await one.request("reverse", b"abc", timeout=5)).data.decode()
    saw["old style"] = (await one.request("reverse", b"xyz", timeout=5, old_style=True)).data.decode()
    saw["many"] = sorted(m.data.decode() for m in await asyncio.gather(
        *[one.request("reverse", str(n).encode(), timeout=5) for n in range(10, 60)]))
    try:
        await one.request("nobody", b"", timeout=5)
    except NoRespondersError as error:
        saw["nobody"] = type(error).__name__

    counts = [0, 0, 0]
    done = asyncio.Event()

    def counting(index):
        async def count(_):
            counts[index] += 1
            if counts[0] + counts[1] == 200 and counts[2] == 200:
                done.set()
        return count

    for index, queue in ((0, "q"), (1, "q"), (2, "")):
        await other.subscribe("work", queue=queue, cb=counting(index))
    await settle(other)
    for _ in range(200):
        await one.publish("work", b"")
    await asyncio.wait_for(done.wait(), 5)
    saw["queue"] = (counts[0] + counts[1], counts[2], min(counts[:2]) > 0)

    limited = await other.subscribe("limited")
    await limited.unsubscribe(limit=2)
    await settle(other)
    for n in range(4):
        await one.publish("limited", str(n).encode())
    await settle(one)
    await settle(other)
    saw["limited"] = [(await limited.next_msg(5)).data.decode() for _ in range(2)]
    saw["none left"] = limited.pending_msgs

    big = await other.subscribe("big")
    await settle(other)
    await one.publish("big", bytes(range(256)) * 4096)
    saw["big"] = (await big.next_msg(5)).data == bytes(range(256)) * 4096
    saw["max_payload"] = one.max_payload

    for name, call in (("stream", one.jetstream().add_stream(name="s", subjects=["s"])),
                       ("publish", one.jetstream().publish("s", b"", timeout=5)),
                       ("account", one.jetstream().account_info())):
        try:
            await call
            saw["jetstream " + name] = "it works"
        except Exception as error:
            saw["jetstream " + name] = f"{type(error).__name__}: {error}"

    await other.drain()
    await one.close()
    print("peer: SAW " + json.dumps(saw, sort_keys=True), flush=True)


async def refused(url):
    """Whether somebody with this URL is let in."""

    async def quiet(_):
        pass

    try:
        connection = await nats.connect(url, allow_reconnect=False, error_cb=quiet)
        await connection.flush()
        await connection.close()
        outcome = "let in"
    except Exception as error:
        outcome = f"{type(error).__name__}: {error}"
    print("peer: SAW " + json.dumps(outcome), flush=True)


asyncio.run({"all": main, "enter": refused}[sys.argv[1]](sys.argv[2]))
