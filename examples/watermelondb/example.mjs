/**
 * From signing in to a conflict, on WatermelonDB:
 *
 *     FIELDLOOP_URL=http://127.0.0.1:8000/api/v1 FIELDLOOP_LOGIN=... FIELDLOOP_PASSWORD=... \
 *       node watermelondb/example.mjs
 *
 * The person needs at least one customer. What is made here stays.
 */

import { randomUUID } from 'node:crypto';
import loggers from '@nozbe/watermelondb/utils/common/logger/index.js';
import { digestOf } from '../common/digest.mjs';
import { openPhone } from './phone.mjs';

const { FIELDLOOP_URL = 'http://127.0.0.1:8000/api/v1', FIELDLOOP_LOGIN, FIELDLOOP_PASSWORD } = process.env;
const mark = Date.now().toString(36);

loggers.default.log = () => {}; // what it has to say about its storage is not part of the story

function step(text, facts = '') {
  console.log(`- ${text}`, facts);
}

const account = { base: FIELDLOOP_URL, login: FIELDLOOP_LOGIN, password: FIELDLOOP_PASSWORD };
const phone = await openPhone({ ...account, installation: randomUUID() });
const { database, server } = phone;
const customers = database.get('customers');
const sites = database.get('sites');

await phone.signIn();
step('signed in as', FIELDLOOP_LOGIN);
step('first sync', await phone.sync());

const [customer] = await customers.query().fetch();
if (!customer) throw new Error('this person sees no customer');
step('customers on the phone', (await customers.query().fetch()).map(({ name }) => name));

await database.write(() =>
  customer.update(() => {
    customer.phone = '+8613900000000';
  }),
);
step('edited a phone number offline; rows waiting', await phone.pending());

const seen = await server.request('GET', `/customers/${customer.id}`);
await server.request('PATCH', `/customers/${customer.id}`, {
  headers: { 'If-Match': seen.headers.get('ETag') },
  body: { email: `desk-${mark}@example.com` },
});
step('meanwhile the office changed the e-mail address of the same customer');

step('sync', await phone.sync());
step('both edits are in the row', { phone: customer.phone, email: customer.email });

const { made, place } = await database.write(async () => {
  const newcomer = await customers.create((row) => {
    Object.assign(row, { code: `EX-${mark}`, name: 'Example customer', territory_id: customer.territory_id });
  });
  const door = await sites.create((row) => {
    Object.assign(row, { customer_id: newcomer.id, name: 'Example site', lat: 31.23, lon: 121.47 });
  });
  return { made: newcomer, place: door };
});
step('made a customer and a site offline; rows waiting', await phone.pending());
step('sync', await phone.sync());
step('they are on the server now', [made.syncStatus, place.syncStatus]);

await database.write(() =>
  place.update(() => {
    place.lat = 123;
  }),
);
step('moved the site to a latitude that does not exist');
step('sync: the row stays on the phone, everything else goes on', (await phone.sync()).rejected);
await phone.sync();
const problems = await database.get('sync_problems').query().fetch();
step('what is wrong with it came with the next sync', problems.find((row) => row.row_id === place.id)?.reasons);

await database.write(() =>
  place.update(() => {
    place.lat = 31.24;
  }),
);
step('corrected and synced', await phone.sync());
await phone.sync();

const local = digestOf((await customers.query().fetch()).map(({ _raw: row }) => row));
const { count, hash } = await server.call('GET', '/sync/digest', { query: { collection: 'customers' } });
step('the phone holds what the server says it should', local.count === count && local.hash === hash);
await phone.close();
