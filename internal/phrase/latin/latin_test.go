package latin

import (
	"slices"
	"testing"
)

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"node2 无应答：connection refused":                       {"connection", "refused"},
		"节点 shop 在 http://a.example/x?y=z 返回 HTTP 502，41 ms": nil,
		"会话 s:3f9a12c4 丢失，`max_fails` 为 3，见 /status":         nil,
		"2026-03-14 17:00:00 CST 起，balancer.url 与 X-Real-IP": nil,
		"failing":                     {"failing"},
		"持续 4m11s，fail_timeout=1m30s": {" 4m11s"},
		"请求得到 the page":               {"the", "page"},
	} {
		if got := Words(text, "shop"); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
}
