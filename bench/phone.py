"""A phone without a library: WatermelonDB's pull and push over one keep-alive connection, counted as they come over the wire."""

from __future__ import annotations

import http.client
import time
import zlib
from dataclasses import dataclass, field
from typing import Any

import msgspec

_TIMEOUT_S = 600.0
_IDLE_S = 10.0
_GZIP = 16 + zlib.MAX_WBITS


@dataclass
class Answer:
    """One answer.

    Attributes:
        took_s: from the first byte sent to the last byte read, before anything is decoded.
        head_bytes, body_bytes: as they came.
        plain_bytes: of the body, once it is not compressed any more.
    """

    took_s: float
    head_bytes: int
    body_bytes: int
    plain_bytes: int
    body: Any


@dataclass
class Pulled:
    """A whole pull, of one page or more; ``rows`` and ``removed`` by collection."""

    took_s: float = 0.0
    head_bytes: int = 0
    body_bytes: int = 0
    plain_bytes: int = 0
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    removed: int = 0

    @property
    def count(self) -> int:
        """How many rows came."""
        return sum(len(rows) for rows in self.rows.values())


class Phone:
    """One installation of one signed-in person; ``cursor`` is where it stands."""

    def __init__(self, port: int, token: str, installation: str) -> None:
        self._link = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)
        self._headers = {"Authorization": f"Bearer {token}", "X-Installation": installation, "Accept-Encoding": "gzip"}
        self.cursor = 0
        self._used = time.monotonic()

    def pull(self) -> Pulled:
        """Ask for everything new, page by page, and move the cursor."""
        found, page = Pulled(), None
        while True:
            answer = self.pull_page(page)
            found.took_s += answer.took_s
            found.head_bytes += answer.head_bytes
            found.body_bytes += answer.body_bytes
            found.plain_bytes += answer.plain_bytes
            for name, lists in answer.body["changes"].items():
                if lists["updated"]:
                    found.rows.setdefault(name, []).extend(lists["updated"])
                found.removed += len(lists["deleted"])
            page = answer.body["next_page"]
            if not answer.body["has_more"]:
                self.cursor = answer.body["timestamp"]
                return found

    def pull_page(self, page: str | None = None, limit: int | None = None) -> Answer:
        """Ask for one page of what is new; by default of the size the server chooses. The cursor stays."""
        path = f"/sync/watermelon?last_pulled_at={self.cursor}&schema_version=1"
        return self.call("GET", path + (f"&page={page}" if page else "") + (f"&limit={limit}" if limit else ""))

    def push(self, body: bytes) -> tuple[float, int]:
        """Send a ``changes`` object; return the seconds it took and how many rows were rejected."""
        answer = self.call("POST", f"/sync/watermelon?last_pulled_at={self.cursor}", body)
        return answer.took_s, sum(len(ids) for ids in answer.body["experimentalRejectedIds"].values())

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Return an answer.

        Raises:
            RuntimeError: when it is no success.
        """
        more = {"Content-Type": "application/json"} if body is not None else {}
        if time.monotonic() - self._used > _IDLE_S:
            self._link.close()  # the server will have closed it, too
            self._link.connect()
        began = time.perf_counter()
        self._link.request(method, "/api/v1" + path, body, self._headers | more | (headers or {}))
        answer = self._link.getresponse()
        raw = answer.read()
        took_s = time.perf_counter() - began
        self._used = time.monotonic()
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {raw[:300]!r}")
        # As they stand on the wire: "HTTP/1.1 200 OK", then "name: value", each with CR and LF, and an empty line.
        head = sum(len(name) + len(value) + 4 for name, value in answer.getheaders())
        head += len(f"HTTP/1.1 {answer.status} {answer.reason}") + 4
        plain = zlib.decompress(raw, _GZIP) if answer.getheader("Content-Encoding") == "gzip" else raw
        return Answer(took_s, head, len(raw), len(plain), msgspec.json.decode(plain) if plain else None)

    def close(self) -> None:
        """Disconnect."""
        self._link.close()

    def __enter__(self) -> Phone:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
