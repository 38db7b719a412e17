"""What an operator can do about a page or a file that a cache keeps. Printed, never run."""

from __future__ import annotations

from auditor.model import RemedyTemplate, Status
from probes.cache_server.signs import Program
from probes.kit.views import CLIENTS

__all__ = ["REMEDIES"]

_PAGE = (Status.EXPOSED, Status.BEHIND)
_FILE = (Status.EXPOSED, Status.BEHIND, Status.ROLLED_FORWARD, Status.TAMPERED)
_VERIFY = (
    "audit again after some client has installed from here: what was purged may come back with the "
    "next request"
)

_ACCEPTS = " ".join(f"'{client.accept}'" for client in CLIENTS.values())
_ENCODINGS = " ".join(f"'{e}'" for e in dict.fromkeys(c.accept_encoding for c in CLIENTS.values()))

REMEDIES = (
    RemedyTemplate(
        command="grep -rlaE --null -e '^KEY: .*/'{project}'/?([?].*)?$' {cache_path} "
        "| xargs -0 -r rm --",
        effect="nginx: forgets the project's page, in every variant",
        caution="each variant is a file of its own with the same KEY line: deleting one of them "
        f"leaves the others in use. Where the key is not the URL, search for your own; {_VERIFY}",
        statuses=_PAGE,
        traits=(Program.NGINX,),
    ),
    RemedyTemplate(
        command="grep -rlaF --null -e {file} {cache_path} | xargs -0 -r rm --",
        effect="nginx: forgets the broken file, so that lock files with its URL no longer get it",
        caution="pages that name the file are deleted as well, which does no harm; while the "
        "source still serves the file, the next request for it brings it back",
        statuses=_FILE,
        traits=(Program.NGINX,),
    ),
    RemedyTemplate(
        command=f"for a in {_ACCEPTS}; do for e in {_ENCODINGS}; do curl --silent --output "
        '/dev/null --header "Accept: $a" --header "Accept-Encoding: $e" '
        "--header 'Cache-Control: no-cache' {page}; done; done",
        effect="squid, Apache: replaces the variant of each client class by the upstream's page",
        caution="PURGE of squid is not enough: it forgets the list of the variants, and the next "
        "request for the page brings the old ones back; nginx and Varnish ignore this",
        statuses=_PAGE,
        traits=(Program.SQUID, Program.APACHE),
    ),
    RemedyTemplate(
        command="# squid, where its ACLs allow PURGE: curl --request PURGE with the URL of {file}, "
        "once as clients of the accelerator ask for it, once as clients of the forward proxy do",
        effect="squid: forgets the broken file; its two ports keep it under different URLs",
        caution="while the source still serves the file, the next request brings it back; "
        "/squid-internal-mgr/objects lists what is kept, in memory too",
        statuses=_FILE,
        traits=(Program.SQUID,),
    ),
    RemedyTemplate(
        command="varnishadm ban 'req.url ~ /'{project}'/?($|[?])'",
        effect="Varnish: forgets the project's page, in every variant",
        caution=_VERIFY,
        statuses=_PAGE,
        traits=(Program.VARNISH,),
    ),
    RemedyTemplate(
        command="varnishadm ban 'req.url ~ /'{file}",
        effect="Varnish: forgets the broken file, and what its index says of it",
        caution="once for every file of the release; while the source still serves the file, the "
        "next request brings it back",
        statuses=_FILE,
        traits=(Program.VARNISH,),
    ),
    RemedyTemplate(
        command="htcacheclean -p {cache_path} -a | grep -E '/'{project}'/?[?]' | sort -u "
        "| xargs -r -n 1 htcacheclean -p {cache_path}",
        effect="Apache: forgets the project's page, with all its variants",
        caution=_VERIFY,
        statuses=_PAGE,
        traits=(Program.APACHE,),
    ),
    RemedyTemplate(
        command="htcacheclean -p {cache_path} -a | grep -F {file} | sort -u "
        "| xargs -r -n 1 htcacheclean -p {cache_path}",
        effect="Apache: forgets the broken file",
        caution="while the source still serves the file, the next request brings it back",
        statuses=_FILE,
        traits=(Program.APACHE,),
    ),
    RemedyTemplate(
        command="# Varnish: add `sub vcl_recv { if (req.http.X-Peek) { return (hash); } } "
        "sub vcl_miss { if (req.http.X-Peek) { return (synth(504)); } } "
        "sub vcl_pass { if (req.http.X-Peek) { return (synth(504)); } } "
        "sub vcl_backend_fetch { if (bereq.http.X-Peek) { return (abandon); } }` "
        "and set peek = true for this location",
        effect="Varnish: lets the next audit see whether the broken file is kept",
        caution="anybody who may send requests can then see what is kept",
        statuses=(Status.EXPOSED, Status.BEHIND, Status.ROLLED_FORWARD),
        traits=(Program.VARNISH,),
    ),
)
