/** CouchDB's HTTP interface on LevelDB, as express-pouchdb serves it: `node server.mjs <port> <folder>`. */

import express from 'express';
import expressPouchDB from 'express-pouchdb';
import PouchDB from 'pouchdb';

const [port, folder] = process.argv.slice(2);
const app = express();
// Replication needs no more than this; the rest (users, validation, the web interface) would only cost time.
app.use(
  expressPouchDB(PouchDB.defaults({ prefix: `${folder}/` }), {
    mode: 'minimumForPouchDB',
    inMemoryConfig: true,
    logPath: `${folder}/log.txt`,
  }),
);
app.listen(Number(port), '127.0.0.1');
