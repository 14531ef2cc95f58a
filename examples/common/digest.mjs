/** Proves that a phone holds the same rows as the server, without sending them. */

import { createHash } from 'node:crypto';

/** The same numbers as `GET /sync/digest`: the order of the rows does not matter. */
export function digestOf(rows) {
  let sum = 0n;
  for (const { id, updated_at: updatedAt } of rows) {
    sum ^= createHash('sha256').update(JSON.stringify([id, updatedAt])).digest().readBigUInt64BE();
  }
  return { count: rows.length, hash: sum.toString(16).padStart(16, '0') };
}
