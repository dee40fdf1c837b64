"""Every bound of the server."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["HostLimits", "Limits"]

_MIB = 1024 * 1024


class _Bounds(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class HostLimits(_Bounds):
    """Of the sandbox as a computer: files, processes, terminals, ports."""

    max_upload_bytes: int | None = Field(
        None,
        ge=1024,
        description="Largest file or archive that is uploaded. Default: what the disk takes.",
    )
    upload_stall_s: float = Field(
        60.0,
        gt=0,
        description="How long an upload may bring nothing; it may take as long as it wants.",
    )
    disk_reserve_bytes: int = Field(
        64 * _MIB,
        ge=0,
        description="What uploads leave free of a disk, so that the logs can still be written.",
    )
    max_transfers: int = Field(
        256,
        ge=1,
        description="Files and archives that are read or written over HTTP at the same time.",
    )
    file_threads: int = Field(
        16, ge=1, le=128, description="Threads that read, write and search files."
    )
    max_archive_bytes: int = Field(
        64 * 1024 * _MIB, ge=1024, description="What an uploaded archive may unpack to."
    )
    max_archive_ratio: int = Field(
        200,
        ge=2,
        description="How many times its size it may unpack to, from 64 MiB on; a bomb has about 1000.",
    )
    max_archive_entries: int = Field(
        500_000, ge=1, description="Files, directories and links of an uploaded archive."
    )
    max_archive_depth: int = Field(
        128, ge=1, le=256, description="Parts of a path in an uploaded archive."
    )
    max_searches: int = Field(
        4, ge=1, le=64, description="Searches of files, by name or contents, at the same time."
    )
    search_timeout_s: float = Field(
        30.0, gt=0, description="How long one may take; then it answers with what it has."
    )
    max_search_results: int = Field(
        10_000, ge=1, description="Files or lines that one search answers with."
    )
    max_search_file_bytes: int = Field(
        16 * _MIB, ge=1024, description="Larger files are not searched for text."
    )
    max_watched_trees: int = Field(
        48,
        ge=1,
        description="Directories that are watched at the same time, each by any number of readers. The kernel has "
        "128 watchers for all programs of a user, as a rule.",
    )
    max_watched_directories: int = Field(
        100_000, ge=1, description="Directories in all trees that are watched together."
    )
    max_list_entries: int = Field(
        100_000, ge=1, description="Entries of a directory that are listed without a `limit`."
    )

    max_config_bytes: int = Field(
        1 * _MIB,
        ge=1024,
        description="Size of a file with MCP servers or skills of a directory (`/v1/config/*`).",
    )
    max_skills: int = Field(100, ge=1, description="Skills of a session.")
    max_skill_files: int = Field(
        2000, ge=1, description="Files of all skills of a session together."
    )
    max_skill_bytes: int = Field(
        64 * _MIB,
        ge=1024,
        description="Size of them; and of a repository that skills are fetched from.",
    )
    skill_fetch_timeout_s: float = Field(
        60.0, gt=0, description="Until a repository with skills must have been fetched."
    )
    git_timeout_s: float = Field(
        60.0, gt=0, description="How long git may look for what has changed."
    )
    git_clone_timeout_s: float = Field(
        3600.0, gt=0, description="How long a clone may take, all of it."
    )
    max_diff_bytes: int = Field(
        4 * _MIB,
        ge=1024,
        description="Largest patch in an answer; a larger one is cut, and says so.",
    )
    max_diff_files: int = Field(
        3000, ge=1, description="Changed files in an answer; there may be more, and it says so."
    )
    max_diff_file_bytes: int = Field(
        16 * _MIB,
        ge=1024,
        description="Largest file that is compared line by line; of a larger one only size and time are.",
    )
    max_diff_tree_files: int = Field(
        50_000,
        ge=1,
        description="New and changed files that are looked at for what has changed; with more it is refused.",
    )
    turn_diff_hold_s: float = Field(
        1.0,
        ge=0,
        description="How long a prompt is held back at most until the files before it are known; else its turn has no diff.",
    )
    turn_diff_timeout_s: float = Field(
        10.0,
        gt=0,
        description="How long the files may be read around a turn; after that the session has no diffs any more.",
    )
    max_turn_diff_bytes: int = Field(
        128 * 1024, ge=0, description="Largest patch in a `turn.diff`; a larger one is cut."
    )
    max_turn_diff_files: int = Field(
        500, ge=1, description="Files that a `turn.diff` lists; it counts all."
    )
    max_diff_tree_bytes: int = Field(
        512 * _MIB, ge=1024, description="Size of them together; with more it is refused."
    )
    max_processes: int = Field(
        64,
        ge=1,
        le=4096,
        description="Commands and processes of callers that run at the same time. This and the next five are "
        "what `/v1/processes/config` begins with.",
    )
    process_run_timeout_s: float = Field(
        30.0,
        gt=0,
        le=86_400,
        description="After which a command is killed that says no other time.",
    )
    max_process_run_timeout_s: float = Field(
        300.0, gt=0, le=86_400, description="Longest that a command may ask for."
    )
    max_process_output_bytes: int = Field(
        1 * _MIB, ge=1, le=64 * _MIB, description="Of each stream of a command, in its answer."
    )
    max_process_log_bytes: int = Field(
        10 * _MIB,
        ge=1,
        description="Output of a process that is kept on the disk; the oldest goes.",
    )
    max_process_input_bytes: int = Field(
        64 * 1024, ge=1, le=8 * _MIB, description="Input for a process in one request."
    )
    max_unread_input_bytes: int = Field(
        1 * _MIB, ge=1024, description="Input that waits for a process that does not read it."
    )
    process_input_wait_s: float = Field(
        10.0, gt=0, description="How long a request waits for it to be read before it is refused."
    )
    process_stop_grace_s: float = Field(
        5.0, gt=0, description="Between SIGTERM and SIGKILL for a process that is stopped."
    )
    max_process_page_bytes: int = Field(
        16 * _MIB, ge=1024, description="Output in one answer of a log; `nextCursor` leads on."
    )
    max_ended_processes: int = Field(
        100,
        ge=0,
        description="Processes that have ended and can still be looked at; the oldest go.",
    )
    ended_process_keep_s: float = Field(
        86_400.0, gt=0, description="How long one of them can be looked at."
    )
    terminal_scrollback_bytes: int = Field(
        256 * 1024, ge=0, description="What was there before, for who attaches to a terminal."
    )
    terminal_lead_bytes: int = Field(
        1 * _MIB,
        ge=4096,
        description="How far a process may get ahead of those who look at its terminal; then it waits for the fastest.",
    )
    terminal_stall_s: float = Field(
        5.0, gt=0, description="Who takes nothing of a terminal for so long is not waited for."
    )
    max_port_connections: int = Field(
        256,
        ge=1,
        description="Requests and WebSockets to ports of the sandbox that are open at a time.",
    )
    port_connect_timeout_s: float = Field(
        5.0, gt=0, description="Until a port of the sandbox must have taken a connection."
    )
    port_answer_timeout_s: float = Field(
        300.0, gt=0, description="Until it must have begun to answer a request that it has whole."
    )
    max_port_message_bytes: int = Field(
        16 * _MIB, ge=1024, description="Largest WebSocket message from a port of the sandbox."
    )
    port_visit_s: float = Field(
        12 * 3600.0,
        gt=0,
        description="How long a browser that came with a ticket may visit a port of the sandbox.",
    )
    port_look_s: float = Field(
        1.0,
        gt=0,
        description="How often is looked for ports that open and close, while somebody watches.",
    )


class Limits(HostLimits):
    """Every bound of the server. At a bound: a clear error or back-pressure, never loss."""

    max_body_bytes: int = Field(16 * _MIB, ge=1024, description="Largest request body.")
    max_head_bytes: int = Field(
        64 * 1024, ge=1024, description="Largest head of a request: its line and headers."
    )
    max_heads_bytes: int = Field(
        4 * _MIB,
        ge=1024,
        description="Heads of all connections that are not whole yet; whoever waits longest is closed.",
    )
    head_timeout_s: float = Field(
        10.0, gt=0, description="Until the head of a request must be whole."
    )
    body_timeout_s: float = Field(
        120.0, gt=0, description="From there until its body must be whole."
    )
    keep_alive_s: float = Field(
        15.0, gt=0, description="How long a connection is kept without a request."
    )
    send_timeout_s: float = Field(
        60.0,
        gt=0,
        description="How long a client may take nothing of an answer. An event stream waits for ever.",
    )
    max_answer_bytes: int = Field(
        64 * _MIB,
        ge=1024,
        description="Pages and transcripts that are being made or not yet taken, all together; more wait.",
    )
    max_connections: int = Field(
        2048,
        ge=1,
        description="Open connections, at most half of the descriptors that the process may open. One that "
        "waits for a request makes room for another; when none does, one more is refused.",
    )
    max_json_depth: int = Field(64, ge=4, le=512, description="Deepest nesting of a request body.")
    max_line_bytes: int = Field(32 * _MIB, ge=4096, description="Longest line an agent may write.")
    max_file_bytes: int = Field(
        8 * _MIB,
        ge=1024,
        description="Largest file that an agent may read or write through ACP `fs/*`.",
    )
    max_media_bytes: int = Field(
        10 * _MIB,
        ge=1024,
        description="Largest image, sound or embedded file of a prompt, decoded.",
    )
    max_sessions: int = Field(256, ge=1, description="Agents running at the same time.")
    max_subscribers: int = Field(1024, ge=1, description="Open event streams (SSE and WebSocket).")
    max_acp_connections: int = Field(256, ge=1, description="Clients of `/acp` at the same time.")
    max_acp_requests: int = Field(
        256,
        ge=1,
        description="Requests of an ACP client that are worked on at a time, but for prompts; the next is read later.",
    )
    max_acp_buffered_bytes: int = Field(
        1 * _MIB,
        ge=1024,
        description="Messages that wait for the reader of an ACP stream; the first always fits, more wait.",
    )
    acp_stream_wait_s: float = Field(
        1.0,
        ge=0,
        description="How long the first messages of an ACP session wait for its own stream, before they go to that "
        "of the connection.",
    )
    acp_idle_s: float = Field(
        60.0, gt=0, description="Until an ACP connection ends that no stream and no request needs."
    )
    max_pending_requests: int = Field(
        64,
        ge=1,
        description="Open permissions and questions of a session; one more is denied at once.",
    )
    max_tasks: int = Field(
        256,
        ge=1,
        description="Background tasks of a session that are followed at a time; one more is only passed on.",
    )
    max_pending_bytes: int = Field(
        8 * _MIB,
        ge=1024,
        description="Open permissions and questions of a session together; what does not fit is denied at once.",
    )
    max_queued_turns: int = Field(64, ge=0, description="Prompts waiting behind the running turn.")
    max_queued_bytes: int = Field(
        32 * _MIB, ge=1024, description="Size of them together; the first always fits."
    )
    max_acp_servers: int = Field(
        1024,
        ge=1,
        description="ACP clients (`/v1/acp`) that are remembered; of more, the one that has been idle longest is "
        "forgotten.",
    )
    acp_request_timeout_s: float = Field(
        120.0,
        gt=0,
        description="Until an agent must have answered a request of an ACP client. A prompt has no such end.",
    )
    max_tokens: int = Field(1000, ge=1, description="Valid tokens besides the server's own.")
    max_page: int = Field(1000, ge=1, description="Events in one page.")
    max_page_bytes: int = Field(
        8 * _MIB, ge=1024, description="Bytes in one page of events, requests or sessions."
    )
    max_log_bytes: int | None = Field(
        None,
        ge=1 * _MIB,
        description="Size of all logs together; at the limit work is refused as on a full disk.",
    )
    max_wait_s: float = Field(
        60.0, gt=0, description="Longest that a page of events is waited for (`?wait=`)."
    )
    heartbeat_s: float = Field(
        10.0, gt=0, description="Silence after which a stream sends a heartbeat."
    )
    agent_start_timeout_s: float = Field(60.0, gt=0, description="Until an agent must be ready.")
    cancel_grace_s: float = Field(
        10.0, gt=0, description="After a cancel, until an agent that does not react is stopped."
    )
    cancel_wait_s: float = Field(
        20.0, gt=0, description="How long `cancel?wait=true` waits for the ends of the turns."
    )
    steer_grace_s: float = Field(
        5.0,
        gt=0,
        description="After the end of a turn, until what was said into it and not taken is a prompt of its own.",
    )
    host_tool_lease_s: float = Field(
        20.0,
        gt=0,
        description="Within which a client must say that it is at a call of its function, again and again.",
    )
    max_host_tool_bytes: int = Field(
        4 * _MIB, ge=1024, description="Largest result of a client's function."
    )
    native_timeout_s: float = Field(
        60.0, gt=0, description="Until an agent must have answered a native request."
    )
    max_native_bytes: int = Field(
        8 * _MIB, ge=1024, description="Largest answer to a native request that is passed on."
    )
    stop_grace_s: float = Field(
        1.0, gt=0, le=1.2, description="Between the steps that stop an agent: EOF, TERM, KILL."
    )
    max_install_bytes: int = Field(
        2048 * _MIB,
        ge=1 * _MIB,
        description="Largest package of an agent, packed and unpacked.",
    )
    idempotency_keep_s: float = Field(
        86_400.0,
        gt=0,
        description="How long the answer to a request with an `Idempotency-Key` is kept.",
    )
    max_idempotency_keys: int = Field(
        10_000, ge=1, description="Answers that are kept; the oldest are forgotten."
    )
    max_idempotency_bytes: int = Field(
        64 * _MIB, ge=1024, description="Size of all answers that are kept."
    )
    storage_retry_s: float = Field(
        30.0, ge=0, description="How long an agent is held back while its log cannot be written."
    )
