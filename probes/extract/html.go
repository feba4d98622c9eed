package extract

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/cascadia"
	"github.com/antchfx/htmlquery"
	"github.com/antchfx/xpath"
	"golang.org/x/net/html"

	"stickwatch/probes"
)

func inCSS(selector, attr, charset string) (source, error) {
	sel, err := cascadia.ParseGroup(selector)
	if err != nil {
		return nil, fmt.Errorf("parsing css %q: %w", selector, err)
	}
	return func(doc probes.Document) (string, bool) {
		n := cascadia.Query(parseHTML(decode(doc, charset)), sel)
		switch {
		case n == nil:
			return "", false
		case attr == "":
			return htmlquery.InnerText(n), true
		case !htmlquery.ExistsAttr(n, strings.ToLower(attr)):
			return "", false
		default:
			return htmlquery.SelectAttr(n, strings.ToLower(attr)), true
		}
	}, nil
}

func inXPath(expr, charset string) (source, error) {
	compiled, err := xpath.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("parsing xpath %q: %w", expr, err)
	}
	p := &path{expr: compiled}
	// Wrong arguments of functions come to light no sooner than when they are used.
	if _, _, err := p.evaluate(parseHTML("")); err != nil {
		return nil, fmt.Errorf("evaluating xpath %q: %w", expr, err)
	}
	return func(doc probes.Document) (string, bool) {
		v, ok, err := p.evaluate(parseHTML(decode(doc, charset)))
		return v, ok && err == nil
	}, nil
}

// A path is an XPath expression. An xpath.Expr keeps state while it is
// evaluated, and rounds share extractors.
type path struct {
	mu   sync.Mutex
	expr *xpath.Expr
}

// evaluate returns the first node's text or a function's result. Package xpath
// panics on what it cannot evaluate, hence the error.
func (p *path) evaluate(root *html.Node) (v string, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	switch result := p.expr.Evaluate(htmlquery.CreateXPathNavigator(root)).(type) {
	case *xpath.NodeIterator:
		if !result.MoveNext() {
			return "", false, nil
		}
		return result.Current().Value(), true, nil
	case string:
		return result, true, nil
	case float64:
		return strconv.FormatFloat(result, 'f', -1, 64), true, nil
	case bool:
		return strconv.FormatBool(result), true, nil
	default:
		return "", false, nil
	}
}
