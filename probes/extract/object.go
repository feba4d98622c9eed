package extract

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxNesting bounds how deep a JSON value is followed.
const maxNesting = 256

var errNested = errors.New("nested too deep")

// An object is a JSON object in the order it was written. In a map a path with
// a wildcard would find another value each time, and a process whose
// fingerprint changes by chance looks as if it had restarted. It implements
// jp.Keyed, which includes methods that change it.
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

// parseJSON reads one JSON value with nothing after it: nil, bool, string,
// int64, float64, json.Number where those are too small, []any or *object.
func parseJSON(text string) (any, bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	v, err := next(d, 0)
	if err != nil {
		return nil, false
	}
	_, err = d.Token()
	return v, err == io.EOF
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

// number turns a JSON number into one that filters can compare. An integer too
// large for that stays as written: as a float it would lose its last digits.
func number(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	if f, err := n.Float64(); err == nil && strings.ContainsAny(n.String(), ".eE") {
		return f
	}
	return n
}

// scalar writes a JSON value as a person would. Objects, arrays and null are
// no value.
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
