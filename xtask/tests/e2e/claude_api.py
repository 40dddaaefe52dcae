"""A stand-in of the Anthropic Messages API, for tests of Claude Code without a network.

    claude_api.py TURNS LOG NAME=PORT [NAME=PORT ...]

It listens on loopback, once for each NAME, goes to the background, and answers `POST /v1/messages` with
the turns of the file TURNS: a JSON list, one entry for each answer, which is a list of content blocks as
the API has them (`{"type": "text", "text": …}` or `{"type": "tool_use", "name": …, "input": …}`). The
number of answers that a conversation already holds chooses the turn; after the last one the answer is
`done`. A request that offers no tools (a title, a summary) is answered with `ok`.

Each request adds a line of JSON to LOG: who received it, the method, the path, the credentials, the model
and the results of tools since the last answer. So a test sees where credentials went. A request that
arrives as to a proxy (`CONNECT`, or a whole URL as the path) is logged, too, and answered alike.
"""

import json
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TURNS = json.load(open(sys.argv[1], encoding="utf-8"))
LOG = open(sys.argv[2], "a", encoding="utf-8", buffering=1)
LOCK = threading.Lock()
LARGEST = 32 << 20


def answer_to(request):
    """The content blocks that answer a request."""
    if not request.get("tools"):
        return [{"type": "text", "text": "ok"}]
    turn = sum(message["role"] == "assistant" for message in request["messages"])
    return TURNS[turn] if turn < len(TURNS) else [{"type": "text", "text": "done"}]


def results_of(request):
    """What the tools of the last answer returned, as text."""
    last = (request.get("messages") or [{}])[-1].get("content", "")
    results = [block for block in last if isinstance(block, dict) and block.get("type") == "tool_result"]
    return [json.dumps(result.get("content"), ensure_ascii=False) for result in results]


def message_of(model, blocks):
    """A whole message; each use of a tool has an id of its own."""
    content = []
    for number, block in enumerate(blocks):
        uses = block["type"] == "tool_use"
        content.append({**block, "id": f"toolu_{id(blocks)}_{number}"} if uses else block)
    uses = any(block["type"] == "tool_use" for block in blocks)
    return {
        "id": f"msg_{id(content)}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if uses else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


def events_of(message):
    """The same message as the events of a stream."""
    start = {**message, "content": [], "stop_reason": None}
    yield {"type": "message_start", "message": start}
    for index, block in enumerate(message["content"]):
        if block["type"] == "tool_use":
            begin = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        else:
            begin = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        yield {"type": "content_block_start", "index": index, "content_block": begin}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 1}}
    yield {"type": "message_stop"}


class Handler(BaseHTTPRequestHandler):
    """One connection of Claude Code."""

    protocol_version = "HTTP/1.1"

    def answer(self):
        """Logs the request and answers it."""
        length = min(int(self.headers.get("content-length") or 0), LARGEST)
        try:
            request = json.loads(self.rfile.read(length) or b"{}")
        except ValueError:
            request = {}
        self.log(request)
        path = self.path.partition("?")[0]
        if path.endswith("/count_tokens"):
            self.send("application/json", json.dumps({"input_tokens": 1}))
        elif not path.endswith("/v1/messages"):
            self.send("application/json", "{}")
        else:
            message = message_of(request.get("model"), answer_to(request))
            if request.get("stream"):
                lines = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events_of(message))
                self.send("text/event-stream", "".join(lines))
            else:
                self.send("application/json", json.dumps(message))

    do_GET = do_HEAD = do_POST = do_PUT = do_CONNECT = answer

    def log(self, request):
        """One line of LOG."""
        head = self.headers
        line = {"to": self.server.name, "method": self.command, "path": self.path, "key": head.get("x-api-key")}
        line["authorization"] = head.get("authorization") or head.get("proxy-authorization")
        line |= {"model": request.get("model"), "results": results_of(request)}
        with LOCK:
            LOG.write(json.dumps(line, ensure_ascii=False) + "\n")

    def send(self, kind, body):
        """A whole response."""
        body = body.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        """LOG is all that is written."""


def main():
    """Returns to the caller when every port listens; a child goes on to serve."""
    servers = []
    for word in sys.argv[3:]:
        name, _, port = word.partition("=")
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
        server.daemon_threads, server.name = True, name
        servers.append(server)
    if os.fork():
        return
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(null, descriptor)
    for server in servers:
        threading.Thread(target=server.serve_forever).start()


main()
