"""Three steps of a newsroom on FastStream over JetStream, as anybody would write them. They know nothing of Wilco.

    python pipeline.py research | write | review

A story is taken from one step to the next through the stream STORIES. What a step has not acknowledged comes again, so a
server that is killed costs time, and no story.
"""

import asyncio
import os
import sys
from typing import Literal

from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, NatsMessage
from nats.errors import NoRespondersError
from nats.js.api import ConsumerConfig
from pydantic import BaseModel

stories = JStream("STORIES", subjects=["stories.>"], duplicate_window=120)
name = sys.argv[1]
broker = NatsBroker(
    os.environ["NATS_URL"], name=name, max_reconnect_attempts=-1, reconnect_time_wait=1, ping_interval=5, connect_timeout=5
)
app = FastStream(broker)


class Story(BaseModel):
    id: str
    topic: str
    trouble: str | None = None
    text: str = ""


class Outcome(BaseModel):
    id: str
    outcome: Literal["published", "dropped"]
    why: str


async def research(story: Story, _: NatsMessage) -> Story:
    story.text = f"Sources on {story.topic}."
    return story


async def write(story: Story, _: NatsMessage) -> Story:
    story.text += f" A draft on {story.topic}."
    return story


async def review(story: Story, message: NatsMessage) -> Outcome:
    if story.trouble == "undelivered":
        # Asks a translator that nobody has started.
        try:
            await broker.request(story.text, "translate.fr", correlation_id=message.correlation_id, timeout=5)
        except NoRespondersError:
            return Outcome(id=story.id, outcome="dropped", why="there is no translator")
    story.text += " Reviewed."
    try:
        edited = await broker.request(
            story, "wilco.newsroom.editor", correlation_id=message.correlation_id, timeout=15
        )
    except NoRespondersError:
        # It may be on its way back: this one comes again.
        await asyncio.sleep(1)
        raise
    answer = await edited.decode()
    return Outcome(id=story.id, outcome=answer["outcome"], why=answer["why"])


STEPS = {"research": (research, "write"), "write": (write, "review"), "review": (review, "done")}
handler, then = STEPS[name]


# What is not acknowledged within 20 seconds comes again.
@broker.subscriber(
    f"stories.{name}",
    stream=stories,
    durable=name,
    pull_sub=True,
    ack_policy=AckPolicy.NACK_ON_ERROR,
    config=ConsumerConfig(ack_wait=20),
    max_workers=4,
)
@broker.publisher(f"stories.{then}", stream=stories)
async def step(story: Story, message: NatsMessage) -> Story | Outcome:
    return await handler(story, message)


if __name__ == "__main__":
    asyncio.run(app.run())
