# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the pods run that dump a registry's database and restore it: shell, and the programs of PostgreSQL."""

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
