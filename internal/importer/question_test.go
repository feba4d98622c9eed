package importer

import (
	"slices"
	"strings"
	"testing"

	"stickwatch/internal/expect"
	"stickwatch/internal/must"
	"stickwatch/internal/phrase"
)

// TestQuestions answers the questions about guesses, and checks that answers are written
// and no longer marked.
func TestQuestions(t *testing.T) {
	const text = `<Proxy balancer://shop>
 BalancerMember ajp://10.0.0.1:8009 route=a
 BalancerMember ajp://10.0.0.2:8019 route=b
 ProxySet stickysession=JSESSIONID
</Proxy>
Listen 8080
ProxyPass / balancer://shop/
`
	for _, test := range []struct {
		name    string
		answers []string
		asked   []string // keys
		written []string
		guesses int
	}{
		{
			"answered",
			[]string{"https://shop.example.org/", "1", "sticky", "8088", "http://10.0.0.2:8099"},
			[]string{"balancer.url", "profile", "session.policy", "nodes.a", "nodes.b"},
			[]string{"url: https://shop.example.org\n", "profile: tomcat\n", "policy: sticky\n", "url: http://10.0.0.1:8088,", "url: http://10.0.0.2:8099,"},
			0,
		},
		{
			"kept",
			[]string{"", "", "", "", ""},
			[]string{"balancer.url", "profile", "session.policy", "nodes.a", "nodes.b"},
			[]string{"url: http://127.0.0.1:8080\n", "profile: tomcat\n", "url: http://10.0.0.1:8080,", "url: http://10.0.0.2:8090,"},
			5,
		},
		{
			"another profile",
			[]string{"1", "generic", "", "2"},
			[]string{"balancer.url", "profile", "nodes.a", "nodes.b"},
			[]string{"url: http://127.0.0.1:8080\n", "profile: generic\n", "url: http://10.0.0.2:8080,"},
			1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := read(Apache, memoryFiles{"conf": text}, "conf", Options{})
			must.Succeed(t, err)
			var asked []string
			for q, ok := s.Question(); ok; q, ok = s.Question() {
				if err := q.Answer("no answer at all"); err == nil {
					t.Errorf("%s: got no error for a wrong answer", q.Key)
				}
				if err := q.Answer(test.answers[len(asked)]); err != nil {
					t.Error(err)
				}
				asked = append(asked, q.Key)
			}
			expect.Equal(t, "questions", test.asked, asked)
			out, err := s.YAML(phrase.Reader{})
			must.Succeed(t, err)
			for _, want := range test.written {
				if !strings.Contains(string(out), want) {
					t.Errorf("got\n%s\nwant it to have %q", out, want)
				}
			}
			if got := s.Guesses(phrase.Reader{}); len(got) != test.guesses {
				t.Errorf("got guesses %q, want %d", got, test.guesses)
			}
		})
	}
}

// TestQuestionsAreFew checks that a large file does not ask about each of its clusters.
func TestQuestionsAreFew(t *testing.T) {
	text := strings.ReplaceAll(large(Apache), "stickysession=SID", "stickysession=JSESSIONID")
	s, err := read(Apache, memoryFiles{"conf": text}, "conf", Options{})
	must.Succeed(t, err)
	var clusters []string
	for q, ok := s.Question(); ok; q, ok = s.Question() {
		clusters = append(clusters, q.Cluster)
	}
	if len(clusters) != maxQuestions || slices.Contains(clusters, "app299") {
		t.Errorf("got questions about %q, want %d", clusters, maxQuestions)
	}
}
