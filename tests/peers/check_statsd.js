#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// check_statsd.js GB WORKER: a real statsd gets what the reporter sends, and its counters, timer counts and gauges are compared with the
// log; DogStatsD lines are compared with those that hot-shots makes of the same values. Skipped (77) where one is missing.
const fs = require('fs'), os = require('os'), path = require('path'), dgram = require('dgram');
const { spawn, spawnSync } = require('child_process');
const [gb, worker] = process.argv.slice(2);
let server, HotShots;
try {
  server = require.resolve('statsd/stats.js');
  HotShots = require('hot-shots');
} catch (error) {
  console.log(`${error.message.split('\n')[0]}: skipped`);
  process.exit(77);
}
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'gb-statsd-'));
const failures = [];
const check = (what, found, expected) => {
  if (Math.abs(found - expected) > 1e-6 * Math.abs(expected) || Number.isNaN(found) || found === undefined)
    failures.push(`${what}: ${found}, not ${expected}`);
};

const bind = () => new Promise(done => {
  const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 1 << 20 });
  socket.bind(0, '127.0.0.1', () => done(socket));
});
// No more datagrams than the usual receive buffer holds: then nothing is lost when the machine is too busy to read.
const run = (port, flavour, log) => new Promise(done => {
  spawn(gb, ['run', '--reporter', `statsd:address=127.0.0.1:${port},flavour=${flavour}`, '--reporter', `log:path=${log}`, '--',
    worker, '--limit', '40'], { stdio: 'ignore' }).on('exit', done);
});
const read = log => fs.readFileSync(log, 'utf8').trim().split('\n').map(line => JSON.parse(line));
const until = async (what, condition) => {
  for (const end = Date.now() + 60000; !condition();) {
    if (Date.now() > end) throw Error(`no ${what} within 60 s`);
    await new Promise(done => setTimeout(done, 50));
  }
};

async function plain() {
  const free = await bind(), port = free.address().port;
  await new Promise(done => free.close(done));
  fs.writeFileSync(`${work}/backend.js`, `exports.init = (now, config, events) => {
    console.log('ready');
    events.on('flush', (at, m) => console.log(JSON.stringify({c: m.counters, t: m.timer_counters, g: m.gauges})));
    return true;
  };`);
  fs.writeFileSync(`${work}/config.js`, `{port: ${port}, address: '127.0.0.1', mgmt_address: '127.0.0.1', mgmt_port: 0, flushInterval: 500,
    backends: ['${work}/backend.js'], deleteIdleStats: true, deleteGauges: false}`);
  const statsd = spawn(process.execPath, [server, `${work}/config.js`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  statsd.stdout.on('data', data => { text += data; });
  try {
    await until('statsd', () => text.includes('ready'));
    await run(port, 'statsd', `${work}/plain.jsonl`);
    const counters = {}, timers = {}, gauges = {}, lines = read(`${work}/plain.jsonl`);
    const add = (into, more) => { for (const name in more) into[name] = (into[name] || 0) + more[name]; };
    const flushes = () => text.split('\n').slice(0, -1).filter(line => line.startsWith('{')).map(line => JSON.parse(line));
    const seen = flushes().length;
    await until('flush', () => flushes().length >= seen + 3);
    for (const flush of flushes()) {
      add(counters, flush.c);
      add(timers, flush.t);
      Object.assign(gauges, flush.g);
    }
    check('bad lines', counters['statsd.bad_lines_seen'] || 0, 0);
    const expected = { c: {}, t: {}, g: {} };
    for (const line of lines) {
      const name = `gb.${line.scope}`;
      if (line.metric_type === 'counter') expected.c[name] = (expected.c[name] || 0) + line.value;
      else if (line.metric_type === 'gauge') expected.g[name] = 0;
      else if (line.event === 'telemetry.timing') expected.t[name] = (expected.t[name] || 0) + 1;
    }
    for (const name in expected.c) check(name, counters[name], expected.c[name]);
    for (const name in expected.t) check(`timings of ${name}`, timers[name], expected.t[name]);
    for (const name in expected.g) if (!(name in gauges)) failures.push(`no gauge ${name}`);
    console.log(`statsd: ${Object.keys(expected.c).length} counters, ${Object.keys(expected.t).length} timers`);
  } finally {
    statsd.kill();
  }
}

async function datadog() {
  const socket = await bind(), ours = [], theirs = [];
  socket.on('message', data => ours.push(...data.toString().split('\n')));
  await run(socket.address().port, 'datadog', `${work}/datadog.jsonl`);
  await until('lines', () => ours.some(line => line.startsWith('gb.files:')));
  await new Promise(done => setTimeout(done, 200));
  socket.removeAllListeners('message');
  socket.on('message', data => theirs.push(...data.toString().split('\n').filter(line => line)));
  const client = new HotShots({ host: '127.0.0.1', port: socket.address().port, maxBufferSize: 0, includeDatadogTelemetry: false });
  for (const line of ours) {
    const [, name, value, type, rate, tags] = /^([^:]+):([^|]+)\|([a-z]+)(?:\|@([^|]+))?\|#(.*)$/.exec(line) || [];
    if (!name) { failures.push(`not a line: ${line}`); continue; }
    const call = { c: 'increment', g: 'gauge', d: 'distribution' }[type];
    // the rate would make the client leave lines out
    client[call](name, Number(value), undefined, tags.split(','));
    if (rate && !(Number(rate) > 0 && Number(rate) < 1)) failures.push(`rate of ${line}`);
  }
  await until('lines of hot-shots', () => theirs.length >= ours.length);
  const same = line => line.replace(/\|@[^|]+/, '').replace(/:([^|]+)\|/, (all, value) => `:${Number(value)}|`);
  const a = ours.map(same).sort(), b = theirs.map(same).sort();
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) { failures.push(`${a[i]}\n  hot-shots: ${b[i]}`); break; }
  console.log(`hot-shots: ${a.length} lines`);
  client.close();
  socket.close();
}

plain().then(datadog).catch(error => failures.push(error.message)).finally(() => {
  fs.rmSync(work, { recursive: true });
  failures.forEach(failure => console.log(`FAILED: ${failure}`));
  process.exit(failures.length ? 1 : 0);
});
