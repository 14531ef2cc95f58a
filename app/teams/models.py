"""Teams: reps who work together, whatever territories they work in."""

from __future__ import annotations

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.tracked import Tracked


class Team(Tracked):
    """Reps who work together; a rep is in one at most (``User.team_id``). ``code`` is what files and people refer to."""

    __tablename__ = "teams"
    code: Mapped[str] = mapped_column(String(40), unique=True)
    name: Mapped[str] = mapped_column(String(100))
