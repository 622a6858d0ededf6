// What an unmodified program on nats.js sees of its server: the same direct and through a proxy.
//
// Prints one line with what happened, for the test to compare.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// Where the packages are is the test's to say, so that nothing is installed beside the sources.
const require = createRequire(pathToFileURL(process.env.NODE_PACKAGES + "/"));
const { connect, headers } = require("@nats-io/transport-node");

const url = process.argv[2];
const saw = {};
const text = (message) => new TextDecoder().decode(message.data);

const researcher = await connect({ servers: url, name: "researcher" });
const planner = await connect({ servers: url, name: "planner" });

const asked = researcher.subscribe("research.ask");
(async () => {
  for await (const message of asked) {
    // A sub-task, before the answer.
    researcher.publish("archive.store", `noted ${text(message)}`);
    message.respond(`found ${text(message)}`);
  }
})();
const stored = planner.subscribe("archive.store", { max: 1 });
const archived = (async () => {
  for await (const message of stored) return text(message);
})();
await researcher.flush();
await planner.flush();

saw.reply = text(await planner.request("research.ask", "sources", { timeout: 5000 }));
saw.archived = await archived;

try {
  await planner.request("nobody.home", "hello?", { timeout: 5000 });
} catch (error) {
  saw.nobody = error.constructor.name;
}

const own = headers();
own.append("Color", "red");
own.append("Color", "blue");
own.append("color", "green");
const painted = researcher.subscribe("paint", { max: 1 });
const got = (async () => {
  for await (const message of painted) return [message.headers.values("Color"), message.headers.get("color"), text(message)];
})();
await researcher.flush();
planner.publish("paint", "wall", { headers: own });
saw.painted = await got;

await planner.drain();
await researcher.drain();
console.log("peer: SAW " + JSON.stringify(saw));
