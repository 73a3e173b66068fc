#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// check_trace.js GB WORKER [SCREENSHOT]: speedscope, in a real browser, opens a trace of the demo worker, whole and without its end.
// Skipped (77) where one of them is missing.
const fs = require('fs'), os = require('os'), path = require('path'), http = require('http');
const { spawnSync } = require('child_process');
const [gb, worker, screenshot] = process.argv.slice(2);
const skip = what => { console.log(`${what} is missing: skipped`); process.exit(77); };
const browser = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(file => fs.existsSync(file)) || skip('chromium');
let chromium, root;
try {
  ({ chromium } = require('playwright-core'));
  root = path.join(path.dirname(require.resolve('speedscope/package.json')), 'dist/release');
} catch (error) {
  skip('speedscope or playwright-core (npm ci in tests/peers)');
}
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'gb-trace-'));
spawnSync(gb, ['run', '--reporter', `trace:path=${work}/whole.json`, '--', worker, '--limit', '300'], { stdio: 'ignore' });
const whole = fs.readFileSync(`${work}/whole.json`, 'utf8');
fs.writeFileSync(`${work}/cut.json`, whole.replace(/\n\]\n$/, ''));
const threads = new Set(JSON.parse(whole).filter(event => event.ph === 'X').map(event => `${event.pid}.${event.tid}`)).size;

const types = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html' };
const server = http.createServer((request, response) => {
  const name = new URL(request.url, 'http://x').pathname;
  const file = name.startsWith('/trace/') ? path.join(work, name.slice(7)) : path.join(root, name === '/' ? 'index.html' : name);
  fs.readFile(file, (error, data) => {
    response.writeHead(error ? 404 : 200, { 'content-type': types[path.extname(file)] || 'application/octet-stream' });
    response.end(data);
  });
});

async function open(chrome, port, name) {
  const page = await chrome.newPage({ viewport: { width: 1400, height: 800 } });
  const said = [];
  page.on('pageerror', error => said.push(error.message));
  page.on('console', message => message.type() === 'error' && !/favicon/.test(message.text()) && said.push(message.text()));
  await page.goto(`http://127.0.0.1:${port}/#profileURL=/trace/${name}`);
  await page.waitForFunction(() => /\(\d+\/\d+\)/.test(document.body.innerText), null, { timeout: 60000 });
  const text = await page.evaluate(() => document.body.innerText);
  const found = Number(/\(\d+\/(\d+)\)/.exec(text)[1]);
  if (found !== threads || said.length) throw Error(`${name}: ${found} tracks of ${threads}; ${said.join('; ')}`);
  if (screenshot && name === 'cut.json') {
    await page.keyboard.press('n');
    await page.waitForFunction(() => /\(2\/\d+\)/.test(document.body.innerText));
    await page.keyboard.press('2');
    await page.waitForTimeout(1000);
    await page.screenshot({ path: screenshot });
  }
  console.log(`speedscope opens ${name}: ${found} tracks`);
  await page.close();
}

(async () => {
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  const chrome = await chromium.launch({ executablePath: browser,
    args: ['--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader'] });
  try {
    for (const name of ['whole.json', 'cut.json']) await open(chrome, server.address().port, name);
  } finally {
    await chrome.close();
  }
})().then(() => 0, error => { console.log(`FAILED: ${error.message}`); return 1; }).then(code => {
  fs.rmSync(work, { recursive: true });
  process.exit(code);
});
