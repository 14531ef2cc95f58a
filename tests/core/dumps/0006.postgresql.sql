CREATE TABLE public.alarms (
    id character varying(36) NOT NULL,
    rule_id character varying(36) NOT NULL,
    rule_number integer NOT NULL,
    subject_kind character varying(20) NOT NULL,
    subject_id character varying(36) NOT NULL,
    asset_id character varying(36) NOT NULL,
    episode integer NOT NULL,
    state character varying(20) NOT NULL,
    severity character varying(20) NOT NULL,
    metric character varying(60) NOT NULL,
    raised_at timestamp with time zone NOT NULL,
    first_value double precision NOT NULL,
    last_at timestamp with time zone NOT NULL,
    last_value double precision NOT NULL,
    readings integer NOT NULL,
    cleared_at timestamp with time zone,
    end_reason character varying(60),
    acknowledged_by character varying(36),
    acted_at timestamp with time zone,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_alarms_state CHECK (((state)::text = ANY ((ARRAY['raised'::character varying, 'acknowledged'::character varying, 'cleared'::character varying, 'withdrawn'::character varying])::text[]))),
    CONSTRAINT ck_alarms_subject_kind CHECK (((subject_kind)::text = ANY ((ARRAY['component'::character varying, 'device'::character varying])::text[])))
);
CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.assets (
    id character varying(36) NOT NULL,
    serial character varying(60) NOT NULL,
    model character varying(100) NOT NULL,
    customer_id character varying(36) NOT NULL,
    site_id character varying(36) NOT NULL,
    warranty_until date,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE TABLE public.attachments (
    id character varying(36) NOT NULL,
    subject_kind character varying(20) NOT NULL,
    subject_id character varying(36) NOT NULL,
    user_id character varying(36) NOT NULL,
    installation_id character varying(36) NOT NULL,
    name character varying(200) NOT NULL,
    mime character varying(60) NOT NULL,
    size bigint NOT NULL,
    sha256 character varying(64) NOT NULL,
    stored_sha256 character varying(64),
    keep_location boolean NOT NULL,
    state character varying(20) NOT NULL,
    code character varying(60),
    made_ms bigint NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_attachments_state CHECK (((state)::text = ANY ((ARRAY['waiting'::character varying, 'stored'::character varying, 'refused'::character varying])::text[]))),
    CONSTRAINT ck_attachments_stored CHECK ((((state)::text <> 'stored'::text) OR (stored_sha256 IS NOT NULL))),
    CONSTRAINT ck_attachments_subject_kind CHECK (((subject_kind)::text = ANY ((ARRAY['customer'::character varying, 'site'::character varying, 'asset'::character varying, 'work_order'::character varying])::text[])))
);
CREATE TABLE public.bookings (
    id character varying(36) NOT NULL,
    station_id character varying(36) NOT NULL,
    bay integer NOT NULL,
    starts_at timestamp with time zone NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    work_order_id character varying(36) NOT NULL,
    state character varying(20) NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_bookings_state CHECK (((state)::text = ANY ((ARRAY['held'::character varying, 'cancelled'::character varying])::text[])))
);
CREATE TABLE public.change_counter (
    id integer NOT NULL,
    n bigint NOT NULL,
    epoch integer DEFAULT 1 NOT NULL
);
CREATE TABLE public.change_times (
    at timestamp with time zone NOT NULL,
    n bigint NOT NULL
);
CREATE TABLE public.channel_preferences (
    user_id character varying(36) NOT NULL,
    channel character varying(20) NOT NULL,
    enabled boolean NOT NULL
);
CREATE TABLE public.components (
    id character varying(36) NOT NULL,
    serial character varying(60) NOT NULL,
    kind character varying(40) NOT NULL,
    part_no character varying(60) NOT NULL,
    warranty_until date,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE TABLE public.coupons (
    id character varying(36) NOT NULL,
    offer_id character varying(36) NOT NULL,
    code_hash character varying(64) NOT NULL,
    state character varying(20) NOT NULL,
    redeemed_at timestamp with time zone,
    redeemed_by character varying(36),
    station_id character varying(36),
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_coupons_state CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'redeemed'::character varying, 'void'::character varying])::text[])))
);
CREATE TABLE public.customers (
    id character varying(36) NOT NULL,
    code character varying(40) NOT NULL,
    name character varying(200) NOT NULL,
    phone character varying(20),
    email character varying(200),
    territory_id character varying(36) NOT NULL,
    owner_id character varying(36),
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE TABLE public.dead_letters (
    id character varying(36) NOT NULL,
    fingerprint character varying(64) NOT NULL,
    topic character varying(300) NOT NULL,
    payload bytea NOT NULL,
    size integer NOT NULL,
    whole boolean NOT NULL,
    reason character varying(60) NOT NULL,
    detail character varying(300) NOT NULL,
    received_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    times integer NOT NULL,
    state character varying(20) NOT NULL,
    CONSTRAINT ck_dead_letters_state CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'replayed'::character varying, 'dismissed'::character varying])::text[])))
);
CREATE TABLE public.deleted_ids (
    user_id character varying(36) NOT NULL,
    collection character varying(40) NOT NULL,
    row_id character varying(36) NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.detector_states (
    rule_id character varying(36) NOT NULL,
    component_id character varying(36) NOT NULL,
    rule_number integer NOT NULL,
    fittings character varying(64) NOT NULL,
    state text NOT NULL,
    due_ms bigint
);
CREATE TABLE public.device_commands (
    id character varying(36) NOT NULL,
    device_id character varying(36) NOT NULL,
    state character varying(20) NOT NULL,
    body jsonb NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    answer jsonb,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_device_commands_state CHECK (((state)::text = ANY ((ARRAY['queued'::character varying, 'sent'::character varying, 'answered'::character varying, 'timed_out'::character varying])::text[])))
);
CREATE TABLE public.device_latest (
    device_id character varying(36) NOT NULL,
    metric character varying(60) NOT NULL,
    at_ms bigint NOT NULL,
    message_key character varying(80) NOT NULL,
    value double precision NOT NULL,
    received_ms bigint NOT NULL
);
CREATE TABLE public.device_presence (
    device_id character varying(36) NOT NULL,
    heard_ms bigint NOT NULL
);
CREATE TABLE public.device_profiles (
    id character varying(36) NOT NULL,
    code character varying(40) NOT NULL,
    name character varying(100) NOT NULL,
    adapter character varying(20) NOT NULL,
    soh_reference character varying(20) NOT NULL,
    sends_only_changes boolean NOT NULL,
    metrics jsonb NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_device_profiles_adapter CHECK (((adapter)::text = ANY ((ARRAY['native'::character varying, 'ovms'::character varying])::text[]))),
    CONSTRAINT ck_device_profiles_soh_reference CHECK (((soh_reference)::text = ANY ((ARRAY['rated'::character varying, 'first_cycle'::character varying])::text[])))
);
CREATE TABLE public.devices (
    id character varying(36) NOT NULL,
    adapter character varying(20) NOT NULL,
    address character varying(120) NOT NULL,
    profile_id character varying(36) NOT NULL,
    asset_id character varying(36) NOT NULL,
    installed_at timestamp with time zone NOT NULL,
    shard integer NOT NULL,
    state character varying(20) NOT NULL,
    secret_hash character varying(200) NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_devices_shard CHECK (((shard >= 0) AND (shard <= 255))),
    CONSTRAINT ck_devices_state CHECK (((state)::text = ANY ((ARRAY['active'::character varying, 'revoked'::character varying])::text[])))
);
CREATE TABLE public.early_rows (
    user_id character varying(36) NOT NULL,
    installation_id character varying(36) NOT NULL,
    collection character varying(40) NOT NULL,
    row_id character varying(36) NOT NULL,
    parent_collection character varying(40) NOT NULL,
    parent_id character varying(36) NOT NULL,
    sent jsonb NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.failed_tries (
    subject character varying(64) NOT NULL,
    failures integer NOT NULL,
    last_at timestamp with time zone NOT NULL,
    locked_until timestamp with time zone
);
CREATE TABLE public.fault_codes (
    id character varying(36) NOT NULL,
    asset_id character varying(36) NOT NULL,
    device_id character varying(36) NOT NULL,
    message_key character varying(80) NOT NULL,
    code character varying(40) NOT NULL,
    severity character varying(20) NOT NULL,
    description character varying(300) NOT NULL,
    occurred_at timestamp with time zone NOT NULL,
    received_at timestamp with time zone NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE TABLE public.field_marks (
    collection character varying(40) NOT NULL,
    row_id character varying(36) NOT NULL,
    field character varying(40) NOT NULL,
    change_no bigint,
    installation_id character varying(36) NOT NULL
);
CREATE TABLE public.fittings (
    id character varying(36) NOT NULL,
    component_id character varying(36) NOT NULL,
    asset_id character varying(36) NOT NULL,
    fitted_at timestamp with time zone NOT NULL,
    removed_at timestamp with time zone,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_fittings_order CHECK (((removed_at IS NULL) OR (removed_at > fitted_at)))
);
CREATE TABLE public.forgotten_removals (
    collection character varying(40) NOT NULL,
    upto bigint NOT NULL
);
CREATE TABLE public.history (
    id character varying(36) NOT NULL,
    kind character varying(60) NOT NULL,
    subject_kind character varying(30) NOT NULL,
    subject_id character varying(36) NOT NULL,
    actor_id character varying(36),
    occurred_at timestamp with time zone NOT NULL,
    recorded_at timestamp with time zone NOT NULL,
    facts jsonb NOT NULL
);
CREATE TABLE public.history_causes (
    effect_id character varying(36) NOT NULL,
    cause_id character varying(36) NOT NULL
);
CREATE TABLE public.ingest_counters (
    name character varying(40) NOT NULL,
    n bigint NOT NULL
);
CREATE TABLE public.installations (
    id character varying(36) NOT NULL,
    user_id character varying(36) NOT NULL,
    protocol character varying(20) NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    pulled_no bigint,
    pushed_at timestamp with time zone,
    queue_age_ms bigint,
    skew_ms bigint,
    app_version character varying(40),
    schema_version integer,
    last_error character varying(60),
    wipe_asked_at timestamp with time zone,
    wiped_at timestamp with time zone
);
CREATE TABLE public.intents (
    id character varying(36) NOT NULL,
    user_id character varying(36) NOT NULL,
    installation_id character varying(36) NOT NULL,
    kind character varying(40) NOT NULL,
    body text NOT NULL,
    made_ms bigint NOT NULL,
    verdict character varying(20),
    code character varying(60),
    facts jsonb,
    decided_at timestamp with time zone,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_intents_verdict CHECK (((verdict)::text = ANY ((ARRAY['accepted'::character varying, 'needs_review'::character varying, 'rejected'::character varying])::text[])))
);
CREATE TABLE public.job_runs (
    job character varying(40) NOT NULL,
    scheduled_for timestamp with time zone NOT NULL,
    fence bigint NOT NULL,
    finished_at timestamp with time zone,
    outcome character varying(200)
);
CREATE TABLE public.leader_leases (
    name character varying(40) NOT NULL,
    holder character varying(80) NOT NULL,
    until timestamp with time zone NOT NULL,
    fence bigint NOT NULL
);
CREATE TABLE public.notifications (
    id character varying(36) NOT NULL,
    user_id character varying(36) NOT NULL,
    kind character varying(40) NOT NULL,
    data jsonb NOT NULL,
    subject_kind character varying(30) NOT NULL,
    subject_id character varying(36) NOT NULL,
    dedupe_key character varying(160) NOT NULL,
    delivered_at timestamp with time zone,
    opened_at timestamp with time zone,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE TABLE public.number_series (
    series character varying(20) NOT NULL,
    year integer NOT NULL,
    n bigint NOT NULL
);
CREATE TABLE public.one_time_links (
    id character varying(36) NOT NULL,
    kind character varying(20) NOT NULL,
    user_id character varying(36) NOT NULL,
    secret_hash character varying(64) NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    CONSTRAINT ck_one_time_links_kind CHECK (((kind)::text = ANY ((ARRAY['invitation'::character varying, 'password_reset'::character varying])::text[])))
);
CREATE TABLE public.outbox (
    id character varying(36) NOT NULL,
    notification_id character varying(36) NOT NULL,
    user_id character varying(36) NOT NULL,
    channel character varying(20) NOT NULL,
    address_id character varying(36),
    dedupe_key character varying(240) NOT NULL,
    state character varying(20) NOT NULL,
    attempts integer NOT NULL,
    next_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    leased_until timestamp with time zone,
    queued_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    last_error character varying(200),
    CONSTRAINT ck_outbox_channel CHECK (((channel)::text = ANY ((ARRAY['fcm'::character varying, 'email'::character varying])::text[]))),
    CONSTRAINT ck_outbox_state CHECK (((state)::text = ANY ((ARRAY['queued'::character varying, 'accepted'::character varying, 'delivered'::character varying, 'opened'::character varying, 'failed'::character varying])::text[])))
);
CREATE TABLE public.part_stocks (
    id character varying(36) NOT NULL,
    station_id character varying(36) NOT NULL,
    part_no character varying(60) NOT NULL,
    on_hand integer NOT NULL,
    reserved integer NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_part_stocks_units CHECK (((on_hand >= 0) AND (reserved >= 0) AND (reserved <= on_hand)))
);
CREATE TABLE public.partners (
    id character varying(36) NOT NULL,
    name character varying(200) NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE TABLE public.process_beats (
    name character varying(40) NOT NULL,
    at timestamp with time zone NOT NULL,
    facts jsonb NOT NULL
);
CREATE TABLE public.refresh_tokens (
    token_hash character varying(64) NOT NULL,
    session_id character varying(36) NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    used_at timestamp with time zone,
    parent_hash character varying(64)
);
CREATE TABLE public.registration_tokens (
    id character varying(36) NOT NULL,
    user_id character varying(36) NOT NULL,
    address_kind character varying(10) NOT NULL,
    address character varying(500) NOT NULL,
    registered_at timestamp with time zone NOT NULL,
    seen_at timestamp with time zone NOT NULL,
    CONSTRAINT ck_registration_tokens_address_kind CHECK (((address_kind)::text = ANY ((ARRAY['token'::character varying, 'fid'::character varying])::text[])))
);
CREATE TABLE public.rule_versions (
    rule_id character varying(36) NOT NULL,
    number integer NOT NULL,
    document jsonb NOT NULL,
    since timestamp with time zone NOT NULL,
    author_id character varying(36)
);
CREATE TABLE public.rules (
    id character varying(36) NOT NULL,
    code character varying(40) NOT NULL,
    enabled boolean NOT NULL,
    number integer NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE TABLE public.scope_entries (
    scope character varying(60) NOT NULL,
    collection character varying(40) NOT NULL,
    row_id character varying(36) NOT NULL,
    change_no bigint,
    gone boolean NOT NULL
);
CREATE TABLE public.scope_grants (
    user_id character varying(36) NOT NULL,
    scope character varying(60) NOT NULL,
    entered_no bigint NOT NULL,
    left_no bigint
);
CREATE TABLE public.service_offers (
    id character varying(36) NOT NULL,
    kind character varying(40) NOT NULL,
    state character varying(20) NOT NULL,
    alarm_id character varying(36) NOT NULL,
    component_id character varying(36) NOT NULL,
    asset_id character varying(36) NOT NULL,
    customer_id character varying(36) NOT NULL,
    work_order_id character varying(36) NOT NULL,
    price numeric(14,2) NOT NULL,
    discount numeric(14,2) NOT NULL,
    amount_due numeric(14,2) NOT NULL,
    currency character varying(3) NOT NULL,
    under_warranty boolean NOT NULL,
    valid_until timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    close_reason character varying(200),
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_service_offers_state CHECK (((state)::text = ANY ((ARRAY['issued'::character varying, 'viewed'::character varying, 'accepted'::character varying, 'redeemed'::character varying, 'declined'::character varying, 'expired'::character varying, 'withdrawn'::character varying])::text[])))
);
CREATE TABLE public.sign_in_sessions (
    id character varying(36) NOT NULL,
    user_id character varying(36) NOT NULL,
    began_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone,
    end_reason character varying(30),
    label character varying(100) NOT NULL
);
CREATE TABLE public.sites (
    id character varying(36) NOT NULL,
    customer_id character varying(36) NOT NULL,
    name character varying(200) NOT NULL,
    address character varying(300) NOT NULL,
    lat double precision NOT NULL,
    lon double precision NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_sites_place CHECK ((((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision)) AND ((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))))
);
CREATE TABLE public.station_grants (
    id character varying(36) NOT NULL,
    station_id character varying(36) NOT NULL,
    customer_id character varying(36) NOT NULL,
    asset_id character varying(36) NOT NULL,
    task_id character varying(36) NOT NULL,
    ended_at timestamp with time zone,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE TABLE public.station_tasks (
    id character varying(36) NOT NULL,
    work_order_id character varying(36) NOT NULL,
    station_id character varying(36) NOT NULL,
    state character varying(20) NOT NULL,
    part_no character varying(60) NOT NULL,
    answer_by timestamp with time zone NOT NULL,
    reason character varying(200),
    answered_at timestamp with time zone,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_station_tasks_state CHECK (((state)::text = ANY ((ARRAY['offered'::character varying, 'accepted'::character varying, 'in_progress'::character varying, 'finished'::character varying, 'rejected'::character varying, 'lapsed'::character varying, 'withdrawn'::character varying])::text[])))
);
CREATE TABLE public.station_territories (
    station_id character varying(36) NOT NULL,
    territory_id character varying(36) NOT NULL
);
CREATE TABLE public.stations (
    id character varying(36) NOT NULL,
    code character varying(40) NOT NULL,
    name character varying(200) NOT NULL,
    address character varying(300) NOT NULL,
    lat double precision NOT NULL,
    lon double precision NOT NULL,
    opening_hours character varying(300) NOT NULL,
    time_zone character varying(60) NOT NULL,
    bays integer NOT NULL,
    active boolean NOT NULL,
    partner_id character varying(36),
    certificates jsonb NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_stations_bays CHECK (((bays >= 1) AND (bays <= 50))),
    CONSTRAINT ck_stations_place CHECK ((((lat >= ('-90'::integer)::double precision) AND (lat <= (90)::double precision)) AND ((lon >= ('-180'::integer)::double precision) AND (lon <= (180)::double precision))))
);
CREATE TABLE public.stored_answers (
    user_id character varying(36) NOT NULL,
    route character varying(200) NOT NULL,
    key character varying(100) NOT NULL,
    body_hash character varying(64) NOT NULL,
    status integer,
    etag character varying(40),
    body character varying,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.sync_conflicts (
    id character varying(36) NOT NULL,
    collection character varying(40) NOT NULL,
    row_id character varying(36) NOT NULL,
    field character varying(40) NOT NULL,
    kept jsonb,
    lost jsonb,
    user_id character varying(36) NOT NULL,
    installation_id character varying(36) NOT NULL,
    state character varying(20) NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_sync_conflicts_state CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'restored'::character varying])::text[])))
);
CREATE TABLE public.sync_problems (
    id character varying(36) NOT NULL,
    user_id character varying(36) NOT NULL,
    installation_id character varying(36) NOT NULL,
    collection character varying(40) NOT NULL,
    row_id character varying(60) NOT NULL,
    reasons jsonb NOT NULL,
    content text NOT NULL,
    content_hash character varying(64) NOT NULL,
    state character varying(20) NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_sync_problems_state CHECK (((state)::text = ANY ((ARRAY['open'::character varying, 'mended'::character varying, 'replayed'::character varying, 'dismissed'::character varying])::text[])))
);
CREATE TABLE public.sync_receipts (
    installation_id character varying(36) NOT NULL,
    collection character varying(40) NOT NULL,
    row_id character varying(36) NOT NULL,
    digests jsonb NOT NULL,
    at timestamp with time zone NOT NULL
);
CREATE TABLE public.telemetry (
    device_id character varying(36) NOT NULL,
    message_key character varying(80) NOT NULL,
    metric character varying(60) NOT NULL,
    at_ms bigint NOT NULL,
    value double precision NOT NULL,
    received_ms bigint NOT NULL,
    ahead boolean NOT NULL
);
CREATE TABLE public.territories (
    id character varying(36) NOT NULL,
    code character varying(40) NOT NULL,
    name character varying(100) NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone
);
CREATE TABLE public.user_territories (
    user_id character varying(36) NOT NULL,
    territory_id character varying(36) NOT NULL
);
CREATE TABLE public.users (
    id character varying(36) NOT NULL,
    login character varying(200) NOT NULL,
    name character varying(100) NOT NULL,
    role character varying(20) NOT NULL,
    state character varying(20) NOT NULL,
    locale character varying(10) NOT NULL,
    email character varying(200),
    phone character varying(20),
    partner_id character varying(36),
    station_id character varying(36),
    customer_id character varying(36),
    password_hash character varying(200),
    valid_from timestamp with time zone NOT NULL,
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    login_key character varying(200) DEFAULT ''::character varying NOT NULL,
    CONSTRAINT ck_users_customer_link CHECK ((((role)::text <> 'customer'::text) OR (customer_id IS NOT NULL))),
    CONSTRAINT ck_users_role CHECK (((role)::text = ANY ((ARRAY['admin'::character varying, 'manager'::character varying, 'rep'::character varying, 'station_staff'::character varying, 'customer'::character varying])::text[]))),
    CONSTRAINT ck_users_staff_station CHECK ((((role)::text <> 'station_staff'::text) OR (station_id IS NOT NULL))),
    CONSTRAINT ck_users_state CHECK (((state)::text = ANY ((ARRAY['invited'::character varying, 'active'::character varying, 'deactivated'::character varying])::text[])))
);
CREATE TABLE public.work_orders (
    id character varying(36) NOT NULL,
    number character varying(20) NOT NULL,
    job character varying(40) NOT NULL,
    asset_id character varying(36) NOT NULL,
    component_id character varying(36) NOT NULL,
    customer_id character varying(36) NOT NULL,
    site_id character varying(36) NOT NULL,
    territory_id character varying(36) NOT NULL,
    part_no character varying(60) NOT NULL,
    certificates jsonb NOT NULL,
    state character varying(20) NOT NULL,
    slot_at timestamp with time zone,
    coupon_required boolean NOT NULL,
    coupon_redeemed_at timestamp with time zone,
    finished_at timestamp with time zone,
    cancel_reason character varying(60),
    version integer NOT NULL,
    change_no bigint,
    created_at timestamp with time zone NOT NULL,
    updated_at timestamp with time zone NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT ck_work_orders_state CHECK (((state)::text = ANY ((ARRAY['proposed'::character varying, 'unassigned'::character varying, 'scheduled'::character varying, 'in_progress'::character varying, 'finished'::character varying, 'cancelled'::character varying])::text[])))
);
INSERT INTO public.alarms VALUES ('01a202a2-faa3-7f2d-ab81-963e1f82c686', '01a202a2-fa31-7611-aa0a-b2c517cb685e', 1, 'component', '01a202a2-fa1f-724e-bc6d-5129d9763d32', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', 1, 'raised', 'major', 'soh_pct', '2026-03-02 02:00:00+00', 74.9, '2026-03-02 02:00:00+00', 74.1, 3, NULL, NULL, NULL, '2026-03-02 02:00:00+00', 2, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.alembic_version VALUES ('0006');
INSERT INTO public.assets VALUES ('01a202a2-fa1a-7ddc-a737-6e109f9d389e', 'VIN-0001', 'Model 60', '01a202a2-f9f2-792c-9353-0378fe016456', '01a202a2-f9f9-73b8-ae43-de65ee4abac8', NULL, 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.attachments VALUES ('attachment-kept-1', 'customer', '01a202a2-f9f2-792c-9353-0378fe016456', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'kept-phone-1', 'a.jpg', 'image/jpeg', 3, '0000000000000000000000000000000000000000000000000000000000000000', NULL, false, 'waiting', NULL, 0, 1, 5, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.change_counter VALUES (1, 5, 1);
INSERT INTO public.components VALUES ('01a202a2-fa1f-724e-bc6d-5129d9763d32', 'PACK-0001', 'battery_pack', 'PACK-60', NULL, 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.coupons VALUES ('01a202a2-fb77-7b9b-8f5d-97717c5dda5b', '01a202a2-fb72-7692-afe3-05baacc132e0', '1e1755b77e9276465d716ba1e4233a1c90771c8f3ab457aeb500b9cf3a723d32', 'open', NULL, NULL, NULL, 2, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.customers VALUES ('customer-from-phone', 'C-2026-000001', 'From a phone', NULL, NULL, '01a202a2-f9e4-730b-b259-bef8cf0e956f', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', 1, 3, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.customers VALUES ('01a202a2-f9f2-792c-9353-0378fe016456', 'C-1', 'By the manager', NULL, NULL, '01a202a2-f9e4-730b-b259-bef8cf0e956f', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', 3, 4, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.dead_letters VALUES ('01a202a2-fba9-7d6e-9578-c74f2ce1fb7e', '8e68e080ee1bab394f482d9ab9c34a655bd59e61512e313bafda4ba9b752cc5c', 'devices/0/device-0001/telemetry', '\x6e6f74206a736f6e', 8, true, 'not_json', 'JSON is malformed: invalid character (byte 4)', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', 1, 'open');
INSERT INTO public.deleted_ids VALUES ('01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'customers', 'customer-not-here', '2026-03-02 02:00:00+00');
INSERT INTO public.detector_states VALUES ('01a202a2-fa31-7611-aa0a-b2c517cb685e', '01a202a2-fa1f-724e-bc6d-5129d9763d32', 1, 'ad75c867a77be5fc23bdf08e32e99113dc516fc29998c54f787b05454c5036b3', '{"last":[1772416800000,"b1:3",74.1,"device-0001"],"run":[],"run_count":0,"open":{"raised_at_ms":1772416800000,"causes":[[1772244000000,"b1:1",74.9,"device-0001"],[1772330400000,"b1:2",74.5,"device-0001"],[1772416800000,"b1:3",74.1,"device-0001"]],"last":[1772416800000,"b1:3",74.1,"device-0001"],"count":3,"cleared_at_ms":null,"clear_reason":null,"clear_causes":[]},"assumed_ms":0}', NULL);
INSERT INTO public.device_latest VALUES ('device-0001', 'soh_pct', 1772416800000, 'b1:3', 74.1, 1772416800000);
INSERT INTO public.device_presence VALUES ('device-0001', 1772416800000);
INSERT INTO public.device_profiles VALUES ('01a202a2-fa13-79dc-9fe8-761abc328a2f', 'native', 'Native', 'native', 'rated', false, '{"soh_pct": {"unit": "%", "component": "battery_pack"}}', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.devices VALUES ('device-0001', 'native', 'device-0001', '01a202a2-fa13-79dc-9fe8-761abc328a2f', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', '2025-01-26 02:00:00+00', 0, 'active', '$7$101$ZbkqHG23kIE6jWpO$uV/GDtbVfPFPFYLf6Lx/j1DXQpq9W8cWcKutwsWEzKzA9P4Z9p0pkNFAHqHr5iEwu+aRL87Ske9lQe9HR2WQxg==', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.field_marks VALUES ('customers', '01a202a2-f9f2-792c-9353-0378fe016456', 'name', 4, 'cb1b3a86ad887e972f5857a906106149');
INSERT INTO public.fittings VALUES ('01a202a2-fa25-72fb-a136-8f5d77dde232', '01a202a2-fa1f-724e-bc6d-5129d9763d32', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', '2025-01-26 02:00:00+00', NULL, 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.history VALUES ('01a202a2-f9e5-7344-a515-94592bbc4acb', 'territory.created', 'territory', '01a202a2-f9e4-730b-b259-bef8cf0e956f', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{}');
INSERT INTO public.history VALUES ('01a202a2-f9f4-7cf9-b4a0-b83eef745421', 'customer.created', 'customer', '01a202a2-f9f2-792c-9353-0378fe016456', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{}');
INSERT INTO public.history VALUES ('01a202a2-f9fb-7543-8e20-00091b66d971', 'site.created', 'site', '01a202a2-f9f9-73b8-ae43-de65ee4abac8', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{}');
INSERT INTO public.history VALUES ('01a202a2-fa04-793e-ac6e-92367c5e4a01', 'station.created', 'station', '01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{}');
INSERT INTO public.history VALUES ('01a202a2-fa07-7f84-b0d3-ba61b5f741c2', 'stock.counted', 'station', '01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"on_hand": 1, "part_no": "PACK-60"}');
INSERT INTO public.history VALUES ('01a202a2-fa0c-773e-859f-cf3db6ddf053', 'station.created', 'station', '01a202a2-fa0a-7e74-b8c4-7883ea8570cf', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{}');
INSERT INTO public.history VALUES ('01a202a2-fa0e-79c0-95a3-0771c80291c5', 'stock.counted', 'station', '01a202a2-fa0a-7e74-b8c4-7883ea8570cf', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"on_hand": 1, "part_no": "PACK-60"}');
INSERT INTO public.history VALUES ('01a202a2-fa14-772d-9a21-b075eab29fda', 'device_profile.created', 'device_profile', '01a202a2-fa13-79dc-9fe8-761abc328a2f', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{}');
INSERT INTO public.history VALUES ('01a202a2-fa1c-7094-bd4d-14a21451a685', 'asset.created', 'asset', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{}');
INSERT INTO public.history VALUES ('01a202a2-fa1f-7db7-9042-576dec94f5f6', 'component.created', 'component', '01a202a2-fa1f-724e-bc6d-5129d9763d32', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{}');
INSERT INTO public.history VALUES ('01a202a2-fa26-750c-8faa-66e5a4f0f00c', 'component.fitted', 'component', '01a202a2-fa1f-724e-bc6d-5129d9763d32', 'system-user', '2025-01-26 02:00:00+00', '2026-03-02 02:00:00+00', '{"serial": "PACK-0001", "asset_id": "01a202a2-fa1a-7ddc-a737-6e109f9d389e"}');
INSERT INTO public.history VALUES ('01a202a2-fa2b-7995-9725-61f144e9131f', 'device.registered', 'device', 'device-0001', 'system-user', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"asset_id": "01a202a2-fa1a-7ddc-a737-6e109f9d389e"}');
INSERT INTO public.history VALUES ('01a202a2-fa32-727f-844c-9c8bc865edac', 'rule.created', 'rule', '01a202a2-fa31-7611-aa0a-b2c517cb685e', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"code": "battery-health", "number": 1}');
INSERT INTO public.history VALUES ('01a202a2-fa35-74fc-8ae5-4fdee05a684f', 'rule.created', 'rule', '01a202a2-fa34-7b72-b636-cea4175fc151', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"code": "device-silent", "number": 1}');
INSERT INTO public.history VALUES ('01a202a2-faba-74e6-8c4a-793acac182d9', 'reading.observed', 'reading', '5ec2668ec111e4d791fa9cd94648f1b9', NULL, '2026-02-28 02:00:00+00', '2026-03-02 02:00:00+00', '{"at": "2026-02-28T02:00:00+00:00", "key": "b1:1", "value": 74.9, "metric": "soh_pct", "device_id": "device-0001", "component_id": "01a202a2-fa1f-724e-bc6d-5129d9763d32"}');
INSERT INTO public.history VALUES ('01a202a2-fabc-7cd6-901d-196b0a0a3fa8', 'reading.observed', 'reading', 'b87324504e8e59e95d72624fe63218a0', NULL, '2026-03-01 02:00:00+00', '2026-03-02 02:00:00+00', '{"at": "2026-03-01T02:00:00+00:00", "key": "b1:2", "value": 74.5, "metric": "soh_pct", "device_id": "device-0001", "component_id": "01a202a2-fa1f-724e-bc6d-5129d9763d32"}');
INSERT INTO public.history VALUES ('01a202a2-fad1-7f49-bdd7-875b92b2c55b', 'reading.observed', 'reading', '044fa05a818c9e76fb3965d665e7916e', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"at": "2026-03-02T02:00:00+00:00", "key": "b1:3", "value": 74.1, "metric": "soh_pct", "device_id": "device-0001", "component_id": "01a202a2-fa1f-724e-bc6d-5129d9763d32"}');
INSERT INTO public.history VALUES ('01a202a2-fad2-7cbf-9aba-0a8b392c3a0e', 'alarm.raised', 'alarm', '01a202a2-faa3-7f2d-ab81-963e1f82c686', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"rule": "battery-health", "count": 3, "metric": "soh_pct", "episode": 1, "readings": [{"at": "2026-02-28T02:00:00+00:00", "key": "b1:1", "value": 74.9, "device_id": "device-0001"}, {"at": "2026-03-01T02:00:00+00:00", "key": "b1:2", "value": 74.5, "device_id": "device-0001"}, {"at": "2026-03-02T02:00:00+00:00", "key": "b1:3", "value": 74.1, "device_id": "device-0001"}], "condition": {"below": 75.0, "span_h": 24.0, "readings": 3}, "rule_number": 1}');
INSERT INTO public.history VALUES ('01a202a2-fb0d-787e-a435-a6422a1b1144', 'notification.queued', 'notification', '01a202a2-fb0a-7799-8455-40e658ae531f', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"message": "battery_alarm", "recipient_id": "01a202a2-f9eb-7f7a-b719-30ce54496f6f"}');
INSERT INTO public.history VALUES ('01a202a2-fb51-7710-a944-9e48601bccaa', 'work_order.opened', 'work_order', '01a202a2-fb4e-7e1c-a5bd-4f2e66fecd76', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"job": "battery_replacement", "number": "WO-2026-000001"}');
INSERT INTO public.history VALUES ('01a202a2-fb5b-7f20-9d73-6ab5260c5880', 'work_order.stations_ranked', 'work_order', '01a202a2-fb4e-7e1c-a5bd-4f2e66fecd76', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"ranking": [{"load": 0.0, "lacks": [], "station": "Station S0", "open_now": true, "distance_m": 1107, "station_id": "01a202a2-fa01-7a99-a4bf-9a5ec6124981"}, {"load": 0.0, "lacks": [], "station": "Station S1", "open_now": true, "distance_m": 2215, "station_id": "01a202a2-fa0a-7e74-b8c4-7883ea8570cf"}]}');
INSERT INTO public.history VALUES ('01a202a2-fb68-72a4-b76b-384f3b6bc51a', 'station_task.offered', 'station_task', '01a202a2-fb5f-7cc7-9ef5-0a3f83cdb4fb', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"part_no": "PACK-60", "station": "Station S0", "answer_by": "2026-03-02T02:30:00+00:00", "station_id": "01a202a2-fa01-7a99-a4bf-9a5ec6124981"}');
INSERT INTO public.history VALUES ('01a202a2-fb6e-7dab-8503-b9097f418052', 'notification.queued', 'notification', '01a202a2-fb6d-7aa5-8733-f8fb02ce2796', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"message": "task_offered", "recipient_id": "01a202a2-fa0f-76e0-ac81-100f8f529daa"}');
INSERT INTO public.history VALUES ('01a202a2-fb73-7cb3-a78d-40ca6afde64a', 'service_offer.issued', 'service_offer', '01a202a2-fb72-7692-afe3-05baacc132e0', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"service": "battery_replacement", "currency": "CNY", "amount_due": "4300.00", "valid_until": "2026-03-16T02:00:00+00:00", "under_warranty": false}');
INSERT INTO public.history VALUES ('01a202a2-fb7b-75cb-8227-e26733c59f7f', 'coupon.issued', 'coupon', '01a202a2-fb77-7b9b-8f5d-97717c5dda5b', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"currency": "CNY", "discount": "500.00"}');
INSERT INTO public.history VALUES ('01a202a2-fb84-7be6-99ab-f8703302c5b9', 'notification.queued', 'notification', '01a202a2-fb82-7db3-bce3-ae464b300a4a', NULL, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"message": "offer_made", "recipient_id": "01a202a2-f9fd-7a10-8c82-77b7006d76cd"}');
INSERT INTO public.history VALUES ('01a202a2-fd72-72d2-93ef-b86cad3c9aae', 'customer.created', 'customer', 'customer-from-phone', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{}');
INSERT INTO public.history VALUES ('01a202a2-fd9c-7120-a985-48db66b3f26e', 'customer.edited', 'customer', '01a202a2-f9f2-792c-9353-0378fe016456', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"fields": ["name"]}');
INSERT INTO public.history VALUES ('01a202a2-fdd4-7c2c-bf03-876f92c0550c', 'customer.edited', 'customer', '01a202a2-f9f2-792c-9353-0378fe016456', '01a202a2-f9e9-7e17-9ab5-9ace053be0cc', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"fields": ["name"]}');
INSERT INTO public.history VALUES ('01a202a2-fe1c-716b-9dfe-0f3d3aed0821', 'attachment.created', 'attachment', 'attachment-kept-1', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"name": "a.jpg", "about": "customer"}');
INSERT INTO public.history VALUES ('01a202a3-0020-7419-b648-58d58bb56dac', 'intent.decided', 'intent', 'intent-kept-1', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', '{"code": "not_found", "what": "alarm.acknowledge", "verdict": "rejected"}');
INSERT INTO public.history_causes VALUES ('01a202a2-fad2-7cbf-9aba-0a8b392c3a0e', '01a202a2-faba-74e6-8c4a-793acac182d9');
INSERT INTO public.history_causes VALUES ('01a202a2-fad2-7cbf-9aba-0a8b392c3a0e', '01a202a2-fabc-7cd6-901d-196b0a0a3fa8');
INSERT INTO public.history_causes VALUES ('01a202a2-fad2-7cbf-9aba-0a8b392c3a0e', '01a202a2-fad1-7f49-bdd7-875b92b2c55b');
INSERT INTO public.history_causes VALUES ('01a202a2-fb0d-787e-a435-a6422a1b1144', '01a202a2-fad2-7cbf-9aba-0a8b392c3a0e');
INSERT INTO public.history_causes VALUES ('01a202a2-fb51-7710-a944-9e48601bccaa', '01a202a2-fad2-7cbf-9aba-0a8b392c3a0e');
INSERT INTO public.history_causes VALUES ('01a202a2-fb5b-7f20-9d73-6ab5260c5880', '01a202a2-fb51-7710-a944-9e48601bccaa');
INSERT INTO public.history_causes VALUES ('01a202a2-fb68-72a4-b76b-384f3b6bc51a', '01a202a2-fb5b-7f20-9d73-6ab5260c5880');
INSERT INTO public.history_causes VALUES ('01a202a2-fb6e-7dab-8503-b9097f418052', '01a202a2-fb68-72a4-b76b-384f3b6bc51a');
INSERT INTO public.history_causes VALUES ('01a202a2-fb73-7cb3-a78d-40ca6afde64a', '01a202a2-fad2-7cbf-9aba-0a8b392c3a0e');
INSERT INTO public.history_causes VALUES ('01a202a2-fb7b-75cb-8227-e26733c59f7f', '01a202a2-fb73-7cb3-a78d-40ca6afde64a');
INSERT INTO public.history_causes VALUES ('01a202a2-fb84-7be6-99ab-f8703302c5b9', '01a202a2-fb73-7cb3-a78d-40ca6afde64a');
INSERT INTO public.ingest_counters VALUES ('reading', 4);
INSERT INTO public.ingest_counters VALUES ('message', 5);
INSERT INTO public.ingest_counters VALUES ('poison', 1);
INSERT INTO public.installations VALUES ('kept-phone-2', '01a202a2-f9e9-7e17-9ab5-9ace053be0cc', 'watermelon', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', 2, '2026-03-02 02:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.installations VALUES ('kept-phone-1', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'watermelon', '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', 2, '2026-03-02 02:00:00+00', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.intents VALUES ('intent-kept-1', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'kept-phone-1', 'alarm.acknowledge', '{"alarm_id": "alarm-unknown-1"}', 0, 'rejected', 'not_found', '{}', '2026-03-02 02:00:00+00', 2, 5, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.notifications VALUES ('01a202a2-fb0a-7799-8455-40e658ae531f', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'battery_alarm', '{"late": false, "soh_pct": 74.1, "asset_model": "Model 60", "measured_on": "2026-03-02T02:00:00+00:00", "asset_serial": "VIN-0001", "customer_name": "Lin Logistics"}', 'alarm', '01a202a2-faa3-7f2d-ab81-963e1f82c686', 'alarm:01a202a2-faa3-7f2d-ab81-963e1f82c686:raised:01a202a2-f9eb-7f7a-b719-30ce54496f6f', NULL, NULL, 1, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.notifications VALUES ('01a202a2-fb6d-7aa5-8733-f8fb02ce2796', '01a202a2-fa0f-76e0-ac81-100f8f529daa', 'task_offered', '{"job": "battery_replacement", "part_no": "PACK-60", "answer_by": "2026-03-02T02:30:00+00:00", "asset_model": "Model 60"}', 'station_task', '01a202a2-fb5f-7cc7-9ef5-0a3f83cdb4fb', 'task:01a202a2-fb5f-7cc7-9ef5-0a3f83cdb4fb:offered:01a202a2-fa0f-76e0-ac81-100f8f529daa', NULL, NULL, 1, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.notifications VALUES ('01a202a2-fb82-7db3-bce3-ae464b300a4a', '01a202a2-f9fd-7a10-8c82-77b7006d76cd', 'offer_made', '{"late": false, "soh_pct": 74.1, "currency": "CNY", "discount": "500.00", "warranty": false, "amount_due": "4300.00", "asset_model": "Model 60", "measured_on": "2026-03-02T02:00:00+00:00", "valid_until": "2026-03-16T02:00:00+00:00", "asset_serial": "VIN-0001"}', 'service_offer', '01a202a2-fb72-7692-afe3-05baacc132e0', 'offer:01a202a2-fb72-7692-afe3-05baacc132e0:made:01a202a2-f9fd-7a10-8c82-77b7006d76cd', NULL, NULL, 1, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.number_series VALUES ('WO', 2026, 1);
INSERT INTO public.number_series VALUES ('C', 2026, 1);
INSERT INTO public.part_stocks VALUES ('01a202a2-fa0e-71f6-a42c-c7750f579458', '01a202a2-fa0a-7e74-b8c4-7883ea8570cf', 'PACK-60', 1, 0, 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.part_stocks VALUES ('01a202a2-fa07-730f-a33e-38410bbfefcf', '01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'PACK-60', 1, 1, 2, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.rule_versions VALUES ('01a202a2-fa31-7611-aa0a-b2c517cb685e', 1, '{"name": {"en": "Battery health is low", "zh-CN": "电池健康度过低"}, "metric": "soh_pct", "service": {"kind": "battery_replacement", "price": "4800.00", "discount": "500.00", "certificates": ["high_voltage"]}, "clear_if": {"span_h": 24, "at_least": 78.0, "readings": 3}, "detector": "threshold", "raise_if": {"below": 75.0, "span_h": 24, "readings": 3}, "severity": "major", "component": "battery_pack", "lateness_h": 720}', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.rule_versions VALUES ('01a202a2-fa34-7b72-b636-cea4175fc151', 1, '{"name": {"en": "Device is silent", "zh-CN": "设备失联"}, "detector": "silence", "severity": "warning", "silent_after_h": 24}', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.rules VALUES ('01a202a2-fa31-7611-aa0a-b2c517cb685e', 'battery-health', true, 1, 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.rules VALUES ('01a202a2-fa34-7b72-b636-cea4175fc151', 'device-silent', true, 1, 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.scope_entries VALUES ('customer:01a202a2-f9f2-792c-9353-0378fe016456', 'sites', '01a202a2-f9f9-73b8-ae43-de65ee4abac8', 1, false);
INSERT INTO public.scope_entries VALUES ('owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'sites', '01a202a2-f9f9-73b8-ae43-de65ee4abac8', 1, false);
INSERT INTO public.scope_entries VALUES ('territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 'sites', '01a202a2-f9f9-73b8-ae43-de65ee4abac8', 1, false);
INSERT INTO public.scope_entries VALUES ('customer:01a202a2-f9f2-792c-9353-0378fe016456', 'assets', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', 1, false);
INSERT INTO public.scope_entries VALUES ('owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'assets', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', 1, false);
INSERT INTO public.scope_entries VALUES ('territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 'assets', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', 1, false);
INSERT INTO public.scope_entries VALUES ('station:01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'stations', '01a202a2-fa01-7a99-a4bf-9a5ec6124981', 1, false);
INSERT INTO public.scope_entries VALUES ('station:01a202a2-fa0a-7e74-b8c4-7883ea8570cf', 'stations', '01a202a2-fa0a-7e74-b8c4-7883ea8570cf', 1, false);
INSERT INTO public.scope_entries VALUES ('stations:all', 'stations', '01a202a2-fa01-7a99-a4bf-9a5ec6124981', 1, false);
INSERT INTO public.scope_entries VALUES ('stations:all', 'stations', '01a202a2-fa0a-7e74-b8c4-7883ea8570cf', 1, false);
INSERT INTO public.scope_entries VALUES ('station:01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'sites', '01a202a2-f9f9-73b8-ae43-de65ee4abac8', 2, false);
INSERT INTO public.scope_entries VALUES ('station:01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'assets', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', 2, false);
INSERT INTO public.scope_entries VALUES ('customer:01a202a2-f9f2-792c-9353-0378fe016456', 'work_orders', '01a202a2-fb4e-7e1c-a5bd-4f2e66fecd76', 2, false);
INSERT INTO public.scope_entries VALUES ('owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'work_orders', '01a202a2-fb4e-7e1c-a5bd-4f2e66fecd76', 2, false);
INSERT INTO public.scope_entries VALUES ('station:01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'work_orders', '01a202a2-fb4e-7e1c-a5bd-4f2e66fecd76', 2, false);
INSERT INTO public.scope_entries VALUES ('territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 'work_orders', '01a202a2-fb4e-7e1c-a5bd-4f2e66fecd76', 2, false);
INSERT INTO public.scope_entries VALUES ('customer:01a202a2-f9f2-792c-9353-0378fe016456', 'station_tasks', '01a202a2-fb5f-7cc7-9ef5-0a3f83cdb4fb', 2, false);
INSERT INTO public.scope_entries VALUES ('owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'station_tasks', '01a202a2-fb5f-7cc7-9ef5-0a3f83cdb4fb', 2, false);
INSERT INTO public.scope_entries VALUES ('station:01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'station_tasks', '01a202a2-fb5f-7cc7-9ef5-0a3f83cdb4fb', 2, false);
INSERT INTO public.scope_entries VALUES ('territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 'station_tasks', '01a202a2-fb5f-7cc7-9ef5-0a3f83cdb4fb', 2, false);
INSERT INTO public.scope_entries VALUES ('customer:01a202a2-f9f2-792c-9353-0378fe016456', 'service_offers', '01a202a2-fb72-7692-afe3-05baacc132e0', 2, false);
INSERT INTO public.scope_entries VALUES ('owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'service_offers', '01a202a2-fb72-7692-afe3-05baacc132e0', 2, false);
INSERT INTO public.scope_entries VALUES ('station:01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'service_offers', '01a202a2-fb72-7692-afe3-05baacc132e0', 2, false);
INSERT INTO public.scope_entries VALUES ('territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 'service_offers', '01a202a2-fb72-7692-afe3-05baacc132e0', 2, false);
INSERT INTO public.scope_entries VALUES ('customer:01a202a2-f9f2-792c-9353-0378fe016456', 'alarms', '01a202a2-faa3-7f2d-ab81-963e1f82c686', 2, false);
INSERT INTO public.scope_entries VALUES ('owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'alarms', '01a202a2-faa3-7f2d-ab81-963e1f82c686', 2, false);
INSERT INTO public.scope_entries VALUES ('station:01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'alarms', '01a202a2-faa3-7f2d-ab81-963e1f82c686', 2, false);
INSERT INTO public.scope_entries VALUES ('territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 'alarms', '01a202a2-faa3-7f2d-ab81-963e1f82c686', 2, false);
INSERT INTO public.scope_entries VALUES ('user:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'notifications', '01a202a2-fb0a-7799-8455-40e658ae531f', 2, false);
INSERT INTO public.scope_entries VALUES ('user:01a202a2-f9fd-7a10-8c82-77b7006d76cd', 'notifications', '01a202a2-fb82-7db3-bce3-ae464b300a4a', 2, false);
INSERT INTO public.scope_entries VALUES ('user:01a202a2-fa0f-76e0-ac81-100f8f529daa', 'notifications', '01a202a2-fb6d-7aa5-8733-f8fb02ce2796', 2, false);
INSERT INTO public.scope_entries VALUES ('customer:customer-from-phone', 'customers', 'customer-from-phone', 3, false);
INSERT INTO public.scope_entries VALUES ('owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'customers', 'customer-from-phone', 3, false);
INSERT INTO public.scope_entries VALUES ('territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 'customers', 'customer-from-phone', 3, false);
INSERT INTO public.scope_entries VALUES ('user:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'sync_problems', '01a202a2-fd80-7ab0-bbae-ea20754e3a90', 3, false);
INSERT INTO public.scope_entries VALUES ('customer:01a202a2-f9f2-792c-9353-0378fe016456', 'customers', '01a202a2-f9f2-792c-9353-0378fe016456', 4, false);
INSERT INTO public.scope_entries VALUES ('owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'customers', '01a202a2-f9f2-792c-9353-0378fe016456', 4, false);
INSERT INTO public.scope_entries VALUES ('station:01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'customers', '01a202a2-f9f2-792c-9353-0378fe016456', 4, false);
INSERT INTO public.scope_entries VALUES ('territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 'customers', '01a202a2-f9f2-792c-9353-0378fe016456', 4, false);
INSERT INTO public.scope_entries VALUES ('customer:01a202a2-f9f2-792c-9353-0378fe016456', 'attachments', 'attachment-kept-1', 5, false);
INSERT INTO public.scope_entries VALUES ('owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'attachments', 'attachment-kept-1', 5, false);
INSERT INTO public.scope_entries VALUES ('territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 'attachments', 'attachment-kept-1', 5, false);
INSERT INTO public.scope_entries VALUES ('user:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'attachments', 'attachment-kept-1', 5, false);
INSERT INTO public.scope_entries VALUES ('user:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'intents', 'intent-kept-1', 5, false);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9fd-7a10-8c82-77b7006d76cd', 'stations:all', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9e9-7e17-9ab5-9ace053be0cc', 'stations:all', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-fa0f-76e0-ac81-100f8f529daa', 'user:01a202a2-fa0f-76e0-ac81-100f8f529daa', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-fa10-7607-a7c3-cf96c0b9ed74', 'station:01a202a2-fa0a-7e74-b8c4-7883ea8570cf', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9e7-7f0d-aa29-8d2f08a7b240', 'stations:all', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'stations:all', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9e7-7f0d-aa29-8d2f08a7b240', 'user:01a202a2-f9e7-7f0d-aa29-8d2f08a7b240', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9e9-7e17-9ab5-9ace053be0cc', 'territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-fa10-7607-a7c3-cf96c0b9ed74', 'user:01a202a2-fa10-7607-a7c3-cf96c0b9ed74', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'user:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-fa0f-76e0-ac81-100f8f529daa', 'station:01a202a2-fa01-7a99-a4bf-9a5ec6124981', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'owner:01a202a2-f9eb-7f7a-b719-30ce54496f6f', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9fd-7a10-8c82-77b7006d76cd', 'user:01a202a2-f9fd-7a10-8c82-77b7006d76cd', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9e9-7e17-9ab5-9ace053be0cc', 'user:01a202a2-f9e9-7e17-9ab5-9ace053be0cc', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9e7-7f0d-aa29-8d2f08a7b240', 'territory:01a202a2-f9e4-730b-b259-bef8cf0e956f', 1, NULL);
INSERT INTO public.scope_grants VALUES ('01a202a2-f9fd-7a10-8c82-77b7006d76cd', 'customer:01a202a2-f9f2-792c-9353-0378fe016456', 1, NULL);
INSERT INTO public.service_offers VALUES ('01a202a2-fb72-7692-afe3-05baacc132e0', 'battery_replacement', 'issued', '01a202a2-faa3-7f2d-ab81-963e1f82c686', '01a202a2-fa1f-724e-bc6d-5129d9763d32', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', '01a202a2-f9f2-792c-9353-0378fe016456', '01a202a2-fb4e-7e1c-a5bd-4f2e66fecd76', 4800.00, 500.00, 4300.00, 'CNY', false, '2026-03-16 02:00:00+00', NULL, NULL, 1, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.sign_in_sessions VALUES ('01a202a2-fcca-7b5a-9f1a-029763028a0a', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', '2026-03-02 02:00:00+00', NULL, NULL, 'test');
INSERT INTO public.sign_in_sessions VALUES ('01a202a2-fcd3-7418-82b3-a0c84e33b183', '01a202a2-f9e9-7e17-9ab5-9ace053be0cc', '2026-03-02 02:00:00+00', NULL, NULL, 'test');
INSERT INTO public.sites VALUES ('01a202a2-f9f9-73b8-ae43-de65ee4abac8', '01a202a2-f9f2-792c-9353-0378fe016456', 'Depot', '', 22.54, 114.05, 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.station_grants VALUES ('01a202a2-fb64-7762-be6d-bea58126c066', '01a202a2-fa01-7a99-a4bf-9a5ec6124981', '01a202a2-f9f2-792c-9353-0378fe016456', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', '01a202a2-fb5f-7cc7-9ef5-0a3f83cdb4fb', NULL, 1, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.station_tasks VALUES ('01a202a2-fb5f-7cc7-9ef5-0a3f83cdb4fb', '01a202a2-fb4e-7e1c-a5bd-4f2e66fecd76', '01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'offered', 'PACK-60', '2026-03-02 02:30:00+00', NULL, NULL, 1, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.station_territories VALUES ('01a202a2-fa01-7a99-a4bf-9a5ec6124981', '01a202a2-f9e4-730b-b259-bef8cf0e956f');
INSERT INTO public.station_territories VALUES ('01a202a2-fa0a-7e74-b8c4-7883ea8570cf', '01a202a2-f9e4-730b-b259-bef8cf0e956f');
INSERT INTO public.stations VALUES ('01a202a2-fa01-7a99-a4bf-9a5ec6124981', 'S0', 'Station S0', '', 22.55, 114.05, '24/7', 'Asia/Shanghai', 2, true, NULL, '["high_voltage"]', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.stations VALUES ('01a202a2-fa0a-7e74-b8c4-7883ea8570cf', 'S1', 'Station S1', '', 22.560000000000002, 114.05, '24/7', 'Asia/Shanghai', 2, true, NULL, '["high_voltage"]', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.sync_conflicts VALUES ('01a202a2-fdd8-78a7-ab7e-57530fa7f074', 'customers', '01a202a2-f9f2-792c-9353-0378fe016456', 'name', '"By the manager"', '"By the rep"', '01a202a2-f9e9-7e17-9ab5-9ace053be0cc', 'kept-phone-2', 'open', 1, 4, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.sync_problems VALUES ('01a202a2-fd80-7ab0-bbae-ea20754e3a90', '01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'kept-phone-1', 'customers', 'customer-in-vain', '{"name": ["required"]}', '{"deleted":false,"claimed":null,"code":"","email":null,"name":"","owner_id":null,"phone":null,"territory_id":"01a202a2-f9e4-730b-b259-bef8cf0e956f"}', '9906b5759dd59300ee064618bce003dba6acb9ae21a9fe0d87b7c4c112ff3bd6', 'open', 1, 3, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.sync_receipts VALUES ('3cebaad502d65ef9f9a8b213a1d32a13', 'customers', 'customer-from-phone', '{"name": "244bf3f6687a65d2", "email": "74234e98afe7498f", "phone": "74234e98afe7498f", "stood": "1099511627778"}', '2026-03-02 02:00:00+00');
INSERT INTO public.sync_receipts VALUES ('3cebaad502d65ef9f9a8b213a1d32a13', 'customers', '01a202a2-f9f2-792c-9353-0378fe016456', '{"name": "2b182bbc92f419d4", "email": "74234e98afe7498f", "phone": "74234e98afe7498f", "stood": "1099511627778"}', '2026-03-02 02:00:00+00');
INSERT INTO public.sync_receipts VALUES ('cb1b3a86ad887e972f5857a906106149', 'customers', '01a202a2-f9f2-792c-9353-0378fe016456', '{"name": "24c81a7b90e7bc0c", "email": "74234e98afe7498f", "phone": "74234e98afe7498f", "stood": "1099511627778"}', '2026-03-02 02:00:00+00');
INSERT INTO public.sync_receipts VALUES ('3cebaad502d65ef9f9a8b213a1d32a13', 'attachments', 'attachment-kept-1', '{"stood": "1099511627778"}', '2026-03-02 02:00:00+00');
INSERT INTO public.telemetry VALUES ('device-0001', 'b1:0', 'soh_pct', 1772157600000, 76, 1772416800000, false);
INSERT INTO public.telemetry VALUES ('device-0001', 'b1:1', 'soh_pct', 1772244000000, 74.9, 1772416800000, false);
INSERT INTO public.telemetry VALUES ('device-0001', 'b1:2', 'soh_pct', 1772330400000, 74.5, 1772416800000, false);
INSERT INTO public.telemetry VALUES ('device-0001', 'b1:3', 'soh_pct', 1772416800000, 74.1, 1772416800000, false);
INSERT INTO public.territories VALUES ('01a202a2-f9e4-730b-b259-bef8cf0e956f', 'SZ', 'Shenzhen', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
INSERT INTO public.user_territories VALUES ('01a202a2-f9e9-7e17-9ab5-9ace053be0cc', '01a202a2-f9e4-730b-b259-bef8cf0e956f');
INSERT INTO public.user_territories VALUES ('01a202a2-f9eb-7f7a-b719-30ce54496f6f', '01a202a2-f9e4-730b-b259-bef8cf0e956f');
INSERT INTO public.users VALUES ('01a202a2-f9e7-7f0d-aa29-8d2f08a7b240', 'admin@example.test', 'admin', 'admin', 'active', 'en', NULL, NULL, NULL, NULL, NULL, '$argon2id$v=19$m=8,t=1,p=1$phBGALvwZjds0PAJjVPiVA$Bj6ZxOauDkHmrhbo4Z+VocnovoKqdHQoiQegF2V1exo', '2020-01-01 00:00:00+00', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL, 'admin@example.test');
INSERT INTO public.users VALUES ('01a202a2-f9e9-7e17-9ab5-9ace053be0cc', 'manager@example.test', 'manager', 'manager', 'active', 'en', NULL, NULL, NULL, NULL, NULL, '$argon2id$v=19$m=8,t=1,p=1$py/amAYiOzmw1TyRRzCRKA$Bx2DBRXt3aP6UwSpw9KOdtooo4B03vA2glZT2N71B9s', '2020-01-01 00:00:00+00', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL, 'manager@example.test');
INSERT INTO public.users VALUES ('01a202a2-f9eb-7f7a-b719-30ce54496f6f', 'rep@example.test', 'rep', 'rep', 'active', 'zh-CN', NULL, NULL, NULL, NULL, NULL, '$argon2id$v=19$m=8,t=1,p=1$WBqSQ3C183HXRsTQHWn2OQ$iCiZAT6qh5ECCtKcRgaoXcxbvh9omP+NoXQuoVT1G7s', '2020-01-01 00:00:00+00', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL, 'rep@example.test');
INSERT INTO public.users VALUES ('01a202a2-f9fd-7a10-8c82-77b7006d76cd', 'owner@example.test', 'owner', 'customer', 'active', 'en', NULL, NULL, NULL, NULL, '01a202a2-f9f2-792c-9353-0378fe016456', '$argon2id$v=19$m=8,t=1,p=1$HYfNW+jGEhE+g8q9cqnExw$Z+iEwXjq3y+IuFN3b9hMh8jfo3/0QdwkE1HtH/Y2mhI', '2020-01-01 00:00:00+00', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL, 'owner@example.test');
INSERT INTO public.users VALUES ('01a202a2-fa0f-76e0-ac81-100f8f529daa', 'staff0@example.test', 'staff0', 'station_staff', 'active', 'en', NULL, NULL, NULL, '01a202a2-fa01-7a99-a4bf-9a5ec6124981', NULL, '$argon2id$v=19$m=8,t=1,p=1$gq/ixDl7HOCuZYZ5LRwQ3A$DEPtB6kDub3MJZHTmDzEORQXAZ4xvk8jRswh7xumD0M', '2020-01-01 00:00:00+00', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL, 'staff0@example.test');
INSERT INTO public.users VALUES ('01a202a2-fa10-7607-a7c3-cf96c0b9ed74', 'staff1@example.test', 'staff1', 'station_staff', 'active', 'en', NULL, NULL, NULL, '01a202a2-fa0a-7e74-b8c4-7883ea8570cf', NULL, '$argon2id$v=19$m=8,t=1,p=1$w/1MJg/nM6OZlJ7sLUzITw$W/s5bqJmKxYxvoObUVHxD3NKDEZE6tZ22u+Q3eWqNew', '2020-01-01 00:00:00+00', 1, 1, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL, 'staff1@example.test');
INSERT INTO public.work_orders VALUES ('01a202a2-fb4e-7e1c-a5bd-4f2e66fecd76', 'WO-2026-000001', 'battery_replacement', '01a202a2-fa1a-7ddc-a737-6e109f9d389e', '01a202a2-fa1f-724e-bc6d-5129d9763d32', '01a202a2-f9f2-792c-9353-0378fe016456', '01a202a2-f9f9-73b8-ae43-de65ee4abac8', '01a202a2-f9e4-730b-b259-bef8cf0e956f', 'PACK-60', '["high_voltage"]', 'proposed', NULL, true, NULL, NULL, NULL, 1, 2, '2026-03-02 02:00:00+00', '2026-03-02 02:00:00+00', NULL);
ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT pk_alarms PRIMARY KEY (id);
ALTER TABLE ONLY public.assets
    ADD CONSTRAINT pk_assets PRIMARY KEY (id);
ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT pk_attachments PRIMARY KEY (id);
ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT pk_bookings PRIMARY KEY (id);
ALTER TABLE ONLY public.change_counter
    ADD CONSTRAINT pk_change_counter PRIMARY KEY (id);
ALTER TABLE ONLY public.change_times
    ADD CONSTRAINT pk_change_times PRIMARY KEY (at);
ALTER TABLE ONLY public.channel_preferences
    ADD CONSTRAINT pk_channel_preferences PRIMARY KEY (user_id, channel);
ALTER TABLE ONLY public.components
    ADD CONSTRAINT pk_components PRIMARY KEY (id);
ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT pk_coupons PRIMARY KEY (id);
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT pk_customers PRIMARY KEY (id);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT pk_dead_letters PRIMARY KEY (id);
ALTER TABLE ONLY public.deleted_ids
    ADD CONSTRAINT pk_deleted_ids PRIMARY KEY (user_id, collection, row_id);
ALTER TABLE ONLY public.detector_states
    ADD CONSTRAINT pk_detector_states PRIMARY KEY (rule_id, component_id);
ALTER TABLE ONLY public.device_commands
    ADD CONSTRAINT pk_device_commands PRIMARY KEY (id);
ALTER TABLE ONLY public.device_latest
    ADD CONSTRAINT pk_device_latest PRIMARY KEY (device_id, metric);
ALTER TABLE ONLY public.device_presence
    ADD CONSTRAINT pk_device_presence PRIMARY KEY (device_id);
ALTER TABLE ONLY public.device_profiles
    ADD CONSTRAINT pk_device_profiles PRIMARY KEY (id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT pk_devices PRIMARY KEY (id);
ALTER TABLE ONLY public.early_rows
    ADD CONSTRAINT pk_early_rows PRIMARY KEY (user_id, installation_id, collection, row_id);
ALTER TABLE ONLY public.failed_tries
    ADD CONSTRAINT pk_failed_tries PRIMARY KEY (subject);
ALTER TABLE ONLY public.fault_codes
    ADD CONSTRAINT pk_fault_codes PRIMARY KEY (id);
ALTER TABLE ONLY public.field_marks
    ADD CONSTRAINT pk_field_marks PRIMARY KEY (collection, row_id, field);
ALTER TABLE ONLY public.fittings
    ADD CONSTRAINT pk_fittings PRIMARY KEY (id);
ALTER TABLE ONLY public.forgotten_removals
    ADD CONSTRAINT pk_forgotten_removals PRIMARY KEY (collection);
ALTER TABLE ONLY public.history
    ADD CONSTRAINT pk_history PRIMARY KEY (id);
ALTER TABLE ONLY public.history_causes
    ADD CONSTRAINT pk_history_causes PRIMARY KEY (effect_id, cause_id);
ALTER TABLE ONLY public.ingest_counters
    ADD CONSTRAINT pk_ingest_counters PRIMARY KEY (name);
ALTER TABLE ONLY public.installations
    ADD CONSTRAINT pk_installations PRIMARY KEY (id, user_id);
ALTER TABLE ONLY public.intents
    ADD CONSTRAINT pk_intents PRIMARY KEY (id);
ALTER TABLE ONLY public.job_runs
    ADD CONSTRAINT pk_job_runs PRIMARY KEY (job, scheduled_for);
ALTER TABLE ONLY public.leader_leases
    ADD CONSTRAINT pk_leader_leases PRIMARY KEY (name);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT pk_notifications PRIMARY KEY (id);
ALTER TABLE ONLY public.number_series
    ADD CONSTRAINT pk_number_series PRIMARY KEY (series, year);
ALTER TABLE ONLY public.one_time_links
    ADD CONSTRAINT pk_one_time_links PRIMARY KEY (id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT pk_outbox PRIMARY KEY (id);
ALTER TABLE ONLY public.part_stocks
    ADD CONSTRAINT pk_part_stocks PRIMARY KEY (id);
ALTER TABLE ONLY public.partners
    ADD CONSTRAINT pk_partners PRIMARY KEY (id);
ALTER TABLE ONLY public.process_beats
    ADD CONSTRAINT pk_process_beats PRIMARY KEY (name);
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT pk_refresh_tokens PRIMARY KEY (token_hash);
ALTER TABLE ONLY public.registration_tokens
    ADD CONSTRAINT pk_registration_tokens PRIMARY KEY (id);
ALTER TABLE ONLY public.rule_versions
    ADD CONSTRAINT pk_rule_versions PRIMARY KEY (rule_id, number);
ALTER TABLE ONLY public.rules
    ADD CONSTRAINT pk_rules PRIMARY KEY (id);
ALTER TABLE ONLY public.scope_entries
    ADD CONSTRAINT pk_scope_entries PRIMARY KEY (scope, collection, row_id);
ALTER TABLE ONLY public.scope_grants
    ADD CONSTRAINT pk_scope_grants PRIMARY KEY (user_id, scope, entered_no);
ALTER TABLE ONLY public.service_offers
    ADD CONSTRAINT pk_service_offers PRIMARY KEY (id);
ALTER TABLE ONLY public.sign_in_sessions
    ADD CONSTRAINT pk_sign_in_sessions PRIMARY KEY (id);
ALTER TABLE ONLY public.sites
    ADD CONSTRAINT pk_sites PRIMARY KEY (id);
ALTER TABLE ONLY public.station_grants
    ADD CONSTRAINT pk_station_grants PRIMARY KEY (id);
ALTER TABLE ONLY public.station_tasks
    ADD CONSTRAINT pk_station_tasks PRIMARY KEY (id);
ALTER TABLE ONLY public.station_territories
    ADD CONSTRAINT pk_station_territories PRIMARY KEY (station_id, territory_id);
ALTER TABLE ONLY public.stations
    ADD CONSTRAINT pk_stations PRIMARY KEY (id);
ALTER TABLE ONLY public.stored_answers
    ADD CONSTRAINT pk_stored_answers PRIMARY KEY (user_id, route, key);
ALTER TABLE ONLY public.sync_conflicts
    ADD CONSTRAINT pk_sync_conflicts PRIMARY KEY (id);
ALTER TABLE ONLY public.sync_problems
    ADD CONSTRAINT pk_sync_problems PRIMARY KEY (id);
ALTER TABLE ONLY public.sync_receipts
    ADD CONSTRAINT pk_sync_receipts PRIMARY KEY (installation_id, collection, row_id);
ALTER TABLE ONLY public.telemetry
    ADD CONSTRAINT pk_telemetry PRIMARY KEY (device_id, message_key, metric);
ALTER TABLE ONLY public.territories
    ADD CONSTRAINT pk_territories PRIMARY KEY (id);
ALTER TABLE ONLY public.user_territories
    ADD CONSTRAINT pk_user_territories PRIMARY KEY (user_id, territory_id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT pk_users PRIMARY KEY (id);
ALTER TABLE ONLY public.work_orders
    ADD CONSTRAINT pk_work_orders PRIMARY KEY (id);
ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT uq_alarms_rule_id_subject_id_episode UNIQUE (rule_id, subject_id, episode);
ALTER TABLE ONLY public.assets
    ADD CONSTRAINT uq_assets_serial UNIQUE (serial);
ALTER TABLE ONLY public.components
    ADD CONSTRAINT uq_components_serial UNIQUE (serial);
ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT uq_coupons_code_hash UNIQUE (code_hash);
ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT uq_coupons_offer_id UNIQUE (offer_id);
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT uq_customers_code UNIQUE (code);
ALTER TABLE ONLY public.dead_letters
    ADD CONSTRAINT uq_dead_letters_fingerprint UNIQUE (fingerprint);
ALTER TABLE ONLY public.device_profiles
    ADD CONSTRAINT uq_device_profiles_code UNIQUE (code);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT uq_devices_adapter_address UNIQUE (adapter, address);
ALTER TABLE ONLY public.fault_codes
    ADD CONSTRAINT uq_fault_codes_device_id_message_key_code UNIQUE (device_id, message_key, code);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT uq_notifications_dedupe_key UNIQUE (dedupe_key);
ALTER TABLE ONLY public.one_time_links
    ADD CONSTRAINT uq_one_time_links_secret_hash UNIQUE (secret_hash);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT uq_outbox_dedupe_key UNIQUE (dedupe_key);
ALTER TABLE ONLY public.part_stocks
    ADD CONSTRAINT uq_part_stocks_station_id_part_no UNIQUE (station_id, part_no);
ALTER TABLE ONLY public.partners
    ADD CONSTRAINT uq_partners_name UNIQUE (name);
ALTER TABLE ONLY public.registration_tokens
    ADD CONSTRAINT uq_registration_tokens_address UNIQUE (address);
ALTER TABLE ONLY public.rules
    ADD CONSTRAINT uq_rules_code UNIQUE (code);
ALTER TABLE ONLY public.service_offers
    ADD CONSTRAINT uq_service_offers_alarm_id UNIQUE (alarm_id);
ALTER TABLE ONLY public.service_offers
    ADD CONSTRAINT uq_service_offers_work_order_id UNIQUE (work_order_id);
ALTER TABLE ONLY public.station_grants
    ADD CONSTRAINT uq_station_grants_task_id UNIQUE (task_id);
ALTER TABLE ONLY public.stations
    ADD CONSTRAINT uq_stations_code UNIQUE (code);
ALTER TABLE ONLY public.sync_problems
    ADD CONSTRAINT uq_sync_problems_sent UNIQUE (installation_id, collection, row_id, content_hash);
ALTER TABLE ONLY public.territories
    ADD CONSTRAINT uq_territories_code UNIQUE (code);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT uq_users_login UNIQUE (login);
ALTER TABLE ONLY public.work_orders
    ADD CONSTRAINT uq_work_orders_number UNIQUE (number);
CREATE INDEX ix_alarms_asset_id ON public.alarms USING btree (asset_id);
CREATE INDEX ix_alarms_change_no ON public.alarms USING btree (change_no);
CREATE INDEX ix_alarms_subject_id_state ON public.alarms USING btree (subject_id, state);
CREATE INDEX ix_assets_change_no ON public.assets USING btree (change_no);
CREATE INDEX ix_assets_customer_id ON public.assets USING btree (customer_id);
CREATE INDEX ix_assets_site_id ON public.assets USING btree (site_id);
CREATE INDEX ix_attachments_change_no ON public.attachments USING btree (change_no);
CREATE INDEX ix_attachments_sha256 ON public.attachments USING btree (sha256);
CREATE INDEX ix_attachments_stored_sha256 ON public.attachments USING btree (stored_sha256);
CREATE INDEX ix_attachments_subject_id ON public.attachments USING btree (subject_id);
CREATE INDEX ix_attachments_user_id ON public.attachments USING btree (user_id);
CREATE INDEX ix_bookings_change_no ON public.bookings USING btree (change_no);
CREATE INDEX ix_bookings_work_order_id ON public.bookings USING btree (work_order_id);
CREATE INDEX ix_components_change_no ON public.components USING btree (change_no);
CREATE INDEX ix_coupons_change_no ON public.coupons USING btree (change_no);
CREATE INDEX ix_customers_change_no ON public.customers USING btree (change_no);
CREATE INDEX ix_customers_owner_id ON public.customers USING btree (owner_id);
CREATE INDEX ix_customers_territory_id ON public.customers USING btree (territory_id);
CREATE INDEX ix_dead_letters_reason ON public.dead_letters USING btree (reason);
CREATE INDEX ix_deleted_ids_at ON public.deleted_ids USING btree (at);
CREATE INDEX ix_detector_states_due_ms ON public.detector_states USING btree (due_ms);
CREATE INDEX ix_device_commands_change_no ON public.device_commands USING btree (change_no);
CREATE INDEX ix_device_commands_device_id ON public.device_commands USING btree (device_id);
CREATE INDEX ix_device_commands_state ON public.device_commands USING btree (state);
CREATE INDEX ix_device_presence_heard_ms ON public.device_presence USING btree (heard_ms);
CREATE INDEX ix_device_profiles_change_no ON public.device_profiles USING btree (change_no);
CREATE INDEX ix_devices_asset_id ON public.devices USING btree (asset_id);
CREATE INDEX ix_devices_change_no ON public.devices USING btree (change_no);
CREATE INDEX ix_devices_profile_id ON public.devices USING btree (profile_id);
CREATE INDEX ix_early_rows_at ON public.early_rows USING btree (at);
CREATE INDEX ix_failed_tries_last_at ON public.failed_tries USING btree (last_at);
CREATE INDEX ix_failed_tries_locked ON public.failed_tries USING btree (locked_until) WHERE (locked_until IS NOT NULL);
CREATE INDEX ix_fault_codes_asset_id_occurred_at ON public.fault_codes USING btree (asset_id, occurred_at);
CREATE INDEX ix_fault_codes_change_no ON public.fault_codes USING btree (change_no);
CREATE INDEX ix_field_marks_change_no ON public.field_marks USING btree (change_no);
CREATE INDEX ix_fittings_asset_id_fitted_at ON public.fittings USING btree (asset_id, fitted_at);
CREATE INDEX ix_fittings_change_no ON public.fittings USING btree (change_no);
CREATE INDEX ix_fittings_component_id ON public.fittings USING btree (component_id);
CREATE INDEX ix_history_causes_cause_id ON public.history_causes USING btree (cause_id);
CREATE INDEX ix_history_subject_kind_subject_id_id ON public.history USING btree (subject_kind, subject_id, id);
CREATE INDEX ix_intents_change_no ON public.intents USING btree (change_no);
CREATE INDEX ix_intents_user_id ON public.intents USING btree (user_id);
CREATE INDEX ix_notifications_change_no ON public.notifications USING btree (change_no);
CREATE INDEX ix_notifications_user_id ON public.notifications USING btree (user_id);
CREATE INDEX ix_one_time_links_user_id ON public.one_time_links USING btree (user_id);
CREATE INDEX ix_outbox_due ON public.outbox USING btree (next_at) WHERE ((state)::text = 'queued'::text);
CREATE INDEX ix_outbox_notification_id ON public.outbox USING btree (notification_id);
CREATE INDEX ix_part_stocks_change_no ON public.part_stocks USING btree (change_no);
CREATE INDEX ix_partners_change_no ON public.partners USING btree (change_no);
CREATE INDEX ix_refresh_tokens_expires_at ON public.refresh_tokens USING btree (expires_at);
CREATE INDEX ix_refresh_tokens_parent_hash ON public.refresh_tokens USING btree (parent_hash);
CREATE INDEX ix_refresh_tokens_session_id ON public.refresh_tokens USING btree (session_id);
CREATE INDEX ix_registration_tokens_user_id ON public.registration_tokens USING btree (user_id);
CREATE INDEX ix_rules_change_no ON public.rules USING btree (change_no);
CREATE INDEX ix_scope_entries_change_no ON public.scope_entries USING btree (change_no) WHERE (change_no IS NULL);
CREATE INDEX ix_scope_entries_delta ON public.scope_entries USING btree (scope, change_no);
CREATE INDEX ix_scope_entries_row ON public.scope_entries USING btree (collection, row_id);
CREATE INDEX ix_scope_grants_scope ON public.scope_grants USING btree (scope);
CREATE INDEX ix_service_offers_asset_id ON public.service_offers USING btree (asset_id);
CREATE INDEX ix_service_offers_change_no ON public.service_offers USING btree (change_no);
CREATE INDEX ix_service_offers_customer_id ON public.service_offers USING btree (customer_id);
CREATE INDEX ix_service_offers_state_valid_until ON public.service_offers USING btree (state, valid_until);
CREATE INDEX ix_sign_in_sessions_user_id ON public.sign_in_sessions USING btree (user_id);
CREATE INDEX ix_sites_change_no ON public.sites USING btree (change_no);
CREATE INDEX ix_sites_customer_id ON public.sites USING btree (customer_id);
CREATE INDEX ix_station_grants_asset_id ON public.station_grants USING btree (asset_id);
CREATE INDEX ix_station_grants_change_no ON public.station_grants USING btree (change_no);
CREATE INDEX ix_station_grants_customer_id ON public.station_grants USING btree (customer_id);
CREATE INDEX ix_station_grants_station_id_ended_at ON public.station_grants USING btree (station_id, ended_at);
CREATE INDEX ix_station_tasks_change_no ON public.station_tasks USING btree (change_no);
CREATE INDEX ix_station_tasks_state_answer_by ON public.station_tasks USING btree (state, answer_by);
CREATE INDEX ix_station_tasks_station_id ON public.station_tasks USING btree (station_id);
CREATE INDEX ix_station_tasks_work_order_id ON public.station_tasks USING btree (work_order_id);
CREATE INDEX ix_station_territories_territory_id ON public.station_territories USING btree (territory_id);
CREATE INDEX ix_stations_change_no ON public.stations USING btree (change_no);
CREATE INDEX ix_stations_partner_id ON public.stations USING btree (partner_id);
CREATE INDEX ix_stored_answers_at ON public.stored_answers USING btree (at);
CREATE INDEX ix_sync_conflicts_change_no ON public.sync_conflicts USING btree (change_no);
CREATE INDEX ix_sync_conflicts_collection_row_id ON public.sync_conflicts USING btree (collection, row_id);
CREATE INDEX ix_sync_problems_change_no ON public.sync_problems USING btree (change_no);
CREATE INDEX ix_sync_problems_user_id ON public.sync_problems USING btree (user_id);
CREATE INDEX ix_sync_receipts_at ON public.sync_receipts USING btree (at);
CREATE INDEX ix_telemetry_device_metric_at ON public.telemetry USING btree (device_id, metric, at_ms);
CREATE INDEX ix_territories_change_no ON public.territories USING btree (change_no);
CREATE INDEX ix_user_territories_territory_id ON public.user_territories USING btree (territory_id);
CREATE INDEX ix_users_change_no ON public.users USING btree (change_no);
CREATE INDEX ix_users_customer_id ON public.users USING btree (customer_id);
CREATE UNIQUE INDEX ix_users_login_key ON public.users USING btree (login_key);
CREATE INDEX ix_users_station_id ON public.users USING btree (station_id);
CREATE INDEX ix_work_orders_asset_id ON public.work_orders USING btree (asset_id);
CREATE INDEX ix_work_orders_change_no ON public.work_orders USING btree (change_no);
CREATE INDEX ix_work_orders_component_id ON public.work_orders USING btree (component_id);
CREATE INDEX ix_work_orders_customer_id ON public.work_orders USING btree (customer_id);
CREATE INDEX ix_work_orders_state ON public.work_orders USING btree (state);
CREATE INDEX ix_work_orders_territory_id ON public.work_orders USING btree (territory_id);
CREATE UNIQUE INDEX uq_alarms_open ON public.alarms USING btree (rule_id, subject_id) WHERE ((state)::text = ANY ((ARRAY['raised'::character varying, 'acknowledged'::character varying])::text[]));
CREATE UNIQUE INDEX uq_bookings_held ON public.bookings USING btree (station_id, bay, starts_at) WHERE ((state)::text = 'held'::text);
CREATE UNIQUE INDEX uq_fittings_open ON public.fittings USING btree (component_id) WHERE ((removed_at IS NULL) AND (deleted_at IS NULL));
CREATE UNIQUE INDEX uq_service_offers_open ON public.service_offers USING btree (component_id, kind) WHERE ((state)::text = ANY ((ARRAY['issued'::character varying, 'viewed'::character varying, 'accepted'::character varying])::text[]));
CREATE UNIQUE INDEX uq_station_tasks_live ON public.station_tasks USING btree (work_order_id) WHERE ((state)::text = ANY ((ARRAY['offered'::character varying, 'accepted'::character varying, 'in_progress'::character varying])::text[]));
CREATE UNIQUE INDEX uq_work_orders_open_job ON public.work_orders USING btree (component_id, job) WHERE ((state)::text <> ALL ((ARRAY['finished'::character varying, 'cancelled'::character varying])::text[]));
ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT fk_alarms_acknowledged_by FOREIGN KEY (acknowledged_by) REFERENCES public.users(id);
ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT fk_alarms_asset_id FOREIGN KEY (asset_id) REFERENCES public.assets(id);
ALTER TABLE ONLY public.alarms
    ADD CONSTRAINT fk_alarms_rule_id FOREIGN KEY (rule_id) REFERENCES public.rules(id);
ALTER TABLE ONLY public.assets
    ADD CONSTRAINT fk_assets_customer_id FOREIGN KEY (customer_id) REFERENCES public.customers(id);
ALTER TABLE ONLY public.assets
    ADD CONSTRAINT fk_assets_site_id FOREIGN KEY (site_id) REFERENCES public.sites(id);
ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT fk_attachments_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT fk_bookings_station_id FOREIGN KEY (station_id) REFERENCES public.stations(id);
ALTER TABLE ONLY public.bookings
    ADD CONSTRAINT fk_bookings_work_order_id FOREIGN KEY (work_order_id) REFERENCES public.work_orders(id);
ALTER TABLE ONLY public.channel_preferences
    ADD CONSTRAINT fk_channel_preferences_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT fk_coupons_offer_id FOREIGN KEY (offer_id) REFERENCES public.service_offers(id);
ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT fk_coupons_redeemed_by FOREIGN KEY (redeemed_by) REFERENCES public.users(id);
ALTER TABLE ONLY public.coupons
    ADD CONSTRAINT fk_coupons_station_id FOREIGN KEY (station_id) REFERENCES public.stations(id);
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT fk_customers_owner_id FOREIGN KEY (owner_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.customers
    ADD CONSTRAINT fk_customers_territory_id FOREIGN KEY (territory_id) REFERENCES public.territories(id);
ALTER TABLE ONLY public.deleted_ids
    ADD CONSTRAINT fk_deleted_ids_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.detector_states
    ADD CONSTRAINT fk_detector_states_component_id FOREIGN KEY (component_id) REFERENCES public.components(id);
ALTER TABLE ONLY public.detector_states
    ADD CONSTRAINT fk_detector_states_rule_id FOREIGN KEY (rule_id) REFERENCES public.rules(id);
ALTER TABLE ONLY public.device_commands
    ADD CONSTRAINT fk_device_commands_device_id FOREIGN KEY (device_id) REFERENCES public.devices(id);
ALTER TABLE ONLY public.device_presence
    ADD CONSTRAINT fk_device_presence_device_id FOREIGN KEY (device_id) REFERENCES public.devices(id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT fk_devices_asset_id FOREIGN KEY (asset_id) REFERENCES public.assets(id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT fk_devices_profile_id FOREIGN KEY (profile_id) REFERENCES public.device_profiles(id);
ALTER TABLE ONLY public.early_rows
    ADD CONSTRAINT fk_early_rows_user_id_users FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.fault_codes
    ADD CONSTRAINT fk_fault_codes_asset_id FOREIGN KEY (asset_id) REFERENCES public.assets(id);
ALTER TABLE ONLY public.fault_codes
    ADD CONSTRAINT fk_fault_codes_device_id FOREIGN KEY (device_id) REFERENCES public.devices(id);
ALTER TABLE ONLY public.fittings
    ADD CONSTRAINT fk_fittings_asset_id FOREIGN KEY (asset_id) REFERENCES public.assets(id);
ALTER TABLE ONLY public.fittings
    ADD CONSTRAINT fk_fittings_component_id FOREIGN KEY (component_id) REFERENCES public.components(id);
ALTER TABLE ONLY public.history_causes
    ADD CONSTRAINT fk_history_causes_cause_id FOREIGN KEY (cause_id) REFERENCES public.history(id);
ALTER TABLE ONLY public.history_causes
    ADD CONSTRAINT fk_history_causes_effect_id FOREIGN KEY (effect_id) REFERENCES public.history(id);
ALTER TABLE ONLY public.installations
    ADD CONSTRAINT fk_installations_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.intents
    ADD CONSTRAINT fk_intents_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.notifications
    ADD CONSTRAINT fk_notifications_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.one_time_links
    ADD CONSTRAINT fk_one_time_links_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT fk_outbox_notification_id FOREIGN KEY (notification_id) REFERENCES public.notifications(id);
ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT fk_outbox_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.part_stocks
    ADD CONSTRAINT fk_part_stocks_station_id FOREIGN KEY (station_id) REFERENCES public.stations(id);
ALTER TABLE ONLY public.refresh_tokens
    ADD CONSTRAINT fk_refresh_tokens_session_id FOREIGN KEY (session_id) REFERENCES public.sign_in_sessions(id);
ALTER TABLE ONLY public.registration_tokens
    ADD CONSTRAINT fk_registration_tokens_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.rule_versions
    ADD CONSTRAINT fk_rule_versions_author_id FOREIGN KEY (author_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.rule_versions
    ADD CONSTRAINT fk_rule_versions_rule_id FOREIGN KEY (rule_id) REFERENCES public.rules(id);
ALTER TABLE ONLY public.service_offers
    ADD CONSTRAINT fk_service_offers_asset_id FOREIGN KEY (asset_id) REFERENCES public.assets(id);
ALTER TABLE ONLY public.service_offers
    ADD CONSTRAINT fk_service_offers_component_id FOREIGN KEY (component_id) REFERENCES public.components(id);
ALTER TABLE ONLY public.service_offers
    ADD CONSTRAINT fk_service_offers_customer_id FOREIGN KEY (customer_id) REFERENCES public.customers(id);
ALTER TABLE ONLY public.service_offers
    ADD CONSTRAINT fk_service_offers_work_order_id FOREIGN KEY (work_order_id) REFERENCES public.work_orders(id);
ALTER TABLE ONLY public.sign_in_sessions
    ADD CONSTRAINT fk_sign_in_sessions_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.sites
    ADD CONSTRAINT fk_sites_customer_id FOREIGN KEY (customer_id) REFERENCES public.customers(id);
ALTER TABLE ONLY public.station_grants
    ADD CONSTRAINT fk_station_grants_asset_id FOREIGN KEY (asset_id) REFERENCES public.assets(id);
ALTER TABLE ONLY public.station_grants
    ADD CONSTRAINT fk_station_grants_customer_id FOREIGN KEY (customer_id) REFERENCES public.customers(id);
ALTER TABLE ONLY public.station_grants
    ADD CONSTRAINT fk_station_grants_station_id FOREIGN KEY (station_id) REFERENCES public.stations(id);
ALTER TABLE ONLY public.station_tasks
    ADD CONSTRAINT fk_station_tasks_station_id FOREIGN KEY (station_id) REFERENCES public.stations(id);
ALTER TABLE ONLY public.station_tasks
    ADD CONSTRAINT fk_station_tasks_work_order_id FOREIGN KEY (work_order_id) REFERENCES public.work_orders(id);
ALTER TABLE ONLY public.station_territories
    ADD CONSTRAINT fk_station_territories_station_id FOREIGN KEY (station_id) REFERENCES public.stations(id);
ALTER TABLE ONLY public.station_territories
    ADD CONSTRAINT fk_station_territories_territory_id FOREIGN KEY (territory_id) REFERENCES public.territories(id);
ALTER TABLE ONLY public.stations
    ADD CONSTRAINT fk_stations_partner_id FOREIGN KEY (partner_id) REFERENCES public.partners(id);
ALTER TABLE ONLY public.sync_conflicts
    ADD CONSTRAINT fk_sync_conflicts_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.sync_problems
    ADD CONSTRAINT fk_sync_problems_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.user_territories
    ADD CONSTRAINT fk_user_territories_territory_id FOREIGN KEY (territory_id) REFERENCES public.territories(id);
ALTER TABLE ONLY public.user_territories
    ADD CONSTRAINT fk_user_territories_user_id FOREIGN KEY (user_id) REFERENCES public.users(id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT fk_users_customer_id FOREIGN KEY (customer_id) REFERENCES public.customers(id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT fk_users_partner_id FOREIGN KEY (partner_id) REFERENCES public.partners(id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT fk_users_station_id FOREIGN KEY (station_id) REFERENCES public.stations(id);
ALTER TABLE ONLY public.work_orders
    ADD CONSTRAINT fk_work_orders_asset_id FOREIGN KEY (asset_id) REFERENCES public.assets(id);
ALTER TABLE ONLY public.work_orders
    ADD CONSTRAINT fk_work_orders_component_id FOREIGN KEY (component_id) REFERENCES public.components(id);
ALTER TABLE ONLY public.work_orders
    ADD CONSTRAINT fk_work_orders_customer_id FOREIGN KEY (customer_id) REFERENCES public.customers(id);
ALTER TABLE ONLY public.work_orders
    ADD CONSTRAINT fk_work_orders_site_id FOREIGN KEY (site_id) REFERENCES public.sites(id);
ALTER TABLE ONLY public.work_orders
    ADD CONSTRAINT fk_work_orders_territory_id FOREIGN KEY (territory_id) REFERENCES public.territories(id);
