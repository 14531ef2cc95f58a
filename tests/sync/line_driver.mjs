/**
 * What both phone drivers share: commands come in over stdin, one JSON object per line, and each is
 * answered by one JSON line on stdout. Import this first, so that no library keeps the real console.
 */

import { createInterface } from 'node:readline';
import { inspect } from 'node:util';

const logs = [];
let fault = { kind: 'none' };

function note(level, source, parts) {
  const text = parts.map((part) => (typeof part === 'string' ? part : inspect(part, { depth: 6 }))).join(' ');
  logs.push({ level, source, text });
}

for (const level of ['debug', 'log', 'info', 'warn', 'error']) {
  console[level] = (...parts) => note(level, 'console', parts);
}
process.on('warning', (warning) => note('warn', 'process', [warning]));
process.on('unhandledRejection', (reason) => note('error', 'unhandledRejection', [reason]));
process.on('uncaughtException', (error) => note('error', 'uncaughtException', [error]));

/** Keep what a library reports by other ways than the console. */
export function noteError(source, error) {
  note('error', source, [error.message, error]);
}

function hits(url, method) {
  if (fault.kind === 'none' || fault.times < 1) return false;
  return url.includes(fault.path) && (!fault.method || fault.method === method);
}

/** A fetch with the faults of a poor link: what was sent may arrive twice, or its answer not at all. */
export async function faultyFetch(url, options) {
  if (!hits(url, options.method)) return fetch(url, options);
  fault.times -= 1;
  const { kind } = fault;
  if (kind !== 'drop_request') {
    const answer = await fetch(url, options);
    await answer.arrayBuffer();
    if (kind === 'duplicate') return fetch(url, options);
  }
  throw new TypeError(`injected fault: ${kind} ${options.method} ${url}`);
}

const common = {
  fault({ kind, path = '', method, times = 1 }) {
    if (!['drop_request', 'drop_response', 'duplicate', 'none'].includes(kind)) throw new Error(`unknown fault ${kind}`);
    fault = { kind, path, method, times };
    return {};
  },
  logs({ clear = true }) {
    return { logs: clear ? logs.splice(0) : [...logs] };
  },
};

/** Answer commands one after the other, until `close` or the end of the input. */
export async function serve(commands) {
  const known = { ...common, ...commands };
  for await (const line of createInterface({ input: process.stdin })) {
    if (!line.trim()) continue;
    let answer;
    let command;
    try {
      const { command: name, ...options } = JSON.parse(line);
      command = name;
      if (!Object.hasOwn(known, name)) throw new Error(`unknown command ${name}`);
      answer = { ok: true, ...(await known[name](options)) };
    } catch (error) {
      answer = { ok: false, error: error.message, status: error.status, code: error.code };
    }
    await new Promise((written) => {
      process.stdout.write(`${JSON.stringify(answer)}\n`, written);
    });
    if (command === 'close') break;
  }
  // A phone that was opened only half may have left a timer running.
  process.exit(0);
}

/** Give up waiting after `ms`: a phone that cannot get in sync would otherwise stop the tests. */
export async function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not done within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
