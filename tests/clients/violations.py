"""Fails where a client sent something that the real site would refuse or ignore."""

import json
import sys
import urllib.request

with open(sys.argv[1]) as file:
    site = json.load(file)

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
violations = json.load(opener.open(site["control"] + "/violations"))
for violation in violations:
    print(violation)
requests = json.load(opener.open(site["control"] + "/requests"))
print(f"{sum(requests.values())} requests to {len(requests)} endpoints, {len(violations)} violations")
sys.exit(bool(violations))
