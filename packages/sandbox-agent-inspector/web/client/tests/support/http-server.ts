/// <reference types="node" />

/** A server of HTTP in this process, whose answers a test writes. */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => void;

export class HttpServer {
  readonly requests: { method: string; url: URL; headers: IncomingMessage['headers'] }[] = [];
  readonly #server: Server;
  url = '';

  constructor(handler: Handler) {
    this.#server = createServer((request, response) => {
      const url = new URL(request.url ?? '/', 'http://localhost');
      this.requests.push({ method: request.method ?? '', url, headers: request.headers });
      handler(request, response, url);
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** The head of a stream of events. */
export function stream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.write(': open\n\n');
}

export function checkpoint(cursor: string): string {
  return `id: ${cursor}\nevent: checkpoint\ndata: ${JSON.stringify({ cursor })}\n\n`;
}

export function event(sessionId: string, seq: number, type = 'agent.started', data = {}): string {
  const id = `${sessionId}:${seq}`;
  const time = '2026-11-23T12:00:00.000Z';
  return `data: ${JSON.stringify({ seq, id, sessionId, time, type, sender: 'agent', data })}\n\n`;
}
