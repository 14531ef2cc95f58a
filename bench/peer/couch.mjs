/** PouchDB in memory, synced with a server of CouchDB's protocol: `node couch.mjs <JSON file>`. */

import { readFileSync } from 'node:fs';
import PouchDB from 'pouchdb';
import memory from 'pouchdb-adapter-memory';
import { play } from './steps.mjs';

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'));
PouchDB.plugin(memory);

await play(plan, async (name) => {
  const local = new PouchDB(`${name}-${plan.name}`, { adapter: 'memory' });
  const remote = new PouchDB(`${plan.base}/${plan.name}`);
  const documents = async () => (await local.allDocs({ include_docs: true })).rows.map(({ doc }) => doc);

  async function write(docs) {
    const faults = (await local.bulkDocs(docs)).filter(({ error }) => error);
    if (faults.length) throw new Error(JSON.stringify(faults[0]));
  }

  return {
    create: ({ customers, sites }) =>
      write([
        ...customers.map(({ id, ...row }) => ({ _id: id, kind: 'customers', ...row })),
        ...sites.map(({ id, ...row }) => ({ _id: id, kind: 'sites', ...row })),
      ]),
    async edit(ids, mark) {
      const { rows } = await local.allDocs({ keys: ids, include_docs: true });
      await write(rows.map(({ doc }) => ({ ...doc, address: mark })));
    },
    async sync() {
      const { push, pull } = await local.sync(remote, { batch_size: plan.batch });
      const faults = [...push.errors, ...pull.errors];
      if (faults.length || push.doc_write_failures || pull.doc_write_failures) throw new Error('some rows were not written');
    },
    marked: async (mark) => (await documents()).filter(({ address }) => address === mark).length,
    count: async () => (await documents()).length,
  };
});
