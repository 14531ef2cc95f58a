"""One planted fault for each promise, and the test that must fail because of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """An edit of one place of the product.

    ``test``: a file, and what ``pytest -k`` selects in it. ``old`` stands exactly once in ``file``.
    """

    name: str
    promise: str
    file: str
    old: str
    new: str
    test: tuple[str, str]


_POINTS, _PUSH, _TIME = "tests/faults/test_points.py", "tests/faults/test_push.py", "tests/faults/test_time.py"
_DATABASE, _TELEMETRY = "tests/faults/test_database.py", "tests/faults/test_telemetry.py"
_DIES = (_POINTS, "an_ingest_that_dies and rows_stamped")
_EMQX, _CLAIMS, _PLACEMENTS = "tests/iot/test_emqx.py", "tests/iot/test_claims.py", "tests/iot/test_placements.py"
_RATES, _CALENDAR, _CLOSINGS = "tests/iot/test_rates.py", "tests/app/test_calendar.py", "tests/iot/test_closings.py"

MUTANTS = (
    Mutant(
        "acknowledged before the commit",
        "nothing acknowledged is lost",
        "iot/__main__.py",
        "        passed(FaultPoint.BATCH_TAKEN)\n",
        "        passed(FaultPoint.BATCH_TAKEN)\n        self.subscriber.acknowledge(deliveries)\n",
        _DIES,
    ),
    Mutant(
        "the broker forgets the session",
        "what came while the ingest was away is handed over",
        "iot/subscriber.py",
        '"clean_session": False,',
        '"clean_session": True,',
        _DIES,
    ),
    Mutant(
        "known readings count as new",
        "a message that comes twice is judged once",
        "iot/store.py",
        "    return [by_key[tuple(key)] for key in _TELEMETRY.run(session, ordered)] if ordered else []",
        "    return _TELEMETRY.run(session, ordered) and ordered if ordered else []",
        (_TELEMETRY, "come_twice and sqlite"),
    ),
    Mutant(
        "a dead letter is marked before it is stored",
        "a replay that dies leaves the letter open",
        "iot/operations.py",
        "    # It stays open until its content is stored: whoever dies in between leaves a letter that is found again.\n",
        "    with database.transaction() as session:\n"
        '        session.get_one(DeadLetter, letter_id).state = "replayed"\n        session.flush()\n',
        (_POINTS, "replay_that_dies"),
    ),
    Mutant(
        "a roll-up takes the place of the one before",
        "a reading is added up once, however often the job is cut",
        "iot/store.py",
        '"n": TelemetryRollup.n + new.n',
        '"n": new.n',
        (_POINTS, "added_up_once"),
    ),
    Mutant(
        "a log line for each batch of strangers",
        "strangers fill no log",
        "iot/__main__.py",
        "        self._set_aside += counts\n",
        "        self._set_aside += counts\n        self._tell_set_aside()\n",
        (_TELEMETRY, "strangers_fill_no_log"),
    ),
    Mutant(
        "the answer is not stored with the effect",
        "a retry with the same key gets the same answer",
        "app/core/http.py",
        "            store_answer(g.session, key, answer)\n",
        "            pass\n",
        (_POINTS, "whose_answer_died"),
    ),
    Mutant(
        "a crowded pool is a fault of ours",
        "more requests than connections are 503",
        "app/core/problems.py",
        '    answer = problem(507 if full else 503, "storage_full" if full else "unavailable", {})\n',
        '    answer = problem(507 if full else 500, "storage_full" if full else "unavailable", {})\n',
        (_DATABASE, "hundred_slow and sqlite"),
    ),
    Mutant(
        "no word of when to try again",
        "a refusal says when to come back",
        "app/core/problems.py",
        '    answer.headers["Retry-After"] = "2"\n',
        "",
        (_DATABASE, "lock_held_for_longer"),
    ),
    Mutant(
        "a full disk looks like a busy one",
        "a full disk is 507",
        "app/core/problems.py",
        '    full = "disk is full" in text or "No space left" in text\n',
        "    full = False\n",
        (_DATABASE, "full_sqlite_file"),
    ),
    Mutant(
        "a writer takes its lock late",
        "writers of SQLite wait for each other",
        "app/core/db.py",
        '                driver.execute("BEGIN IMMEDIATE")\n',
        '                driver.execute("BEGIN")\n',
        (_DATABASE, "never_meet_a_locked_database"),
    ),
    Mutant(
        "ticks by the host's clock",
        "a clock that jumps repeats no tick",
        "app/jobs.py",
        "                present = database_now(session)\n",
        "                present = self.database.clock.now()\n",
        (_TIME, "ticks_go_on"),
    ),
    Mutant(
        "a run that was claimed is run again",
        "each tick is done once",
        "app/jobs.py",
        "                if not claim_run(session, job.id, scheduled_for, fence, job.every_s):\n"
        "                    return False\n",
        "                claim_run(session, job.id, scheduled_for, fence, job.every_s)\n",
        (_TIME, "ticks_go_on"),
    ),
    Mutant(
        "a token of the future is taken",
        "a clock that goes back revives no token",
        "app/users/secrets.py",
        '        and claims["iat"] <= now_s + 60\n',
        "",
        (_TIME, "stays_ended and back"),
    ),
    Mutant(
        "each try is another message",
        "a repetition has the same id",
        "push/delivery.py",
        "    return channels[attempt.channel].send(attempt.address, message, attempt.dedupe_key)",
        '    return channels[attempt.channel].send(attempt.address, message, f"{attempt.dedupe_key}:{attempt.attempts}")',
        (_PUSH, "without_an_answer"),
    ),
    Mutant(
        "a bad message costs the phone",
        "400 deletes no address",
        "push/channels/fcm.py",
        "        if isinstance(error, messaging.UnregisteredError):\n",
        "        if isinstance(error, messaging.UnregisteredError | exceptions.InvalidArgumentError):\n",
        (_PUSH, "dead_phones"),
    ),
    Mutant(
        "a provider's wish is not heard",
        "Retry-After is honoured",
        "push/delivery.py",
        "    return pause_s if wanted_s is None else max(pause_s, wanted_s * random.uniform(1.0, 1.1))  # noqa: S311",
        "    return pause_s",
        (_PUSH, "refused_together"),
    ),
    Mutant(
        "a message is done before it is sent",
        "a worker that dies loses no message",
        "push/delivery.py",
        "            passed(FaultPoint.ATTEMPT_COUNTED)\n",
        "            _settle(db, settings, attempt, Accepted())\n            passed(FaultPoint.ATTEMPT_COUNTED)\n",
        (_POINTS, "a_worker_that_dies and attempt_counted"),
    ),
    Mutant(
        "guesses are not counted",
        "few guesses at coupons are looked at",
        "app/service_offers/operations.py",
        "    if tries.locked_until(session, tried):\n",
        "    if tries.locked_until(session, tried) and not tried:\n",
        (_PUSH, "guesses_at_coupons"),
    ),
    Mutant(
        "each alarm makes an offer",
        "a value around its threshold makes one offer",
        "app/service_offers/operations.py",
        "    if (open_offer := queries.open_offer(session, component.id, kind)) is not None:\n",
        "    return None\n    if (open_offer := queries.open_offer(session, component.id, kind)) is not None:\n",
        (_TELEMETRY, "crosses_its_threshold and sqlite"),
    ),
    Mutant(
        "an old secret has no end",
        "a rotated secret is refused from its hour on",
        "app/assets/credentials.py",
        "    if device.old_secret_until is not None and device.old_secret_until > at:\n",
        "    if device.old_secret_until is not None:\n",
        (_EMQX, "both_secrets and sqlite"),
    ),
    Mutant(
        "an ingest without a password is anybody",
        "only the ingest signs in as the ingest",
        "iot/emqx.py",
        "    if not (settings.mqtt_password and fits and asked.username == settings.mqtt_username):\n",
        "    if not (fits and asked.username == settings.mqtt_username):\n",
        (_EMQX, "has_no_password and sqlite"),
    ),
    Mutant(
        "a claim code works again",
        "a code brings one device to one owner",
        "app/assets/claims.py",
        "        .where(DeviceClaim.id == claim.id, DeviceClaim.claimed_at.is_(None), DeviceClaim.expires_at > present)\n",
        "        .where(DeviceClaim.id == claim.id, DeviceClaim.expires_at > present)\n",
        (_CLAIMS, "a_code_works_once and sqlite"),
    ),
    Mutant(
        "who has a device now sees all it ever measured",
        "what was measured at another customer's stays there",
        "app/assets/placements.py",
        "        if placement.asset_id not in seen:\n            return since\n",
        "",
        (_PLACEMENTS, "does_not_see and sqlite"),
    ),
    Mutant(
        "what is not taken is paid for",
        "a device gets what its bucket gives",
        "iot/rates.py",
        "min(sent[device.id], room[device.id]) * rate.cost_us",
        "sent[device.id] * rate.cost_us",
        (_RATES, "a_storm_of_one_device and sqlite"),
    ),
    Mutant(
        "a station's time to answer runs on holidays",
        "opening hours follow the calendar",
        "app/work_orders/operations.py",
        "hours.parse(station.opening_hours, station.time_zone, calendar_of(session))",
        "hours.parse(station.opening_hours, station.time_zone)",
        (_CALENDAR, "on_a_holiday_another and sqlite"),
    ),
    Mutant(
        "a closing is forgotten",
        "what a person closed stays closed while it goes on",
        "iot/closings.py",
        "    insert_once(session, AlarmClosing, rule_id=alarm.rule_id, subject_id=alarm.subject_id, at_ms=to_ms(at))\n",
        "",
        (_CLOSINGS, "stays_closed_while and sqlite"),
    ),
    Mutant(
        "a cool-down is everybody's",
        "a cool-down holds nothing else back",
        "iot/pauses.py",
        "            Alarm.subject_id == alarm.subject_id,\n",
        "",
        (_CLOSINGS, "of_one_rule_on_one_asset and sqlite"),
    ),
)
