"""Turns `[[locations]]` into locations and, apart from them, their credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from auditor.config.addresses import Address, absolute_path, check_http_url, parse_url
from auditor.config.defaults import PIP_ORIGIN
from auditor.config.document import Document
from auditor.config.graph import Named
from auditor.config.install_settings import read_constraints
from auditor.config.kinds import RESERVED_KINDS, ROLE_IS_FREE, role_of
from auditor.config.pip_settings import PipIndex
from auditor.config.problems import Problems
from auditor.config.schema import KIND_KEYS, LocationTable
from auditor.config.secrets import Fetcher, credentials_of
from auditor.config.suggest import did_you_mean
from auditor.config.tables import Placed
from auditor.contracts import Credentials, ProbeKind
from auditor.model import Location, Role, SettingValue

__all__ = ["LocationBuilder"]


@dataclass(frozen=True, kw_only=True)
class LocationBuilder:
    """Builds locations; what is wrong goes to `problems`, doubtful things to `warnings`.

    Attributes:
        document: for origins and directories.
        kinds: installed kinds.
        environ: where secrets may be.
        pip_index: what pip itself would ask; called at most for kinds that default to it.
        timeout_s, exclude_newer: of `[audit]`.
    """

    document: Document
    kinds: Mapping[str, ProbeKind]
    environ: Mapping[str, str]
    pip_index: PipIndex
    timeout_s: float
    exclude_newer: str | None = None
    problems: Problems
    warnings: list[str]

    def build(self, named: Named) -> tuple[Location, Credentials] | None:
        """Build one location; None if its kind is unknown."""
        name, placed = named
        if not self._is_known_kind(placed):
            return None
        table = placed.table
        address, proxy = self._address(placed), self._proxy(placed)
        location = Location(
            name=name,
            kind=table.kind,
            role=self._role(placed),
            url=address.url,
            path=self._path(placed, address),
            upstream=table.upstream,
            expected_lag_s=table.expected_lag,
            required=self._required(placed),
            group=table.group,
            samples=table.samples,
            vantages=table.vantages,
            rebuilds=table.rebuilds,
            timeout_s=table.timeout_s or self.timeout_s,
            settings=self._settings(placed, address, proxy),
            declared_at=self.document.origin(placed.path),
        )
        self._check_needs(placed, location)
        return location, self._credentials(placed, address, proxy)

    def _is_known_kind(self, placed: Placed[LocationTable]) -> bool:
        kind = placed.table.kind
        known = {*RESERVED_KINDS, *self.kinds}
        if kind in known:
            return True
        hint = did_you_mean(kind, known) or f"known: {', '.join(sorted(known))}"
        self.problems.add((*placed.path, "kind"), f"unknown kind {kind!r}; {hint.rstrip()}")
        return False

    def _address(self, placed: Placed[LocationTable]) -> Address:
        table = placed.table
        text = table.url
        if text is None and table.path is None and self._asks_pips_index(table.kind):
            text = self.pip_index.url
        if text is None and table.bucket and table.kind == "s3":
            # One place has one address, however it was written: reports and commands show it.
            text = f"s3://{table.bucket}/{table.prefix or ''}"
        if table.kind == "s3" and table.path is not None:
            hint = 'write bucket = "NAME", or kind = "wheelhouse" for a directory'
            self.problems.add((*placed.path, "path"), f"a bucket has no path; {hint}")
        if text is None:
            return Address()
        if table.kind == "s3" and not text.strip().lower().startswith("s3://"):
            hint = 'write url = "s3://BUCKET/PREFIX/", and its server as endpoint_url'
            self.problems.add((*placed.path, "url"), f"names no bucket; {hint}")
            return Address(url="")
        try:
            return parse_url(text, allow_s3=table.kind == "s3" or table.kind not in RESERVED_KINDS)
        except ValueError as error:
            self.problems.add((*placed.path, "url"), str(error))
            return Address(url="")  # its absence is no further problem

    def _asks_pips_index(self, kind: str) -> bool:
        return self.kinds[kind].defaults_to_pip_index if kind in self.kinds else kind == "pypi"

    def _path(self, placed: Placed[LocationTable], address: Address) -> str | None:
        text = placed.table.path or address.path
        return absolute_path(text, self._directory(placed)) if text else None

    def _directory(self, placed: Placed[LocationTable]) -> Path | None:
        """Paths in a file are relative to that file, paths in options to the working directory."""
        is_from_file = self.document.origin(placed.path).startswith(f"{self.document.name}:")
        return self.document.directory if is_from_file else None

    def _role(self, placed: Placed[LocationTable]) -> Role:
        kind, chosen = placed.table.kind, placed.table.role
        default = role_of(kind, self.kinds)
        if chosen in (None, default):
            return default
        if kind in RESERVED_KINDS and kind not in ROLE_IS_FREE:
            self.problems.add(
                (*placed.path, "role"), f"kind {kind!r} is always {default.value!r}; remove it"
            )
        return chosen or default

    def _required(self, placed: Placed[LocationTable]) -> bool:
        required = placed.table.required
        return self._role_or_default(placed) is Role.INDEX if required is None else required

    def _role_or_default(self, placed: Placed[LocationTable]) -> Role:
        return placed.table.role or role_of(placed.table.kind, self.kinds)

    def _settings(
        self, placed: Placed[LocationTable], address: Address, proxy: Address
    ) -> Mapping[str, SettingValue]:
        table = placed.table
        settings: dict[str, SettingValue] = dict(placed.extra)
        if proxy.url is not None:
            settings["via"] = proxy.url
        for key in KIND_KEYS:
            value: str | None = getattr(table, key)
            if value is not None and self._is_read(placed, key):
                settings[key] = value
        settings |= self._of_those_who_install(placed)
        self._check_endpoint(placed)
        if "cache_path" in settings:
            settings["cache_path"] = absolute_path(
                str(settings["cache_path"]), self._directory(placed)
            )
        for key, found in (("bucket", address.bucket), ("prefix", address.prefix)):
            if found is not None and settings.setdefault(key, found) != found:
                text = f"is not the one that url names ({found!r}); remove one of them"
                self.problems.add((*placed.path, key), text)
        if table.kind == "s3" and table.role is None:
            # It is an index if static pages are found in it; as such it is required by default.
            settings["role_open"] = table.required is not False
        if self._asks_pips_index(table.kind) and self._is_builtin(address):
            settings["pip_builtin"] = True
        return settings

    def _of_those_who_install(self, placed: Placed[LocationTable]) -> dict[str, SettingValue]:
        """Return the settings of those who install from this place, which every kind may have."""
        table = placed.table
        found: dict[str, SettingValue] = {}
        is_index = self._role_or_default(placed) is Role.INDEX
        for key in ("exclude_newer", "constraints", "index_strategy"):
            value: str | None = getattr(table, key)
            if value is not None and not is_index:
                self.problems.add(
                    (*placed.path, key), "is read for places of role index only; remove it"
                )
            elif value is not None:
                found[key] = value
        if is_index and self.exclude_newer is not None:
            found.setdefault("exclude_newer", self.exclude_newer)
        if "constraints" in found:
            found["constraints"] = absolute_path(str(found["constraints"]), self._directory(placed))
            try:
                read_constraints(str(found["constraints"]))
            except ValueError as error:
                self.problems.add((*placed.path, "constraints"), str(error))
        return found

    def _is_builtin(self, address: Address) -> bool:
        builtin = self.pip_index.builtin_url.rstrip("/")
        return address.url is not None and address.url.rstrip("/") == builtin

    def _is_read(self, placed: Placed[LocationTable], key: str) -> bool:
        kind = self.kinds.get(placed.table.kind)
        # Every index is asked over HTTP, so a forward proxy makes sense for each of them.
        is_read = (
            kind is None
            or key in {setting.key for setting in kind.settings}
            or (key == "via" and self._role_or_default(placed) is Role.INDEX)
        )
        if not is_read:
            self.problems.add(
                (*placed.path, key),
                f"kind {placed.table.kind!r} does not read this; remove it, or see "
                "`auditor plugins` for the kinds that do",
            )
        return is_read

    def _proxy(self, placed: Placed[LocationTable]) -> Address:
        """The forward proxy that it names; its login goes to the credentials."""
        reference = placed.table.via
        if reference is None or not self._is_read(placed, "via"):
            return Address()
        try:
            text = Fetcher(self.environ, self._directory(placed)).fetch(reference)
            proxy = parse_url(text, allow_s3=False)
            check_http_url(proxy.url or "")
        except ValueError as error:
            self.problems.add((*placed.path, "via"), str(error))
            return Address()
        if proxy.password and reference.source == "literal":
            where = self.document.origin((*placed.path, "via"))
            if not where.startswith(PIP_ORIGIN):
                self.warnings.append(
                    f'{where}: via carries a password in clear; write via = {{env = "NAME"}}'
                )
        return proxy

    def _check_endpoint(self, placed: Placed[LocationTable]) -> None:
        value, path = placed.table.endpoint_url, (*placed.path, "endpoint_url")
        if value is None:
            return
        try:
            parsed = parse_url(value, allow_s3=False)
            check_http_url(parsed.url or "")
        except ValueError as error:
            self.problems.add(path, str(error))
            return
        if parsed.username or parsed.password:
            self.problems.add(
                path,
                "carries a user name or password, which would show in reports; remove them",
            )

    def _check_needs(self, placed: Placed[LocationTable], location: Location) -> None:
        """Check that the location says where it is, and all that its kind cannot do without."""
        present = {**location.settings, "url": location.url, "path": location.path}
        kind = self.kinds.get(location.kind)
        needed = [s.key for s in kind.settings if s.required] if kind else []
        for key in needed:
            if present.get(key) is None:
                self.problems.add(
                    (*placed.path, key), f"is missing; kind {location.kind!r} needs {key}"
                )
        if needed or any(present.get(key) is not None for key in ("url", "path", "bucket")):
            return
        self.problems.add(
            placed.path, f"kind {location.kind!r} says nowhere where it is; add url or path"
        )

    def _credentials(
        self, placed: Placed[LocationTable], address: Address, proxy: Address
    ) -> Credentials:
        self._warn_of_literals(placed, address)
        credentials = credentials_of(
            placed.table,
            address,
            Fetcher(self.environ, self._directory(placed)),
            lambda key, text: self.problems.add((*placed.path, key), text),
        )
        for key in ("ca_file", "client_cert", "client_key"):
            file: str | None = getattr(credentials, key)
            if file is not None and not _is_file(file):
                where = self.document.origin((*placed.path, key))
                self.warnings.append(f"{where}: {key}: there is no file {file}; correct the path")
        return replace(credentials, proxy_username=proxy.username, proxy_password=proxy.password)

    def _warn_of_literals(self, placed: Placed[LocationTable], address: Address) -> None:
        origin = self.document.origin(placed.path)
        for key in ("password", "token"):
            reference = getattr(placed.table, key)
            if reference is not None and reference.source == "literal":
                where = self.document.origin((*placed.path, key))
                self.warnings.append(
                    f'{where}: {key} stands there in clear; write {key} = {{env = "NAME"}}'
                )
        if address.password and placed.table.url and not origin.startswith(PIP_ORIGIN):
            self.warnings.append(
                f'{origin}: url carries a password in clear; write password = {{env = "NAME"}}'
            )


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False
