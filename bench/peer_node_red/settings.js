// Node-RED without its editor; the function nodes get the PostgreSQL client.
module.exports = {
  uiHost: '127.0.0.1',
  uiPort: Number(process.env.BENCH_HTTP_PORT),
  httpAdminRoot: false,
  httpNodeRoot: false,
  disableEditor: true,
  credentialSecret: false,
  functionGlobalContext: { pg: require('pg') },
  logging: { console: { level: 'warn' } },
}
