/** One WatermelonDB phone per process, steered over stdin and stdout: see line_driver.mjs. */

import { faultyFetch, serve, within } from './line_driver.mjs';
import { openPhone } from '../../examples/watermelondb/phone.mjs';
import { digestOf } from '../../examples/common/digest.mjs';

let phone;

async function rowsOf(collection) {
  return (await phone.database.get(collection).query().fetch()).map(({ _raw: raw }) => ({ ...raw }));
}

function plain({ $loki, _status, _changed, ...row }) {
  return row;
}

function fill(record, changes) {
  for (const [column, value] of Object.entries(changes)) {
    if (!(column in record.collection.schema.columns)) throw new Error(`no column ${column}`);
    record._setRaw(column, value);
  }
}

await serve({
  /** A second `open` is the same phone started again, with its rows, maybe as a newer version of the app. */
  async open({ schema_version: schemaVersion, page_size: pageSize, ...account }) {
    await phone?.close();
    const storage = phone?.storage;
    phone = await openPhone({ schemaVersion, pageSize, storage, fetch: faultyFetch, ...account });
    return {};
  },
  async sign_in() {
    await phone.signIn();
    return {};
  },
  async sync({ limit_ms: limit = 20_000 }) {
    return within(limit, 'sync', phone.sync());
  },
  async list({ collection }) {
    return { rows: (await rowsOf(collection)).map(plain) };
  },
  async get({ collection, id }) {
    const row = (await rowsOf(collection)).find((candidate) => candidate.id === id);
    return { row: row ? plain(row) : null, status: row?._status };
  },
  async create({ collection, row: { id, ...columns } }) {
    const { database } = phone;
    const made = await database.write(() =>
      database.get(collection).create((record) => {
        if (id) record._raw.id = id;
        fill(record, columns);
      }),
    );
    return { id: made.id };
  },
  async update({ collection, id, changes }) {
    const { database } = phone;
    await database.write(async () => {
      const record = await database.get(collection).find(id);
      await record.update(() => fill(record, changes));
    });
    return {};
  },
  async delete({ collection, id }) {
    const { database } = phone;
    await database.write(async () => {
      const record = await database.get(collection).find(id);
      await record.markAsDeleted();
    });
    return {};
  },
  async pending() {
    return { count: await phone.pending() };
  },
  /** Over the rows without unsent changes, to compare with the server's. */
  async digest({ collection }) {
    return digestOf((await rowsOf(collection)).filter(({ _status: status }) => status === 'synced'));
  },
  async close() {
    await phone?.close();
    return {};
  },
});
