"""Modal's images with the server and agents inside: layers, each of which Modal builds once and keeps by what went in."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sandbox_agent_core.provisioning.image_recipe import DIRECTORY, ImageRecipe, image_recipe
from sandbox_agent_core.spi.images import ImageSpec, SandboxImage, image_name
from sandbox_agent_core.spi.wheel import Wheel

from sandbox_agent_modal.account import Account
from sandbox_agent_modal.errors import PROVIDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modal import App, Client, Image, Sandbox

__all__ = ["build", "find_published", "layered", "named", "snapshot", "used_by_default"]

PYTHON_VERSION = "3.12"
"""Of the default base."""
NAMELESS_LIFETIME_S = 30 * 24 * 3600
"""Of a snapshot that nobody will look for by a name."""


@contextmanager
def layered(spec: ImageSpec) -> Iterator[Image]:
    """Not built yet; the files that it is made of are there until the block ends."""
    recipe = image_recipe(spec)
    with TemporaryDirectory(prefix="sandbox-agent-image-") as directory:
        for name, content in recipe.files.items():
            Path(directory, name).write_bytes(content)
        yield _chain(spec, recipe, directory)


def _chain(spec: ImageSpec, recipe: ImageRecipe, directory: str) -> Image:
    import modal  # noqa: PLC0415 - the SDK is imported on first use

    image = (
        modal.Image.debian_slim(PYTHON_VERSION)
        if spec.base is None
        else modal.Image.from_registry(spec.base)
    )
    # Only where there are some: a secret that is made for a build is another one each time.
    env: Mapping[str, Any] = {"env": dict(recipe.env)} if recipe.env else {}
    for command in recipe.before:
        image = image.run_commands(command, force_build=spec.rebuild)
    image = image.add_local_dir(directory, DIRECTORY, copy=True)
    for command in recipe.after:
        image = image.run_commands(command, **env)
    return image


async def build(account: Account, spec: ImageSpec, *, timeout_s: float) -> SandboxImage:
    """Built where a layer is missing, and published under the name that sandboxes are made from by default.

    Raises:
        ProviderError: a command failed; the message says how to see its words.
    """
    name = spec.name or image_name(spec.wheels)
    async with account.client() as client:
        app = await account.make_app(client)
        before = await find_published(account, client, app, name)
        spec.report(f"building {name}: Modal keeps each layer, and shows them at modal.com/images")
        with layered(spec) as image:
            built = await account.ask(image.build.aio(app), timeout_s=timeout_s)
        publishing = built.publish.aio(name, environment_name=account.environment, client=client)
        await account.ask(publishing)
    return _ours(name, spec.wheels, is_new=before is None or before.object_id != built.object_id)


async def used_by_default(account: Account, wheels: Sequence[Wheel]) -> Sequence[SandboxImage]:
    """At most one: that of this server."""
    name = image_name(wheels)
    async with account.client() as client:
        app = await account.find_app(client)
        if app is None or await find_published(account, client, app, name) is None:
            return []
    return [_ours(name, wheels, is_new=False)]


async def snapshot(
    account: Account, sandbox: Sandbox, name: str | None, *, timeout_s: float
) -> SandboxImage:
    making = sandbox.snapshot_filesystem.aio(
        round(timeout_s), ttl=NAMELESS_LIFETIME_S if name is None else None
    )
    made = await account.ask(making, sandbox=sandbox.object_id, timeout_s=timeout_s)
    if name is None:
        return SandboxImage(
            provider=PROVIDER, name=made.object_id, options={"image": made.object_id}
        )
    async with account.client() as client:
        await account.ask(
            made.publish.aio(name, environment_name=account.environment, client=client)
        )
    return SandboxImage(provider=PROVIDER, name=name, options={"image": f"modal:{name}"})


def named(text: str, account: Account, client: Client) -> Image:
    import modal  # noqa: PLC0415 - the SDK is imported on first use

    kind, _, name = text.partition(":")
    if kind == "modal":
        return modal.Image.from_name(name, environment_name=account.environment, client=client)
    if re.fullmatch(r"im-\w+", text):
        return modal.Image.from_id(text, client=client)
    return modal.Image.from_registry(text)


async def find_published(account: Account, client: Client, app: App, name: str) -> Image | None:
    import modal  # noqa: PLC0415 - the SDK is imported on first use
    from modal.exception import NotFoundError  # noqa: PLC0415

    async def find() -> Image | None:
        named = modal.Image.from_name(name, environment_name=account.environment, client=client)
        try:
            return await named.build.aio(app)
        except NotFoundError:
            return None

    return await account.ask(find())


def _ours(name: str, wheels: Sequence[Wheel], *, is_new: bool) -> SandboxImage:
    return SandboxImage(
        provider=PROVIDER,
        name=name,
        options={"image": f"modal:{name}"},
        is_default=name == image_name(wheels),
        is_new=is_new,
    )
