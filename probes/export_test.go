package probes

import "context"

// A LoginGate is a loginGate for tests of this package by its users.
type LoginGate struct{ gate loginGate }

// Enter is loginGate.enter.
func (g *LoginGate) Enter(ctx context.Context, perHour int) bool { return g.gate.enter(ctx, perHour) }

// Leave is loginGate.leave.
func (g *LoginGate) Leave(ctx context.Context, a LoginAttempt) { g.gate.leave(ctx, a) }
