package lab

import (
	"fmt"
	"path/filepath"
	"testing"
)

// The pages of an application in Tomcat with the form login of the servlet specification:
// the container shows the login page in place of a protected page, takes the password at
// j_security_check, and gives the session a new id.
var tomcatLogin = map[string]string{
	"WEB-INF/users.xml": `<tomcat-users><user username="canary" password="` + rightPassword + `" roles="user"/></tomcat-users>`,
	"WEB-INF/web.xml": `<?xml version="1.0" encoding="UTF-8"?>
<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0" metadata-complete="true">
  <absolute-ordering/>
  <servlet><servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
  <servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping>
  <security-constraint>
    <web-resource-collection><web-resource-name>account</web-resource-name><url-pattern>/account.jsp</url-pattern></web-resource-collection>
    <auth-constraint><role-name>user</role-name></auth-constraint>
  </security-constraint>
  <login-config>
    <auth-method>FORM</auth-method>
    <form-login-config><form-login-page>/login.jsp</form-login-page><form-error-page>/refused.jsp</form-error-page></form-login-config>
  </login-config>
  <security-role><role-name>user</role-name></security-role>
</web-app>`,
	"account.jsp": `<% if (request.getParameter("set") != null) session.setAttribute("value", request.getParameter("set")); %>
<p>Hello <%= request.getRemoteUser() %></p><p>value=<%= session.getAttribute("value") %></p><a id="logout" href="logout.jsp">Log out</a>`,
	"login.jsp":   `<form method="post" action="j_security_check"><input name="j_username"><input name="j_password" type="password"><input type="submit"></form>`,
	"refused.jsp": `<p>Wrong user or password</p>`,
	"logout.jsp":  `<% request.logout(); session.invalidate(); %>Bye`,
}

func tomcatUsers(tb testing.TB) userApp {
	tb.Helper()
	a := usersOfTomcats(tb, tomcatLogin, `path: /cluster/account.jsp, node: {cookie: JSESSIONID, after: "."}, id: {cookie: JSESSIONID, before: "."}, write: "?set={value}", read: {regex: "value=([0-9]+)"},
      login: {path: /cluster/account.jsp, form: {user: canary, password_file: %q}, logged_in: {css: "#logout"}, logout: /cluster/logout.jsp}`)
	a.login, a.logout = "POST /cluster/j_security_check-\n", "GET /cluster/logout.jsp-\n"
	for _, n := range a.nodes {
		for _, page := range []string{"refused.jsp", "logout.jsp"} { // the first request of a page compiles it
			if _, _, err := askTestPage(tb.Context(), "http://"+n.Addr()+"/cluster/"+page+"?compile", ""); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return a
}

// usersOfTomcats starts two Tomcats with an application. In session, %q stands for the file
// of the password.
func usersOfTomcats(tb testing.TB, pages map[string]string, session string) userApp {
	tb.Helper()
	dir := tb.TempDir()
	a := userApp{attempts: filepath.Join(dir, "requests"), password: filepath.Join(dir, "password")}
	for _, t := range Tomcats(tb, TomcatConfig{Nodes: names[:2], Pages: pages, Requests: dir}) {
		a.nodes = append(a.nodes, t.Process)
	}
	a.session = fmt.Sprintf(session, a.password)
	return a
}

// djangoAdmin is a Django with nothing but its admin. Sessions are in a database of the node.
// Arguments: ADDR, NODE, and a file that gets a line for each password and each logout.
const djangoAdmin = `
import os, sys
import django
from django.conf import settings

addr, node, attempts = sys.argv[1:]
apps = ['admin', 'auth', 'contenttypes', 'sessions', 'messages']
settings.configure(
    SECRET_KEY='of the laboratory', ROOT_URLCONF=__name__, ALLOWED_HOSTS=['*'],
    INSTALLED_APPS=['django.contrib.' + a for a in apps],
    MIDDLEWARE=[
        __name__ + '.named',
        'django.contrib.sessions.middleware.SessionMiddleware',
        'django.middleware.csrf.CsrfViewMiddleware',
        'django.contrib.auth.middleware.AuthenticationMiddleware',
        'django.contrib.messages.middleware.MessageMiddleware',
    ],
    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.path.join(os.getcwd(), 'db')}},
    TEMPLATES=[{'BACKEND': 'django.template.backends.django.DjangoTemplates', 'APP_DIRS': True, 'OPTIONS': {'context_processors': [
        'django.template.context_processors.request', 'django.contrib.auth.context_processors.auth', 'django.contrib.messages.context_processors.messages']}}],
    DEFAULT_AUTO_FIELD='django.db.models.AutoField', DEBUG=True, STATIC_URL='/static/',
    PASSWORD_HASHERS=['django.contrib.auth.hashers.MD5PasswordHasher'],
)
sys.modules['app'] = sys.modules[__name__]
django.setup()

from django.contrib import admin
from django.contrib.auth import get_user_model, signals
from django.core.management import call_command
from django.urls import path

def named(get_response):
    def respond(request):
        response = get_response(request)
        response['X-Node'] = node
        return response
    return respond

def note(word):
    def write(**kwargs):
        with open(attempts, 'a') as f:
            f.write(node + ' ' + word + '\n')
    return write

for signal, word in ((signals.user_logged_in, 'login'), (signals.user_login_failed, 'refused'), (signals.user_logged_out, 'logout')):
    signal.connect(note(word), weak=False)
urlpatterns = [path('admin/', admin.site.urls)]
if __name__ == '__main__':
    call_command('migrate', verbosity=0)
    get_user_model().objects.create_superuser('canary', 'canary@example.com', '` + rightPassword + `')
    call_command('runserver', addr, '--noreload')
`

func djangoUsers(tb testing.TB) userApp {
	tb.Helper()
	Require(tb, "django-admin") // Debian's, which belongs to /usr/bin/python3
	dir := tb.TempDir()
	a := userApp{attempts: filepath.Join(dir, "attempts"), password: filepath.Join(dir, "password")}
	for _, name := range names[:3] {
		own, addr := directory(tb), FreeAddr(tb)
		write(tb, filepath.Join(own, "app.py"), djangoAdmin)
		a.nodes = append(a.nodes, Run(tb, Command{
			Name: "django-" + name, Path: "/usr/bin/python3", Args: []string{filepath.Join(own, "app.py"), addr, name, a.attempts}, Dir: own, Addr: addr,
		}))
	}
	a.session = `path: /admin/, node: {header: X-Node}, id: {cookie: sessionid},
      login: {` + fmt.Sprintf("path: /admin/login/?next=/admin/, form: {user: canary, password_file: %q}", a.password) + `, logged_in: {css: "#user-tools a[href='/admin/logout/']"}, logout: /admin/logout/}`
	return a
}
