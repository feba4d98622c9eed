package main

const decisionsTopic = `How stickwatch decides

Sessions stick. A canary comes back on new connections with its cookies. If
nothing held it, it would meet its own node again by luck: with n equal nodes
m times in a row about once in n to the power of m. It comes back as often as
--confidence asks for: at 0.999 ten times with two nodes, seven with three.

A node is out of rotation. Under ip_hash and hash the balancer's arithmetic is
computed: a client that must land on the node and is answered by the next one
proves it. This needs client_ip_header, a request header from which the
balancer takes the client address of this prober. Under other methods new
clients must miss the node in two independent samples, each of the size that
excludes chance: 18 clients each with three nodes at 0.999. Or the balancer says
so itself, in its error log or statistics (balancer.evidence). Where these
contradict each other, the answer is unknown.

Memory. serve remembers which session a canary has, which process a node was,
and who was out a moment ago. What one lost packet can bring about must be seen
by two rounds in a row (damping.appear); a lost session is believed at once. A
finding is over when two rounds in a row miss it (damping.vanish).

Unknown is an answer. Where the evidence cannot be had, the verdict says
"inconclusive", or a blind_spot tells what would open it.

One cause. A finding that another one explains stays in the picture, below its
cause: Redis down explains three paused nodes. It raises no incident of its own.`

const alertingTopic = `Who is told of what, when, and how often

Findings with one cause are one incident. A critical one is told at once, a
warning when it has held for 30 s (alerting.for); it is over after 30 s of quiet
(resolve_after). Developments are gathered, one notice every 30 s at most.
Reminders come after repeat (4h), then twice as long each, up to a day. A
finding that comes five times within an hour flaps, which is said once.

Receivers: slack (with a bot's token a message that is kept up to date, with a
thread; with an incoming webhook a message each time), alertmanager, webhook
(signed JSON, or a template's). routes say which incident goes where, by
cluster, code and severity: the first that matches, and those after it while
they say continue. Without routes every receiver is told of warnings and worse.

Silences hold back messages, and neither the watch nor the end of what was told.
Windows of every week stand in the file, under maintenance.
  stickwatch silence add --cluster shop --node node2 --for 20m \
      --reason "deploy 4.2"

Delivery: notices wait on the disk, and are tried for 24 hours, the beginning
and the end of an incident for 72. Retry-After is obeyed. After a crash Slack,
by a bot, is searched before a message is posted again; a webhook may get one
twice, with the same Idempotency-Key. What is given up is in the log, on the
page and in stickwatch_notifications_total{result="buried"}.

Does it arrive?
  stickwatch check --notify ops`

const deployingTopic = `Lines to put before, around and after a deployment

  # is the cluster fit to be changed?
  stickwatch probe
  # was anybody thrown out? Its status is that of the command, unless that is 0
  stickwatch probe --watch -- ./deploy.sh 4.2
  # the same, and any lost session fails, also one that the policy allows
  stickwatch probe --watch --fail-on-loss -- ./deploy.sh 4.2
  # does every node run 4.2, and is all well?
  stickwatch probe --wait 2m --expect-version 4.2
  # the last two in one, as a report for a merge request
  stickwatch probe --watch --wait 2m --expect-version 4.2 -o markdown \
      -- ./deploy.sh 4.2 > report.md
  # in a rolling update, after each node: until it gets clients again
  stickwatch probe --wait 1m --node node2
  # while a node is emptied by hand: is anybody on it thrown out?
  stickwatch probe --watch 5m --drain node2

With --server URL a daemon records the deployment, shows it on its page and
dashboards, notifies nobody of what it explains, and sums it up afterwards.

Exit status: 0 well, 1 a finding or a broken promise, 2 wrong usage, 3
inconclusive; or that of the command. -o junit is for CI servers.`
