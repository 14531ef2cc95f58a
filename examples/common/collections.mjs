/**
 * The collections that a phone holds. A `?` marks what may be null.
 * Instants are milliseconds; lists and objects travel as JSON text.
 */
const COLLECTIONS = {
  customers: {
    code: 'string', name: 'string', phone: 'string?', email: 'string?', territory_id: 'string', owner_id: 'string?',
    custom: 'string',
  },
  sites: { customer_id: 'string', name: 'string', address: 'string', lat: 'number?', lon: 'number?', opening_hours: 'string?' },
  stations: {
    code: 'string', name: 'string', address: 'string', lat: 'number', lon: 'number', opening_hours: 'string',
    time_zone: 'string', active: 'boolean',
  },
  assets: { serial: 'string', model: 'string', customer_id: 'string', site_id: 'string', warranty_until: 'string?' },
  alarms: {
    asset_id: 'string', state: 'string', severity: 'string', metric: 'string', raised_at: 'number', last_at: 'number',
    last_value: 'number', readings: 'number', cleared_at: 'number?', end_reason: 'string?',
  },
  work_orders: {
    number: 'string', job: 'string', asset_id: 'string', customer_id: 'string', site_id: 'string', part_no: 'string',
    state: 'string', slot_at: 'number?', finished_at: 'number?', cancel_reason: 'string?',
  },
  station_tasks: {
    work_order_id: 'string', station_id: 'string', state: 'string', part_no: 'string', answer_by: 'number',
    reason: 'string?',
  },
  service_offers: {
    kind: 'string', state: 'string', asset_id: 'string', work_order_id: 'string', price: 'string', discount: 'string',
    amount_due: 'string', currency: 'string', under_warranty: 'boolean', valid_until: 'number',
  },
  notifications: {
    kind: 'string', title: 'string', body: 'string', subject_kind: 'string', subject_id: 'string', opened_at: 'number?',
  },
  intents: {
    kind: 'string', body: 'string', made_at: 'number', verdict: 'string?', code: 'string?', text: 'string?',
    decided_at: 'number?',
  },
  attachments: {
    subject_kind: 'string', subject_id: 'string', name: 'string', mime: 'string', size: 'number', sha256: 'string',
    state: 'string', code: 'string?', made_at: 'number',
  },
  sync_problems: {
    table_name: 'string', row_id: 'string', reasons: 'string', text: 'string', content: 'string', state: 'string',
  },
  visits: {
    number: 'string', customer_id: 'string', site_id: 'string', user_id: 'string', purpose: 'string',
    planned_from: 'number', planned_until: 'number', length_minutes: 'number?', state: 'string',
    began_at: 'number?', ended_at: 'number?', outcome: 'string?', next_step: 'string?', cancel_reason: 'string?',
    type_id: 'string?', kit_id: 'string?', moved_count: 'number', incomplete: 'boolean', lacking: 'string',
    source: 'string', plan_id: 'string?',
  },
  custom_fields: {
    subject_kind: 'string', key: 'string', kind: 'string', label_zh: 'string', label_en: 'string',
    choices: 'string', territory_id: 'string?', retired: 'boolean',
  },
  contacts: {
    customer_id: 'string', name: 'string', phone: 'string?', office_phone: 'string?', email: 'string?',
    job_title: 'string?', role: 'string?', note: 'string', locale: 'string?', do_not_call: 'boolean',
    left_at: 'number?', state: 'string',
  },
  contact_relations: {
    customer_id: 'string', from_id: 'string', to_id: 'string', kind: 'string', strength: 'number', note: 'string',
  },
  contact_schemes: {
    number: 'number', document: 'string',
  },
  leads: {
    number: 'string', name: 'string', phone: 'string', interest: 'string', company: 'string?', email: 'string?',
    address: 'string?', territory_id: 'string?', source: 'string?', budget: 'string?', custom: 'string',
    state: 'string', owner_id: 'string?', completeness: 'number', missing: 'string', score: 'number',
    first_touch_at: 'number?', first_touch_due_at: 'number?', recycle_at: 'number?', customer_id: 'string?',
    lost_reason: 'string?', score_text: 'string',
  },
  pool_leads: {
    number: 'string', name_start: 'string', phone_end: 'string', interest: 'string', territory_id: 'string?',
    source: 'string?', score: 'number', completeness: 'number', pooled_at: 'number',
  },
  follow_ups: {
    customer_id: 'string?', lead_id: 'string?', user_id: 'string', kind: 'string', happened_at: 'number',
    summary: 'string', duration_s: 'number?', next_step: 'string?', next_due: 'string?', contact_id: 'string?',
    visit_id: 'string?', state: 'string', done_at: 'number?',
  },
  day_plans: {
    user_id: 'string', day: 'string', starts_at: 'number', ends_at: 'number', keep_windows: 'boolean',
    grace_minutes: 'number', state: 'string', answer: 'string?',
  },
  visit_types: {
    code: 'string', name_zh: 'string', name_en: 'string', active: 'boolean', number: 'number',
  },
  visit_kits: {
    type_id: 'string', number: 'number', steps: 'string',
  },
  step_results: {
    visit_id: 'string', user_id: 'string', step: 'string', kind: 'string', content: 'string', standing: 'boolean',
    made_at: 'number',
  },
  entitlement_kinds: {
    code: 'string', name_zh: 'string', name_en: 'string', unit: 'string', active: 'boolean', visit_type_id: 'string?',
    per_visit: 'string?', step_minutes: 'number',
  },
  entitlements: {
    customer_id: 'string', kind_id: 'string', granted: 'string', spent: 'string', left: 'string', beyond: 'string',
    next_end: 'string?', state: 'string', text: 'string',
  },
  entitlement_spends: {
    customer_id: 'string', kind_id: 'string', amount: 'string', happened_at: 'number', user_id: 'string',
    visit_id: 'string?', note: 'string?', source: 'string', state: 'string', covered: 'string', cover: 'string',
    lack: 'string?', settled_reason: 'string?', text: 'string',
  },
  track_consents: {
    text_version: 'number', digest: 'string', given_at: 'number', ended_at: 'number?', state: 'string',
  },
  track_shifts: {
    began_at: 'number', latest_end_at: 'number', ended_at: 'number?', end_reason: 'string?', state: 'string',
    fixes: 'number', distance_m: 'number?', unseen_m: 'number?', grade: 'string?',
  },
  visit_proposals: {
    shift_id: 'string', customer_id: 'string', site_id: 'string', came_at: 'number', left_at: 'number',
    state: 'string', visit_id: 'string?',
  },
  report_forms: {
    code: 'string', name_zh: 'string', name_en: 'string', active: 'boolean', number: 'number',
  },
  report_form_versions: {
    form_id: 'string', number: 'number', steps: 'string',
  },
  customer_reports: {
    customer_id: 'string', form_id: 'string', version_id: 'string', user_id: 'string', form_zh: 'string',
    form_en: 'string', content: 'string', grown: 'string', happened_at: 'number', awaiting: 'string?',
    state: 'string', seen_at: 'number?', answer: 'string?', answered_at: 'number?',
  },
};

export const SCHEMA_VERSION = 4;

/** What each later release of the app added. Version 1 is here so that an upgrade can be seen (and tested). */
export const ADDED = {
  2: { tables: ['attachments'], columns: { customers: ['email'] } },
  3: {
    tables: [
      'custom_fields', 'contacts', 'contact_relations', 'contact_schemes', 'leads', 'pool_leads', 'follow_ups',
      'day_plans', 'visits', 'visit_types', 'visit_kits', 'step_results', 'track_consents', 'track_shifts',
      'visit_proposals', 'entitlement_kinds', 'entitlements', 'entitlement_spends',
    ],
    columns: { customers: ['custom'], sites: ['opening_hours'] },
  },
  4: { tables: ['report_forms', 'report_form_versions', 'customer_reports'], columns: {} },
};

/** Return `{collection: [{name, type, isOptional}]}` as the app of that schema version knows it. */
export function collectionsOf(version = SCHEMA_VERSION) {
  const later = Object.keys(ADDED).filter((added) => added > version).map((added) => ADDED[added]);
  return Object.fromEntries(
    Object.entries(COLLECTIONS)
      .filter(([table]) => !later.some(({ tables }) => tables.includes(table)))
      .map(([table, fields]) => [
        table,
        Object.entries({ ...fields, created_at: 'number', updated_at: 'number' })
          .filter(([name]) => !later.some(({ columns }) => columns[table]?.includes(name)))
          .map(([name, type]) => ({ name, type: type.replace('?', ''), isOptional: type.endsWith('?') })),
      ]),
  );
}
