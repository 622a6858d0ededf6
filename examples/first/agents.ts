// Two agents on plain NATS, in TypeScript: they know nothing of Wilco.
//
//   npm install nats
//   node examples/first/agents.ts nats://127.0.0.1:4222        (Node.js 24; older ones: npx tsx)
//
// A planner asks a researcher three times. The second time the researcher finds nothing, and says so as NATS services
// do; the third time the planner asks a translator whom nobody has started.

import { connect, headers, type Msg, type NatsConnection } from "nats";

const url = process.argv[2] ?? "nats://127.0.0.1:4222";
const planner = await connect({ servers: url, name: "planner" });
const researcher = await connect({ servers: url, name: "researcher" });

researcher.subscribe("research", {
  callback: (_: Error | null, task: Msg) => {
    if (task.string() === "perpetual motion") {
      const error = headers();
      error.set("Nats-Service-Error", "no sources on perpetual motion");
      error.set("Nats-Service-Error-Code", "404");
      task.respond("", { headers: error });
    } else {
      task.respond(`5 sources on ${task.string()}`);
    }
  },
});
await researcher.flush();

for (const [number, topic] of ["solid-state batteries", "perpetual motion", "heat pumps"].entries()) {
  const job = headers(); // any agent may say which job it works on; none has to
  job.set("Wilco-Workflow", `job-${number + 1}`);
  const sources = await ask(planner, "research", topic, job);
  console.log(`job-${number + 1}: ${sources}`);
  if (number === 2) {
    console.log(`job-3: ${await ask(planner, "translate", sources, job)}`);
  }
}
await planner.drain();
await researcher.drain();

async function ask(agent: NatsConnection, subject: string, text: string, job: ReturnType<typeof headers>): Promise<string> {
  try {
    return (await agent.request(subject, text, { headers: job, timeout: 5000 })).string();
  } catch (error) {
    return `nobody answers at ${subject} (${(error as Error).message})`;
  }
}
