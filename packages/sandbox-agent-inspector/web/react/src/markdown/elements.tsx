/** Tokens to React elements. There is never a string of HTML, so nothing has to be sanitised: HTML is text. */
import type { Token, Tokens } from 'marked';
import { createElement, Fragment, type ReactElement, type ReactNode } from 'react';
import { decodeEntities } from './entities.ts';
import { hostToShow, type LinkTarget, linkTarget } from './links.ts';

const MAX_DEPTH = 32;

export interface CodeProps {
  code: string;
  language: string;
  /** It is still being written. */
  open: boolean;
}
export interface LinkProps {
  target: LinkTarget;
  /** The host that must be printed beside the text, because the text looks like another one. */
  host: string | null;
  title: string | null;
  children: ReactNode;
}
export interface ImageProps {
  src: string;
  alt: string;
}

/** What an app may put in place of the plain elements. */
export interface MarkdownComponents {
  Code(props: CodeProps): ReactNode;
  Link(props: LinkProps): ReactNode;
  Image(props: ImageProps): ReactNode;
  Table(props: { children: ReactNode }): ReactNode;
}

export const PLAIN_COMPONENTS: MarkdownComponents = {
  Code: ({ code, language }) => (
    <pre data-language={language || undefined}>
      <code>{code}</code>
    </pre>
  ),
  Link: ({ target, host, children }) =>
    target.kind === 'path' ? (
      <code data-path={target.path}>{children}</code>
    ) : (
      <>
        <a href={target.href} target="_blank" rel="noopener noreferrer">
          {children}
        </a>
        {host !== null && <span data-host=""> ({host})</span>}
      </>
    ),
  // Nothing is loaded from anywhere; an app decides what of `data:` it shows.
  Image: ({ alt, src }) => <span data-image="">{alt || src.slice(0, 80)}</span>,
  Table: ({ children }) => <table>{children}</table>,
};

export function blockElement(
  token: Token,
  components: MarkdownComponents,
  open: boolean,
): ReactNode {
  return new Elements(components, open).block(token, 0);
}

class Elements {
  private readonly components: MarkdownComponents;
  private readonly open: boolean;

  constructor(components: MarkdownComponents, open: boolean) {
    this.components = components;
    this.open = open;
  }

  block(token: Token, depth: number): ReactNode {
    if (depth > MAX_DEPTH) return token.raw;
    switch (token.type) {
      case 'heading':
        // The page has its own headings: those of a message are below them.
        return createElement(
          `h${Math.min(6, (token as Tokens.Heading).depth + 2)}`,
          { 'data-depth': (token as Tokens.Heading).depth },
          this.inline(token.tokens, depth),
        );
      case 'paragraph':
        return <p>{this.inline(token.tokens, depth)}</p>;
      case 'code': {
        const { text, lang } = token as Tokens.Code;
        const language = /^[^\s{]*/.exec(lang ?? '')?.[0] ?? '';
        return createElement(this.components.Code, { code: text, language, open: this.open });
      }
      case 'blockquote':
        return <blockquote>{this.blocks(token.tokens, depth)}</blockquote>;
      case 'list':
        return this.list(token as Tokens.List, depth);
      case 'table':
        return this.table(token as Tokens.Table, depth);
      case 'hr':
        return <hr />;
      case 'html':
        return <p data-html="">{token.raw.trimEnd()}</p>;
      case 'text':
        return this.inline((token as Tokens.Text).tokens ?? [token], depth);
      case 'space':
      case 'def':
      case 'checkbox':
        return null;
      default:
        return token.raw;
    }
  }

  private blocks(tokens: readonly Token[] | undefined, depth: number): ReactNode {
    return keyed(tokens, (token) => this.block(token, depth + 1));
  }

  private list(list: Tokens.List, depth: number): ReactElement {
    const items = list.items.map((item, index) => (
      // biome-ignore lint/suspicious/noArrayIndexKey: items of a text have no identity but their place
      <li key={index} data-task={item.task ? (item.checked ? 'done' : 'open') : undefined}>
        {item.task && (
          <input
            type="checkbox"
            checked={item.checked ?? false}
            disabled
            aria-label="Task"
            readOnly
          />
        )}
        {this.blocks(item.tokens, depth)}
      </li>
    ));
    if (!list.ordered) return <ul>{items}</ul>;
    return <ol start={list.start === '' || list.start === 1 ? undefined : list.start}>{items}</ol>;
  }

  private table(table: Tokens.Table, depth: number): ReactElement {
    const cells = (row: Tokens.TableCell[], tag: 'th' | 'td') =>
      row.map((cell, index) =>
        createElement(
          tag,
          { key: index, 'data-align': cell.align ?? undefined },
          this.inline(cell.tokens, depth),
        ),
      );
    return createElement(
      this.components.Table,
      null,
      <thead>
        <tr>{cells(table.header, 'th')}</tr>
      </thead>,
      <tbody>
        {table.rows.map((row, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: rows of a text have no identity but their place
          <tr key={index}>{cells(row, 'td')}</tr>
        ))}
      </tbody>,
    );
  }

  private inline(tokens: readonly Token[] | undefined, depth: number): ReactNode {
    if (depth > MAX_DEPTH) return tokens?.map((token) => token.raw).join('') ?? null;
    return keyed(tokens, (token) => this.span(token, depth + 1));
  }

  private span(token: Token, depth: number): ReactNode {
    switch (token.type) {
      case 'text':
        return (token as Tokens.Text).tokens
          ? this.inline((token as Tokens.Text).tokens, depth)
          : decodeEntities((token as Tokens.Text).text);
      case 'strong':
        return <strong>{this.inline(token.tokens, depth)}</strong>;
      case 'em':
        return <em>{this.inline(token.tokens, depth)}</em>;
      case 'del':
        return <del>{this.inline(token.tokens, depth)}</del>;
      case 'codespan':
        return <code>{(token as Tokens.Codespan).text}</code>;
      case 'br':
        return <br />;
      case 'escape':
        return (token as Tokens.Escape).text;
      case 'link':
        return this.link(token as Tokens.Link, depth);
      case 'image': {
        const { href, text } = token as Tokens.Image;
        return createElement(this.components.Image, { src: href, alt: decodeEntities(text) });
      }
      case 'html':
        return /^<br\s*\/?>$/i.test(token.raw) ? <br /> : token.raw;
      default:
        return token.raw;
    }
  }

  private link(link: Tokens.Link, depth: number): ReactNode {
    const target = linkTarget(decodeEntities(link.href));
    const children = this.inline(link.tokens, depth);
    // What may not be a link is shown with where it would have led.
    if (target === null) return link.raw;
    const host = hostToShow(target, decodeEntities(link.text));
    return createElement(this.components.Link, {
      target,
      host,
      title: link.title ?? null,
      children,
    });
  }
}

function keyed(
  tokens: readonly Token[] | undefined,
  render: (token: Token) => ReactNode,
): ReactNode {
  // biome-ignore lint/suspicious/noArrayIndexKey: pieces of a text have no identity but their place
  return tokens?.map((token, index) => <Fragment key={index}>{render(token)}</Fragment>) ?? null;
}
