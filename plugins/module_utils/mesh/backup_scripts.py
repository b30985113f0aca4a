# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pods run that dump a registry's database, restore it, and send dumps to Blob storage or get them.

The first two are shell and the programs of PostgreSQL, the last is Python's own library, and no SDK: the token of the
pod's service account becomes one of Entra (client credentials with a client assertion,
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow), with which a blob is put in one
piece (https://learn.microsoft.com/rest/api/storageservices/put-blob). Tokens are in headers and bodies alone.
"""

from __future__ import annotations

# A list of processes shows arguments, and no environment: the password is taken out of the address. libpq takes it from
# in front of the host, where the first @ before any / ends user and password, and from parameters of the query, of
# which the last one counts and whose names may be percent-encoded as well (conninfo_uri_parse_options, fe-connect.c).
_ADDRESS = """\
set -eu
fail() { echo "$1" >&2; exit 1; }
# into the variable `text`: a command substitution would drop line ends
decode() {
  rest=$1 text=
  while :; do
    case $rest in
      *%*)
        text=$text${rest%%\\%*} rest=${rest#*%}
        code=${rest%"${rest#??}"} rest=${rest#??}
        case $code in
          00) fail "DATABASE_URL holds %00, which is no character" ;;
          [0-9A-Fa-f][0-9A-Fa-f]) ;;
          *) fail "DATABASE_URL has a % that begins no percent-encoding: write it %25" ;;
        esac
        byte=$(printf %b. "\\\\0$(printf %03o "0x$code")")
        text=$text${byte%.} ;;
      *) text=$text$rest; return ;;
    esac
  done
}
case $DATABASE_URL in
  postgres://*|postgresql://*) ;;
  *) fail "DATABASE_URL does not begin with postgres:// or postgresql://" ;;
esac
unset PGPASSWORD
place=${DATABASE_URL#*://} address=${DATABASE_URL%%://*}://
case ${place%%/*} in
  *@*)
    user=${place%%@*} place=${place#*@}
    case $user in
      *:?*) decode "${user#*:}"; PGPASSWORD=$text ;;
    esac
    address=$address${user%%:*}@ ;;
esac
query=
case $place in
  *\\?*) query=${place#*\\?} place=${place%%\\?*} ;;
esac
address=$address$place separator=?
while [ -n "$query" ]; do
  parameter=${query%%&*}
  case $query in
    *\\&*) query=${query#*\\&} ;;
    *) query= ;;
  esac
  decode "${parameter%%=*}"
  case $text in
    password) decode "${parameter#*=}"; PGPASSWORD=$text ;;
    sslpassword|oauth_client_secret) fail "DATABASE_URL has $text, which an argument would show" ;;
    *) address=$address$separator$parameter separator=\\& ;;
  esac
done
if [ -n "${PGPASSWORD:-}" ]; then export PGPASSWORD; fi
"""
# names of dumps are their times, so that the oldest come first
DUMP = (
    _ADDRESS
    + """\
file=/backup/mesh-$(date -u +%Y%m%dT%H%M%SZ).dump
pg_dump -Fc -f "$file" -d "$address" || { rm -f "$file"; exit 1; }
pg_restore --list "$file" > /dev/null || { rm -f "$file"; exit 1; }
echo "$file"
set -- /backup/mesh-*.dump
while [ $# -gt "$KEEP" ]; do rm -f "$1"; shift; done
"""
)
REPORT = "/dev/termination-log"
"""Where a container says in the end what became of it; the pod's status shows it."""
# all of it or nothing; what the dump does not know stays
RESTORE = (
    _ADDRESS
    + """\
if [ "$FILE" = latest ]; then
  for file in /backup/mesh-*.dump; do FILE=$file; done
else
  FILE=/backup/$FILE
fi
[ -s "$FILE" ] || fail "there is no dump $FILE"
pg_restore --clean --if-exists --no-owner --single-transaction -d "$address" "$FILE"
# rows alone, in any order: what is said of them (versions, settings, keys of psql) differs between two servers
digest() {
  grep -v -e '^--' -e '^SET ' -e '^SELECT pg_catalog.set_config' -e '^\\\\restrict ' -e '^\\\\unrestrict ' -e '^$' |
    LC_ALL=C sort | sha256sum
}
dumped=$(pg_restore --data-only -f - "$FILE" | digest)
holds=$(pg_dump --data-only -d "$address" | digest)
printf '{"dump": "%s", "dumped": "%s", "restored": "%s"}\\n' "${FILE##*/}" "${dumped%% *}" "${holds%% *}" | tee REPORT
"""
).replace("REPORT", REPORT)
BLOB_PROGRAM = r'''
import base64, glob, hashlib, json, os, re, sys
import urllib.error, urllib.parse, urllib.request
import xml.etree.ElementTree as tree

PLACE, PAGE = os.environ["PLACE"], os.environ["BLOB_URL"].rstrip("/")
VERSION = "2023-11-03"
# of a blob that is put in one piece
LARGEST = 5000 * 1024 * 1024
DUMP = re.compile(r"mesh-\d{8}T\d{6}Z\.dump")


def said(error):
    code = error.headers.get("x-ms-error-code", "")
    text = error.read().decode("utf-8", "replace")
    try:
        text = json.loads(text)["error_description"].splitlines()[0]
    except (ValueError, KeyError, TypeError, IndexError):
        text = code or text[:300]
    return f"{error.code} {text}".strip()


class Stay(urllib.request.HTTPRedirectHandler):
    """A token is for whom it was asked for."""

    def redirect_request(self, *_given):
        return None


OPENER = urllib.request.build_opener(Stay)


def ask(doing, request):
    try:
        return OPENER.open(request, timeout=600)
    except urllib.error.HTTPError as error:
        sys.exit(f"{doing}: {said(error)}")
    except OSError as error:
        sys.exit(f"{doing}: {error}")


def entra_token():
    tenant, authority = os.environ["AZURE_TENANT_ID"], os.environ["AZURE_AUTHORITY_HOST"].rstrip("/")
    with open(os.environ["AZURE_FEDERATED_TOKEN_FILE"], encoding="ascii") as file:
        assertion = file.read().strip()
    form = {
        "grant_type": "client_credentials",
        "client_id": os.environ["AZURE_CLIENT_ID"],
        "scope": "https://storage.azure.com/.default",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": assertion,
    }
    body = urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(f"{authority}/{tenant}/oauth2/v2.0/token", data=body)
    with ask("signing in with the token of the service account", request) as answer:
        return json.load(answer)["access_token"]


TOKEN = entra_token()


def blob(doing, method, url, body=None, **headers):
    own = {name.replace("_", "-"): value for name, value in headers.items()}
    common = {"Authorization": f"Bearer {TOKEN}", "x-ms-version": VERSION}
    return ask(doing, urllib.request.Request(url, data=body, method=method, headers={**common, **own}))


def dumps():
    account, container, *folder = re.fullmatch(r"(https://[^/]+)/([^/]+)(?:/(.+))?", PAGE).groups()
    prefix = f"{folder[0]}/" if folder[0] else ""
    found, marker = [], ""
    while True:
        query = {"restype": "container", "comp": "list", "prefix": f"{prefix}mesh-", "marker": marker}
        url = f"{account}/{container}?{urllib.parse.urlencode(query)}"
        with blob("listing the dumps", "GET", url) as answer:
            page = tree.parse(answer)
        found += [one.text[len(prefix):] for one in page.iterfind("./Blobs/Blob/Name")]
        marker = page.findtext("./NextMarker") or ""
        if not marker:
            return sorted(name for name in found if DUMP.fullmatch(name))


def digest(path):
    md5 = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            md5.update(piece)
    return base64.b64encode(md5.digest()).decode()


def send():
    path = max(glob.glob(f"{PLACE}/mesh-*.dump"))
    name, size = os.path.basename(path), os.path.getsize(path)
    if size > LARGEST:
        sys.exit(f"{name} has {size} bytes, and a blob of one piece has {LARGEST} at most: dump to a volume")
    kind = {"x_ms_blob_type": "BlockBlob", "Content_Type": "application/octet-stream", "If_None_Match": "*"}
    with open(path, "rb") as file:
        headers = {**kind, "Content_Length": str(size), "Content_MD5": digest(path)}
        blob(f"sending {name}", "PUT", f"{PAGE}/{name}", file, **headers).close()
    print(f"{PAGE}/{name}")
    known = dumps()
    for old in known[: max(0, len(known) - int(os.environ["KEEP"]))]:
        blob(f"removing {old}", "DELETE", f"{PAGE}/{old}").close()


def fetch():
    name = os.environ["FILE"]
    if name == "latest":
        known = dumps()
        if not known:
            sys.exit(f"there is no dump in {PAGE}")
        name = known[-1]
    path = f"{PLACE}/{name}"
    with blob(f"getting {name}", "GET", f"{PAGE}/{name}") as answer, open(path, "wb") as file:
        while piece := answer.read(1 << 20):
            file.write(piece)
        expected = answer.headers.get("Content-MD5")
    if expected and expected != digest(path):
        sys.exit(f"{name} has not arrived whole: its MD5 is another one")
    print(f"{PAGE}/{name}")


send() if os.environ["ACTION"] == "send" else fetch()
'''.lstrip()
