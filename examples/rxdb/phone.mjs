/** A phone that keeps its rows in RxDB and syncs them with Fieldloop. */

import { BehaviorSubject, NEVER, filter, firstValueFrom, merge, switchMap } from 'rxjs';
import {
  createRxDatabase, deepEqual, getAssumedMasterState, getChangedDocumentsSince, writeDocToDocState,
} from 'rxdb/plugins/core';
import { replicateRxCollection } from 'rxdb/plugins/replication';
import { getRxStorageMemory } from 'rxdb/plugins/storage-memory';
import { wrappedValidateAjvStorage } from 'rxdb/plugins/validate-ajv';
import { collectionsOf } from '../shared/collections.mjs';
import { connect } from '../shared/server.mjs';
import { resyncs } from './events.mjs';

function schemaOf(columns) {
  return {
    version: 0,
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

/** The server merges field by field and answers with the outcome: nothing is left to decide here. */
const serverMerges = {
  isEqual: deepEqual,
  resolve: ({ realMasterState }) => realMasterState,
};

/** `live` keeps asking the server for news while the phone is online. */
export async function openPhone({ name = 'fieldloop', schemaVersion, live = true, retryTime = 5_000, ...account }) {
  const server = connect(account);
  const collections = collectionsOf(schemaVersion);
  const database = await createRxDatabase({
    name,
    // Validation costs time: it finds mistakes while the app is made, and can be left out afterwards.
    storage: wrappedValidateAjvStorage({ storage: getRxStorageMemory() }),
    multiInstance: false,
  });
  await database.addCollections(
    Object.fromEntries(
      Object.entries(collections).map(([table, columns]) => [
        table,
        { schema: schemaOf(columns), conflictHandler: serverMerges },
      ]),
    ),
  );

  /**
   * Offline, the handlers wait here. RxDB's own pause() is not used: it drops a push that is under
   * way, and a pulled row can then move the push checkpoint past the dropped one.
   */
  const online = new BehaviorSubject(false);
  const onceOnline = () => firstValueFrom(online.pipe(filter(Boolean)));

  function replicate(table) {
    const collection = database[table];
    const path = `/sync/rxdb/${table}`;
    const fields = ['id', '_deleted', ...collections[table].map((column) => column.name)];
    let seen;

    /** The server may be newer than this app: a field that the schema lacks would stop the replication. */
    const known = (document) =>
      Object.fromEntries(fields.filter((name) => name in document).map((name) => [name, document[name]]));

    const page = (checkpoint, limit) =>
      server.call('GET', `${path}/pull`, {
        query: { checkpoint: checkpoint && JSON.stringify(checkpoint), limit },
      });

    /**
     * The server no longer knows what was deleted since the checkpoint: ask which rows are gone.
     * They go out with the first page of a fresh pull, as a page without rows would end the pull
     * and leave the old checkpoint in place.
     */
    async function startAgain(limit) {
      const ids = (await collection.find().exec()).map((document) => document.primary);
      const gone = await server.call('POST', `${path}/reconcile`, { body: { ids } });
      const first = await page(undefined, limit);
      return { checkpoint: first.checkpoint, documents: [...gone.documents, ...first.documents] };
    }

    async function pull(checkpoint, limit) {
      await onceOnline();
      const answer = await page(checkpoint, limit).catch((fault) => {
        if (fault.code === 'checkpoint_gone') return startAgain(limit);
        throw fault;
      });
      seen = answer.checkpoint;
      return { checkpoint: answer.checkpoint, documents: answer.documents.map(known) };
    }

    async function push(rows) {
      await onceOnline();
      const conflicts = await server.call('POST', `${path}/push`, { body: rows });
      return conflicts.map(known);
    }

    const news = () => resyncs(server, `${path}/stream`, () => seen && JSON.stringify(seen));
    return replicateRxCollection({
      replicationIdentifier: `fieldloop-${table}`,
      collection,
      retryTime,
      pull: {
        handler: pull,
        batchSize: 200,
        stream$: live ? online.pipe(switchMap((isOnline) => (isOnline ? news() : NEVER))) : undefined,
      },
      push: { handler: push, batchSize: 100 },
    });
  }

  const replications = Object.keys(collections).map(replicate);
  const sent$ = merge(...replications.map((replication) => replication.sent$));
  const errors$ = merge(...replications.map((replication) => replication.error$));

  async function awaitInSync() {
    await Promise.all(replications.map((replication) => replication.awaitInSync()));
  }

  /** Push and pull until a round had nothing to send: only a pull after the push shows what the server made of it. */
  async function sync() {
    online.next(true);
    let sent = 0;
    const counting = sent$.subscribe(() => {
      sent += 1;
    });
    let before;
    do {
      before = sent;
      replications.forEach((replication) => replication.reSync());
      await awaitInSync();
    } while (sent !== before);
    counting.unsubscribe();
    return { sent };
  }

  /** How many rows wait to be sent. */
  async function pending() {
    const counts = await Promise.all(
      replications.map(async ({ internalReplicationState: state, collection }) => {
        const { documents } = await getChangedDocumentsSince(collection.storageInstance, Number.MAX_SAFE_INTEGER);
        const master = await getAssumedMasterState(state, documents.map(({ id }) => id));
        return documents.filter(
          (document) => !master[document.id] || !deepEqual(master[document.id].docData, writeDocToDocState(document, false, false)),
        ).length;
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
