"""Modal sandboxes for sandbox-agent. The SDK is imported when it is first needed."""

from sandbox_agent_modal.provider import ModalProvider

__all__ = ["ModalProvider"]
