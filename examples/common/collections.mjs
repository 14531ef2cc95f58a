/**
 * The collections that a phone holds. A `?` marks what may be null.
 * Instants are milliseconds; lists and objects travel as JSON text.
 */
const COLLECTIONS = {
  customers: {
    code: 'string', name: 'string', phone: 'string?', email: 'string?', territory_id: 'string', owner_id: 'string?',
  },
  sites: { customer_id: 'string', name: 'string', address: 'string', lat: 'number', lon: 'number' },
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
};

export const SCHEMA_VERSION = 2;

/** What each later release of the app added. Version 1 is here so that an upgrade can be seen (and tested). */
export const ADDED = { 2: { tables: ['attachments'], columns: { customers: ['email'] } } };

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
