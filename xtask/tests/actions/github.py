"""Stands in for GitHub's REST interface, as far as `update --propose` and update.yml use it.

Pull requests and statuses are kept in `$HOME/github.json`. A job may do what its permissions say, where the test has
written them down. A request in another form than GitHub documents is an error.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse


def fail(why):
    print(f"gh: {why}", file=sys.stderr)
    sys.exit(1)


def arguments(host, *rest):
    """The host, the method, the path and the body."""
    method, path, body = "GET", None, {}
    rest = list(rest)
    while rest:
        word = rest.pop(0)
        if word == "--method":
            method = rest.pop(0)
        elif word == "--input":
            body = json.loads(pathlib.Path(rest.pop(0)).read_text())
        elif word == "--raw-field":
            name, _, value = rest.pop(0).partition("=")
            body[name] = value
        elif path is None and not word.startswith("-"):
            path = word
        else:
            sys.exit(f"gh: unexpected: {word}")
    return host, method, path, body


def needs(right):
    rights = pathlib.Path(os.environ.get("STAND_INS_KEEP", "/nowhere"), "rights.json")
    if rights.exists():
        own = json.loads(rights.read_text()).get(os.environ["GITHUB_JOB"], {})
        if own.get(right) != "write":
            fail("Resource not accessible by integration (HTTP 403)")


def only(body, names):
    if unknown := set(body) - set(names):
        fail(f"unknown fields: {unknown} (HTTP 422)")


def tip(url, branch):
    command = ["git", "ls-remote", url, f"refs/heads/{branch}"]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return said.split("\t")[0] or fail(f"no branch {branch} (HTTP 422)")


def pulls(state, place, method, number, query, body):
    owner = place.split("/")[1]
    if method == "GET":
        if query["per_page"] != "100" or query["state"] != "all":
            fail("not every pull request is asked for")
        head, base = query["head"], query["base"]
        found = [p for p in state["pulls"] if (p["head"]["label"], p["base"]["ref"]) == (head, base)]
        return list(reversed(found))
    needs("pull-requests")
    if os.environ.get("GITHUB_REFUSES"):
        fail("GitHub Actions is not permitted to create or approve pull requests. (HTTP 403)")
    if method == "PATCH":
        only(body, ["title", "body", "state"])
        pull = next(p for p in state["pulls"] if p["number"] == number)
        pull.update(body)
    else:
        only(body, ["title", "body", "head", "base"])
        label = f"{owner}:{body['head']}"
        if any(p["state"] == "open" and p["head"]["label"] == label for p in state["pulls"]):
            fail("Validation Failed: A pull request already exists (HTTP 422)")
        number = len(state["pulls"]) + 1
        pull = {
            "number": number,
            "html_url": f"https://{place}/pull/{number}",
            "state": "open",
            "merged_at": None,
            "title": body["title"],
            "body": body["body"],
            "head": {"label": label, "ref": body["head"]},
            "base": {"ref": body["base"]},
        }
        state["pulls"].append(pull)
    pull["head"]["sha"] = tip(f"https://{place}", pull["head"]["ref"])
    if len(pull["title"]) > 256 or len(pull["body"]) > 65536:
        fail("Validation Failed: too long (HTTP 422)")
    return pull


def statuses(state, method, commit, body):
    own = state["statuses"].setdefault(commit, [])
    if method == "GET":
        return list(reversed(own))
    needs("statuses")
    only(body, ["state", "context", "description", "target_url"])
    if body["state"] not in ["error", "failure", "pending", "success"]:
        fail("Validation Failed (HTTP 422)")
    own.append(body)
    return body


def main():
    host, method, path, body = arguments(*sys.argv[1:])
    path, _, query = path.partition("?")
    query = dict(urllib.parse.parse_qsl(query, strict_parsing=True)) if query else {}
    kept = pathlib.Path(os.environ["HOME"], "github.json")
    state = json.loads(kept.read_text()) if kept.exists() else {"pulls": [], "statuses": {}}
    asked = re.fullmatch(r"repos/([^/]+/[^/]+)/(?:(pulls)(?:/(\d+))?|commits/(\w{40})/statuses|statuses/(\w{40}))", path)
    if not asked:
        fail("Not Found (HTTP 404)")
    name, is_pulls, number, read, written = asked.groups()
    if is_pulls:
        answer = pulls(state, f"{host}/{name}", method, int(number or 0), query, body)
    elif (method == "GET") == bool(read):
        answer = statuses(state, method, read or written, body)
    else:
        fail("Not Found (HTTP 404)")
    kept.write_text(json.dumps(state))
    print(json.dumps(answer))


main()
