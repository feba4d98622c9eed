package checks

import "sync"

// A Language is what people are told in.
type Language string

// The languages. Any other value speaks English.
const (
	English Language = "en"
	Chinese Language = "zh"
)

// Each language is parsed when it is first spoken.
var (
	inEnglish = sync.OnceValue(english.parse)
	inChinese = sync.OnceValue(chinese.parse)
)
