"""Templates with the server and agents inside, built by E2B and found again by their name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sandbox_agent_core.errors import ProviderAuthError, ProviderError
from sandbox_agent_core.provisioning.agent_memory import needed_memory_mb
from sandbox_agent_core.provisioning.image_recipe import DIRECTORY, image_recipe
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage

from sandbox_agent_e2b.errors import PROVIDER, e2b_errors

if TYPE_CHECKING:
    from e2b.template.logger import LogEntry
    from e2b.template.main import TemplateBuilder

__all__ = ["build", "find", "remove", "snapshot", "template_name"]

CPUS = 2
MEMORY_MB = 2048
"""At least; more where the agents need it. E2B's own template has 512 MB."""
_TAIL_LINES = 40
"""Of the build, in an error."""
_CURRENT = "default"
"""E2B's own tag, on what was built last."""
_FILES = "files"
_NOT_OURS = (403, 404)
_NO_FILES_ALONE = (400, 409)
"""The account may not, or the machine that the sandbox is on cannot."""

Api = Mapping[str, Any]
"""Where E2B is and who asks, as arguments of the SDK's calls."""


def template_name(text: str) -> str:
    """As E2B allows it."""
    return text.lower().replace(".", "-")


async def build(spec: ImageSpec, *, name: str, is_default: bool, api: Api) -> SandboxImage:
    """Not when what has that name was built from the same.

    Raises:
        ProviderError: a step failed; the message ends with its output.
    """
    from e2b import AsyncTemplate  # noqa: PLC0415 - the SDK is imported on first use

    builds = await _builds(name, api)
    image = SandboxImage(
        provider=PROVIDER, name=name, options={"template": name}, is_default=is_default
    )
    if not spec.rebuild and builds.get(spec.digest, "") == builds.get(_CURRENT):
        return replace(image, is_new=False)
    said: list[str] = []

    def tell(entry: LogEntry) -> None:
        said.append(entry.message)
        spec.report(entry.message)

    with TemporaryDirectory(prefix="sandbox-agent-template-") as directory:
        template = _template(spec, directory)
        try:
            with e2b_errors():
                await AsyncTemplate.build(
                    template,
                    name,
                    tags=[spec.digest],
                    cpu_count=spec.cpus or CPUS,
                    memory_mb=spec.memory_mb or max(MEMORY_MB, needed_memory_mb(spec.agents)),
                    skip_cache=spec.rebuild,
                    on_build_logs=tell,
                    **api,
                )
        except ProviderAuthError:
            raise
        except ProviderError as exc:
            tail = "\n".join(said[-_TAIL_LINES:])
            raise type(exc)(f"{exc.message}\n{tail}".strip(), **exc.details, log=tail) from exc
    return image


def _template(spec: ImageSpec, directory: str) -> TemplateBuilder:
    from e2b import AsyncTemplate  # noqa: PLC0415 - the SDK is imported on first use

    recipe = image_recipe(spec)
    files = Path(directory, _FILES)
    files.mkdir()
    for name, content in recipe.files.items():
        (files / name).write_bytes(content)
    template = AsyncTemplate(file_context_path=directory)
    builder = template.from_base_image() if spec.base is None else template.from_image(spec.base)
    # E2B's own default is a user that may write to its home alone.
    builder = builder.set_user("root")
    for command in recipe.before:
        builder = builder.run_cmd(command, user="root")
    builder = builder.copy(_FILES, DIRECTORY, user="root")
    for command in recipe.after:
        builder = builder.run_cmd(recipe.with_env(command), user="root")
    return builder.set_user("user").set_workdir("/home/user")


async def find(name: str, *, api: Api) -> bool:
    """Whether the account has such a template. A name may be another account's, which is none of ours."""
    return bool(await _builds(name, api))


async def remove(name: str, *, api: Api) -> None:
    """One that is not there is no error."""
    from e2b import AsyncSandbox  # noqa: PLC0415 - the SDK is imported on first use

    with e2b_errors():
        # To E2B a snapshot is a template.
        await AsyncSandbox.delete_snapshot(name, **api)


async def snapshot(sandbox_id: str, name: str, *, api: Api) -> str:
    """Its id. Of the files alone where E2B does that for the account, else with the memory."""
    from e2b import AsyncSandbox  # noqa: PLC0415 - the SDK is imported on first use

    try:
        with e2b_errors(sandbox=sandbox_id):
            made = await AsyncSandbox.create_snapshot(sandbox_id, name, mode="filesystem", **api)
    except ProviderError as exc:
        if getattr(exc.__cause__, "status_code", None) not in _NO_FILES_ALONE:
            raise
        with e2b_errors(sandbox=sandbox_id):
            made = await AsyncSandbox.create_snapshot(sandbox_id, name, **api)
    return made.snapshot_id


async def _builds(name: str, api: Api) -> Mapping[str, str]:
    """Tag to the id of the build that has it; none when there is no such template of this account's."""
    import e2b  # noqa: PLC0415 - the SDK is imported on first use

    try:
        with e2b_errors():
            tags = await e2b.AsyncTemplate.get_tags(name, **api)
    except ProviderError as exc:
        status = getattr(exc.__cause__, "status_code", None)
        if status in _NOT_OURS or str(exc.__cause__)[:3] in map(str, _NOT_OURS):
            return {}
        raise
    return {tag.tag: tag.build_id for tag in tags}
