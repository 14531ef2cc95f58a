// Body of a function node: what the SQLite node wants for its prepared statements.
const [names, values] = msg.reading
  ? [['device', 'key', 'at', 'soh', 'soc', 'voltage', 'temp'], msg.reading]
  : [['device', 'at'], msg.alarm]
msg.params = Object.fromEntries(names.map((name, i) => [`$${name}`, values[i]]))
return msg
