package checks

// settings finds settings that must be equal on all nodes, and are not.
func settings(v *nodeStates) []Finding {
	if v.Cluster.Status == nil {
		return nil
	}
	var list []Finding
	for _, key := range v.Cluster.Status.Settings {
		values := make(map[string]string)
		for _, o := range v.active {
			if o.Status == nil {
				continue
			}
			if value, ok := o.Status.Settings[key]; ok {
				values[o.Node] = value
			}
		}
		list = append(list, skew(v, SettingsSkew, key, values, MsgSettingsDiffer, MsgEqualiseSettings)...)
	}
	return list
}
