"""A pipeline of three steps on FastStream, as anybody would write it. It knows nothing of Wilco.

Prints one line with what happened, for the test to compare.
"""

import asyncio
import json
import sys

from faststream import FastStream
from faststream.nats import NatsBroker

url = sys.argv[1]
broker = NatsBroker(url)
app = FastStream(broker)
done = asyncio.Event()
saw = {}


@broker.subscriber("research")
@broker.publisher("write")
async def research(topic: str) -> str:
    return f"sources on {topic}"


@broker.subscriber("write")
@broker.publisher("review")
async def write(sources: str) -> str:
    return f"draft from {sources}"


@broker.subscriber("review")
async def review(draft: str) -> None:
    saw["reviewed"] = draft
    done.set()


@app.after_startup
async def begin():
    await broker.publish("batteries", subject="research", correlation_id="job-42")
    await asyncio.wait_for(done.wait(), 10)
    print("peer: SAW " + json.dumps(saw), flush=True)
    app.exit()


asyncio.run(app.run())
