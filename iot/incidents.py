"""Incidents: the alarms of one asset that stand at the same time are one matter."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.db import now
from app.core.history import HistoryEntry, Subject, last_entry, record
from app.core.tracked import add, touch, transition
from app.rules.severity import RANK
from iot.models import OPEN_STATES, Alarm, Incident


def join(session: Session, alarm: Alarm, rule_code: str, cause: HistoryEntry) -> Incident:
    """Put an alarm that people hear of into the open incident of its asset, or open one."""
    incident = _open_one(session, alarm.asset_id)
    if incident is None:
        incident = add(session, Incident(asset_id=alarm.asset_id, state="open", severity=alarm.severity, opened_at=now(session)))
        record(session, "incident.opened", Subject("incident", incident.id), causes=[cause], rule=rule_code)
    else:
        about = Subject("incident", incident.id)
        record(session, "incident.alarm_joined", about, causes=[last_entry(session, about), cause], rule=rule_code)
    alarm.incident_id = incident.id
    touch(session, alarm)
    worsen(session, incident, alarm.severity)
    return incident


def _open_one(session: Session, asset_id: str) -> Incident | None:
    query = select(Incident).where(Incident.asset_id == asset_id, Incident.state == "open")
    return session.scalar(query.with_for_update(key_share=True))


def go_on(session: Session, alarm: Alarm, rule_code: str, cause: HistoryEntry) -> None:
    """Open the incident of an alarm that goes on after all; where the asset has another one by now, the alarm joins that."""
    if alarm.incident_id is None:
        return
    incident = session.get_one(Incident, alarm.incident_id)
    if incident.state == "open":
        return
    if _open_one(session, alarm.asset_id) is not None:
        join(session, alarm, rule_code, cause)
        return
    transition(session, incident, "open", closed_at=None)
    about = Subject("incident", incident.id)
    record(session, "incident.reopened", about, causes=[last_entry(session, about), cause])


def worsen(session: Session, incident: Incident, severity: str) -> None:
    """Make an incident as severe as one of its alarms."""
    if RANK[severity] > RANK[incident.severity]:
        incident.severity = severity
        touch(session, incident)


def leave(session: Session, alarm: Alarm, cause: HistoryEntry) -> None:
    """Close the incident of an alarm that ended, if no other alarm of it stands."""
    if alarm.incident_id is None:
        return
    others = select(Alarm.id).where(Alarm.incident_id == alarm.incident_id, Alarm.id != alarm.id, Alarm.state.in_(OPEN_STATES))
    incident = session.get_one(Incident, alarm.incident_id)
    if incident.state == "open" and session.scalar(others.limit(1)) is None:
        transition(session, incident, "closed", closed_at=now(session))
        about = Subject("incident", incident.id)
        record(session, "incident.closed", about, causes=[last_entry(session, about), cause])


def standing(session: Session, incident_id: str) -> list[Alarm]:
    """Return the alarms of an incident that stand and that people have heard of, the most severe first."""
    found = session.scalars(
        select(Alarm).where(Alarm.incident_id == incident_id, Alarm.state.in_(OPEN_STATES), Alarm.acted_at.is_not(None))
    )
    return sorted(found, key=lambda alarm: (-RANK[alarm.severity], alarm.id))
