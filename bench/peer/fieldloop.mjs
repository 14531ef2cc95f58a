/** WatermelonDB in memory, synced with Fieldloop by the phone of the examples: `node fieldloop.mjs <JSON file>`. */

import { readFileSync } from 'node:fs';
import { openPhone } from '../../examples/watermelondb/phone.mjs';
import { play } from './steps.mjs';

const plan = JSON.parse(readFileSync(process.argv[2], 'utf8'));

await play(plan, async (name) => {
  const phone = await openPhone({
    base: plan.base,
    installation: `${name}-${plan.name}`,
    // The token was made beforehand, as everywhere in the bench, and a slow push is to be measured, not given up.
    fetch: async (url, { signal, ...options }) =>
      url.endsWith('/auth/sign-in') ? Response.json({ access_token: plan.token }) : fetch(url, options),
  });
  const { database } = phone;
  const rowsOf = (table) => database.get(table).query().fetch();

  const made = (table, { id, ...fields }) =>
    database.get(table).prepareCreate((row) => {
      row._raw.id = id;
      Object.assign(row, fields);
    });

  return {
    create: ({ customers, sites }) =>
      database.write(() =>
        database.batch([...customers.map((row) => made('customers', row)), ...sites.map((row) => made('sites', row))]),
      ),
    edit: (ids, mark) =>
      database.write(async () => {
        const wanted = new Set(ids);
        const found = (await rowsOf('sites')).filter(({ id }) => wanted.has(id));
        await database.batch(found.map((site) => site.prepareUpdate((row) => Object.assign(row, { address: mark }))));
      }),
    async sync() {
      const { rejected } = await phone.sync();
      if (Object.keys(rejected).length) throw new Error(`rejected: ${JSON.stringify(rejected).slice(0, 300)}`);
    },
    marked: async (mark) => (await rowsOf('sites')).filter(({ address }) => address === mark).length,
    count: async () => (await rowsOf('customers')).length + (await rowsOf('sites')).length,
  };
});
