"""What an unmodified program on nats-py sees of its server: the same direct and through a proxy.

Prints one line with what happened, for the test to compare.
"""

import asyncio
import json
import sys

import nats
from nats.errors import NoRespondersError


async def main(url):
    saw = {}
    researcher = await nats.connect(url, name="researcher")
    planner = await nats.connect(url, name="planner")
    archived = asyncio.Queue()

    async def answer(message):
        # A sub-task, before the answer.
        await researcher.publish("archive.store", b"noted " + message.data)
        await message.respond(b"found " + message.data)

    async def store(message):
        await archived.put(message.data.decode())

    await researcher.subscribe("research.ask", cb=answer)
    await planner.subscribe("archive.store", cb=store)
    await researcher.flush()
    await planner.flush()
    saw["reply"] = (await planner.request("research.ask", b"sources", timeout=5)).data.decode()
    saw["archived"] = await asyncio.wait_for(archived.get(), 5)

    try:
        await planner.request("nobody.home", b"hello?", timeout=5)
    except NoRespondersError as error:
        saw["nobody"] = type(error).__name__

    # A pipeline over JetStream: stored, refused once, delivered again, acknowledged.
    js = planner.jetstream()
    await js.add_stream(name="ORDERS", subjects=["orders.>"])
    ack = await js.publish("orders.new", b"seven", headers={"Color": "red"})
    saw["stored"] = [ack.stream, ack.seq]
    pull = await researcher.jetstream().pull_subscribe("orders.>", durable="workers")
    deliveries = []
    for settle in ("nak", "ack"):
        message = (await pull.fetch(1, timeout=5))[0]
        deliveries.append([message.data.decode(), message.header["Color"], message.metadata.num_delivered])
        if settle == "nak":
            await message.nak()
        else:
            await message.in_progress()
            await message.ack_sync()
    saw["deliveries"] = deliveries

    await planner.drain()
    await researcher.drain()
    print("peer: SAW " + json.dumps(saw), flush=True)


asyncio.run(main(sys.argv[1]))
