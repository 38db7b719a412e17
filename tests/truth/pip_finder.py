"""pip's own finder and resolver rule, run in this process on a page that pip itself reads.

Private interfaces of pip, and on purpose: a restatement of its rules would share our mistakes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from packaging.version import Version
from pip._internal.index.collector import IndexContent, LinkCollector
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.link import Link
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.models.target_python import TargetPython
from pip._internal.req.constructors import install_req_from_line
from pip._internal.resolution.resolvelib.factory import Factory
from pip._internal.utils.hashes import Hashes
from pip._vendor.packaging.specifiers import SpecifierSet
from pip._vendor.packaging.tags import Tag

from auditor.model import Environment
from auditor.selection.environments import tags_of

PAGE_URL = "https://index.example/simple/project/"


@dataclass(frozen=True)
class PipAnswer:
    """What pip does with a page.

    Attributes:
        filename, version: of the file that it would download first; None if there is none.
        candidates: names of the files that it considers at all.
    """

    filename: str | None
    version: Version | None
    candidates: frozenset[str]


class _AnySession:
    def is_secure_origin(self, location: Link) -> bool:
        return True


def _collector(page: IndexContent) -> LinkCollector:
    """pip's collector, with one page instead of a network."""
    index_urls = ["https://index.example/simple"]
    scope = SearchScope.create(find_links=[], index_urls=index_urls, no_index=False)
    collector = LinkCollector(session=_AnySession(), search_scope=scope)
    collector.fetch_response = lambda location, package_name=None: page
    return collector


def ask_pip(
    body: bytes, content_type: str, environment: Environment, project: str, pin: str | None = None
) -> PipAnswer:
    """Let pip read a page, and say which file its resolver would try first."""
    page = IndexContent(body, content_type, "utf-8", PAGE_URL, cache_link_parsing=False)
    finder = PackageFinder.create(
        link_collector=_collector(page),
        # As `pip install` sets it (cli/req_command.py): yanks are the resolver's business.
        selection_prefs=SelectionPreferences(allow_yanked=True),
        target_python=_target(environment),
    )
    factory = _factory()
    factory._finder = finder
    requirement = install_req_from_line(project if pin is None else f"{project}=={pin}")
    found = factory._iter_found_candidates(
        [requirement],
        SpecifierSet(),
        Hashes(),
        prefers_installed=False,
        incompatible_ids=set(),
    )
    candidates = finder.find_all_candidates(_canonical(requirement.name))
    names = frozenset(candidate.link.filename for candidate in candidates)
    # The first one is what the resolver builds and, with nothing else to consider, installs.
    first = next(iter(found._get_infos()), None)
    if first is None:
        return PipAnswer(None, None, names)
    version, build = first
    return PipAnswer(build.keywords["link"].filename, Version(str(version)), names)


def _canonical(name: str) -> str:
    # `_iter_found_candidates` asks its finder for the normalised name.
    return name.lower().replace("_", "-").replace(".", "-")


@lru_cache(maxsize=128)
def _target(environment: Environment) -> TargetPython:
    """The interpreter as pip knows it when it runs there, rather than with `--platform`.

    `--platform` expands `manylinux2014` on its own, in another order than a machine reports it.
    """
    major, minor, micro = map(int, environment.python_full_version.split("."))
    target = TargetPython(py_version_info=(major, minor, micro))
    tags = [Tag(t.interpreter, t.abi, t.platform) for t in tags_of(environment)]
    target._valid_tags = tags
    target._valid_tags_set = set(tags)
    return target


@lru_cache(maxsize=1)
def _factory() -> Factory:
    return Factory(
        finder=None,
        preparer=None,
        make_install_req=None,
        wheel_cache=None,
        use_user_site=False,
        force_reinstall=False,
        ignore_installed=True,
        ignore_requires_python=False,
    )
