// One node of a clustered Express application with express-session. Everything
// is said in the environment:
//
//   ID, ADDR      how the node calls itself, and host:port to listen on
//   COOKIE        name of the session cookie
//   SECURE        "1": the cookie is Secure, which express-session then sets only
//                 on connections that it takes for HTTPS
//   SAMESITE      the cookie's SameSite: none, lax or strict
//   TOKENS        "1": sessions are signed tokens in the cookie, as JSON Web Tokens
//                 are; nothing is kept on the node
//   TTL           for how long a token is valid, in seconds
//   CLOCK         how far the node's clock is ahead, in seconds
'use strict';

const crypto = require('crypto');
const express = require('express');
const session = require('express-session');

const env = process.env;
const secret = 'of the laboratory';
const name = env.COOKIE || 'connect.sid';
const ahead = Number(env.CLOCK || 0);
const seconds = () => Math.floor(Date.now() / 1000) + ahead;

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use((request, response, next) => {
  response.setHeader('Date', new Date(seconds() * 1000).toUTCString());
  response.setHeader('Cache-Control', 'no-store');
  next();
});
app.get('/status', (request, response) => response.json({ state: 'running', version: '1.0.0' }));

function show(response, id, value) {
  response.json({ node: env.ID, sessionid: id, value: value || '' });
}

const sign = (text) => crypto.createHmac('sha256', secret).update(text).digest('base64url');

// read returns what a valid token says, or nothing.
function read(cookies) {
  const found = new RegExp(`(?:^|; )${name}=([^;.]+)\\.([^;]+)`).exec(cookies || '');
  if (!found || sign(found[1]) !== found[2]) return undefined;
  const token = JSON.parse(Buffer.from(found[1], 'base64url'));
  return token.nbf <= seconds() && seconds() < token.exp ? token : undefined;
}

if (env.TOKENS) {
  app.get('/cluster/test', (request, response) => {
    const token = read(request.headers.cookie) || { id: crypto.randomUUID(), nbf: seconds() };
    if (request.query.set !== undefined) token.value = request.query.set;
    token.exp = seconds() + Number(env.TTL || 120);
    const text = Buffer.from(JSON.stringify(token)).toString('base64url');
    response.cookie(name, `${text}.${sign(text)}`, { httpOnly: true });
    show(response, token.id, token.value);
  });
} else {
  app.use(session({
    name, secret, resave: false, saveUninitialized: true,
    cookie: { path: '/', httpOnly: true, secure: env.SECURE === '1', sameSite: env.SAMESITE },
  }));
  app.get('/cluster/test', (request, response) => {
    if (request.query.set !== undefined) request.session.value = request.query.set;
    show(response, request.sessionID, request.session.value);
  });
}
app.get('/', (request, response) => response.send(`home of ${env.ID}`));

const [, host, port] = /^(.*):(\d+)$/.exec(env.ADDR);
app.listen(Number(port), host);
