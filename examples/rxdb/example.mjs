/**
 * From signing in to a conflict, on RxDB:
 *
 *     FIELDLOOP_URL=http://127.0.0.1:8000/api/v1 FIELDLOOP_LOGIN=... FIELDLOOP_PASSWORD=... \
 *       node rxdb/example.mjs
 *
 * The person needs at least one customer. What is made here stays.
 */

import { randomUUID } from 'node:crypto';
import { digestOf } from '../common/digest.mjs';
import { openPhone } from './phone.mjs';

const { FIELDLOOP_URL = 'http://127.0.0.1:8000/api/v1', FIELDLOOP_LOGIN, FIELDLOOP_PASSWORD } = process.env;
const mark = Date.now().toString(36);

function step(text, facts = '') {
  console.log(`- ${text}`, facts);
}

const account = { base: FIELDLOOP_URL, login: FIELDLOOP_LOGIN, password: FIELDLOOP_PASSWORD };
const phone = await openPhone({ ...account, installation: randomUUID() });
const { server } = phone;
const { customers, sites, sync_problems: problems } = phone.database;
phone.errors$.subscribe(({ message, parameters }) =>
  step('a replication failed and will try again', parameters.errors?.[0]?.message ?? message),
);

await phone.signIn();
step('signed in as', FIELDLOOP_LOGIN);
await phone.sync();
phone.goOffline();

const [customer] = await customers.find().exec();
if (!customer) throw new Error('this person sees no customer');
step('first sync; customers on the phone', (await customers.find().exec()).map(({ name }) => name));

await customer.incrementalPatch({ phone: '+8613900000000' });
step('edited a phone number offline; rows waiting', await phone.pending());

const seen = await server.request('GET', `/customers/${customer.id}`);
await server.request('PATCH', `/customers/${customer.id}`, {
  headers: { 'If-Match': seen.headers.get('ETag') },
  body: { email: `desk-${mark}@example.com` },
});
step('meanwhile the office changed the e-mail address of the same customer');

step('sync', await phone.sync());
phone.goOffline();
const merged = customer.getLatest();
step('both edits are in the row', { phone: merged.phone, email: merged.email });

const made = await customers.insert({
  id: randomUUID(), code: `EX-${mark}`, name: 'Example customer', territory_id: customer.territory_id,
});
const place = await sites.insert({
  id: randomUUID(), customer_id: made.id, name: 'Example site', address: '', lat: 31.23, lon: 121.47,
});
step('made a customer and a site offline; rows waiting', await phone.pending());
step('sync', await phone.sync());
step('they are on the server now; the site was stamped at', new Date(place.getLatest().updated_at).toISOString());

const lost = { id: randomUUID(), customer_id: made.id, name: 'Nowhere', address: '', lat: 123, lon: 0 };
await sites.insert(lost);
step('made a site at a latitude that does not exist');
await phone.sync();
step('sync: the server took it off the phone; still there?', Boolean(await sites.findOne(lost.id).exec()));
const problem = await problems.findOne({ selector: { row_id: lost.id } }).exec();
step('what is wrong with it, and what it held', { reasons: problem?.reasons, content: problem?.content });

await sites.insert({ ...lost, id: randomUUID(), lat: 31.24 });
step('made again, corrected, and synced', await phone.sync());

const news = new Promise((resolve) => {
  customer.email$.subscribe((email) => email?.startsWith('live') && resolve(email));
});
const now = await server.request('GET', `/customers/${customer.id}`);
await server.request('PATCH', `/customers/${customer.id}`, {
  headers: { 'If-Match': now.headers.get('ETag') },
  body: { email: `live-${mark}@example.com` },
});
step('online, the office changes it again and the phone hears of it', await news);

await phone.sync();
const local = digestOf((await customers.find().exec()).map((row) => row.toJSON()));
const { count, hash } = await server.call('GET', '/sync/digest', { query: { collection: 'customers' } });
step('the phone holds what the server says it should', local.count === count && local.hash === hash);
await phone.close();
