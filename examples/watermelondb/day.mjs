/**
 * What a rep's phone does in a day, on WatermelonDB: a visit off the fence with a photograph, and one without network that
 * reaches the server in the evening.
 *
 *     FIELDLOOP_URL=http://127.0.0.1:8000/api/v1 FIELDLOOP_LOGIN=... FIELDLOOP_PASSWORD=... [FIELDLOOP_LOCALE=zh-CN] node watermelondb/day.mjs
 *
 * The rep needs at least one site. What is made here stays.
 */

import { createHash, randomUUID } from 'node:crypto';
import loggers from '@nozbe/watermelondb/utils/common/logger/index.js';
import { upload } from '../common/uploads.mjs';
import { openPhone } from './phone.mjs';

const { FIELDLOOP_URL = 'http://127.0.0.1:8000/api/v1', FIELDLOOP_LOGIN, FIELDLOOP_PASSWORD } = process.env;
const chinese = process.env.FIELDLOOP_LOCALE === 'zh-CN';
const HOUR_MS = 3_600_000;
// The smallest picture there is; a phone sends what its camera took.
const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

loggers.default.log = () => {}; // what it has to say about its storage is not part of the story

function tell(english, other, facts = '') {
  console.log(`  ${chinese ? other : english}`, facts);
}

const phone = await openPhone({
  base: FIELDLOOP_URL, login: FIELDLOOP_LOGIN, password: FIELDLOOP_PASSWORD, installation: randomUUID(),
});
const { database, server } = phone;
await phone.signIn();
await phone.sync();
const [site] = await database.get('sites').query().fetch();
if (!site) throw new Error('this person sees no site');

/**
 * Ask for something that must obey a rule: a row, which waits on the phone until there is network. The server carries the
 * rows of a push out in the order in which they were made.
 */
async function ask(kind, body, madeAt = Date.now()) {
  return database.write(() =>
    database.get('intents').create((row) => {
      Object.assign(row, { kind, body: JSON.stringify(body), made_at: madeAt });
    }),
  );
}

/** Where the phone is, so many metres north of the site, at an instant by its own clock. */
function fix(atMs, northM) {
  const lat = site.lat + northM / 111_320 + Math.random() * 2e-5;
  const lon = site.lon + Math.random() * 2e-5;
  return { lat, lon, datum: 'wgs84', accuracy_m: 6 + Math.random() * 6, provider: 'gps', at_ms: atMs, sent_ms: Date.now() };
}

/** Plan a visit at the site for about now, under an id the phone makes. */
async function plan(purpose) {
  const id = randomUUID();
  const [from, until] = [Date.now() - HOUR_MS, Date.now() + HOUR_MS].map((ms) => new Date(ms).toISOString());
  await ask('visit.plan', { id, site_id: site.id, planned_from: from, planned_until: until, purpose });
  return id;
}

async function verdictOf(intent) {
  const row = await database.get('intents').find(intent.id);
  if (row.verdict !== 'accepted') process.exitCode = 1;
  return `${row.kind}: ${row.verdict}${row.text ? ` (${row.text})` : ''}`;
}

const visitOf = (id) => database.get('visits').find(id);

// Off the fence, two hours ago: the gate is closed, the rep stands 900 m away and takes a photograph.
const atGate = Date.now() - 2 * HOUR_MS;
const off = await plan(chinese ? '补签' : 'sign the offer');
const photo = await database.write(() =>
  database.get('attachments').create((row) => {
    Object.assign(row, {
      subject_kind: 'site', subject_id: site.id, name: 'gate.png', mime: 'image/png', size: PICTURE.length,
      sha256: createHash('sha256').update(PICTURE).digest('hex'), state: 'waiting', made_at: Date.now(),
    });
  }),
);
await phone.sync();
await upload(server, photo, PICTURE);
const note = chinese ? '大门已关，在停车场与客户会面' : 'the gate is closed, we meet at the car park';
const outside = await ask('visit.check_in', { visit_id: off, ...fix(atGate, 900), photo_id: photo.id, note }, atGate);
await phone.sync();
tell('900 m off the fence, with a photograph and a note', '距围栏 900 米，附照片和说明', await verdictOf(outside));
const gone = atGate + HOUR_MS / 4;
await ask('visit.check_out', { visit_id: off, ...fix(gone, 900), photo_id: photo.id, note, outcome: 'ok' }, gone);
await phone.sync();

// Without network from the morning on.
const morning = Date.now() - 8 * HOUR_MS;
const offline = await plan(chinese ? '巡检' : 'inspection');
const later = morning + HOUR_MS / 2;
const outcome = chinese ? '设备正常' : 'all runs';
const asked = [
  await ask('visit.check_in', { visit_id: offline, ...fix(morning, 0) }, morning),
  await ask('visit.check_out', { visit_id: offline, ...fix(later, 0), outcome }, later),
];
tell('a visit without network; rows waiting on the phone', '离线拜访，手机上待发送的行数', await phone.pending());
tell('evening: sync', '晚上联网同步', await phone.sync());
for (const intent of asked) console.log(' ', await verdictOf(intent));
const { number, state, began_at: began } = await visitOf(offline);
tell('the phone holds the visit as the server has it', '手机上的拜访与服务器一致', { number, state, began: new Date(began).toISOString() });
await phone.close();
