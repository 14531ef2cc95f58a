"""The API's description as it is committed: made without a database."""

from __future__ import annotations

from typing import Any

from flask_smorest import Api

from app.core.db import Database
from app.core.settings import Settings
from app.factory import create_app


def description(settings: Settings) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    app = create_app(settings, Database("sqlite:///never-opened.db"))
    api: Api = app.extensions["fieldloop-api"]
    return dict(api.spec.to_dict())
