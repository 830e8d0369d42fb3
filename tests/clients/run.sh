#!/bin/sh
# Reads a simulated Jira site with clients that others wrote: PyPI `jira`, PyPI `atlassian-python-api`, npm `jira.js`.
# Fails where one of them does not find what the site holds, or sends what the real site would refuse or ignore.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
site=
finish() {
    [ -z "$site" ] || kill "$site" 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT INT TERM

(cd "$here/../.." && cargo build --quiet --package esker-jira-site --bin jira-site)

python3 -m venv "$work/python"
"$work/python/bin/pip" install --quiet --disable-pip-version-check jira==3.10.5 atlassian-python-api==5.0.5
(cd "$work" && npm init --yes >/dev/null && npm install --silent --no-audit --no-fund jira.js@5.4.0)

target=${CARGO_TARGET_DIR:-$here/../../target}
"$target/debug/jira-site" --port 0 --control-port 0 --seed 7 --issues 120 --attachments 15 --json >"$work/site.json" &
site=$!
for _ in 1 2 3 4 5 6 7 8 9 10; do
    [ -s "$work/site.json" ] && break
    sleep 0.5
done

"$work/python/bin/python" "$here/clients.py" "$work/site.json"
cp "$here/clients.mjs" "$work/"
node "$work/clients.mjs" "$work/site.json"
"$work/python/bin/python" "$here/violations.py" "$work/site.json"
