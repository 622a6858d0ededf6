"""Three agents on plain NATS, in Python: they know nothing of Wilco.

    pip install nats-py
    python examples/first/agents.py nats://127.0.0.1:4222

A planner asks a researcher, and hands what comes back to a writer. The second time the researcher finds nothing, and says
so as NATS services do; the third time the planner asks a translator whom nobody has started.
"""

import asyncio
import sys

import nats
from nats.errors import NoRespondersError


async def main(url: str) -> None:
    planner = await nats.connect(url, name="planner")
    researcher = await nats.connect(url, name="researcher")
    writer = await nats.connect(url, name="writer")

    async def research(task):
        if b"perpetual motion" in task.data:
            error = {"Nats-Service-Error": "no sources on perpetual motion", "Nats-Service-Error-Code": "404"}
            await researcher.publish(task.reply, b"", headers=error)
        else:
            await task.respond(b"5 sources on " + task.data)

    async def write(task):
        await task.respond(b"a story from " + task.data)

    await researcher.subscribe("research", cb=research)
    await writer.subscribe("write", cb=write)
    await researcher.flush()
    await writer.flush()

    for number, topic in enumerate(["solid-state batteries", "perpetual motion", "heat pumps"], start=1):
        job = {"Wilco-Workflow": f"job-{number}"}  # any agent may say which job it works on; none has to
        sources = await planner.request("research", topic.encode(), headers=job)
        story = await planner.request("write", sources.data, headers=job)
        print(f"job-{number}: {story.data.decode()}")
        if number == 3:
            try:
                await planner.request("translate", story.data, headers=job)
            except NoRespondersError:
                print("job-3: nobody translates")
    for connection in (planner, researcher, writer):
        await connection.drain()


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "nats://127.0.0.1:4222"))
