"""What tests/stack.sh asks: of the store what it saw, and whether a compose file is as its schema says.

    stack.py schema FILE SCHEMA        needs PyYAML and jsonschema, the rest nothing
    stack.py workflows URL RUN COUNT   every story of this run is there, with the right cause, from agents in all languages
    stack.py seen URL RUN COUNT        every story of this run is there
    stack.py list URL                  prints the ids of all workflows with the number of their handoffs
    stack.py still URL FILE            none of those in a file that `list` made has lost anything
"""

import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

PATIENCE = 60

# What the driver makes go wrong, and what has to be found: kinds, and who is at the boundary.
CAUSES = {
    "stale_context": ({"stale_context"}, "archivist<-editor"),
    "failed": ({"failed"}, "facts<-editor"),
    "misunderstood": ({"misunderstood"}, "archivist<-editor"),
    "undelivered": ({"undelivered"}, "?<-review"),
    # A plain service that says nothing is, to its caller, not told from one that never got the task.
    "timed_out": ({"timed_out", "unacknowledged", "undelivered"}, "facts<-editor"),
}
TROUBLES = [None, "stale_context", None, "failed", "misunderstood", "undelivered", None, "timed_out"]


def get(url, path, **parameters):
    query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
    with urllib.request.urlopen(url + path + query, timeout=10) as answer:
        return json.load(answer)


def workflows(url):
    found, offset = {}, 0
    while offset is not None:
        page = get(url, "/api/workflows", limit=500, offset=offset)
        found.update((each["id"], each) for each in page["workflows"])
        offset = page["next"]
    return found


def until(question):
    """Asks until there is nothing to complain of; what comes last is the answer."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            complaints = question()
        except (urllib.error.URLError, ConnectionError) as error:
            complaints = [str(error)]
        if not complaints or time.monotonic() > deadline:
            return complaints
        time.sleep(0.5)


def seen(url, run, count):
    there = workflows(url)
    return [f"no workflow story-{run}-{number}" for number in range(1, count + 1) if f"story-{run}-{number}" not in there]


def causes(url, run, count):
    """Whether `find_failure` says of each story what was done to it."""
    wrong, agents = seen(url, run, count), set()
    for number in range(1, count + 1) if not wrong else ():
        story, trouble = f"story-{run}-{number}", TROUBLES[(number - 1) % len(TROUBLES)]
        for line in get(url, f"/api/workflows/{story}")["lines"]:
            agents |= {line.get("from"), line.get("to")}
        answer = get(url, f"/api/workflows/{story}/failure")
        first = (answer["ranked"] or [None])[0]
        if trouble is None:
            if answer["status"] == "failure":
                wrong.append(f"{story}: nothing was done to it, but {first}")
            continue
        kinds, boundary = CAUSES[trouble]
        # The editor lives with an error that it was told of, so that this may be suspected only; the handoff shows it.
        lines = get(url, f"/api/workflows/{story}")["lines"]
        shown = [line for line in lines if kinds & set(line.get("mismatches") or [])]
        if not shown or answer["status"] == "clean":
            wrong.append(f"{story}: {trouble} was not found, but {answer['status']}")
        elif trouble != "failed" and first is None:
            wrong.append(f"{story}: {trouble} is not said to be the cause, but {answer['status']}")
        elif first is not None and (first["kind"] not in kinds or first["boundary"] != boundary):
            wrong.append(f"{story}: {trouble} is said to be {first['kind']} at {first['boundary']}")
    if not wrong:
        for language, agent in [("Python", "review"), ("TypeScript", "facts"), ("Rust", "archivist")]:
            if not any(agent in (name or "") for name in agents):
                wrong.append(f"no agent in {language} ({agent}) among {sorted(filter(None, agents))}")
    return wrong


def still(url, file):
    with open(file, encoding="utf-8") as lines:
        before = json.load(lines)
    there = workflows(url)
    return [f"{id}: {there.get(id, {}).get('handoffs', 0)} handoffs of {handoffs}"
            for id, handoffs in before.items() if there.get(id, {}).get("handoffs", 0) < handoffs]


def schema(file, published):
    import jsonschema
    import yaml

    with open(file, encoding="utf-8") as text, open(published, encoding="utf-8") as rules:
        validator = jsonschema.Draft201909Validator(json.load(rules))
        return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in validator.iter_errors(yaml.safe_load(text))]


def main():
    what, *rest = sys.argv[1:]
    if what == "list":
        print(json.dumps({id: each["handoffs"] for id, each in workflows(*rest).items()}))
        return 0
    if what == "schema":
        complaints = schema(*rest)
    elif what == "still":
        complaints = until(lambda: still(*rest))
    else:
        url, run, count = rest
        complaints = until(lambda: {"workflows": causes, "seen": seen}[what](url, run, int(count)))
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
