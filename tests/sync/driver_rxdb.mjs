/** One RxDB phone per process, steered over stdin and stdout: see line_driver.mjs. */

import { faultyFetch, noteError, serve, within } from './line_driver.mjs';
import { openPhone } from '../../examples/rxdb/phone.mjs';
import { digestOf } from '../../examples/common/digest.mjs';

let phone;

async function found(collection, id) {
  const document = await phone.database[collection].findOne(id).exec();
  if (!document) throw new Error(`no row ${id} in ${collection}`);
  return document;
}

async function rowsOf(collection) {
  return (await phone.database[collection].find().exec()).map((document) => document.toJSON());
}

await serve({
  /** A second `open` is the same phone started again, with its rows. */
  async open({ schema_version: schemaVersion, collections: names, live = false, retry_ms: retryTime = 200, ...account }) {
    await phone?.close();
    phone = await openPhone({ schemaVersion, names, live, retryTime, fetch: faultyFetch, ...account });
    phone.errors$.subscribe((error) => noteError('replication', error));
    return {};
  },
  async sign_in() {
    await phone.signIn();
    return {};
  },
  async sync({ limit_ms: limit = 20_000 }) {
    return within(limit, 'sync', phone.sync()).finally(phone.goOffline);
  },
  /** Stay connected, with the stream of news if the phone was opened with `live`. */
  online() {
    phone.goOnline();
    return {};
  },
  offline() {
    phone.goOffline();
    return {};
  },
  async list({ collection }) {
    return { rows: await rowsOf(collection) };
  },
  async get({ collection, id }) {
    const document = await phone.database[collection].findOne(id).exec();
    return { row: document ? document.toJSON() : null };
  },
  async create({ collection, row: { id = crypto.randomUUID(), ...columns } }) {
    await phone.database[collection].insert({ id, ...columns });
    return { id };
  },
  async update({ collection, id, changes }) {
    await (await found(collection, id)).incrementalPatch(changes);
    return {};
  },
  async delete({ collection, id }) {
    await (await found(collection, id)).incrementalRemove();
    return {};
  },
  async pending() {
    return { count: await phone.pending() };
  },
  /** Over all rows: compare with the server's while nothing is pending. */
  async digest({ collection }) {
    return digestOf(await rowsOf(collection));
  },
  async close() {
    await phone?.close();
    return {};
  },
});
