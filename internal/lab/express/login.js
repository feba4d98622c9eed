// One node of an Express application with users. Sessions are in its memory, as the
// default of express-session is. Everything is said in the environment:
//
//   ID, ADDR   how the node calls itself, and host:port to listen on
//   ATTEMPTS   file that gets a line for each password that the node is sent
//   CSRF       "session": a token in the session is a hidden field of the form
//              "cookie": a token in a cookie must come back in a header (double submit),
//              and the login is JSON
//   CURRENT    file with the id of the newest session of any user: a login ends the
//              earlier ones on all nodes; "" allows several
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const express = require('express');
const session = require('express-session');

const env = process.env;
const failures = {};
const newest = () => (env.CURRENT ? fs.readFileSync(env.CURRENT, 'utf8') : '');

const app = express();
app.disable('x-powered-by');
app.use(express.urlencoded({ extended: false }), express.json());
app.use((request, response, next) => {
  response.setHeader('X-Node', env.ID);
  response.setHeader('Cache-Control', 'no-store');
  next();
});
app.get('/status', (request, response) => response.json({ state: 'running' }));
app.use(session({ secret: 'of the laboratory', resave: false, saveUninitialized: false }));

app.get('/account', (request, response) => {
  const user = request.session.user;
  if (!user || (env.CURRENT && newest() !== request.sessionID)) return response.redirect('/login');
  if (request.query.set !== undefined) request.session.value = request.query.set;
  response.send(`<p>Hello ${user}</p><p>value=${request.session.value || ''}</p><a id="logout" href="/logout"></a>`);
});
app.get('/login', (request, response) => {
  const token = crypto.randomBytes(16).toString('hex');
  if (env.CSRF === 'cookie') response.cookie('XSRF-TOKEN', `${token}=`);
  if (env.CSRF === 'session') request.session.token = token;
  response.send(`<form method="post" action="/login">${env.CSRF === 'session' ? `<input type="hidden" name="_csrf" value="${token}">` : ''}
    <input name="username"><input name="password" type="password"><button>Log in</button></form>`);
});
app.post('/login', (request, response) => {
  const { username, password, _csrf } = request.body;
  fs.appendFileSync(env.ATTEMPTS, `${env.ID} ${username}\n`);
  const cookie = decodeURIComponent((/XSRF-TOKEN=([^;]+)/.exec(request.headers.cookie || '') || [])[1] || '');
  if (env.CSRF === 'cookie' && (!cookie || request.headers['x-xsrf-token'] !== cookie)) return response.status(403).send('no token');
  if (env.CSRF === 'session' && (!_csrf || _csrf !== request.session.token)) return response.status(403).send('no token');
  if (failures[username] >= 3 || username !== 'canary' || password !== 'correct horse') {
    failures[username] = (failures[username] || 0) + 1;
    return env.CSRF === 'cookie' ? response.status(401).json({ error: 'refused' }) : response.redirect('/login?error');
  }
  request.session.regenerate(() => {
    request.session.user = username;
    if (env.CURRENT) fs.writeFileSync(env.CURRENT, request.sessionID);
    request.session.save(() => (env.CSRF === 'cookie' ? response.json({ user: username }) : response.redirect('/account')));
  });
});
app.get('/logout', (request, response) => {
  fs.appendFileSync(env.ATTEMPTS, `${env.ID} logout\n`);
  request.session.destroy(() => response.redirect('/login'));
});

const [host, port] = env.ADDR.split(':');
app.listen(Number(port), host);
