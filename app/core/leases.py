"""Leases, claimed runs and signs of life of processes, all by the database's clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Float, String, and_, func, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from app.core.db import Base, JsonValue, Moment, database_now, insert_into, insert_once

LEASE_S = 15.0


class LeaderLease(Base):
    """The one process that may tick, until when by the database's clock; ``fence`` grows with each new leader."""

    __tablename__ = "leader_leases"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(80))
    until: Mapped[datetime] = mapped_column(Moment)
    fence: Mapped[int] = mapped_column(BigInteger)


class JobRun(Base):
    """One run of one job for one scheduled instant; the key makes a second one impossible.

    ``every_s``: how often it was to run, in seconds; 0 in rows from before that was kept.
    """

    __tablename__ = "job_runs"
    job: Mapped[str] = mapped_column(String(40), primary_key=True)
    scheduled_for: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    fence: Mapped[int] = mapped_column(BigInteger)
    every_s: Mapped[float] = mapped_column(Float, default=0.0)
    finished_at: Mapped[datetime | None] = mapped_column(Moment)
    outcome: Mapped[str | None] = mapped_column(String(200))


class ProcessBeat(Base):
    """When a process last said that it is alive, by the database's clock."""

    __tablename__ = "process_beats"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)
    facts: Mapped[dict[str, Any]] = mapped_column(JsonValue)


def beat(session: Session, name: str, **facts: Any) -> None:
    """Note that a process is alive, by the database's clock."""
    insert = insert_into(session, ProcessBeat).values(name=name, at=database_now(session), facts=facts)
    session.execute(
        insert.on_conflict_do_update(
            index_elements=[ProcessBeat.name], set_={"at": insert.excluded.at, "facts": insert.excluded.facts}
        )
    )


def lead(session: Session, holder: str, name: str = "scheduler", lease_s: float = LEASE_S) -> int | None:
    """Take or renew the lease; return the fence, which grows with each change of holder, or None while another leads."""
    present = database_now(session)
    until = present + timedelta(seconds=lease_s)
    insert_once(session, LeaderLease, name=name, holder="", until=present - timedelta(days=1), fence=0)
    lease = session.execute(select(LeaderLease).where(LeaderLease.name == name).with_for_update()).scalar_one()
    if lease.holder != holder and lease.until > present:
        return None
    lease.fence += lease.holder != holder
    lease.holder, lease.until = holder, until
    session.flush()
    return lease.fence


def give_up_lead(session: Session, holder: str, name: str = "scheduler") -> None:
    """End one's own lease now, so that the next process need not wait for it."""
    session.execute(
        update(LeaderLease)
        .where(LeaderLease.name == name, LeaderLease.holder == holder)
        .values(until=database_now(session) - timedelta(seconds=1))
    )


def claim_run(session: Session, job_id: str, scheduled_for: datetime, fence: int, every_s: float = 0.0) -> bool:
    """Claim one run of a job that runs every so many seconds; tell whether nobody had."""
    return insert_once(session, JobRun, job=job_id, scheduled_for=scheduled_for, fence=fence, every_s=every_s)


def last_outcomes(session: Session) -> dict[str, str]:
    """Return by job what came of its last run that ended."""
    newest = select(JobRun.job, func.max(JobRun.scheduled_for).label("at")).where(JobRun.finished_at.is_not(None))
    last = newest.group_by(JobRun.job).subquery()
    rows = select(JobRun.job, JobRun.outcome).join(last, and_(last.c.job == JobRun.job, last.c.at == JobRun.scheduled_for))
    return {job: outcome or "" for job, outcome in session.execute(rows)}


def overdue_jobs(session: Session) -> dict[str, float]:
    """Return by how many seconds each job's next end is late, by the database's clock; 0 for one that keeps time.

    A run that failed has no end; a job that never ended counts from when it was first to run.
    """
    ended = aliased(JobRun)
    newest = select(JobRun.job, func.max(JobRun.scheduled_for).label("at")).group_by(JobRun.job).subquery()
    rows = session.execute(
        select(JobRun.job, JobRun.every_s, func.max(ended.finished_at), func.min(ended.scheduled_for))
        .join(newest, and_(newest.c.job == JobRun.job, newest.c.at == JobRun.scheduled_for))
        .join(ended, ended.job == JobRun.job)
        .group_by(JobRun.job, JobRun.every_s)
    )
    present = database_now(session)
    return {job: max(0.0, (present - (finished or first)).total_seconds() - every_s) for job, every_s, finished, first in rows}
