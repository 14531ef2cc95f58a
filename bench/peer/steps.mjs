/** The same day of two phones for both sides, with the bytes of every connection of this process. */

import net from 'node:net';

const sockets = new Set();
const connect = net.Socket.prototype.connect;
net.Socket.prototype.connect = function counted(...args) {
  sockets.add(this);
  return connect.apply(this, args);
};

function wire() {
  let sum = 0;
  for (const socket of sockets) sum += socket.bytesRead + socket.bytesWritten;
  return sum;
}

async function measure(work) {
  const bytes = wire();
  const began = performance.now();
  await work();
  return { ms: performance.now() - began, bytes: wire() - bytes };
}

const middle = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const typical = (all) => ({ ms: middle(all.map(({ ms }) => ms)), bytes: middle(all.map(({ bytes }) => bytes)) });

/**
 * `open()` returns a phone: `create(rows)`, `edit(ids, mark)`, `sync()`, `marked(mark)`, `count()`.
 * Both libraries keep their rows in memory; what they do to them is part of a sync's time.
 */
export async function play({ rows, delta, deltas, idles }, open) {
  const count = rows.customers.length + rows.sites.length;
  const one = await open('one');
  await one.sync();
  await one.create(rows);
  const push = await measure(() => one.sync());

  const other = await open('two');
  const first = await measure(() => other.sync());
  if ((await other.count()) !== count) throw new Error(`${await other.count()} rows came instead of ${count}`);

  const changes = [];
  for (let turn = 0; turn < deltas; turn += 1) {
    await one.edit(rows.sites.slice(turn * delta, (turn + 1) * delta).map(({ id }) => id), `turn ${turn}`);
    await one.sync();
    changes.push(await measure(() => other.sync()));
    const marked = await other.marked(`turn ${turn}`);
    if (marked !== delta) throw new Error(`${marked} edits came instead of ${delta}`);
  }
  const idle = [];
  for (let turn = 0; turn < idles; turn += 1) idle.push(await measure(() => other.sync()));
  console.log(JSON.stringify({ push, first, delta: typical(changes), idle: typical(idle) }));
  process.exit(0);
}
