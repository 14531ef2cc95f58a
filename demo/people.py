"""People of the demo, signed in and speaking to the API, for the stories that are played over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

from app.core.locales import EN, ZH, in_terminal

Say = Callable[[str], None]
_PATIENCE_S = 60.0


class Person:
    """Somebody signed in, speaking to the API."""

    def __init__(self, base: str, login: str, password: str, say: Say) -> None:
        """Sign in."""
        self.login, self._say = login, say
        self._http = httpx.Client(base_url=f"{base}/api/v1", timeout=15)
        tokens = self._http.post("/auth/sign-in", json={"login": login, "password": password}).raise_for_status().json()
        self._http.headers["Accept-Language"] = in_terminal()(EN, ZH)
        self._http.headers["Authorization"] = f"Bearer {tokens['access_token']}"

    def __enter__(self) -> Person:
        return self

    def __exit__(self, *_fault: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """Read something quietly."""
        return self._http.get(path).raise_for_status().json()

    def delete(self, path: str) -> None:
        """Delete something quietly, as it stands."""
        tag = self._http.get(path).raise_for_status().headers["ETag"]
        self._http.delete(path, headers={"If-Match": tag}).raise_for_status()

    def do(self, what: str, path: str, body: dict[str, Any] | None, *show: str, expect: int = 200) -> Any:
        """Do something and print it with some fields of the answer."""
        answer = self._http.post(path, json=body) if body is not None else self._http.post(path)
        found = answer.json()
        told = ", ".join(f"{name}={found.get(name)}" for name in show)
        self._say(f"  {what}\n      {self.login}: POST /api/v1{path} -> {answer.status_code}  {told}")
        if answer.status_code != expect:
            raise RuntimeError(f"expected {expect}, got {answer.status_code}: {found.get('title')}: {found.get('detail')}")
        return found


def wait_until_ready(base: str) -> None:
    """Wait until the server answers, at most a minute.

    Raises:
        TimeoutError: when it does not.
    """
    wait_for(lambda: _answers(base))


def _answers(base: str) -> bool | None:
    try:
        return httpx.get(f"{base}/health/live", timeout=5).status_code == 200 or None
    except httpx.TransportError:
        return None


def wait_for(look: Callable[[], Any]) -> Any:
    """Ask again until there is an answer, at most a minute.

    Raises:
        TimeoutError: when there is none.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.5)
    raise TimeoutError(
        in_terminal()(
            "nothing came within a minute; is `make run` ready? see: python -m app doctor",
            "一分钟内没有结果；make run 就绪了吗？请运行 python -m app doctor",
        )
    )
