"""Counters of this process, added up over processes when PROMETHEUS_MULTIPROC_DIR is set."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

HTTP_REQUESTS = Counter("fieldloop_http_requests_total", "Requests answered", ["method", "route", "status"])
HTTP_SECONDS = Histogram("fieldloop_http_seconds", "Seconds to answer", ["method", "route"])
INGEST_MESSAGES = Counter("fieldloop_ingest_messages_total", "Device messages by what became of them", ["outcome"])
INGEST_BATCH_SECONDS = Histogram("fieldloop_ingest_batch_seconds", "Seconds to store one batch")
INGEST_LAG_SECONDS = Histogram("fieldloop_ingest_lag_seconds", "Seconds from arrival to commit")
PUSH_SENT = Counter("fieldloop_push_sent_total", "Outbox messages by channel and outcome", ["channel", "outcome"])
JOB_RUNS = Counter("fieldloop_job_runs_total", "Scheduled jobs by outcome", ["job", "outcome"])
