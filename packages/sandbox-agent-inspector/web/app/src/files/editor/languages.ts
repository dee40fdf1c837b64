import type { LanguageSupport, StreamLanguage } from '@codemirror/language';
import { baseName, extensionOf } from 'sandbox-agent-react';

type Loader = () => Promise<LanguageSupport | StreamLanguage<unknown>>;

const javascript =
  (options: { jsx?: boolean; typescript?: boolean }): Loader =>
  async () =>
    (await import('@codemirror/lang-javascript')).javascript(options);
const cpp: Loader = async () => (await import('@codemirror/lang-cpp')).cpp();
const css: Loader = async () => (await import('@codemirror/lang-css')).css();
const html: Loader = async () => (await import('@codemirror/lang-html')).html();
const json: Loader = async () => (await import('@codemirror/lang-json')).json();
const markdown: Loader = async () => (await import('@codemirror/lang-markdown')).markdown();
const python: Loader = async () => (await import('@codemirror/lang-python')).python();
const yaml: Loader = async () => (await import('@codemirror/lang-yaml')).yaml();

const BY_EXTENSION: Readonly<Record<string, Loader>> = {
  c: cpp,
  cc: cpp,
  cjs: javascript({}),
  cpp,
  css,
  cts: javascript({ typescript: true }),
  go: async () => (await import('@codemirror/lang-go')).go(),
  h: cpp,
  hpp: cpp,
  htm: html,
  html,
  java: async () => (await import('@codemirror/lang-java')).java(),
  js: javascript({ jsx: true }),
  json,
  jsonc: json,
  jsonl: json,
  jsx: javascript({ jsx: true }),
  md: markdown,
  mdx: markdown,
  mjs: javascript({}),
  mts: javascript({ typescript: true }),
  py: python,
  pyi: python,
  rs: async () => (await import('@codemirror/lang-rust')).rust(),
  sql: async () => (await import('@codemirror/lang-sql')).sql(),
  svg: html,
  ts: javascript({ typescript: true }),
  tsx: javascript({ jsx: true, typescript: true }),
  vue: html,
  xml: html,
  yaml,
  yml: yaml,
};

const BY_NAME: Readonly<Record<string, Loader>> = {
  '.prettierrc': json,
  '.eslintrc': json,
};

/** The language of a file by its name, loaded when a file of it is opened; null: plain text. */
export async function languageOf(
  path: string,
): Promise<LanguageSupport | StreamLanguage<unknown> | null> {
  const extension = extensionOf(path);
  const name = baseName(path);
  const load =
    (Object.hasOwn(BY_NAME, name) ? BY_NAME[name] : undefined) ??
    (Object.hasOwn(BY_EXTENSION, extension) ? BY_EXTENSION[extension] : undefined);
  return load ? load() : null;
}
