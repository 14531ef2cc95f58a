"""How the web process takes requests from granian: a body is read whole and in bounded time, then a thread is given to it.

Under granian's own WSGI a thread is taken as soon as the headers are there, and reading the body blocks it for as long as the
client likes: a handful of connections that never finish would hold every thread there is. So granian speaks its asynchronous
protocol (RSGI) to ``Served``, which waits for bodies without a thread, up to a deadline, and gives the few threads to whole
requests only. Answers are handed over whole for the same reason: a client that reads slowly holds no thread either.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from granian._granian import RSGIProtocolClosed as ProtocolClosed
from granian._granian import RSGIProtocolError as ProtocolError

from app.core.logs import get_log
from app.core.problems import BODY_FAULT, OFFSET_STREAM
from app.core.streams import HOLD, WAIT, Listener

log = get_log(__name__)

_PATIENCE_S = 10.0
_LONGEST_PAUSE_S = 30.0  # what came quickly is no credit to hold a body for longer without sending
_LEAST_BYTES_PER_S = 20_000  # a poor mobile line sends a file of 5 MB in four minutes
_HELD_LIMIT = 64_000_000
_MOST_STREAMS = 500  # of one worker; granian takes 1,024 requests at once by default
_MOST_STREAMS_OF_ONE = 50  # of one person: an app with one for each of its collections, on several phones
_STREAM_S = 120.0
_LONGEST_WAIT_S = 50.0  # many proxies end a request that stays unanswered for a minute
_BEAT_S = 20.0
_LOOK_EVERY_S = 1.0
_PR_SET_PDEATHSIG = 1  # prctl(2)
_GC_EVERY = 20_000  # objects: about what a page of rows makes

Headers = list[tuple[str, str]]


def end_with_parent(parent: int, number: int) -> None:
    """Let the kernel send this process ``number`` once ``parent`` is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it went before the kernel was told
            os.kill(os.getpid(), number)


class _Refused(Exception):
    """A body that is not waited for. ``code`` is what the caller reads."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


async def _next(incoming: Any, until: float, *, partly: bool) -> bytes | None:
    """Return what came of a body, or None at its end.

    Args:
        until: how long to wait, by the loop's clock.
        partly: what came before is of use: nothing more until then is its end.

    Raises:
        _Refused: ``body_late``, when nothing came until then.
    """
    try:
        coming = anext(incoming)  # granian's own awaitable: it can be cancelled, but not by a task around it
    except StopAsyncIteration:
        return None
    alarm = asyncio.get_running_loop().call_at(until, coming.cancel)
    try:
        chunk: bytes = await coming
    except asyncio.CancelledError:
        if partly:
            return None
        raise _Refused("body_late") from None
    finally:
        alarm.cancel()
    return chunk


class Streams:
    """The answers of one worker that stay open (``app/core/streams.py``): none of them has a thread, a snapshot or a lock.

    About once a second one look at the database tells what is new for all of them.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool
        self._inboxes: dict[Listener, asyncio.Queue[bytes]] = {}
        self._looking: asyncio.Task[None] | None = None

    def has_room(self, listener: Listener) -> bool:
        """Tell whether one more may be kept; the others end at once, and their readers come again."""
        own = sum(other.user_id == listener.user_id for other in self._inboxes)
        return len(self._inboxes) < _MOST_STREAMS and own < _MOST_STREAMS_OF_ONE

    async def keep(self, protocol: Any, headers: Headers, first: bytes, listener: Listener) -> None:
        """Send ``first`` and then what is new, until the reader goes or has listened long enough to show its token again."""
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        transport = protocol.response_stream(200, [*kept, ("X-Accel-Buffering", "no")])
        clock = asyncio.get_running_loop().time
        until = clock() + _STREAM_S
        inbox = self._inboxes[listener] = asyncio.Queue()
        self._begin_to_look()
        try:
            await transport.send_bytes(first)
            while (left := until - clock()) > 0:
                try:
                    said = await asyncio.wait_for(inbox.get(), min(left, _BEAT_S))
                except TimeoutError:
                    said = b": still here\n\n"
                await transport.send_bytes(said)
        except (ProtocolClosed, ProtocolError):
            pass
        finally:
            del self._inboxes[listener]

    async def wait(self, protocol: Any, listener: Listener, patience_s: float) -> bool:
        """Wait until there is something for a listener; tell whether there is, and whether its reader is still there."""
        inbox = self._inboxes[listener] = asyncio.Queue()
        self._begin_to_look()
        gone = asyncio.ensure_future(protocol.client_disconnect())
        said = asyncio.ensure_future(inbox.get())
        try:
            await asyncio.wait((gone, said), timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
            return said.done() and not gone.done()
        finally:
            gone.cancel()
            said.cancel()
            del self._inboxes[listener]

    def _begin_to_look(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        while self._inboxes:
            await asyncio.sleep(_LOOK_EVERY_S)
            # Who has not read the last news yet is not told more: they come together later.
            ready = [listener for listener, inbox in self._inboxes.items() if inbox.empty()]
            kinds = {type(listener) for listener in ready}
            for kind in kinds:
                some = [listener for listener in ready if type(listener) is kind]
                try:
                    said = await asyncio.get_running_loop().run_in_executor(self._pool, kind.look, some)
                except Exception as fault:  # noqa: BLE001 - the database may be away; the next look will tell
                    log.warning("no news for open streams", problem=str(fault).splitlines()[0][:200])
                    continue
                for listener, text in zip(some, said, strict=True):
                    if text and listener in self._inboxes:
                        self._inboxes[listener].put_nowait(text)


class Served:
    """A WSGI application as granian's RSGI wants it."""

    def __init__(self, app: Callable[..., Iterable[bytes]], body_limit: int, threads: int = 2) -> None:
        """Serve ``app`` with this many requests at once; of a body, ``body_limit`` and one more byte are read."""
        self._app, self._body_limit = app, body_limit
        self._pool = ThreadPoolExecutor(threads, "request")
        self._held = 0
        self._streams, self._waits = Streams(self._pool), Streams(self._pool)

    def __rsgi_init__(self, _loop: object) -> None:
        """Called in each worker. One that outlived its master would go on serving the port with nobody to stop it.

        By SIGKILL, because granian's own end waits for the master's help when a request hangs.
        """
        # The tables, routes and schemas stay for ever; looking through them all again and again took up to a third of long reads.
        gc.freeze()
        gc.set_threshold(_GC_EVERY)
        master = multiprocessing.parent_process()
        if master is not None and master.pid is not None:
            end_with_parent(master.pid, signal.SIGKILL)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        environ = environ_of(scope)
        taken = 0
        try:
            body = await self._body(environ, protocol)
            taken = len(body)
        except _Refused as refusal:
            # The application says it, in the caller's language; granian closes the connection, as the body was not read.
            environ |= {BODY_FAULT: refusal.code, "CONTENT_LENGTH": "0"}
            body = b""
        try:
            environ["wsgi.input"] = io.BytesIO(body)
            status, headers, answer = await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, environ)
            if WAIT in environ:
                status, headers, answer = await self._wait(protocol, environ, (status, headers, answer))
            if status == HTTPStatus.OK and HOLD in environ and self._streams.has_room(environ[HOLD]):
                await self._streams.keep(protocol, headers, answer, environ[HOLD])
            else:
                protocol.response_bytes(status, headers, answer)
        finally:
            self._held -= taken

    async def _wait(self, protocol: Any, environ: dict[str, Any], told: tuple[int, Headers, bytes]) -> tuple[int, Headers, bytes]:
        """Return the answer to a request that waits: another one once there is something for it, else the one it has.

        Of several that wait for the same, one gets it; the others wait on.
        """
        clock, until = asyncio.get_running_loop().time, None
        while told[0] == HTTPStatus.REQUEST_TIMEOUT and WAIT in environ:
            listener, patience_s = environ.pop(WAIT)
            until = until or clock() + min(patience_s, _LONGEST_WAIT_S)
            left_s = until - clock()
            if left_s <= 0 or not self._waits.has_room(listener) or not await self._waits.wait(protocol, listener, left_s):
                break
            environ["wsgi.input"] = io.BytesIO()
            told = await asyncio.get_running_loop().run_in_executor(self._pool, self._answer, environ)
        return told

    async def _body(self, environ: dict[str, Any], protocol: Any) -> bytes:
        """Read the body, up to one byte more than is allowed: the application refuses it then.

        Of an upload that breaks off, what came is handed over: it need not come again.

        Raises:
            _Refused: ``body_late`` when it does not come in time or breaks off; ``body_crowded`` when too many are held.
        """
        said = environ.get("CONTENT_LENGTH", "")
        length = int(said) if said.isdecimal() else None
        if not length and environ["REQUEST_METHOD"] in {"GET", "HEAD", "OPTIONS"} and "HTTP_TRANSFER_ENCODING" not in environ:
            return b""
        if length is not None and length > self._body_limit:
            return b""  # refused by the length it names
        partly = length is not None and environ.get("CONTENT_TYPE") == OFFSET_STREAM
        chunks: list[bytes] = []
        size, clock = 0, asyncio.get_running_loop().time
        until = clock() + _PATIENCE_S
        incoming = aiter(protocol)
        try:
            while size <= self._body_limit if length is None else size < length:
                chunk = await _next(incoming, until, partly=partly)
                if chunk is None:
                    break
                until = min(until + len(chunk) / _LEAST_BYTES_PER_S, clock() + _LONGEST_PAUSE_S)
                chunks.append(chunk)
                size += len(chunk)
                self._held += len(chunk)
                if self._held > _HELD_LIMIT:
                    raise _Refused("body_crowded")
            if length is not None and size < length and not partly:
                raise _Refused("body_late")
        except BaseException:
            self._held -= size
            raise
        # Of a chunked body, too, so that the application judges its length; an upload's, so that it sees what is missing.
        environ["CONTENT_LENGTH"] = str(length if partly else size)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        return b"".join(chunks)

    def _answer(self, environ: dict[str, Any]) -> tuple[int, Headers, bytes]:
        """Call the application, in a thread, and return its whole answer."""
        began: list[tuple[str, Headers]] = []

        def start(status: str, headers: Headers, _fault: object = None) -> None:
            began[:] = [(status, headers)]

        parts = self._app(environ, start)
        try:
            body = b"".join(parts)
        finally:
            if hasattr(parts, "close"):
                parts.close()
        status, headers = began[0]
        return int(status.partition(" ")[0]), headers, body


def environ_of(scope: Any) -> dict[str, Any]:
    """Return the WSGI environment (PEP 3333) of an RSGI request."""
    host, _, port = scope.server.rpartition(":")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": host,
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "SERVER_SOFTWARE": "granian",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.errors": sys.stderr,
        "wsgi.input_terminated": True,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if "_" in name:
            continue  # X_Forwarded_For would otherwise pass for what only a proxy may say
        key = name.upper().replace("-", "_")
        key = key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"
        joint = ";" if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{joint}{value}" if key in environ else value
    environ.setdefault("HTTP_HOST", scope.authority or "")
    return environ
