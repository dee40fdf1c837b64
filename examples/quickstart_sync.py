"""The same without async: every name of the asynchronous client has a twin."""

from sandbox_agent_client import MessageDelta, SandboxAgentSync

with SandboxAgentSync.start(sandbox="local") as client:
    session = client.create_session(agent="mock")
    for event in session.prompt_stream("text Say something"):
        if isinstance(event, MessageDelta):
            print(event.text, end="", flush=True)
    print()
    for event in session.events(deltas=False):
        print(event.seq, event.type)
