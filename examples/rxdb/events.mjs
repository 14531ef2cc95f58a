/** Server-sent events over fetch: the browser's EventSource cannot send the headers that say who asks. */

import { Observable } from 'rxjs';

const FIRST_WAIT_MS = 5_000;

async function* linesOf(body) {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
    rest = lines.pop();
    yield* lines;
  }
}

const pause = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });

/**
 * Emit 'RESYNC' each time the server says that there is something new after `since()`. Asking
 * again does not emit by itself, because the server compares with the checkpoint it is given.
 */
export function resyncs(server, path, since) {
  return new Observable((subscriber) => {
    const stop = new AbortController();
    (async () => {
      let wait = FIRST_WAIT_MS;
      while (!stop.signal.aborted) {
        try {
          const answer = await server.request('GET', path, { query: { since: since() }, signal: stop.signal });
          for await (const line of linesOf(answer.body)) {
            if (line === 'data: RESYNC') subscriber.next('RESYNC');
            if (line.startsWith('retry:')) wait = Number(line.slice('retry:'.length));
          }
        } catch (fault) {
          // The pull knows what to do about a checkpoint that is gone; no link just means to try later.
          if (fault.code === 'checkpoint_gone') subscriber.next('RESYNC');
        }
        await pause(wait, stop.signal);
      }
    })();
    return () => stop.abort();
  });
}
