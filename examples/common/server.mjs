/** Talks to Fieldloop's API for one person on one installation of the app. */

import { SCHEMA_VERSION } from './collections.mjs';

const APP_VERSION = '1.0.0';
const PATIENCE_MS = 60_000;

/** A refusal by the server (problem+json): `code` is stable, `errors` names the fields. */
export class Problem extends Error {
  constructor(status, { code = 'unknown', detail = '', errors = {} }) {
    super(`${status} ${code} ${detail}`.trim());
    Object.assign(this, { status, code, errors });
  }
}

/** `base` ends in /api/v1; `installation` is made once, when the app is installed, and kept. */
export function connect({ base, login, password, installation, schemaVersion = SCHEMA_VERSION, fetch = globalThis.fetch }) {
  let tokens = null;
  let renewal = null;

  function send(method, path, { query = {}, body, headers = {}, signal } = {}) {
    const url = new URL(base + path);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    // A dead link must end in an error, or the phone would wait for ever and never try again.
    const patience = AbortSignal.timeout(PATIENCE_MS);
    return fetch(url.href, {
      method,
      headers: {
        'X-Installation': installation,
        'X-App-Version': APP_VERSION,
        'X-Schema-Version': `${schemaVersion}`,
        'X-Device-Time': `${Date.now()}`,
        ...(tokens && { Authorization: `Bearer ${tokens.access_token}` }),
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
        ...headers,
      },
      body: body === undefined || body instanceof Uint8Array ? body : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, patience]) : patience,
    });
  }

  async function accepted(answer) {
    if (!answer.ok) throw new Problem(answer.status, await answer.json().catch(() => ({})));
    return answer;
  }

  async function signIn() {
    tokens = null;
    tokens = await (await accepted(await send('POST', '/auth/sign-in', { body: { login, password } }))).json();
  }

  async function exchange() {
    if (!tokens) return signIn();
    const answer = await send('POST', '/auth/refresh', { body: { refresh_token: tokens.refresh_token } });
    // Refused for good: it is too old, or the session was ended.
    if (answer.status === 401) return signIn();
    tokens = await (await accepted(answer)).json();
  }

  /**
   * A refresh token that comes again after the next one was used ends the session, so requests that
   * run side by side must share one exchange, and one that comes late must not start another.
   */
  function renew(spent) {
    if (tokens !== spent) return undefined;
    renewal ??= exchange().finally(() => {
      renewal = null;
    });
    return renewal;
  }

  async function request(method, path, options) {
    if (!tokens) await renew(tokens);
    const spent = tokens;
    const answer = await send(method, path, options);
    if (answer.status !== 401) return accepted(answer);
    await renew(spent);
    return accepted(await send(method, path, options));
  }

  /** The answer's body; `request` gives the whole answer, with its headers. */
  async function call(method, path, options) {
    return (await request(method, path, options)).json();
  }

  return { signIn, request, call };
}
