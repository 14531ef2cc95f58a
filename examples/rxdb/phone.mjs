/** A phone that keeps its rows in RxDB and syncs them with Fieldloop. */

import { BehaviorSubject, NEVER, distinctUntilChanged, filter, firstValueFrom, map, merge, share, switchMap } from 'rxjs';
import {
  addRxPlugin, createRxDatabase, getAssumedMasterState, getChangedDocumentsSince, writeDocToDocState,
} from 'rxdb/plugins/core';
import { RxDBMigrationSchemaPlugin } from 'rxdb/plugins/migration-schema';
import { replicateRxCollection } from 'rxdb/plugins/replication';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { wrappedValidateAjvStorage } from 'rxdb/plugins/validate-ajv';
import { SCHEMA_VERSION, collectionsOf } from '../common/collections.mjs';
import { connect } from '../common/server.mjs';
import { news } from './events.mjs';

addRxPlugin(RxDBMigrationSchemaPlugin);

const MOST_COLLECTIONS = 13;

function schemaOf(columns, version) {
  return {
    version: version - 1,
    primaryKey: 'id',
    type: 'object',
    properties: {
      id: { type: 'string', maxLength: 36 },
      ...Object.fromEntries(
        columns.map(({ name, type, isOptional }) => [name, { type: isOptional ? [type, 'null'] : type }]),
      ),
    },
    required: ['id'],
  };
}

/** A row of an older release stays as it is: what its new columns hold comes with the next pull. */
function migrationsTo(version) {
  return Object.fromEntries(Array.from({ length: version - 1 }, (_, before) => [before + 1, (row) => row]));
}

/**
 * `live` keeps asking the server for news while the phone is online. `names` are the collections the
 * app uses, by default the first 13: the free RxDB allows no more in one process.
 */
export async function openPhone({
  database: databaseName = 'fieldloop', schemaVersion = SCHEMA_VERSION, names, live = true, retryTime = 5_000, ...account
}) {
  const server = connect({ schemaVersion, ...account });
  const known = collectionsOf(schemaVersion);
  const held = names ?? Object.keys(known).slice(0, MOST_COLLECTIONS);
  const collections = Object.fromEntries(held.map((name) => [name, known[name]]));
  const database = await createRxDatabase({
    name: databaseName,
    // Validation costs time: it finds mistakes while the app is made, and can be left out afterwards.
    storage: wrappedValidateAjvStorage({ storage: getRxStorageMemory() }),
    multiInstance: false,
  });
  /*
   * RxDB's own conflict handler takes the server's state, and the server has merged field by field. An `isEqual` of
   * one's own would have to overlook `_attachments`, as RxDB's does: a schema migration adds an empty one to what the
   * replication remembers of the server, and each row would pass for an unsent edit, which no pull may touch.
   */
  await database.addCollections(
    Object.fromEntries(
      Object.entries(collections).map(([table, columns]) => [
        table,
        { schema: schemaOf(columns, schemaVersion), migrationStrategies: migrationsTo(schemaVersion) },
      ]),
    ),
  );

  /**
   * Offline, the handlers wait here. RxDB's own pause() is not used, nor its pause while the page is
   * hidden: it gives up a push that is being retried, and a row pulled meanwhile moves the push
   * checkpoint past the one given up, which is then never sent.
   */
  const online = new BehaviorSubject(false);
  const onceOnline = () => firstValueFrom(online.pipe(filter(Boolean)));
  const whileOnline = (open) => online.pipe(distinctUntilChanged(), switchMap((isOnline) => (isOnline ? open() : NEVER)));

  const changed$ = whileOnline(() => news(server)).pipe(share());

  let pushes = 0;

  function replicate(table) {
    const collection = database[table];
    const path = `/sync/rxdb/${table}`;
    const fields = ['id', '_deleted', ...collections[table].map((column) => column.name)];
    /** The server may be newer than this app: a field that the schema lacks would stop the replication. */
    const trim = (document) =>
      Object.fromEntries(fields.filter((name) => name in document).map((name) => [name, document[name]]));

    const page = (checkpoint, limit) =>
      server.call('GET', `${path}/pull`, {
        query: { checkpoint: checkpoint && JSON.stringify(checkpoint), limit },
      });

    const idsHere = async () => (await collection.find().exec()).map((document) => document.primary);

    /**
     * The server no longer knows what was deleted since the checkpoint: ask which rows are gone.
     * They go out with the first page of a fresh pull, as a page without rows would end the pull
     * and leave the old checkpoint in place.
     */
    async function startAgain(limit, ids) {
      const gone = await server.call('POST', `${path}/reconcile`, { body: { ids } });
      const first = await page(gone.checkpoint, limit);
      return { checkpoint: first.checkpoint, documents: [...gone.documents, ...first.documents] };
    }

    async function pull(stored, limit) {
      await onceOnline();
      // An upgraded app pulls everything once more: the rows it has lack what the new columns hold.
      const checkpoint = stored?.schemaVersion === schemaVersion ? stored : undefined;
      // Rows without a checkpoint, also those of an app that was killed in its first pull: which of them are gone since?
      const begun = checkpoint ? [] : await idsHere();
      const answer = begun.length
        ? await startAgain(limit, begun)
        : await page(checkpoint, limit).catch(async (fault) => {
            if (fault.code === 'checkpoint_gone') return startAgain(limit, await idsHere());
            throw fault;
          });
      return { checkpoint: { ...answer.checkpoint, schemaVersion }, documents: answer.documents.map(trim) };
    }

    async function push(rows) {
      await onceOnline();
      const conflicts = await server.call('POST', `${path}/push`, { body: rows });
      pushes += 1;
      return conflicts.map(trim);
    }

    return replicateRxCollection({
      replicationIdentifier: `fieldloop-${table}`,
      collection,
      retryTime,
      toggleOnDocumentVisible: false,
      pull: {
        handler: pull,
        batchSize: 200,
        stream$: live ? changed$.pipe(filter((names) => names.includes(table)), map(() => 'RESYNC')) : undefined,
      },
      push: { handler: push, batchSize: 100 },
    });
  }

  const replications = Object.keys(collections).map(replicate);
  const errors$ = merge(...replications.map((replication) => replication.error$));

  async function awaitInSync() {
    await Promise.all(replications.map((replication) => replication.awaitInSync()));
  }

  /** Push and pull until a round had nothing to push: what a push led to, in any collection, comes with a pull. */
  async function sync() {
    online.next(true);
    const start = pushes;
    let before;
    do {
      before = pushes;
      replications.forEach((replication) => replication.reSync());
      await awaitInSync();
    } while (pushes !== before);
    return { pushes: pushes - start };
  }

  /** How many rows wait to be sent. */
  async function pending() {
    const counts = await Promise.all(
      replications.map(async ({ internalReplicationState: state, collection }) => {
        const { documents } = await getChangedDocumentsSince(collection.storageInstance, Number.MAX_SAFE_INTEGER);
        const master = await getAssumedMasterState(state, documents.map(({ id }) => id));
        const isSent = (document) =>
          master[document.id] &&
          collection.conflictHandler.isEqual(master[document.id].docData, writeDocToDocState(document, false, false));
        return documents.filter((document) => !isSent(document)).length;
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  await Promise.all(replications.map((replication) => replication.startPromise));
  return {
    database,
    server,
    errors$,
    sync,
    awaitInSync,
    pending,
    signIn: server.signIn,
    goOnline: () => online.next(true),
    goOffline: () => online.next(false),
    close: () => database.close(),
  };
}
