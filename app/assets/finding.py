"""What assets are found by."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.assets import queries
from app.assets.models import Asset
from app.core.db import among
from app.search.operations import rekey
from app.search.searchables import Searchable, declare_searchable
from app.search.terms import Text


def keep_findable(session: Session, asset: Asset) -> None:
    """Keep the search terms of an asset as it is now."""
    rekey(session, "asset", {asset.id: asset_texts(session, [asset.id]).get(asset.id, [])})


def asset_texts(session: Session, ids: Collection[str]) -> dict[str, list[Text]]:
    """Return what live assets are found by."""
    rows = session.scalars(select(Asset).where(among(session, Asset.id, sorted(ids)), Asset.deleted_at.is_(None)))
    return {row.id: [Text("serial", row.serial, "code"), Text("model", row.model, "label")] for row in rows}


declare_searchable(
    Searchable("asset", Asset, "assets.read", queries.visible_to, asset_texts, lambda row: (row.serial, row.model))
)
