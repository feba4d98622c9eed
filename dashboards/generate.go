package dashboards

import "fmt"

// generated returns the dashboards as JSON by the name of their file.
func generated() (map[string][]byte, error) {
	byName := make(map[string][]byte)
	for _, d := range []Dashboard{overview(), cluster()} {
		content, err := d.JSON()
		if err != nil {
			return nil, err
		}
		byName[fmt.Sprintf("grafana/%s.json", d.UID)] = content
	}
	return byName, nil
}
