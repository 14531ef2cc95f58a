"""A process that brings the last bytes of an upload and is killed between the file's rename and the row's commit."""

from __future__ import annotations

import sys
from pathlib import Path

from app.attachments import uploads
from app.core.db import Database
from app.core.fault_points import FaultPoint, listen
from app.core.settings import read_settings
from app.users.auth import actor_of
from app.users.models import User
from tests.faults.dies_at import dying


def main(url: str, var_dir: str, user_id: str, attachment_id: str, body: str) -> None:
    settings = read_settings(database_url=url, var_dir=Path(var_dir), secret_key="x" * 40, argon2_profile="test")
    database = Database(url)
    with database.reading() as session:
        actor = actor_of(session, session.get_one(User, user_id))
    listen(dying(FaultPoint.FILE_IN_PLACE, Path(var_dir) / "died", FaultPoint.FILE_IN_PLACE))
    uploads.Uploads(database, settings).append(actor, attachment_id, 0, Path(body).read_bytes())


if __name__ == "__main__":
    main(*sys.argv[1:])
