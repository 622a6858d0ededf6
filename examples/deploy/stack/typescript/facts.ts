// A fact checker, as a NATS service on nats.js. It knows nothing of Wilco.

import { connect, type ServiceMsg } from "nats";

interface Story {
  id: string;
  topic: string;
  trouble?: string | null;
}

const connection = await connect({
  servers: process.env.NATS_URL,
  name: "facts",
  maxReconnectAttempts: -1,
  waitOnFirstConnect: true,
});
const service = await connection.services.add({
  name: "facts",
  version: "1.0.0",
  description: "checks what a story claims",
});
service.addEndpoint("check", { subject: "facts.check", handler: check });
console.log("checking facts");

function check(error: Error | null, message: ServiceMsg): void {
  if (error) {
    console.error(error.message);
    return;
  }
  const story = message.json<Story>();
  switch (story.trouble) {
    case "failed":
      message.respondError(500, "search API: 429 too many requests");
      break;
    case "timed_out":
      // Forgets it.
      break;
    default:
      message.respond(JSON.stringify({ checked: story.topic, claims: 3, wrong: 0 }));
  }
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.on(signal, () => void connection.drain());
}
const failure = await connection.closed();
if (failure) {
  console.error(`the connection was lost: ${failure.message}`);
  process.exit(1);
}
