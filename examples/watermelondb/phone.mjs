/** A phone that keeps its rows in WatermelonDB and syncs them with Fieldloop. */

import { Database, Model, appSchema, tableSchema } from '@nozbe/watermelondb';
import adapters from '@nozbe/watermelondb/adapters/lokijs/index.js';
import { addColumns, createTable, schemaMigrations } from '@nozbe/watermelondb/Schema/migrations/index.js';
import { synchronize } from '@nozbe/watermelondb/sync/index.js';
import { ADDED, SCHEMA_VERSION, collectionsOf } from '../common/collections.mjs';
import { connect } from '../common/server.mjs';

/**
 * A model whose properties are called like the columns. There is no `updatedAt` on purpose:
 * WatermelonDB would stamp it at each edit, count it as an edited column, and keep the phone's
 * time against the server's.
 */
function modelOf(table, columns) {
  class Row extends Model {
    static table = table;
  }
  for (const { name } of columns) {
    Object.defineProperty(Row.prototype, name, {
      get() {
        return this._getRaw(name);
      },
      set(value) {
        this._setRaw(name, value);
      },
    });
  }
  return Row;
}

function migrationsOf(version) {
  const collections = collectionsOf(version);
  return schemaMigrations({
    migrations: Object.entries(ADDED)
      .filter(([toVersion]) => toVersion <= version)
      .map(([toVersion, { tables, columns }]) => ({
        toVersion: Number(toVersion),
        steps: [
          ...tables.map((name) => createTable({ name, columns: collections[name] })),
          ...Object.entries(columns).map(([table, names]) =>
            addColumns({ table, columns: collections[table].filter(({ name }) => names.includes(name)) }),
          ),
        ],
      })),
  });
}

/**
 * `pageSize`: rows in one answer of a pull, by default as many as the server gives. `storage`: that of
 * a phone that was closed, to open its rows again; in Node they lie in memory only.
 */
export async function openPhone({ schemaVersion = SCHEMA_VERSION, pageSize, storage, ...account }) {
  const server = connect({ schemaVersion, ...account });
  const collections = collectionsOf(schemaVersion);
  const tables = Object.keys(collections);
  const adapter = new adapters.default({
    schema: appSchema({
      version: schemaVersion,
      tables: tables.map((name) => tableSchema({ name, columns: collections[name] })),
    }),
    migrations: migrationsOf(schemaVersion),
    useWebWorker: false,
    useIncrementalIndexedDB: true,
    _testLokiAdapter: storage,
  });
  const database = new Database({
    adapter,
    modelClasses: tables.map((table) => modelOf(table, collections[table])),
  });

  /**
   * The library pulls before it pushes, and keeps a person's unsent values over what comes. What they had seen when they
   * made them is where the phone stood before that pull; the push says so, or the server could not tell a conflict.
   * It is written down until a push went through whole: what was refused waits on, and is sent again when it was put right.
   * In a new column nobody has seen anything.
   */
  async function noteSeen(lastPulledAt, migration) {
    const before = await database.localStorage.get('seen');
    await database.localStorage.set('seen', migration ? 0 : (before ?? lastPulledAt ?? 0));
  }

  /** The library knows no pages: fetch them all and hand over one answer, applied as a whole. */
  async function pullChanges({ lastPulledAt, schemaVersion: version, migration }) {
    await noteSeen(lastPulledAt, migration);
    const changes = Object.fromEntries(tables.map((table) => [table, { created: [], updated: [], deleted: [] }]));
    let answer;
    do {
      answer = await server.call('GET', '/sync/watermelon', {
        query: {
          last_pulled_at: lastPulledAt,
          schema_version: version,
          migration: JSON.stringify(migration),
          page: answer?.next_page,
          limit: pageSize,
        },
      });
      for (const table of tables) {
        for (const [kind, rows] of Object.entries(answer.changes[table] ?? {})) {
          changes[table][kind] = changes[table][kind].concat(rows);
        }
      }
    } while (answer.has_more);
    const { timestamp, experimentalStrategy } = answer;
    return { changes, timestamp, experimentalStrategy };
  }

  async function syncOnce() {
    const log = {};
    let intents = 0;
    await synchronize({
      database,
      log,
      pullChanges,
      pushChanges: async ({ changes, lastPulledAt }) => {
        intents = changes.intents.created.length;
        const query = { last_pulled_at: lastPulledAt, seen: await database.localStorage.get('seen') };
        return server.call('POST', '/sync/watermelon', { query, body: changes });
      },
      sendCreatedAsUpdated: true,
      migrationsEnabledAtVersion: 1,
    });
    const refused = Object.values(log.rejectedIds ?? {}).some((ids) => ids.length > 0);
    if (!refused) await database.localStorage.remove('seen');
    return { log, intents };
  }

  async function syncWell() {
    const { log, intents } = await syncOnce();
    // What became of an intent is a row too, so it comes with the next pull: do not let the user wait for it.
    if (intents) await syncOnce();
    return {
      pulled: log.remoteChangeCount,
      pushed: log.localChangeCount,
      merged: log.resolvedConflicts?.length ?? 0,
      rejected: log.rejectedIds ?? {},
    };
  }

  let syncing = null;

  /** The library refuses a sync while another runs: whoever asks meanwhile shares that one. */
  function sync() {
    syncing ??= syncWell().finally(() => {
      syncing = null;
    });
    return syncing;
  }

  /** How many rows wait to be sent, those the server rejected included. */
  async function pending() {
    const counts = await Promise.all(
      tables.map(async (table) => {
        const rows = await database.get(table).query().fetch();
        const deleted = await database.adapter.getDeletedRecords(table);
        return rows.filter(({ syncStatus }) => syncStatus !== 'synced').length + deleted.length;
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  function close() {
    return new Promise((resolve) => {
      adapter._driver.loki.close(resolve);
    });
  }

  await database.adapter.getLocal('opened'); // the adapter queues its calls: the first answer means that it is set up
  return { database, server, sync, pending, close, signIn: server.signIn, storage: adapter._driver.loki.persistenceAdapter };
}
