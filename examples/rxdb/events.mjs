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
 * Emit the names of the collections in which there is something new: one stream for the whole phone.
 * The server holds it open; when it ends, or the link was lost, `since` tells where to go on.
 */
export function news(server) {
  return new Observable((subscriber) => {
    const stop = new AbortController();
    (async () => {
      let wait = FIRST_WAIT_MS;
      let since;
      while (!stop.signal.aborted) {
        try {
          const answer = await server.request('GET', '/sync/stream', { query: { since }, signal: stop.signal });
          for await (const line of linesOf(answer.body)) {
            if (line.startsWith('retry:')) wait = Number(line.slice('retry:'.length));
            if (line.startsWith('id:')) since = line.slice('id:'.length).trim();
            if (line.startsWith('data:')) subscriber.next(JSON.parse(line.slice('data:'.length)));
          }
        } catch {
          // No link, or the server is away: try again later.
        }
        await pause(wait, stop.signal);
      }
    })();
    return () => stop.abort();
  });
}
