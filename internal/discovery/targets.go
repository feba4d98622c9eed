package discovery

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/prometheus/discovery/targetgroup"
	"go.yaml.in/yaml/v2"

	"stickwatch/internal/panics"
	"stickwatch/probes"
)

const (
	fileEvery = 2 * time.Second
	httpEvery = 30 * time.Second
)

// schemeLabel is the label by which Prometheus overrides the scheme of a target.
const schemeLabel = "__scheme__"

// A fileSource reads a list of target groups, as file_sd of Prometheus does. It reads the file
// again when that has changed.
type fileSource struct {
	path  string
	nodes nodeTemplate
	stat  func(string) (os.FileInfo, error)

	reading panics.Runner
	read    os.FileInfo // of the file that gave last; nil: it must be read
	last    answer
}

// ask reads the file. A file of a network or of a user's process may be there and never answer.
func (s *fileSource) ask(ctx context.Context) (answer, error) {
	var listErr error
	var listed answer
	if err := s.reading.Do(ctx, panics.Daemon, askTimeout, func(context.Context) { listed, listErr = s.list() }); err != nil {
		return answer{}, fmt.Errorf("its file system: %w", err)
	}
	return listed, listErr
}

func (s *fileSource) list() (answer, error) {
	info, err := s.stat(s.path)
	if err != nil {
		return answer{}, err
	}
	if !info.Mode().IsRegular() { // to open a pipe may wait forever
		return answer{}, errors.New("it is no regular file")
	}
	if s.read != nil && os.SameFile(info, s.read) && info.Size() == s.read.Size() && info.ModTime().Equal(s.read.ModTime()) {
		return s.last, nil
	}
	s.read = nil
	nodes, err := s.readNodes()
	if err != nil {
		return answer{}, err
	}
	s.last = answer{nodes, fileEvery}
	if time.Since(info.ModTime()) > fileEvery { // or it may change once more at the same time
		s.read = info
	}
	return s.last, nil
}

func (s *fileSource) readNodes() ([]probes.Node, error) {
	file, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := bounded(file)
	if err != nil {
		return nil, err
	}
	var groups []*targetgroup.Group
	if strings.EqualFold(filepath.Ext(s.path), ".json") {
		err = json.Unmarshal(data, &groups)
	} else {
		err = yaml.UnmarshalStrict(data, &groups)
	}
	if err != nil {
		return nil, fmt.Errorf("the file is no list of target groups: %w", err)
	}
	return s.nodes.ofGroups(groups)
}

// An httpSource requests a list of target groups, as http_sd of Prometheus does.
type httpSource struct {
	url   *url.URL
	tls   *tls.Config // nil: the system's authorities
	nodes nodeTemplate
}

func (s httpSource) ask(ctx context.Context) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url.String(), nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("User-Agent", "stickwatch")
	req.Header.Set("Accept", "application/json")
	resp, err := probes.NewClient(probes.Target{URL: s.url, TLS: s.tls, Timeout: askTimeout}).HTTP().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return answer{}, fmt.Errorf("got HTTP status %d, want 200", resp.StatusCode)
	}
	data, err := bounded(resp.Body)
	if err != nil {
		return answer{}, err
	}
	var groups []*targetgroup.Group
	if json.Unmarshal(data, &groups) != nil {
		return answer{}, errors.New("the answer is no list of target groups in JSON")
	}
	nodes, err := s.nodes.ofGroups(groups)
	return answer{nodes, httpEvery}, err
}

func bounded(from io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(from, maxAnswer+1))
	if err == nil && len(data) > maxAnswer {
		err = fmt.Errorf("the list is longer than %d bytes", maxAnswer)
	}
	return data, err
}

// ofGroups returns the nodes of all groups, in their order.
func (t nodeTemplate) ofGroups(groups []*targetgroup.Group) (nodes []probes.Node, err error) {
	for _, g := range groups {
		if g == nil {
			return nil, errors.New("a target group is null")
		}
		for _, target := range g.Targets {
			n, err := t.node("", string(target["__address__"]), string(g.Labels[schemeLabel]))
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
	}
	return distinct(nodes), nil
}
