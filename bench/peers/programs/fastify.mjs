// fastify with @fastify/http-proxy, as its page shows it: the key is checked before the request is handed on, and the
// headers are written anew.
import proxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const { PORT, TARGET_URL, CALLER_KEY, TARGET_TOKEN } = process.env;
const app = Fastify();

app.register(proxy, {
  upstream: TARGET_URL,
  undici: { connections: 64, pipelining: 1 },
  preHandler(request, reply, done) {
    if (request.headers['x-api-key'] !== CALLER_KEY) reply.code(401).send({ error: 'Unauthorized' });
    else done();
  },
  replyOptions: {
    rewriteRequestHeaders(request, headers) {
      const { 'x-api-key': _, ...others } = headers;
      others.authorization = `Bearer ${TARGET_TOKEN}`;
      return others;
    },
  },
});
await app.listen({ port: Number(PORT), host: '127.0.0.1', backlog: 4096 });
