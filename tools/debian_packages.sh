#!/bin/sh
# Installs the programs that only Debian can give us, where they are missing and we may.
# Where we may not, it says what will be skipped; with CI=true that is a failure.
set -eu

missing=""
need() { # PACKAGE COMMAND...: any of the commands will do
    package=$1
    shift
    for name in "$@"; do
        if command -v "$name" >/dev/null 2>&1; then return; fi
    done
    missing="$missing $package"
}
need chromium chromium chromium-browser google-chrome
need curl curl
need openssl openssl
need tinyproxy tinyproxy
need umoci umoci
need skopeo skopeo
# Debian keeps servers where only root looks for commands.
need nginx-light nginx ${SBIN-/usr/sbin}/nginx
need squid squid ${SBIN-/usr/sbin}/squid
need varnish varnishd ${SBIN-/usr/sbin}/varnishd
need apache2 apache2 ${SBIN-/usr/sbin}/apache2
# A second S3 server, for `make lab` alone.
swift="swift-proxy swift-account swift-container swift-object"
if [ "${LAB:-}" = true ]; then
    for package in $swift; do need "$package" "$package-server"; done
    need memcached memcached
fi
need redis-server redis-server
[ -n "$missing" ] || exit 0
missing=${missing# }

if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
    echo "test: installing Debian packages: $missing"
    # Tests start their own servers with their own settings: Debian's must stay off, now and after
    # the next boot. Exit code 101 of this file forbids starting (invoke-rc.d, POLICY LAYER).
    policy=${POLICY_RC_D:-/usr/sbin/policy-rc.d}
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        trap '/bin/rm -f "$policy"' EXIT INT TERM
        /bin/chmod 755 "$policy"
    fi
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of names
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends $missing \
        </dev/null >/dev/null
    # PACKAGE:SERVICE
    for pair in nginx:nginx tinyproxy:tinyproxy squid:squid varnish:varnish varnish:varnishncsa \
        apache2:apache2 apache2:apache-htcacheclean redis-server:redis-server; do
        case " $missing " in
        *" ${pair%%:*}"*) update-rc.d "${pair#*:}" disable >/dev/null 2>&1 || true ;;
        esac
    done
    for package in $swift memcached; do
        case " $missing " in
        *" $package "*) for script in /etc/init.d/"$package"*; do
            update-rc.d "${script##*/}" disable >/dev/null 2>&1 || true
        done ;;
        esac
    done
    exit 0
fi

echo "test: SKIPPED: not installed, and only root may install it: $missing"
echo "test: tests that need it are skipped; as root: apt-get install $missing"
[ "${CI:-}" != true ] || {
    echo "test: in CI nothing may be skipped" >&2
    exit 1
}
