package extract

import (
	"fmt"

	"github.com/ohler55/ojg/jp"

	"stickwatch/probes"
)

// inJSON looks up a JSONPath as ojg reads it, which is near RFC 9535 and not
// the same.
func inJSON(path, charset string) (source, error) {
	expr, err := jp.ParseString(path)
	if err != nil {
		return nil, fmt.Errorf("parsing jsonpath %q: %w", path, err)
	}
	return func(doc probes.Document) (string, bool) {
		root, ok := parseJSON(decode(doc, charset))
		if !ok {
			return "", false
		}
		return lookUp(expr, root)
	}, nil
}

func lookUp(expr jp.Expr, root any) (v string, ok bool) {
	defer func() {
		if recover() != nil { // a filter has met types that ojg cannot compare
			v, ok = "", false
		}
	}()
	found, ok := expr.FirstFound(root)
	if !ok {
		return "", false
	}
	return scalar(found)
}
