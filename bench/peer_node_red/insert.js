// Body of a function node: one prepared INSERT of PostgreSQL, over a pool of ten connections that reads PGHOST and the like.
const { name, text, values } = msg.reading
  ? { name: 'reading', text: 'INSERT INTO readings VALUES ($1, $2, $3, $4, $5, $6, $7)', values: msg.reading }
  : { name: 'alarm', text: 'INSERT INTO alarms VALUES ($1, $2)', values: msg.alarm }
context.get('pool').query({ name, text, values }).then(() => node.done(), (fault) => node.error(fault, msg))
