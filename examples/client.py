"""A Parley client on one page, written from docs/protocol.md alone; the § below are its sections. It needs Python 3.11 and `websockets`.

  listen TOKEN [--url URL] [--store FILE]            print what comes, for ever
  say TOKEN NAME TEXT [--url URL]                    send one text to NAME, print the seq it got
  talk TOKEN --store FILE [--url URL] [--verbose]    obey lines on stdin: `@NAME text`, `/group TITLE NAME…`,
                                                     `#<conversationId> text`, `/quit`; in texts \\n is a new line, \\\\ a backslash
"""

import argparse
import asyncio
import itertools
import json
import os
import random
import re
import sys
import threading
import time
import uuid

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

FINAL = {1002, 1003, 1007, 1009, 4401}  # the ends of a connection that coming back does not cure (§7)
# the codes that mean "again, with the same id" (§9); so does any that comes with a wait
AGAIN = {"unavailable", "internal", "storage_full", "rate_limited", "busy", "draining", "id_time_ahead", "unauthenticated"}


def escape(text):
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def unescape(text):
    return re.sub(r"\\([\\nr])", lambda found: {"n": "\n", "r": "\r"}.get(found[1], "\\"), text)


def complain(*words):
    print(*words, file=sys.stderr, flush=True)


def id_of(frame):
    return frame.get("messageId") or frame.get("commandId")


def is_for_again(frame):
    return "retryAfterMs" in frame or frame["code"] in AGAIN


def new_id(seconds):
    """A UUIDv7 (§4)."""
    value = int(seconds * 1000) << 80 | random.SystemRandom().getrandbits(80)
    return str(uuid.UUID(int=value & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62))


class Store:
    """What the client holds: a fold over its journal, one line of JSON per thing that happened.

    A line counts whole or not at all, and none counts after a broken one: so a cursor is believed only if all that came before it was
    stored (§6, `synced`). The file is the same as that of client.ts.
    """

    def __init__(self, path):
        self.cursor = None
        self.messages = {}  # conversationId → seq → message
        self.opened = {}  # @NAME → conversationId
        self.outbox = []  # commands without a final answer, oldest first
        self.file = open(path, "a+b") if path else None
        if not self.file:
            return
        self.file.seek(0)
        whole = 0
        for line in self.file:
            try:
                self._apply(json.loads(line[: line.index(b"\n")]))
            except ValueError:
                break
            whole += len(line)
        self.file.truncate(whole)

    def record(self, event):
        """Takes a thing in and writes it down, unless it changes nothing: then False."""
        if not self._apply(event):
            return False
        if self.file:
            self.file.write(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            self.file.flush()
            if event["type"] == "queued":
                os.fsync(self.file.fileno())  # a command must outlive us before it is sent
        return True

    def _apply(self, event):
        kind, conversation, seq = event["type"], event.get("conversationId"), event.get("seq")
        held = self.messages.get(conversation, {}).get(seq)
        if kind == "queued":
            self.outbox.append(event)
        elif kind == "synced":
            if self.cursor == event["cursor"]:
                return False
            self.cursor = event["cursor"]
        elif kind == "message":
            if held:
                return False  # again, after a resume
            self.messages.setdefault(conversation, {})[seq] = event
        elif kind in ("edited", "deleted"):
            if not held or event["version"] <= held.get("version", 0):
                return False  # older than what we hold (§4)
            held.update(version=event["version"], content=event.get("content", {"type": kind}))  # the place stays
        elif kind in ("accepted", "rejected"):
            item = next((item for item in self.outbox if id_of(item["frame"]) == id_of(event)), None)
            if not item:
                return False
            self.outbox.remove(item)
            to = item.get("to")
            waiting = [other for other in self.outbox if to and other.get("to") == to and "conversationId" not in other["frame"]]
            if kind == "rejected":
                self.outbox = [other for other in self.outbox if other not in waiting]
                return True
            for other in waiting:
                other["frame"]["conversationId"] = conversation
            if to:
                self.opened[to] = conversation
            if seq:
                self._apply({**item["frame"], **event, "type": "message"})  # in its place (§6)
        elif kind == "reset":  # all that came from the server is void; what it has not answered stays to be sent
            self.cursor, self.messages, self.opened = None, {}, {}
        else:
            return False  # a frame we do not know or need is ignored (§3)
        return True


class Client:
    def __init__(self, url, token, store):
        self.url, self.token, self.store = url, token, store
        self.on_frame = lambda frame, is_new, sent: None  # called after a frame was stored; `sent` is the command it answers
        self.socket = self.me = None
        self.ahead = 0  # the server's clock before ours, seconds
        self.failures = 0
        self.ready = self.synced = False
        self.under_way, self.resting = set(), set()
        self.ended = asyncio.Event()
        self.status = 0

    def is_idle(self):
        """Nothing is left to be answered, and the cursor covers all that came."""
        return self.synced and not self.store.outbox

    def queue(self, frame, to=None):
        frame["messageId" if frame["type"] == "send" else "commandId"] = new_id(time.time() + self.ahead)
        self.store.record({"type": "queued", "frame": frame} | ({"to": to} if to else {}))
        self.soon()

    def soon(self):
        self.flushing = asyncio.create_task(self._flush())

    def text(self, to, text):
        """Queues a text to `#<conversationId>` or `@NAME`; the latter's conversation is opened first, once."""
        conversation = to[1:] if to[0] == "#" else self.store.opened.get(to)
        content = {"type": "text", "text": text}
        if conversation:
            self.queue({"type": "send", "conversationId": conversation, "content": content})
            return
        if not any(item.get("to") == to and item["frame"]["type"] == "start-direct" for item in self.store.outbox):
            self.queue({"type": "start-direct", "with": {"name": to[1:]}}, to)
        self.queue({"type": "send", "content": content}, to)

    def end(self, reason=None):
        if reason:
            complain(reason)
            self.status = 1
        self.ended.set()

    async def run(self):
        connecting = asyncio.create_task(self._connect_for_ever())
        ending = asyncio.create_task(self.ended.wait())
        await asyncio.wait([connecting, ending], return_when=asyncio.FIRST_COMPLETED)
        connecting.cancel()
        await asyncio.wait([connecting])
        if not connecting.cancelled():
            connecting.result()  # a fault of ours is not to be silent
        return self.status

    async def _connect_for_ever(self):
        headers = {"Authorization": f"Bearer {self.token}"}
        while True:
            wait, named = 0, None  # what the server asks for
            try:
                # no extensions (§3); the library answers pings and sends its own
                async with connect(self.url, additional_headers=headers, compression=None, max_size=None) as self.socket:
                    async for data in self.socket:
                        await self._receive(json.loads(data))
            except InvalidStatus as refusal:
                complain(f"connection: {refusal}")
                wait = float(refusal.response.headers.get("Retry-After", 0))  # 503 (§3)
                if refusal.response.status_code < 500 and not wait:
                    self.end("the server refused the connection")
            except ConnectionClosed as closed:
                complain(f"connection: {closed}")
                named = closed.rcvd and re.search(r"retry in (\d+) ms", closed.rcvd.reason)  # 1012 (§7)
                if closed.rcvd and closed.rcvd.code in FINAL:
                    self.end("the server ended the connection for good")
            except (OSError, InvalidHandshake, EOFError) as failure:
                complain(f"connection: {failure}")
            self.ready = self.synced = False
            self.under_way.clear()
            jitter = random.random() * min(30, 0.5 * 2 ** min(self.failures, 10))  # full, capped (§7)
            self.failures += 1
            await asyncio.sleep(int(named[1]) / 1000 if named else wait + jitter)

    async def _receive(self, frame):
        kind, key = frame["type"], id_of(frame)
        sent = next((item["frame"] for item in self.store.outbox if id_of(item["frame"]) == key), None)
        if kind == "rejected" and is_for_again(frame):
            self.resting.add(key)  # also over a reconnect; without a wait named: soon
            wait = frame["retryAfterMs"] / 1000 if "retryAfterMs" in frame else random.uniform(0.5, 2)
            asyncio.get_running_loop().call_later(wait, lambda: (self.resting.discard(key), self.soon()))
            self.under_way.discard(key)
            if frame["code"] == "unauthenticated":
                self.end("a new token is needed")
            return
        if kind == "welcome":
            self.me, self.ahead = frame["userId"], frame["time"] / 1000 - time.time()
            self.failures = 0  # only here (§7)
        if kind == "accepted":
            frame["by"] = self.me
        known = frame.get("seq") in self.store.messages.get(frame.get("conversationId"), {})
        is_new = self.store.record(frame) and not (kind == "accepted" and known)
        if kind == "synced":
            self.synced = frame["caughtUp"]
        elif is_new and "seq" in frame:
            self.synced = False
        self.under_way.discard(key)
        if kind in ("error", "rejected"):
            complain(f"{kind}: {frame['code']}: {frame['message']}")
        if kind in ("welcome", "reset"):
            await self.socket.send(json.dumps({"type": "resume", "cursor": self.store.cursor}))
            self.ready = True
        await self._flush()
        self.on_frame(frame, is_new, sent)

    async def _flush(self):
        """Sends of every conversation the oldest command without an answer, and no second one beside it: that would overtake the first
        if the first is rejected with a wait."""
        seen = set()
        for item in list(self.store.outbox) if self.ready else []:
            frame, key = item["frame"], id_of(item["frame"])
            lane = frame.get("conversationId") or item.get("to") or key
            if lane not in seen and key not in self.under_way | self.resting:
                self.under_way.add(key)
                try:
                    await self.socket.send(json.dumps(frame))
                except ConnectionClosed:
                    return  # it is sent again after the next resume
            seen.add(lane)


def print_to(store):
    """Prints messages as `seq by text` under the `#<conversationId>` they belong to, by `seq` (§4): one that is ahead waits."""
    following, heading = {}, None
    for conversation, held in store.messages.items():
        following[conversation] = next(seq for seq in itertools.count(min(held)) if seq not in held)

    def show(conversation, message):
        nonlocal heading
        if heading != conversation:
            print(f"#{conversation}")
        heading = conversation
        content = message["content"] or {"type": "hidden" if message.get("hidden") else "erased"}
        print(message["seq"], message["by"], escape(content["text"]) if "text" in content else f"({content['type']})", flush=True)

    def on_frame(frame, is_new, sent=None):
        conversation, seq = frame.get("conversationId"), frame.get("seq")
        if "visibleFrom" in frame:
            following[conversation] = max(frame["visibleFrom"] + 1, following.get(conversation, 0))
        if not is_new or seq is None:
            return
        held, due = store.messages[conversation], following.get(conversation, seq)
        if seq < due:
            show(conversation, held[seq])
        else:
            while due in held:
                show(conversation, held[due])
                due += 1
        following[conversation] = due

    return on_frame


def say(client, name, text):
    def on_frame(frame, is_new, sent):
        if sent and frame["type"] == "rejected":
            client.end("nothing was sent")
        if sent and sent["type"] == "send" and frame["type"] == "accepted":
            print(frame["seq"], flush=True)
            client.end()

    client.on_frame = on_frame
    client.text(f"@{name}", text)


def talk(client, is_verbose):
    show = print_to(client.store)
    quitting = False

    def on_frame(frame, is_new, sent):
        show(frame, is_new)
        if frame["type"] == "synced" and is_verbose:
            print("synced", frame["cursor"], flush=True)
        if sent and frame["type"] == "accepted" and sent["type"] == "create-group":
            print("group", frame["conversationId"], flush=True)
        if quitting and client.is_idle():
            client.end()

    def obey(line):
        nonlocal quitting
        word, _, rest = line.partition(" ")
        if word == "/quit":
            quitting = True
        elif word == "/group":
            name, *members = rest.split()
            client.queue({"type": "create-group", "name": name, "members": [{"name": member} for member in members]})
        elif word[:1] in ("@", "#") and word[1:] and rest:
            client.text(word, unescape(rest))
        elif word:
            complain("not understood")
        if quitting and client.is_idle():
            client.end()

    def read(loop):  # in a thread, because stdin may block; not line by line, because a text may hold a U+2028
        begun = b""
        while data := os.read(0, 65536):
            *lines, begun = (begun + data).split(b"\n")
            for line in lines:
                loop.call_soon_threadsafe(obey, line.decode(errors="replace"))
        loop.call_soon_threadsafe(obey, begun.decode(errors="replace"))
        loop.call_soon_threadsafe(obey, "/quit")

    client.on_frame = on_frame
    threading.Thread(target=read, args=[asyncio.get_running_loop()], daemon=True).start()


async def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("listen", "say", "talk"):
        options = commands.add_parser(command)
        options.add_argument("token")
        if command == "say":
            options.add_argument("name")
            options.add_argument("text")
        options.add_argument("--url", default="ws://127.0.0.1:8080/v1/socket")
        options.add_argument("--store", required=command == "talk")
        options.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    client = Client(arguments.url, arguments.token, Store(arguments.store))
    if arguments.command == "say":
        say(client, arguments.name, arguments.text)
    elif arguments.command == "talk":
        talk(client, arguments.verbose)
    else:
        client.on_frame = print_to(client.store)
    return await client.run()


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except KeyboardInterrupt:
        sys.exit(130)
