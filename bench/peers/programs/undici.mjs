// Node's own HTTP server and undici's lowest interface, `dispatch`, with nothing between them.
import http from 'node:http';
import { Pool } from 'undici';

const { PORT, TARGET_URL, CALLER_KEY, TARGET_TOKEN } = process.env;
const target = new Pool(TARGET_URL, { connections: 64, pipelining: 1 });
const NOT_PASSED = new Set(['x-api-key', 'authorization', 'connection', 'host', 'transfer-encoding', 'keep-alive']);

function passed(raw) {
  const kept = ['authorization', `Bearer ${TARGET_TOKEN}`];
  for (let n = 0; n < raw.length; n += 2) {
    if (!NOT_PASSED.has(raw[n].toString().toLowerCase())) kept.push(raw[n].toString(), raw[n + 1].toString());
  }
  return kept;
}

const server = http.createServer((request, response) => {
  if (request.headers['x-api-key'] !== CALLER_KEY) {
    request.resume();
    response.writeHead(401).end();
    return;
  }
  const bodiless = request.method === 'GET' || request.method === 'HEAD';
  target.dispatch(
    { path: request.url, method: request.method, headers: passed(request.rawHeaders), body: bodiless ? null : request },
    {
      onConnect(abort) {
        response.on('close', () => response.writableFinished || abort());
      },
      onHeaders(status, headers, resume) {
        const kept = [];
        for (let n = 0; n < headers.length; n += 2) {
          const name = headers[n].toString('latin1');
          if (!NOT_PASSED.has(name.toLowerCase())) kept.push(name, headers[n + 1].toString('latin1'));
        }
        response.writeHead(status, kept);
        response.on('drain', resume);
        return true;
      },
      onData(chunk) {
        return response.write(chunk);
      },
      onComplete() {
        response.end();
      },
      onError() {
        if (!response.headersSent) response.writeHead(502);
        response.end();
      },
    },
  );
});
server.keepAliveTimeout = 600_000;
server.listen(Number(PORT), '127.0.0.1', 4096);
