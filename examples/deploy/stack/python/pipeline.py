"""Three steps of a newsroom on FastStream over JetStream, as anybody would write them. They know nothing of Wilco.

A story is taken from one step to the next through the stream STORIES. What a step has not acknowledged comes again, so a
server that is killed costs time, and no story.
"""

import asyncio
import os
from typing import Literal

from faststream import AckPolicy, FastStream
from faststream.nats import JStream, NatsBroker, NatsMessage
from nats.errors import NoRespondersError
from nats.js.api import ConsumerConfig
from pydantic import BaseModel

stories = JStream("STORIES", subjects=["stories.>"], duplicate_window=120)
broker = NatsBroker(
    os.environ["NATS_URL"], name="pipeline", max_reconnect_attempts=-1, reconnect_time_wait=1, ping_interval=5, connect_timeout=5
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


def step(name: str) -> dict:
    """A consumer that gets again what it did not acknowledge within 20 seconds."""
    return {
        "subject": f"stories.{name}",
        "stream": stories,
        "durable": name,
        "pull_sub": True,
        "ack_policy": AckPolicy.NACK_ON_ERROR,
        "config": ConsumerConfig(ack_wait=20),
        "max_workers": 4,
    }


@broker.subscriber(**step("research"))
@broker.publisher("stories.write", stream=stories)
async def research(story: Story) -> Story:
    story.text = f"Sources on {story.topic}."
    return story


@broker.subscriber(**step("write"))
@broker.publisher("stories.review", stream=stories)
async def write(story: Story) -> Story:
    story.text += f" A draft on {story.topic}."
    return story


@broker.subscriber(**step("review"))
@broker.publisher("stories.done", stream=stories)
async def review(story: Story, message: NatsMessage) -> Outcome:
    if story.trouble == "undelivered":
        # Asks a translator that nobody has started.
        try:
            await broker.request(story.text, "translate.fr", correlation_id=message.correlation_id, timeout=5)
        except NoRespondersError:
            return Outcome(id=story.id, outcome="dropped", why="there is no translator")
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


if __name__ == "__main__":
    asyncio.run(app.run())
