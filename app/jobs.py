"""JOBS: the table of what runs by the clock. APScheduler only ticks; rows in the database decide. The only apscheduler import.

One process leads: it holds a lease by the database's clock. Every run first claims the row (job,
scheduled time), so that even two leaders, one of them stopped for a while and not knowing it, have
one effect. What a job does is found in the tables by state and time, so a process that was down
catches up with its first run.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.events import EVENT_JOB_MAX_INSTANCES
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from app.accounts.links import purge_links
from app.assets.claims import purge_claims
from app.assets.credentials import end_old_secrets
from app.attachments.uploads import Uploads
from app.completeness import operations as completeness
from app.core.clock import Clock
from app.core.db import Database, database_now, first_line, is_away, is_busy
from app.core.fault_points import FaultPoint, passed
from app.core.idempotency import forget_answers
from app.core.leases import JobRun, claim_run, give_up_lead, lead
from app.core.logs import get_log
from app.core.metrics import JOB_RUNS
from app.core.scopes import forget_removals
from app.core.settings import Settings
from app.core.tracked import hold
from app.core.unfinished import Unfinished, one_by_one
from app.customer_reports import photos
from app.customers import duplicates, look_ups, merging
from app.day_plans import operations as day_plans
from app.day_plans.planning import plan
from app.entitlements import counting
from app.entitlements.operations import retire_spends, today
from app.facts import codes
from app.facts import operations as facts
from app.facts.models import CodeMapping
from app.imports.running import run_imports
from app.imports.uploads import forget_rows
from app.lead_forms import mending
from app.leads import reminding, scores
from app.search.operations import keep_stale
from app.service_offers.operations import expire_offers, follow_cancelled_orders
from app.tracks import shifts
from app.tracks.erasure import retire_tracks
from app.tracks.following import follow_tracks
from app.users import auth, tries
from app.visit_plans import planning
from app.visit_plans import queries as visit_plans
from app.visits import days, site_fixes, steps
from app.work_orders.operations import lapse_tasks
from iot import cool_downs, pauses, reminders
from iot.ahead import take_in_due
from iot.commands import time_out_commands
from iot.ingest import follow_due
from iot.rates import end_storms
from iot.retention import retire_rollups, retire_telemetry
from iot.silence import notice_silence
from offline_sync import arrivals
from push.fallback import fall_back

log = get_log(__name__)


@dataclass(frozen=True)
class Job:
    """One row of the table: what, how often in seconds, and the work, which opens its own transactions."""

    id: str
    every_s: float
    work: Callable[[Database, Settings], int]


def _in_transaction(work: Callable[[Session, Settings], Any]) -> Callable[[Database, Settings], int]:
    def run(database: Database, settings: Settings) -> int:
        with database.transaction() as session:
            return int(work(session, settings) or 0)

    return run


def _one_by_one(
    find: Callable[[Session], Sequence[str]], verb: Callable[[Session, Settings, str], int]
) -> Callable[[Database, Settings], int]:
    """Run a verb on each row that is found, in a transaction of its own: who holds one of them waits for no other."""

    def run(database: Database, settings: Settings) -> int:
        def work(row_id: str) -> int:
            with database.transaction() as session:
                return verb(session, settings, row_id)

        with database.reading() as session:
            found = find(session)
        return one_by_one(found, work)

    return run


remind_due = _one_by_one(reminders.due, lambda session, _, alarm_id: reminders.remind(session, alarm_id))
wake_snoozed = _one_by_one(pauses.due_to_wake, lambda session, _, alarm_id: pauses.wake(session, alarm_id))
act_after_cool_downs = _one_by_one(cool_downs.due, cool_downs.act)
remind_of_leads = _one_by_one(reminding.due, lambda session, _, lead_id: reminding.remind(session, lead_id))
rescore_leads = _one_by_one(scores.stale_pages, lambda session, _, area: scores.rescore(session, area))
# Rows of an import hold what people wrote; so long it can be undone.
_IMPORT_DAYS = 90
end_shifts = _one_by_one(shifts.due_to_end, lambda session, _, shift_id: shifts.end_due(session, shift_id))
# So many customers at a run: some seconds of work.
_MOST_SEARCHED = 500
find_duplicates = _one_by_one(
    lambda session: duplicates.unsearched(session, _MOST_SEARCHED),
    lambda session, _, customer_id: duplicates.look_for_pairs(session, customer_id),
)

scan_completeness = _one_by_one(
    lambda session: completeness.unscanned(session, _MOST_SEARCHED),
    lambda session, _, customer_id: completeness.scan(session, customer_id),
)
settle_codes = _one_by_one(
    codes.unsettled, lambda session, _, mapping_id: codes.settle_code(session, hold(session, CodeMapping, mapping_id))
)


# So many at a run, which is some seconds of work; the others are next.
_MOST_PLANNED = 10


def plan_days(database: Database, settings: Settings) -> int:
    """Work out the plans that were asked for: each is taken in one transaction, worked out in none, answered in another."""
    done = 0
    for _ in range(_MOST_PLANNED):
        with database.transaction() as session:
            taken = day_plans.take_next(session)
        if taken is None:
            break
        plan_id, attempt, request = taken
        found = plan(request)
        with database.transaction() as session:
            done += day_plans.answer(session, plan_id, attempt, found)
    return done


def miss_visits(database: Database, settings: Settings) -> int:
    """Mark planned visits whose day is over; return how many."""
    return _one_by_one(lambda session: days.passed_by(session, settings), days.miss)(database, settings)


def turn_entitlements(database: Database, settings: Settings) -> int:
    """Bring balances to the new day of the organisation; return how many show something else by it."""
    return _one_by_one(
        lambda session: counting.due_to_turn(session, today(session, settings)),
        lambda session, _, balance_id: counting.turn(session, balance_id, today(session, settings)),
    )(database, settings)


def make_visits(database: Database, settings: Settings) -> int:
    """Plan what visit plans ask for, batch by batch, each in a transaction of its own; return how many visits that changed."""
    with database.reading() as session:
        plans = visit_plans.all_ids(session)
    done = 0
    for plan_id in plans:
        with database.transaction() as session:
            done += planning.call_off(session, plan_id)
        after: str | None = ""
        while after is not None:
            with database.transaction() as session:
                changed, after = planning.plan_batch(session, settings, plan_id, after)
                done += changed
    return done


follow_photos_of_steps = _one_by_one(
    steps.awaiting_photos,
    lambda session, _, visit_id: steps.follow_photos(session, visit_id),
)
follow_photos_of_reports = _one_by_one(photos.awaiting, lambda session, _, report_id: photos.follow(session, report_id))
follow_photos_of_sites = _one_by_one(site_fixes.waiting, site_fixes.follow_photo)


def _forget(session: Session, settings: Settings) -> int:
    """Delete what has served its time: stored answers, old tokens, links and claims, old failed tries, old job runs."""
    auth.purge_tokens(session)
    purge_links(session)
    purge_claims(session)
    tries.purge_tries(session)
    session.execute(delete(JobRun).where(JobRun.scheduled_for < database_now(session) - timedelta(days=7)))
    forget_removals(session, settings.sync_keep_days)
    day_plans.forget_old(session)
    forget_rows(session, _IMPORT_DAYS)
    arrivals.forget(session, settings)
    return forget_answers(session, settings.idempotency_days)


def _forget_rows_and_files(database: Database, settings: Settings) -> int:
    """Delete the rows first: files are looked through outside of every transaction."""
    return _in_transaction(_forget)(database, settings) + Uploads(database, settings).forget()


JOBS: tuple[Job, ...] = (
    Job("lapse_station_tasks", 5, _in_transaction(lapse_tasks)),
    Job("follow_due_alarms", 5, follow_due),
    Job("remind_of_alarms", 5, remind_due),
    Job("wake_snoozed_alarms", 15, wake_snoozed),
    Job("act_after_cool_downs", 5, act_after_cool_downs),
    Job("take_in_ahead", 30, take_in_due),
    Job("turn_entitlements", 60, turn_entitlements),
    Job("expire_offers", 30, _in_transaction(lambda session, _: expire_offers(session))),
    Job("follow_cancelled_orders", 5, _in_transaction(lambda session, _: follow_cancelled_orders(session))),
    Job("fall_back", 5, _in_transaction(lambda session, _: fall_back(session))),
    Job("end_old_secrets", 5, _in_transaction(lambda session, _: end_old_secrets(session))),
    Job("notice_silence", 15, _in_transaction(lambda session, _: notice_silence(session))),
    Job("end_storms", 30, _in_transaction(lambda session, _: end_storms(session))),
    Job("time_out_commands", 10, _in_transaction(lambda session, _: time_out_commands(session))),
    Job("plan_days", 2, plan_days),
    Job("find_duplicates", 15, find_duplicates),
    Job("follow_late_rows", 30, _in_transaction(lambda session, _: merging.follow_late(session))),
    Job("make_visits", 300, make_visits),
    Job("miss_visits", 60, miss_visits),
    Job("follow_photos_of_steps", 60, follow_photos_of_steps),
    Job("follow_photos_of_reports", 60, follow_photos_of_reports),
    Job("follow_photos_of_sites", 60, follow_photos_of_sites),
    Job("remind_of_leads", 30, remind_of_leads),
    Job("rescore_leads", 15, rescore_leads),
    Job("scan_completeness", 15, scan_completeness),
    Job("settle_codes", 15, settle_codes),
    Job("settle_fact_rules", 15, _in_transaction(lambda session, _: facts.settle_rules(session))),
    Job("run_imports", 5, run_imports),
    Job("place_sites", look_ups.RUN_S, look_ups.place_sites),
    Job("keep_search_terms", 5, _in_transaction(lambda session, _: keep_stale(session))),
    Job("end_shifts", 60, end_shifts),
    Job("follow_tracks", 15, follow_tracks),
    Job("retire_tracks", 3600, retire_tracks),
    Job("retire_telemetry", 3600, retire_telemetry),
    Job("retire_rollups", 3600, retire_rollups),
    Job("retire_spends", 60, _in_transaction(retire_spends)),
    Job("forget_submissions", 60, _in_transaction(mending.forget)),
    Job("forget_old_rows", 3600, _forget_rows_and_files),
)


_SAY_EVERY_S = 60.0
# It says every single run that it skips; ``Scheduler`` counts them, and says so once a minute.
logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)


class Scheduler:
    """The ticking of one worker process."""

    def __init__(self, database: Database, settings: Settings, jobs: tuple[Job, ...] = JOBS) -> None:
        """Prepare; ``start`` ticks in background threads."""
        self.database, self.settings, self.jobs = database, settings, jobs
        self.holder = f"{socket.gethostname()}:{os.getpid()}"
        # Memory job store on purpose: a stored one pickles, and two schedulers on one store run twice.
        self._ticker = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": 300, "max_instances": 1}
        )

        self._began: dict[str, float] = {}
        # By job: when it was last said that runs were skipped, and how many were since.
        self._said: dict[str, tuple[float | None, int]] = {}
        self._ticker.add_listener(self._skipped, EVENT_JOB_MAX_INSTANCES)

    def start(self) -> None:
        """Tick every job at its interval, the first time at once.

        The ticker goes by the real time, whatever the database's clock was set to: it counts every tick that lies between.
        """
        at_once = Clock().now()
        for job in self.jobs:
            self._ticker.add_job(
                self.run,
                IntervalTrigger(seconds=job.every_s, timezone=UTC),
                args=[job],
                id=job.id,
                next_run_time=at_once,
            )
        self._ticker.start()

    def stop(self) -> None:
        """Finish what runs, give up the lead."""
        self._ticker.shutdown(wait=True)
        with self.database.transaction() as session:
            give_up_lead(session, self.holder)

    def _work(self, job: Job, scheduled_for: datetime) -> None:
        """Do the work of a claimed run, and keep what came of it."""
        self._began[job.id] = self.database.clock.monotonic()
        unfinished: Unfinished | None = None
        try:
            done = job.work(self.database, self.settings)
        except Unfinished as fault:
            unfinished, done = fault, fault.done
        finally:
            self._began.pop(job.id, None)
        passed(FaultPoint.RUN_DONE)
        with self.database.transaction() as session:
            session.execute(
                update(JobRun)
                .where(JobRun.job == job.id, JobRun.scheduled_for == scheduled_for)
                .values(finished_at=database_now(session), outcome=unfinished.outcome if unfinished else f"done: {done}")
            )
        JOB_RUNS.labels(job.id, "unfinished" if unfinished else "done").inc()
        if unfinished:
            log.error("job unfinished", job=job.id, changed=done, failed=len(unfinished.failed), some=unfinished.outcome)
        elif done:
            log.info("job done", job=job.id, changed=done)

    def _skipped(self, event: Any) -> None:
        """Count a run that was due while the one before was at work; say so at most once a minute for each job."""
        JOB_RUNS.labels(event.job_id, "skipped").inc()
        present = self.database.clock.monotonic()
        said_at, skipped = self._said.get(event.job_id, (None, 0))
        skipped += 1
        if said_at is None or present - said_at >= _SAY_EVERY_S:
            began = self._began.get(event.job_id)
            log.warning(
                "job takes longer than its interval",
                job=event.job_id,
                every_s=next((job.every_s for job in self.jobs if job.id == event.job_id), None),
                running_s=None if began is None else round(present - began),
                runs_skipped=skipped,
            )
            said_at, skipped = present, 0
        self._said[event.job_id] = (said_at, skipped)

    def run(self, job: Job) -> bool:
        """Run a job for the present tick, if this process leads and nobody ran it; tell whether it ran."""
        try:
            with self.database.transaction() as session:
                fence = lead(session, self.holder)
                if fence is None:
                    return False
                present = database_now(session)
                scheduled_for = datetime.fromtimestamp(present.timestamp() // job.every_s * job.every_s, UTC)
                if not claim_run(session, job.id, scheduled_for, fence, job.every_s):
                    return False
            passed(FaultPoint.RUN_CLAIMED)
            self._work(job, scheduled_for)
            return True
        except Exception as fault:  # a job must not end the ticking of the others
            JOB_RUNS.labels(job.id, "failed").inc()
            if is_busy(fault):
                log.warning("database busy", work=job.id)
            elif is_away(fault):
                log.error("database unavailable", work=job.id, problem=first_line(fault))
            else:
                log.exception("job failed", job=job.id)
            return False
