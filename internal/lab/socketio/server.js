// A stand-in for Strategy Collaboration Server: its /status as its clustering
// guide prints it, and a real Socket.IO server of whatever major version
// NODE_PATH leads to. It reads a configuration in the guide's own words.
'use strict';

const fs = require('fs');
const http = require('http');
const net = require('net');
const { Buffer } = require('buffer');

const config = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
const started = new Date();

// What a dependency may take to answer, in milliseconds.
const within = 2500;

const connections = { total: 0, current: 0, max: 0 };
const messages = { processed: 0 };
const restCalls = { received: 0 };
const peaks = { cpu: 0, memory: 0 };
let cpuBefore = { at: process.hrtime.bigint(), usage: process.cpuUsage() };

// ask sends a question to host:port and resolves to whether the first bytes of
// the answer, as many as are needed, are right.
function ask(host, port, question, need, right) {
  return new Promise((resolve) => {
    let answer = Buffer.alloc(0);
    const socket = net.connect({ host, port });
    const end = (verdict) => {
      socket.destroy();
      resolve(verdict);
    };
    socket.setTimeout(within, () => end(false));
    socket.on('connect', () => socket.write(question));
    socket.on('error', () => end(false));
    socket.on('close', () => resolve(false));
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= need) end(right(answer));
    });
  });
}

// redis logs in and pings, in Redis's inline form.
function redis(url) {
  const { hostname, port, password } = new URL(url);
  const want = '+OK\r\n+PONG\r\n';
  const question = `AUTH ${decodeURIComponent(password)}\r\nPING\r\n`;
  return ask(hostname, port, question, want.length, (answer) => answer.toString() === want);
}

// postgres sends a startup message of protocol 3.0, as pg_isready does. A server
// that serves answers R, "authenticate yourself", whoever asks; one that is
// starting up or leaving answers E.
function postgres({ host, port, username }) {
  const body = Buffer.from(`user\0${username}\0database\0postgres\0\0`);
  const head = Buffer.alloc(8);
  head.writeInt32BE(head.length + body.length, 0);
  head.writeInt32BE(3 << 16, 4);
  return ask(host, port, Buffer.concat([head, body]), 1, (answer) => answer[0] === 'R'.charCodeAt(0));
}

// unavailable names the services that do not answer, in the guide's order.
async function unavailable() {
  const services = [];
  if (config.dataSource) services.push(['DB Service', postgres(config.dataSource)]);
  if (config.redisServerUrl) services.push(['Redis Server', redis(config.redisServerUrl)]);
  const up = await Promise.all(services.map(([, answer]) => answer));
  return services.map(([name]) => name).filter((_, i) => !up[i]);
}

// upSince is local time without a zone, whose date is not padded.
function upSince(t) {
  const two = (n) => String(n).padStart(2, '0');
  const date = `${t.getFullYear()}-${t.getMonth() + 1}-${t.getDate()}`;
  return `${date} ${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}`;
}

function gauge(name, current) {
  peaks[name] = Math.max(peaks[name], current);
  return { current, max: peaks[name] };
}

// cpu is the percentage of one processor since it was last asked.
function cpu() {
  const now = { at: process.hrtime.bigint(), usage: process.cpuUsage() };
  const used = now.usage.user + now.usage.system - cpuBefore.usage.user - cpuBefore.usage.system;
  const passed = Number(now.at - cpuBefore.at) / 1000;
  cpuBefore = now;
  return Math.round((100 * used) / Math.max(passed, 1));
}

async function status() {
  const missing = await unavailable();
  const paused = missing.length > 0;
  return {
    version: config.version,
    enableTls: config.enableTls,
    scaling: config.scaling,
    logging: config.logging,
    state: paused ? 'paused' : 'running',
    ...(paused && { reason: `The following dependent services are unavailable: ${missing.join(', ')}` }),
    main: {
      cpu: gauge('cpu', cpu()),
      memory: gauge('memory', process.memoryUsage().rss),
      connections,
      messages,
      restCalls,
      up_since: upSince(started),
      pid: process.pid,
    },
  };
}

function send(response, code, body) {
  response.writeHead(code, { 'Content-Type': 'application/json; charset=utf-8' });
  response.end(JSON.stringify(body));
}

// Socket.IO takes the requests below /socket.io/ before they come here. The
// guide gives no other HTTP code than 200 for a server that is paused; a
// configuration can, since products behind such pages differ in it.
async function serve(request, response) {
  const { pathname } = new URL(request.url, 'http://localhost');
  if (pathname === '/status') {
    restCalls.received++;
    const answer = await status();
    send(response, answer.state === 'paused' ? config.pausedCode || 200 : 200, answer);
  } else if (pathname === '/debug') {
    send(response, 200, { clientsCount: io.engine.clientsCount, opened, closed });
  } else {
    send(response, 404, { message: 'not found' });
  }
}

const server = http.createServer(serve);

// A client that leaves without a word is kept for longer than any test runs:
// whoever is gone has said so.
const io = require('socket.io')(server, {
  serveClient: false, pingInterval: 300000, pingTimeout: 300000, transports: config.transports || ['polling', 'websocket'],
});

// Engine.IO's sessions, and the reasons for which they ended.
let opened = 0;
const closed = {};
io.engine.on('connection', (session) => {
  opened++;
  session.on('close', (reason) => {
    closed[reason] = (closed[reason] || 0) + 1;
  });
});

io.on('connection', (socket) => {
  connections.total++;
  connections.current++;
  connections.max = Math.max(connections.max, connections.current);
  socket.on('disconnect', () => connections.current--);
  socket.use((_, next) => {
    messages.processed++;
    next();
  });
});

server.listen(config.port, config.host);
