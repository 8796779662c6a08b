// Draws dashboards in headless Chromium, takes a picture of each in dark and light, and tells what was seen.
//   node shoot.mjs --prometheus http://127.0.0.1:9090 --to MS --out FOLDER [--chromium PATH] [--query k=v] FILE.json ...
// Standard output: one JSON object, "file theme" -> { panels: { title: { state, text } }, complaints: [...] }.
// The page, the icons and the dashboards are served on loopback for as long as it takes.
import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';

const HERE = dirname(fileURLToPath(import.meta.url));
const TYPES = {
  '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml',
  '.json': 'application/json', '.woff2': 'font/woff2',
};
// Grafana's own font, which its server has and its packages have not.
const FONTS = {
  '/fonts/inter/Inter-Regular.woff2': 'inter-latin-400-normal.woff2',
  '/fonts/inter/Inter-Medium.woff2': 'inter-latin-500-normal.woff2',
};
const { values: asked, positionals: files } = parseArgs({
  allowPositionals: true,
  options: {
    prometheus: { type: 'string' }, to: { type: 'string' }, out: { type: 'string' },
    chromium: { type: 'string', default: '/usr/bin/chromium' }, query: { type: 'string', default: '' },
    themes: { type: 'string', default: 'dark,light' }, interval: { type: 'string', default: '15' },
  },
});

function place(path) {
  if (path.startsWith('/build/img/')) {
    return join(HERE, 'node_modules/@grafana/ui/dist/public/img', path.slice('/build/img/'.length));
  }
  if (path in FONTS) {
    return join(HERE, 'node_modules/@fontsource/inter/files', FONTS[path]);
  }
  if (path.startsWith('/dashboards/')) {
    return files.map((file) => resolve(file)).find((file) => basename(file) === basename(path));
  }
  return join(HERE, 'dist', path === '/' ? 'index.html' : path);
}

const server = createServer((request, response) => {
  const file = place(decodeURIComponent(new URL(request.url, 'http://x').pathname));
  if (!file || !existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' });
  createReadStream(file).pipe(response);
});
await new Promise((ready) => server.listen(0, '127.0.0.1', ready));

const browser = await chromium.launch({ executablePath: asked.chromium, args: ['--no-sandbox', '--disable-gpu'] });
const seen = {};
try {
  for (const file of files) {
    for (const theme of asked.themes.split(',')) {
      seen[`${basename(file)} ${theme}`] = await shot(file, theme);
    }
  }
} finally {
  await browser.close();
  server.close();
}
process.stdout.write(JSON.stringify(seen, null, 1) + '\n');

async function shot(file, theme) {
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 }, colorScheme: theme });
  const complaints = [];
  page.on('console', (line) => {
    // What Prometheus refuses stands in the panel that asked.
    if (line.type() === 'error' && !line.location().url.startsWith(asked.prometheus)) {
      complaints.push(`${line.text()} ${line.location().url}`);
    }
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  const wanted = new URLSearchParams({
    dashboard: `/dashboards/${basename(file)}`, prometheus: asked.prometheus, theme, to: asked.to, interval: asked.interval,
  });
  await page.goto(`http://127.0.0.1:${server.address().port}/?${wanted}&${asked.query}`);
  await page.waitForSelector('body[data-done]', { state: 'attached', timeout: 60_000 });
  // Tables draw only the rows that can be seen, so the window must hold the whole page.
  await page.setViewportSize({ width: 1600, height: await page.evaluate(() => document.body.scrollHeight) });
  await page.waitForTimeout(500);
  const panels = await page.$$eval('[data-panel]', (all) => Object.fromEntries(all.map((one) => [one.dataset.panel, {
    state: one.querySelector('[data-testid*="Panel status error"]') ? 'error' : one.dataset.state,
    text: one.innerText, marks: one.querySelectorAll('canvas').length,
  }])));
  if (asked.out) {
    mkdirSync(asked.out, { recursive: true });
    await page.screenshot({ path: join(asked.out, `${basename(file, '.json')}-${theme}.png`), fullPage: true });
  }
  const failed = await page.getAttribute('body', 'data-done') === 'failed' ? [await page.innerText('body')] : [];
  await page.close();
  return { panels, complaints: [...complaints, ...failed] };
}
