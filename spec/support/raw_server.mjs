// A server that can be nasty: for the specs of the transfers.
// Prints one line "name=value ..." with its ports and files, then serves until its parent is gone, /quit is
// asked for, or nobody has asked anything for a minute. Listens on loopback only. No dependency but node and the openssl command.
import net from "node:net";
import http from "node:http";
import https from "node:https";
import http2 from "node:http2";
import tls from "node:tls";
import zlib from "node:zlib";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { execFileSync } from "node:child_process";

const stats = { accepted: 0, tls_accepted: 0, raw_accepted: 0, raw_requests: 0, connects: 0, proxied: 0, closes: 0,
  uploaded: 0, last_connect: "", last_connect_auth: "", tls_alerts: 0, refused: 0 };
const MB = Buffer.alloc(1024 * 1024, "x");

function certificates() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "ag-certs-"));
  const at = (f) => path.join(dir, f);
  const openssl = (...args) => execFileSync("openssl", args, { stdio: ["ignore", "pipe", "pipe"] });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=spec CA", "-days", "2");
  const leaf = (name, san, days) => {
    openssl("req", ...key, "-keyout", at(`${name}.key`), "-out", at(`${name}.csr`), "-subj", `/CN=${name}`);
    fs.writeFileSync(at(`${name}.ext`), `subjectAltName=${san}\n`);
    openssl("x509", "-req", "-in", at(`${name}.csr`), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial",
      "-days", days, "-extfile", at(`${name}.ext`), "-out", at(`${name}.pem`));
    return { key: fs.readFileSync(at(`${name}.key`)), cert: fs.readFileSync(at(`${name}.pem`)) };
  };
  const out = {
    ca: at("ca.pem"), dir,
    good: leaf("good", "DNS:localhost,DNS:server.test,IP:127.0.0.1,IP:::1", "2"),
    other: leaf("other", "DNS:elsewhere.test", "2"),
    expired: leaf("expired", "DNS:localhost,IP:127.0.0.1", "-1"),
  };
  openssl("req", "-x509", ...key, "-keyout", at("self.key"), "-out", at("self.pem"), "-subj", "/CN=localhost",
    "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2");
  out.self = { key: fs.readFileSync(at("self.key")), cert: fs.readFileSync(at("self.pem")) };
  return out;
}

// --- well-behaved answers, over HTTP/1.1 and 2 ---------------------------
function describe(req, body) {
  const lines = [`${req.method} ${req.url} HTTP/${req.httpVersion}`];
  const raw = req.rawHeaders;
  for (let i = 0; i < raw.length; i += 2) lines.push(`${raw[i].toLowerCase()}: ${raw[i + 1]}`);
  return Buffer.concat([Buffer.from(lines.join("\n") + "\n\n"), body]);
}

function big(res, megabytes) {
  let left = megabytes;
  const more = () => {
    while (left > 0) {
      left--;
      if (!res.write(MB)) return res.once("drain", more);
    }
    res.end();
  };
  more();
}

const routes = {
  "/echo": (req, res, body) => res.end(describe(req, body)),
  "/zero": (req, res) => res.end(Buffer.from("a\0b\0")),
  "/204": (req, res) => { res.writeHead(204); res.end(); },
  "/304": (req, res) => { res.writeHead(304, { etag: '"x"' }); res.end(); },
  "/404": (req, res) => { res.writeHead(404, { "content-type": "text/plain" }); res.end("not here"); },
  "/302": (req, res) => { res.writeHead(302, { location: "/echo" }); res.end("moved"); },
  "/hints": (req, res) => { res.writeProcessing(); res.writeHead(200, { "x-final": "yes" }); res.end("ok"); },
  "/cookie": (req, res) => { res.writeHead(200, { "set-cookie": "a=b" }); res.end("ok"); },
  "/gzip": (req, res) => { res.writeHead(200, { "content-encoding": "gzip" }); res.end(zlib.gzipSync("x".repeat(5000))); },
  "/bomb": (req, res) => {
    res.writeHead(200, { "content-encoding": "gzip" });
    const z = zlib.createGzip({ level: 9 });
    z.pipe(res);
    big(z, 100);
  },
  "/badgzip": (req, res) => { res.writeHead(200, { "content-encoding": "gzip" }); res.end("this is no gzip"); },
  "/stall": () => {},
  "/stall-body": (req, res) => { res.writeHead(200); res.write("half"); },
  "/refuse-h2": (req, res) => { stats.refused++; res.stream.close(http2.constants.NGHTTP2_REFUSED_STREAM); },
  // Ctrl-C for the asking process, while it waits for the answer.
  "/interrupt": (req, res) => { process.kill(Number(req.headers["x-pid"]), "SIGINT"); setTimeout(() => res.end("answer"), 100); },
};

let asked = Date.now();

function serve(req, res) {
  asked = Date.now();
  const url = req.url.split("?")[0];
  if (url === "/upload") {
    let n = 0, sum = 0;
    req.on("data", (c) => { n += c.length; sum = (sum + c[0] + c[c.length - 1]) % 65521; });
    req.on("end", () => { stats.uploaded = n; res.end(`${n} ${req.headers["transfer-encoding"] ?? "-"} ` +
      `${req.headers["content-length"] ?? "-"} ${req.headers.expect ?? "-"}`); });
    return;
  }
  const parts = [];
  req.on("data", (c) => parts.push(c));
  req.on("end", () => {
    const size = /^\/bytes\/(\d+)$/.exec(url), mega = /^\/mb\/(\d+)$/.exec(url), wait = /^\/wait\/(\d+)$/.exec(url);
    if (size) res.end(Buffer.alloc(Number(size[1]), "y"));
    else if (mega) big(res, Number(mega[1]));
    else if (wait) setTimeout(() => res.end("late"), Number(wait[1]));
    else if (routes[url]) routes[url](req, res, Buffer.concat(parts));
    else { res.writeHead(404); res.end("no such route"); }
  });
}

// --- raw answers: bytes exactly as they are here ------------------------
const raw = {
  "/truncated": (s) => s.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"),
  "/reset": (s) => s.resetAndDestroy(),
  "/reset-body": (s) => { s.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly"); setTimeout(() => s.resetAndDestroy(), 50); },
  "/close": (s) => s.end(),
  "/garbage": (s) => s.end("\x01\x02 this is not HTTP at all\r\n\r\n"),
  "/bad-status": (s) => s.end("HTTP/1.1 abc OK\r\n\r\n"),
  "/bad-chunk": (s) => s.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
  "/cut-chunk": (s) => s.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
  "/two-lengths": (s) => s.end("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello"),
  "/nul-header": (s) => s.end("HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 0\r\n\r\n"),
  "/trailer": (s) => s.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-After\r\n\r\n5\r\nhello\r\n0\r\n" +
    "X-After: 1\r\n\r\n"),
  "/folded": (s) => s.write("HTTP/1.1 200 OK\r\nX-Long: one\r\n\t two\r\nContent-Length: 2\r\n\r\nok"),
  "/bare-lf": (s) => s.end("HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 2\n\nok"),
  "/many-headers": (s) => { s.write("HTTP/1.1 200 OK\r\n"); for (let i = 0; i < 400; i++) s.write(`X-${i}: ${"h".repeat(1000)}\r\n`); s.end("\r\n"); },
  "/some-headers": (s) => { s.write("HTTP/1.1 200 OK\r\n"); for (let i = 0; i < 200; i++) s.write(`X-${i}: ${"h".repeat(1000)}\r\n`); s.end("Content-Length: 2\r\n\r\nok"); },
  "/long-header": (s) => s.end(`HTTP/1.1 200 OK\r\nX: ${"h".repeat(200000)}\r\n\r\n`),
  "/1xx": (s) => s.write("HTTP/1.1 100 Continue\r\nX-One: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
  "/endless-1xx": (s) => { const t = setInterval(() => s.write(`HTTP/1.1 103 Early Hints\r\nX: ${"h".repeat(9000)}\r\n\r\n`), 1);
    s.on("close", () => clearInterval(t)); },
  "/only-1xx": (s) => s.end("HTTP/1.1 100 Continue\r\n\r\n"),
  "/early-413": (s) => s.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"),
  "/slow-headers": (s) => s.write("HTTP/1.1 200 OK\r\nX-"),
  "/no-length": (s) => s.end("HTTP/1.1 200 OK\r\n\r\nto the end"),
  "/secret-in-reason": (s) => s.end("HTTP/1.1 xyz canary-in-reason\r\n\r\n"),
};

// Answers the first request of a connection, and closes at the second without a word.
const lazy = (s, n) => (n === 1 ? s.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst") : (stats.closes++, s.destroy()));

function onRaw(socket) {
  stats.raw_accepted++;
  asked = Date.now();
  let text = "", served = 0;
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    text += bytes.toString("latin1");
    for (;;) {
      const end = text.indexOf("\r\n\r\n");
      if (end < 0) { if (text.length > 1e6) text = ""; return; }
      const head = text.slice(0, end), length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const url = head.split(" ")[1]?.split("?")[0];
      if (url !== "/early-413" && text.length < end + 4 + length) return;
      text = url === "/early-413" ? "" : text.slice(end + 4 + length);
      if (!/^[A-Z]+ \//.test(head)) continue;
      served++;
      stats.raw_requests++;
      if (url === "/lazy") lazy(socket, served);
      else (raw[url] ?? ((s) => s.end("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")))(socket);
    }
  });
}

// --- a proxy: knows every name, and leads all of them to our own servers --
function onProxy(ports) {
  const server = http.createServer((req, res) => {
    stats.proxied++;
    const target = new URL(req.url);
    const out = http.request({ host: "127.0.0.1", port: ports.http, method: req.method, path: target.pathname,
      headers: req.headers }, (r) => { res.writeHead(r.statusCode, r.headers); r.pipe(res); });
    req.pipe(out);
  });
  server.on("connect", (req, client) => {
    stats.connects++;
    stats.last_connect = req.url;
    stats.last_connect_auth = req.headers.authorization ?? "none";
    if (req.url.startsWith("forbidden")) return client.end("HTTP/1.1 403 No\r\nX-Proxy: 1\r\n\r\n");
    const up = net.connect(ports.tls, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\nX-Proxy: 1\r\n\r\n");
      up.pipe(client).pipe(up);
    });
    up.on("error", () => client.destroy());
    client.on("error", () => up.destroy());
  });
  return server;
}

function control(req, res) {
  asked = Date.now();
  if (req.url === "/quit") { res.end("bye"); setTimeout(() => process.exit(0), 20); return; }
  res.end(Object.entries(stats).map(([k, v]) => `${k}=${v}\n`).join(""));
}

const listen = (server, host = "127.0.0.1") =>
  new Promise((done) => server.listen(0, host, () => done(server.address().port)));

const certs = certificates();
const ports = {};
const plain = http.createServer(serve);
plain.keepAliveTimeout = 60000;
plain.on("connection", () => stats.accepted++);
plain.on("clientError", (_, s) => s.destroy());
ports.http = await listen(plain);
ports.raw = await listen(net.createServer(onRaw));
const secure = http2.createSecureServer({ ...certs.good, allowHTTP1: true }, serve);
secure.on("secureConnection", () => stats.tls_accepted++);
secure.on("sessionError", () => {});
ports.tls = await listen(secure);
for (const kind of ["other", "expired", "self"]) {
  const s = http2.createSecureServer({ ...certs[kind], allowHTTP1: true }, serve);
  s.on("tlsClientError", () => {});
  ports[kind] = await listen(s);
}
const old = tls.createServer({ ...certs.good, minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" }, onRaw);
old.on("tlsClientError", () => stats.tls_alerts++);
ports.old_tls = await listen(old);
// TLS that breaks off: during the hand-shake, or while the client still sends.
ports.tls_reset = await listen(net.createServer((s) => { s.on("error", () => {}); s.once("data", () => s.resetAndDestroy()); }));
ports.not_tls = await listen(net.createServer((s) => { s.on("error", () => {}); s.once("data", () => s.end("HTTP/1.1 400 No\r\n\r\n")); }));
ports.tls_drop = await listen(tls.createServer({ ...certs.good }, (s) => { s.on("error", () => {}); s.once("data", () => s.destroy()); }));
ports.proxy = await listen(onProxy(ports));
ports.control = await listen(http.createServer(control));
const dead = net.createServer();
ports.dead = await listen(dead);
await new Promise((done) => dead.close(done));

ports.tls1 = await listen(https.createServer(certs.good, serve));

const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent || Date.now() - asked > 60000) process.exit(0); }, 500).unref();
process.on("exit", () => fs.rmSync(certs.dir, { recursive: true, force: true }));
process.on("SIGTERM", () => process.exit(0));
console.log(Object.entries(ports).map(([k, v]) => `${k}=${v}`).join(" ") + ` ca=${certs.ca} pid=${process.pid}`);
