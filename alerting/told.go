package alerting

// Told is how far one receiver knows of an incident.
type Told struct {
	Receiver string
	Notices  int     // written so far; the number of the next one
	News     []Event // developments that it has not been told yet, oldest first
}
