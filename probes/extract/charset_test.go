package extract

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stickwatch/probes"
)

func TestDecode(t *testing.T) {
	const gbk = "\xbd\xda\xb5\xe3" // 节点
	meta := `<meta charset="gbk">`
	full := strings.Repeat("x", probes.MaxBody-3)
	for name, tt := range map[string]struct {
		body, contentType, charset string
		want                       string
	}{
		"nothing":                         {"", "", "", ""},
		"undeclared UTF-8":                {"节点", "", "", "节点"},
		"undeclared GBK":                  {gbk, "", "", "节点"},
		"undeclared Latin-1":              {"caf\xe9", "", "", "café"},
		"declared by the header":          {gbk, `text/html; charset="gb2312"`, "", "节点"},
		"the header before meta":          {meta + "节点", "text/html; charset=utf-8", "", meta + "节点"},
		"an unknown header, then meta":    {meta + gbk, "text/html; charset=klingon", "", meta + "节点"},
		"a broken header, then meta":      {meta + gbk, "text/html; charset", "", meta + "节点"},
		"meta with http-equiv":            {`<META http-equiv=Content-Type content='text/html; charset=GBK'>` + gbk, "", "", `<META http-equiv=Content-Type content='text/html; charset=GBK'>节点`},
		"meta of UTF-16 that can be read": {`<meta charset=utf-16>节点`, "", "", `<meta charset=utf-16>节点`},
		"the override before all":         {gbk, "text/html; charset=utf-8", "gbk", "节点"},
		"a byte order mark":               {"\ufeff节点", "text/html; charset=gbk", "", "节点"},
		"broken UTF-8, declared":          {"节\xff点", "text/html; charset=utf-8", "", "节\ufffd点"},
		"Big5":                            {"\xb8\x60\xc2\x49", "text/html; charset=big5", "", "節點"},
		"cut in a character of UTF-8":     {full[1:] + "é" + "节"[:2], "", "", full[1:] + "é\ufffd"},
		"cut in a character of GBK":       {full + gbk[:3], "", "", full + "节\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			got := decode(document(tt.body, tt.contentType), tt.charset)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("text (-want +got):\n%s", diff)
			}
		})
	}
}
