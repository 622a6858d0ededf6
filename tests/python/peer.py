"""An agent in another language: plain nats-py and BLAKE3, nothing of Wilco's.

It knows only the wire contract, so it proves that the contract is enough to take part in handoffs.

    peer.py receive --url URL --channel C --agent A [--mode MODE] [--count N]
    peer.py send    --url URL --channel C --from A --to B --payload TEXT --intent JSON [--hold] [...]

A receiver derives its readback from the payload alone, a JSON object with the slots of an intent; it never sees the
sender's intent. What either has to tell its test are lines that begin with `peer: `:

    receive  READY, then per handoff  SAW {...}, and  DECIDED {...}  when the sender has decided something
    send     LEARNT {...}
"""

import argparse
import asyncio
import json
import os
import re
import secrets
import sys
import time
from urllib.parse import unquote

import nats
from blake3 import blake3

MODES = ("right", "misunderstand", "refuse", "fail", "silent")
SLOTS = ("goal", "object", "constraints", "prohibitions", "deadline", "output")
TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$")


# ------------------------------------------------------------------------------------------------- what is on the wire


def pack(fields):
    """The `Wilco` header: its version, then `key=value` parts in the order given."""
    given = {key: str(value) for key, value in fields.items() if value is not None}
    # What lists hold was escaped part by part.
    return ";".join(["1"] + [f"{key}={value if key == 'ctx' else escape(value)}" for key, value in given.items()])


def unpack(header):
    """The parts of a `Wilco` header of version 1, or None. Unknown keys are kept, nonsense is left out."""
    version, *parts = (header or "").split(";")
    if version != "1":
        return None
    pairs = (part.partition("=") for part in parts)
    # The parts of list items stay escaped until the list is taken apart.
    return {key: value if key == "ctx" else unquote(value) for key, equals, value in pairs if equals}


def contexts(items):
    """The context items of `ctx`: name@version/observed-at-ns/max-age-ms/hash, of which any part may be empty."""
    found = []
    for item in filter(None, (items or "").split(",")):
        name, _, rest = item.partition("@")
        version, observed, longest = (rest.split("/") + ["", ""])[:3]
        found.append({
            "name": unquote(name),
            "version": unquote(version) or None,
            "observed_at": int(observed) if observed.isdigit() else None,
            "max_age_ms": int(longest) if longest.isdigit() else None,
        })
    return found


def escape(value):
    """Percent-encodes what would end a part, and blanks at the ends, which a NATS header does not keep."""
    inner = value.strip(" ")
    if not inner:
        return "%20" * len(value)
    left = len(value) - len(value.lstrip(" "))
    right = len(value) - len(value.rstrip(" "))
    coded = "".join(f"%{ord(c):02X}" if c in "%;" or ord(c) < 0x20 or ord(c) == 0x7F else c for c in inner)
    return "%20" * left + coded + "%20" * right


def content_hash(payload):
    return blake3(payload).hexdigest()


def digest(intent):
    """The first 32 hex digits of BLAKE3 over the canonical JSON of an intent.

    Canonical as RFC 8785 has it for what tests send: sorted keys, no blanks, integers and text.
    """
    canonical = json.dumps(intent, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return blake3(canonical.encode()).hexdigest()[:32]


def new_handoff_id():
    """A UUID of version 7 (RFC 9562): 48 bits of milliseconds, then chance."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    number = number & ~(0xF << 76) | 0x7 << 76
    number = number & ~(0x3 << 62) | 0x2 << 62
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def child_of(traceparent):
    """A new span in the trace of `traceparent`; a new trace where there is none or it is not one."""
    known = TRACEPARENT.match(traceparent or "")
    trace, flags = (known[1], known[3]) if known else (secrets.token_hex(16), "01")
    return f"00-{trace}-{secrets.token_hex(8)}-{flags}"


# ------------------------------------------------------------------------------------------------------------ receiver


class Receiver:
    def __init__(self, client, options):
        self.client = client
        self.options = options
        self.handled = 0
        self.enough = asyncio.Event()

    async def run(self):
        agent = self.options.agent
        await self.client.subscribe(f"wilco.{self.options.channel}.{agent}", queue=agent, cb=self.receive)
        await self.client.flush()
        say("READY")
        ends = [asyncio.ensure_future(end) for end in (self.enough.wait(), self.client.gone.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if not self.enough.is_set():
            sys.exit("the server is gone")

    async def receive(self, message):
        seen_at = time.time_ns()
        headers = message.headers or {}
        fields = unpack(headers.get("Wilco")) or {}
        payload = message.data
        whole = content_hash(payload) == fields.get("hash") and str(len(payload)) == fields.get("size")
        say("SAW", {
            "id": fields.get("id"),
            "from": fields.get("from"),
            "to": fields.get("to"),
            "workflow": fields.get("wf"),
            "kind": fields.get("kind"),
            "traceparent": headers.get("traceparent"),
            "intent_digest": fields.get("intent"),
            "whole": whole,
            "payload": payload.decode(errors="replace"),
            "header": headers.get("Wilco"),
        })
        if self.options.mode != "silent":
            await Exchange(self, message, fields, headers.get("traceparent"), seen_at, whole).answer()
        self.handled += 1
        if self.handled == self.options.count:
            await self.client.flush()
            self.enough.set()


class Exchange:
    """One handoff, from the receiver's side."""

    def __init__(self, receiver, message, fields, traceparent, seen_at, whole):
        self.client = receiver.client
        self.options = receiver.options
        self.message = message
        self.fields = fields
        self.traceparent = child_of(traceparent)
        self.seen_at = seen_at
        self.whole = whole
        self.control = self.client.new_inbox()

    async def answer(self):
        mode = self.options.mode
        if not self.whole and "hash" in self.fields:
            # The sender sees from hash and size of the receipt that something else arrived.
            return await self.receipt("refused", refusal="corrupted")
        if mode == "refuse":
            return await self.receipt("refused", refusal=self.options.refusal)
        decisions = await self.client.subscribe(self.control)
        await self.client.flush()
        await self.receipt("understood", intent=self.readback(), control=self.control)
        if self.fields.get("hold") == "1" and not await self.may_begin(decisions):
            return None
        if mode == "fail":
            return await self.receipt("failed", error="the source is behind a login")
        return await self.complete()

    def readback(self):
        if self.options.intent:
            return json.loads(self.options.intent)
        brief = json.loads(self.message.data)
        intent = {slot: brief[slot] for slot in SLOTS if slot in brief}
        if self.options.mode == "misunderstand":
            intent["object"] = "something else"
        return intent

    async def may_begin(self, decisions):
        """Waits for the sender's decision, at longest until it stops waiting itself."""
        by = int(self.fields["by"]) if "by" in self.fields else time.time_ns() + 10**10
        try:
            message = await decisions.next_msg(timeout=max((by - time.time_ns()) / 1e9, 0.001))
        except (asyncio.TimeoutError, nats.errors.TimeoutError):
            say("DECIDED", {"decision": None})
            return False
        decision = json.loads(message.data)
        say("DECIDED", decision)
        return decision["decision"] == "go"

    async def receipt(self, rung, **more):
        if "rcpt" not in self.fields:
            return
        body = {
            "v": 1,
            "rung": rung,
            "by": self.options.agent,
            "sent_at": int(self.fields["at"]),
            "seen_at": self.seen_at,
            "at": time.time_ns(),
            "hash": content_hash(self.message.data),
            "size": len(self.message.data),
            "context_age": self.context_ages(),
        }
        headers = {"traceparent": self.traceparent, "Wilco": pack({"id": self.fields["id"], "rung": rung})}
        await self.client.publish(self.fields["rcpt"], json.dumps(body | more).encode(), headers=headers)

    def context_ages(self):
        now = time.time_ns()
        return [
            {"name": item["name"], "version": item["version"], "age_ms": (now - item["observed_at"]) // 1_000_000}
            for item in contexts(self.fields.get("ctx"))
            if item["observed_at"] is not None
        ]

    async def complete(self):
        result = self.options.result.encode()
        if self.message.reply and self.fields.get("kind") != "transfer":
            fields = {"id": self.fields.get("id"), "rung": "completed", "hash": content_hash(result)}
            fields |= {"q": "0.83", "qby": "schema"}
            headers = {"traceparent": self.traceparent, "Wilco": pack(fields)}
            await self.client.publish(self.message.reply, result, headers=headers)
        elif "rcpt" in self.fields:
            await self.receipt("completed", result_hash=content_hash(result))


# -------------------------------------------------------------------------------------------------------------- sender


class Sender:
    """Hands one task off and learns what became of it."""

    def __init__(self, client, options):
        self.client = client
        self.options = options
        self.intent = json.loads(options.intent)
        self.payload = options.payload.encode()
        self.traceparent = child_of(options.traceparent)
        self.id = options.id or new_handoff_id()
        self.rungs = [{"rung": "sent", "evidence": "declared"}]
        self.mismatches = []
        self.diff = []
        self.refusal = self.error = self.result = self.clock = None
        self.context_age = []
        self.read_back = False

    async def run(self):
        self.news = asyncio.Queue()
        reply, receipts = self.client.new_inbox(), self.client.new_inbox()
        await self.client.subscribe(reply, cb=self.heard("reply"))
        await self.client.subscribe(receipts, cb=self.heard("receipt"))
        await self.publish(reply, receipts)
        await self.follow()
        say("LEARNT", {
            "id": self.id,
            "trace_id": TRACEPARENT.match(self.traceparent)[1],
            "verdict": self.verdict(),
            "mismatches": self.mismatches,
            "diff": self.diff,
            "rungs": self.rungs,
            "refusal": self.refusal,
            "error": self.error,
            "result": self.result,
            "context_age": self.context_age,
            "clock": self.clock,
        })

    def heard(self, where):
        async def put(message):
            self.news.put_nowait((where, message, time.time_ns()))

        return put

    async def publish(self, reply, receipts):
        options, now = self.options, time.time_ns()
        self.read_back_by = now + int(options.read_back_within * 1e9)
        self.result_by = now + int(options.result_within * 1e9)
        fields = {
            "id": self.id,
            "at": now,
            "hash": content_hash(self.payload),
            "size": len(self.payload),
            "from": getattr(options, "from"),
            "to": options.to,
            "wf": options.workflow,
            "n": 1,
            "inst": f"{os.getpid():08x}",
            "seq": 1,
            "hold": 1 if options.hold else None,
            "kind": options.kind,
            "intent": digest(self.intent),
            "ctx": options.context,
            "by": self.result_by,
            "rcpt": receipts,
        }
        payload = self.payload
        if options.corrupt:
            # As if a bit flipped on the way: the header is of the bytes that were meant.
            payload = bytes([payload[0] ^ 1]) + payload[1:]
        headers = {"traceparent": self.traceparent, "Wilco": pack(fields)}
        await self.client.publish(f"wilco.{options.channel}.{options.to}", payload, reply=reply, headers=headers)

    async def follow(self):
        while not self.settled():
            by = self.result_by if self.read_back else min(self.read_back_by, self.result_by)
            try:
                where, message, now = await asyncio.wait_for(self.news.get(), max((by - time.time_ns()) / 1e9, 0))
            except asyncio.TimeoutError:
                return self.find("timed_out" if self.read_back else "unacknowledged")
            if where == "receipt":
                await self.take_receipt(json.loads(message.data), now)
            elif (message.headers or {}).get("Status") == "503":
                self.find("undelivered")
            else:
                self.take_result(message)
        return None

    def settled(self):
        return self.mismatches or self.result or (self.options.kind == "transfer" and self.read_back)

    async def take_receipt(self, receipt, now):
        rung = receipt["rung"]
        self.rungs.append({"rung": rung, "evidence": "declared"})
        # The bounds of the receiver's clock against ours that one exchange gives, in nanoseconds.
        self.clock = [receipt["at"] - now, receipt["seen_at"] - receipt["sent_at"]]
        if receipt["by"] != self.options.to:
            self.find("misrouted")
        if receipt["hash"] != content_hash(self.payload):
            self.find("truncated" if receipt["size"] < len(self.payload) else "corrupted")
        if rung == "refused":
            self.refusal = receipt.get("refusal")
            if not self.mismatches:
                self.find("refused")
        elif rung == "failed":
            self.error = receipt.get("error")
            self.find("failed")
        elif rung == "understood":
            self.read_back = True
            self.diff = differences(self.intent, receipt["intent"])
            if self.diff:
                self.find("misunderstood")
            self.judge_ages(receipt.get("context_age", []))
            await self.decide(receipt.get("control"))

    def judge_ages(self, ages):
        """Stale is only what is too old however far apart the two clocks may be."""
        limits = {item["name"]: item["max_age_ms"] for item in contexts(self.options.context)}
        for item in ages:
            longest = limits.get(item["name"])
            if longest is not None and item["age_ms"] - self.clock[1] / 1e6 > longest:
                self.find("stale_context")
        self.context_age = ages

    async def decide(self, control):
        """Under hold the receiver waits for this; otherwise only a disagreement is worth a message."""
        if control and (self.mismatches or self.options.hold):
            decision = "withdraw" if self.mismatches else "go"
            body = {"v": 1, "decision": decision, "mismatches": self.mismatches, "diff": self.diff}
            headers = {"traceparent": self.traceparent, "Wilco": pack({"id": self.id})}
            await self.client.publish(control, json.dumps(body).encode(), headers=headers)
            await self.client.flush()

    def take_result(self, message):
        headers = message.headers or {}
        fields = unpack(headers.get("Wilco"))
        evidence = "wire" if fields is None else "declared"
        self.rungs.append({"rung": "completed", "evidence": evidence})
        fields = fields or {}
        self.result = {
            "payload": message.data.decode(errors="replace"),
            "whole": content_hash(message.data) == fields["hash"] if "hash" in fields else None,
            "quality": float(fields["q"]) if "q" in fields else None,
            "quality_by": fields.get("qby"),
            "traceparent": headers.get("traceparent"),
        }

    def find(self, kind):
        if kind not in self.mismatches:
            self.mismatches.append(kind)

    def verdict(self):
        if self.mismatches:
            return "mismatched"
        return "agreed" if self.read_back else "unconfirmed"


def differences(sent, read_back):
    """One entry per slot that does not agree. Names of slots inside `constraints` count as slots of their own."""
    sent, read_back = flat(sent), flat(read_back)
    found = []
    for slot in sorted(sent.keys() | read_back.keys()):
        if sent.get(slot) != read_back.get(slot):
            change = "missing" if slot not in read_back else "added" if slot not in sent else "changed"
            found.append({"slot": slot, "change": change, "sent": sent.get(slot), "read_back": read_back.get(slot)})
    return found


def flat(intent):
    slots = {slot: intent[slot] for slot in SLOTS if slot in intent and slot != "constraints"}
    if "prohibitions" in slots:
        slots["prohibitions"] = sorted(slots["prohibitions"])
    return slots | {f"constraints.{name}": value for name, value in intent.get("constraints", {}).items()}


# ---------------------------------------------------------------------------------------------------------------- main


def say(word, facts=None):
    print(f"peer: {word}" if facts is None else f"peer: {word} {json.dumps(facts)}", flush=True)


async def complain(error):
    print(f"nats: {error!r}", file=sys.stderr, flush=True)


def options():
    parser = argparse.ArgumentParser(description="An agent of another language.")
    roles = parser.add_subparsers(dest="role", required=True)
    receive = roles.add_parser("receive")
    send = roles.add_parser("send")
    for role in (receive, send):
        role.add_argument("--url", required=True)
        role.add_argument("--channel", required=True)
    receive.add_argument("--agent", required=True)
    receive.add_argument("--mode", choices=MODES, default="right")
    receive.add_argument("--count", type=int, default=1, help="leave after so many handoffs")
    receive.add_argument("--intent", help="read back this, whatever the payload says")
    receive.add_argument("--refusal", default="stale")
    receive.add_argument("--result", default='{"sources":["https://example.org/cells"]}')
    send.add_argument("--from", required=True)
    send.add_argument("--to", required=True)
    send.add_argument("--payload", required=True)
    send.add_argument("--intent", required=True)
    send.add_argument("--workflow", default="wf-1")
    send.add_argument("--kind", choices=("delegation", "transfer"), default="delegation")
    send.add_argument("--hold", action="store_true", help="the receiver waits for our decision")
    send.add_argument("--context", help="the header's ctx, as it goes on the wire")
    send.add_argument("--traceparent", help="the span that the sender is in")
    send.add_argument("--id", help="the handoff id, for a resend")
    send.add_argument("--corrupt", action="store_true", help="flip a bit of the payload after hashing it")
    send.add_argument("--read-back-within", type=float, default=10, help="seconds")
    send.add_argument("--result-within", type=float, default=20, help="seconds")
    return parser.parse_args()


async def main():
    chosen = options()
    gone = asyncio.Event()

    async def closed():
        gone.set()

    client = await nats.connect(chosen.url, error_cb=complain, closed_cb=closed, allow_reconnect=False)
    client.gone = gone
    try:
        await (Receiver if chosen.role == "receive" else Sender)(client, chosen).run()
    finally:
        await client.close()


if __name__ == "__main__":
    asyncio.run(main())
