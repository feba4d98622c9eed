package extract

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/cascadia"
	"github.com/antchfx/htmlquery"
	"github.com/antchfx/xpath"
	"github.com/ohler55/ojg/jp"
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
	// Wrong arguments of functions are detected only by evaluation.
	if _, _, err := p.evaluate(parseHTML("")); err != nil {
		return nil, fmt.Errorf("evaluating xpath %q: %w", expr, err)
	}
	return func(doc probes.Document) (string, bool) {
		v, ok, err := p.evaluate(parseHTML(decode(doc, charset)))
		return v, ok && err == nil
	}, nil
}

// A path is an XPath expression. An xpath.Expr has state during an evaluation, and
// rounds share extractors, hence the lock.
type path struct {
	mu   sync.Mutex
	expr *xpath.Expr
}

// evaluate returns the first node's text or a function's result. Package xpath panics
// if it cannot evaluate an expression; the panic is returned as an error.
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

// inJSON looks up a JSONPath in the dialect of ojg, which is close to RFC 9535.
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
		if recover() != nil { // a filter compared types that ojg cannot compare
			v, ok = "", false
		}
	}()
	found, ok := expr.FirstFound(root)
	if !ok {
		return "", false
	}
	return scalar(found)
}

// maxNesting bounds how deep a JSON value is read.
const maxNesting = 256

var errNested = errors.New("nested too deep")

// An object is a JSON object that keeps the order of its members. With a map, a path
// with a wildcard would find another value each time, and a process whose fingerprint
// changes by chance would look restarted. It implements jp.Keyed, which includes
// methods that change it.
type object struct {
	keys   []string
	values map[string]any
}

func (o *object) Keys() []string { return o.keys }

func (o *object) ValueForKey(key string) (any, bool) {
	v, ok := o.values[key]
	return v, ok
}

func (o *object) SetValueForKey(key string, v any) {
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = v
}

func (o *object) RemoveValueForKey(key string) {
	delete(o.values, key)
	o.keys = slices.DeleteFunc(o.keys, func(k string) bool { return k == key })
}

// parseJSON reads one JSON value with nothing after it: nil, bool, string, int64,
// float64, json.Number if those are too small, []any or *object.
func parseJSON(text string) (any, bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := next(d, 0)
	if err != nil {
		return nil, false
	}
	_, err = d.Token()
	return v, errors.Is(err, io.EOF)
}

func next(d *json.Decoder, depth int) (any, error) {
	if depth > maxNesting {
		return nil, errNested
	}
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return nextObject(d, depth)
		}
		return nextArray(d, depth)
	case json.Number:
		return number(t), nil
	default:
		return t, nil
	}
}

func nextObject(d *json.Decoder, depth int) (any, error) {
	o := &object{values: make(map[string]any)}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := next(d, depth+1)
		if err != nil {
			return nil, err
		}
		o.SetValueForKey(key.(string), v) // a Decoder returns no other token here
	}
	_, err := d.Token()
	return o, err
}

func nextArray(d *json.Decoder, depth int) (any, error) {
	a := []any{}
	for d.More() {
		v, err := next(d, depth+1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
	}
	_, err := d.Token()
	return a, err
}

// number converts a JSON number to a type that filters can compare. A greater integer
// stays as written, because a float would lose its last digits.
func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	if f, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), ".eE") {
		return f
	}
	return n
}

// scalar returns a JSON value as text. Objects, arrays and null are no value.
func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	case json.Number:
		return v.String(), true
	default:
		return "", false
	}
}
