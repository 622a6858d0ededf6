"""Hands stories to the newsroom, of which some are made to go wrong, and says what became of each.

A story counts once the stream has acknowledged it. With --stories N it ends after N of them have come out at the other
end, and says on its last line what was acknowledged, done and lost; without, it goes on until it is stopped.
"""

import argparse
import asyncio
import json
import os
import sys
import time
import uuid

import nats
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

TOPICS = ["solid-state batteries", "heat pumps in old houses", "green hydrogen", "tidal power", "perovskite cells"]
TROUBLES = [None, "stale_context", None, "failed", "misunderstood", "undelivered", None, "timed_out"]


async def main() -> int:
    options = arguments()
    run = uuid.uuid4().hex[:5]
    if options.page:
        print(f"open {options.page} in a browser, or run: wilco why --all --server {options.page}", flush=True)
    connection = await nats.connect(
        os.environ["NATS_URL"], name="driver", max_reconnect_attempts=-1, reconnect_time_wait=1, error_cb=quiet
    )
    stream = connection.jetstream(timeout=5)
    await until_there(stream)
    acknowledged: list[str] = []
    done: dict[str, dict] = {}
    listening = asyncio.create_task(listen(stream, run, done))
    number = 0
    while options.stories is None or number < options.stories:
        number += 1
        trouble = TROUBLES[(number - 1) % len(TROUBLES)]
        story = {"id": f"story-{run}-{number}", "topic": TOPICS[number % len(TOPICS)], "trouble": trouble}
        await hand_over(stream, story)
        acknowledged.append(story["id"])
        await asyncio.sleep(options.every)
    deadline = time.monotonic() + options.wait
    while time.monotonic() < deadline and not all(story in done for story in acknowledged):
        await asyncio.sleep(0.2)
    listening.cancel()
    lost = [story for story in acknowledged if story not in done]
    outcomes = {story: done[story]["outcome"] for story in acknowledged if story in done}
    print(json.dumps({"run": run, "acknowledged": len(acknowledged), "done": len(outcomes), "lost": lost,
                      "published": sum(outcome == "published" for outcome in outcomes.values())}), flush=True)
    return 1 if lost else 0


async def hand_over(stream, story: dict) -> None:
    """Until the stream has acknowledged it. The stream knows the id, and keeps it once."""
    headers = {"Nats-Msg-Id": story["id"], "correlation_id": story["id"], "content-type": "application/json"}
    while True:
        try:
            await stream.publish("stories.research", json.dumps(story).encode(), headers=headers)
            return
        except Exception as error:
            print(f"{story['id']} is not acknowledged yet: {error!r}", flush=True)
            await asyncio.sleep(1)


async def listen(stream, run: str, done: dict) -> None:
    """What comes out, from the beginning of this run on."""
    config = ConsumerConfig(deliver_policy=DeliverPolicy.ALL, ack_policy=AckPolicy.EXPLICIT, inactive_threshold=600)
    consumer = None
    while True:
        try:
            consumer = consumer or await stream.pull_subscribe("stories.done", durable=f"driver-{run}", config=config)
            for message in await consumer.fetch(20, timeout=2):
                outcome = json.loads(message.data)
                if outcome["id"].startswith(f"story-{run}-") and outcome["id"] not in done:
                    done[outcome["id"]] = outcome
                    print(f"{outcome['id']}  {outcome['outcome']}: {outcome['why']}", flush=True)
                await message.ack()
        except nats.errors.TimeoutError:
            continue
        except NotFoundError:
            consumer = None
            await asyncio.sleep(1)
        except Exception as error:
            print(f"the outcomes cannot be read: {error!r}", flush=True)
            await asyncio.sleep(1)


async def until_there(stream) -> None:
    """The pipeline makes the stream."""
    while True:
        try:
            await stream.stream_info("STORIES")
            return
        except Exception:
            await asyncio.sleep(0.5)


async def quiet(_: Exception) -> None:
    """Reconnecting is what the client does by itself."""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stories", type=int, default=None, help="how many; without it, on and on")
    parser.add_argument("--every", type=float, default=2.0, help="seconds between two of them")
    parser.add_argument("--wait", type=float, default=60.0, help="longest time to wait for the last ones")
    parser.add_argument("--page", default=os.environ.get("WILCO_PAGE"), help="where the page is, to be told")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
