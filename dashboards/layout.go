package dashboards

// gridWidth is Grafana's.
const gridWidth = 24

// arrange numbers panels and sets them side by side from the left, in their
// order. What does not fit beside the others begins below all of them.
func arrange(panels ...panel) []panel {
	x, y, height := 0, 0, 0
	for i := range panels {
		p := &panels[i]
		p.ID = i + 1
		if x+p.GridPos.W > gridWidth {
			x, y, height = 0, y+height, 0
		}
		p.GridPos.X, p.GridPos.Y = x, y
		x += p.GridPos.W
		height = max(height, p.GridPos.H)
	}
	return panels
}
