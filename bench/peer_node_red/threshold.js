// Body of a function node: three readings in a row below 75 are an alarm. First output: the message; second: the alarm.
const { ts, boot, seq, m } = msg.payload
const device = msg.topic.split('/')[2]
const low = context.get('low') || {}
low[device] = m.soh_pct < 75 ? (low[device] || 0) + 1 : 0
context.set('low', low)
const reading = [device, `${boot}:${seq}`, ts, m.soh_pct, m.soc_pct, m.pack_voltage_v, m.pack_temp_c]
return [{ reading }, low[device] === 3 ? { alarm: [device, ts] } : null]
