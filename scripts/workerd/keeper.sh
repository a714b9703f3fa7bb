#!/bin/sh
# Starts workerd, and ends it by its process ID when the process that asked for it is gone, for whatever reason: Miniflare does so only where that
# process has the time for it.
# It runs in no folder of the project.
parent=$PPID
cd /
(
  while kill -0 "$parent" 2>/dev/null && kill -0 $$ 2>/dev/null; do sleep 0.5; done
  kill -KILL $$ 2>/dev/null
) </dev/null >/dev/null 2>&1 3>&- &
exec "$WORKERD" "$@"
