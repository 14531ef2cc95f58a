"""A push provider on loopback that speaks as FCM does, with faults that are told to it."""

from __future__ import annotations

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# status, name of the error, FCM's own code for it, Retry-After. Source: firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
DEAD = (404, "NOT_FOUND", "UNREGISTERED", None)
BAD = (400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", None)
BUSY = (503, "UNAVAILABLE", "UNAVAILABLE", "1")
CROWDED = (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "1")
Answer = tuple[int, str, str, str | None]


class Provider:
    """Keeps what it was sent. ``answers``: by address, else it accepts; while ``release`` is clear it answers nobody."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.answers: dict[str, Answer] = {}
        self.release, self.asked = threading.Event(), threading.Event()
        self.release.set()
        self.hang_up = 0  # so many sends are taken and never answered
        self._lock = threading.Lock()
        provider = self

        class Speaks(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                provider.answer(self, body["message"])

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Speaks)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/projects/{{0}}/messages:send"

    def answer(self, link: BaseHTTPRequestHandler, message: dict[str, Any]) -> None:
        with self._lock:
            self.sent.append(message)
            refusal = self.answers.get(message["token"])
            silent = self.hang_up > 0
            self.hang_up -= silent
        self.asked.set()
        self.release.wait(60)
        if silent:
            link.close_connection = True
            return
        status, name, code, wait = refusal or (200, "", "", None)
        document: dict[str, Any] = {"name": "projects/fieldloop/messages/1"}
        if refusal:
            details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}]
            document = {"error": {"code": status, "message": name, "status": name, "details": details}}
        body = json.dumps(document).encode()
        link.send_response(status)
        if wait:
            link.send_header("Retry-After", wait)
        link.send_header("Content-Type", "application/json")
        link.send_header("Content-Length", str(len(body)))
        link.end_headers()
        link.wfile.write(body)

    @property
    def ids(self) -> Counter[str]:
        """How often each dedupe id was sent."""
        return Counter(message["data"]["dedupe_id"] for message in self.sent)

    @property
    def tries(self) -> Counter[str]:
        """How often each address was tried."""
        return Counter(message["token"] for message in self.sent)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
