-- +goose Up

-- Which clusters an incident concerns: one, several, or none when it is about the
-- monitor itself.
CREATE TABLE incident_clusters (
    incident TEXT NOT NULL,
    cluster  TEXT NOT NULL,
    PRIMARY KEY (incident, cluster)
) WITHOUT ROWID;
CREATE INDEX incidents_of_cluster ON incident_clusters (cluster, incident);
INSERT INTO incident_clusters (incident, cluster) SELECT id, cluster FROM incidents WHERE cluster <> '';

-- +goose StatementBegin
CREATE TRIGGER incident_forgotten AFTER DELETE ON incidents BEGIN
    DELETE FROM incident_clusters WHERE incident = OLD.id;
END;
-- +goose StatementEnd

-- Until now an incident was of one cluster, and so were its findings.
UPDATE incidents SET body = json_set(body,
    '$.Clusters', json_array(cluster),
    '$.Findings', (SELECT json_group_array(json_set(f.value, '$.Cluster', incidents.cluster)) FROM json_each(incidents.body, '$.Findings') AS f WHERE f.type = 'object'));
UPDATE notices SET body = json_set(body,
    '$.Incident.Clusters', json_array(json_extract(body, '$.Incident.Cluster')),
    '$.Incident.Findings', (SELECT json_group_array(json_set(f.value, '$.Cluster', json_extract(notices.body, '$.Incident.Cluster')))
        FROM json_each(notices.body, '$.Incident.Findings') AS f WHERE f.type = 'object'))
    WHERE state IN ('pending', 'dead') AND json_valid(body);
