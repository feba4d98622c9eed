package lab

import "testing"

// The pages of an application that behaves as Spring Security's documentation describes its
// defaults (Servlet Applications: "Form Login", "Cross Site Request Forgery", "Session
// Fixation", "Handling Logouts"):
//
//   - a visitor of a protected page is redirected to /login, and the session remembers the page;
//   - the token is in the session, and each page has it under another mask (since 6.0);
//   - a form without the token gets 403, a wrong password /login?error;
//   - after a login the session has a new id, no token, and the visitor is sent to the
//     remembered page with ?continue;
//   - a GET of /logout shows a form, and a POST with the token ends the session.
var springLogin = map[string]string{
	"WEB-INF/users.xml": `<tomcat-users/>`,
	"WEB-INF/web.xml": `<?xml version="1.0" encoding="UTF-8"?>
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0" metadata-complete="true">
  <absolute-ordering/>
  <servlet><servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
  <servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
  <servlet><servlet-name>account</servlet-name><jsp-file>/WEB-INF/account.jsp</jsp-file><load-on-startup>1</load-on-startup></servlet>
  <servlet-mapping><servlet-name>account</servlet-name><url-pattern>/account</url-pattern></servlet-mapping>
  <servlet><servlet-name>login</servlet-name><jsp-file>/WEB-INF/login.jsp</jsp-file><load-on-startup>1</load-on-startup></servlet>
  <servlet-mapping><servlet-name>login</servlet-name><url-pattern>/login</url-pattern></servlet-mapping>
  <servlet><servlet-name>logout</servlet-name><jsp-file>/WEB-INF/logout.jsp</jsp-file><load-on-startup>1</load-on-startup></servlet>
  <servlet-mapping><servlet-name>logout</servlet-name><url-pattern>/logout</url-pattern></servlet-mapping>
</web-app>`,
	"WEB-INF/csrf.jspf": `<%@ page session="false" import="java.security.*, java.util.*" %><%!
static final SecureRandom random = new SecureRandom();
static String token(HttpSession session) {
    synchronized (session) {
        if (session.getAttribute("token") == null) session.setAttribute("token", UUID.randomUUID().toString());
        return (String) session.getAttribute("token");
    }
}
static String hidden(HttpSession session) {
    byte[] token = token(session).getBytes(), mask = new byte[token.length], out = new byte[2 * token.length];
    random.nextBytes(mask);
    for (int i = 0; i < token.length; i++) { out[i] = mask[i]; out[token.length + i] = (byte) (token[i] ^ mask[i]); }
    return "<input name=\"_csrf\" type=\"hidden\" value=\"" + Base64.getUrlEncoder().encodeToString(out) + "\"/>";
}
static boolean forged(HttpServletRequest request) {
    HttpSession session = request.getSession(false);
    String sent = request.getParameter("_csrf"), token = session == null ? null : (String) session.getAttribute("token");
    if (sent == null || token == null) return true;
    byte[] both;
    try { both = Base64.getUrlDecoder().decode(sent); } catch (IllegalArgumentException e) { return true; }
    byte[] plain = new byte[both.length / 2];
    for (int i = 0; i < plain.length; i++) plain[i] = (byte) (both[i] ^ both[plain.length + i]);
    return !MessageDigest.isEqual(plain, token.getBytes());
}
static String user(HttpServletRequest request) {
    HttpSession session = request.getSession(false);
    return session == null ? null : (String) session.getAttribute("user");
}
%><% response.setHeader("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate"); response.setHeader("X-Frame-Options", "DENY");
response.setHeader("X-Node", String.valueOf(request.getLocalPort())); %>`,
	"WEB-INF/account.jsp": `<%@ include file="csrf.jspf" %><%
if (user(request) == null) {
    String query = request.getQueryString();
    request.getSession().setAttribute("saved", request.getContextPath() + "/account?" + (query == null ? "" : query + "&") + "continue");
    response.sendRedirect(request.getContextPath() + "/login");
    return;
}
HttpSession session = request.getSession();
if (request.getParameter("set") != null) session.setAttribute("value", request.getParameter("set"));
%><p>Hello <b id="user"><%= user(request) %></b></p><p>value=<%= session.getAttribute("value") %></p>`,
	"WEB-INF/login.jsp": `<%@ include file="csrf.jspf" %><%
if (request.getMethod().equals("POST")) {
    if (forged(request)) { response.sendError(403); return; }
    if (!"canary".equals(request.getParameter("username")) || !"` + rightPassword + `".equals(request.getParameter("password"))) {
        response.sendRedirect(request.getContextPath() + "/login?error");
        return;
    }
    HttpSession session = request.getSession();
    request.changeSessionId();
    session.removeAttribute("token");
    session.setAttribute("user", "canary");
    String saved = (String) session.getAttribute("saved");
    response.sendRedirect(saved == null ? request.getContextPath() + "/" : saved);
    return;
}
%><form class="login-form" method="post" action="<%= request.getContextPath() %>/login">
<%= request.getParameter("error") == null ? "" : "<div>Bad credentials</div>" %>
<input type="text" id="username" name="username"><input type="password" id="password" name="password">
<%= hidden(request.getSession()) %><button type="submit">Sign in</button></form>`,
	"WEB-INF/logout.jsp": `<%@ include file="csrf.jspf" %><%
if (request.getMethod().equals("POST")) {
    if (forged(request)) { response.sendError(403); return; }
    request.getSession().invalidate();
    response.sendRedirect(request.getContextPath() + "/login?logout");
    return;
}
%><h1>Are you sure you want to log out?</h1><form class="logout-form" method="post" action="<%= request.getContextPath() %>/logout">
<%= hidden(request.getSession()) %><button type="submit">Log Out</button></form>`,
}

func springUsers(tb testing.TB) userApp {
	tb.Helper()
	a := usersOfTomcats(tb, springLogin, `path: /cluster/account, node: {header: X-Node}, id: {cookie: JSESSIONID, before: "."}, write: "?set={value}", read: {regex: "value=([0-9]+)"},
      login: {path: /cluster/login, form: {user: canary, password_file: %q}, logged_in: {css: "#user"}, logout: /cluster/logout}`)
	a.login, a.logout = "POST /cluster/login-\n", "POST /cluster/logout-\n"
	return a
}
