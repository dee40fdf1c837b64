"""Cloudflare sandboxes for sandbox-agent, through the HTTP bridge of a Worker."""

from sandbox_agent_cloudflare.provider import CloudflareProvider

__all__ = ["CloudflareProvider"]
