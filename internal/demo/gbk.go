package demo

import "strings"

// encodeGBK encodes the e-Bridge page in GBK, as old installations do. The page is part
// of this package, so its characters are known; any other character becomes a question
// mark.
func encodeGBK(utf8 []byte) []byte {
	var out strings.Builder
	for _, r := range string(utf8) {
		switch code, ok := gbk[r]; {
		case r < 0x80:
			out.WriteByte(byte(r))
		case ok:
			out.WriteString(code)
		default:
			out.WriteByte('?')
		}
	}
	return []byte(out.String())
}

// gbk contains the characters of templates/ebridge.html.
var gbk = map[rune]string{
	'“': "\xa1\xb0", '”': "\xa1\xb1", '。': "\xa1\xa3", '会': "\xbb\xe1", '则': "\xd4\xf2", '刷': "\xcb\xa2",
	'前': "\xc7\xb0", '化': "\xbb\xaf", '发': "\xb7\xa2", '变': "\xb1\xe4", '和': "\xba\xcd", '固': "\xb9\xcc",
	'如': "\xc8\xe7", '定': "\xb6\xa8", '当': "\xb5\xb1", '新': "\xd0\xc2", '是': "\xca\xc7", '未': "\xce\xb4",
	'果': "\xb9\xfb", '测': "\xb2\xe2", '点': "\xb5\xe3", '生': "\xc9\xfa", '的': "\xb5\xc4", '示': "\xca\xbe",
	'群': "\xc8\xba", '节': "\xbd\xda", '表': "\xb1\xed", '试': "\xca\xd4", '话': "\xbb\xb0", '集': "\xbc\xaf",
	'面': "\xc3\xe6", '页': "\xd2\xb3", '（': "\xa3\xa8", '）': "\xa3\xa9", '，': "\xa3\xac", '：': "\xa3\xba",
}
