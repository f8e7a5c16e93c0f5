// Posts a body with Node's http (known length, then chunked) and with fetch, and prints what each was answered.
import http from "node:http";

const [host, port, size] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const body = Buffer.alloc(size, "0123456789");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

function post(headers, pieces) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent, method: "POST", path: "/api/p/node", headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => resolve([answer.statusCode, Buffer.concat(parts).toString()]));
    });
    request.on("error", reject);
    for (const piece of pieces) request.write(piece);
    request.end();
  });
}

const halves = [body.subarray(0, size / 2), body.subarray(size / 2)];
const results = [
  await post({ "Content-Length": size }, halves),
  await post({}, halves),
  await post({ "Content-Length": size, Expect: "100-continue" }, halves),
  await post({ Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "AAMAAABk", "Content-Length": size }, halves),
];
for (const sent of [body, new ReadableStream({ start(stream) { halves.forEach((half) => stream.enqueue(half)); stream.close(); } })]) {
  const answer = await fetch(`http://${host}:${port}/api/p/fetch`, { method: "POST", body: sent, duplex: "half" });
  results.push([answer.status, await answer.text()]);
}
console.log(JSON.stringify(results));
agent.destroy();
