/** Which language a file is in, or is meant by the name that somebody gave it. */

const BY_ENDING: Readonly<Record<string, string>> = {
  bash: 'bash', c: 'c', cc: 'cpp', cfg: 'ini', conf: 'ini', cpp: 'cpp', cs: 'csharp', css: 'css', cts: 'typescript',
  cxx: 'cpp', diff: 'diff', go: 'go', gql: 'graphql', graphql: 'graphql', h: 'c', hpp: 'cpp', htm: 'xml', html: 'xml',
  ini: 'ini', java: 'java', js: 'javascript', json: 'json', jsonc: 'json', jsonl: 'json', jsx: 'javascript',
  kt: 'kotlin', kts: 'kotlin', less: 'less', lua: 'lua', m: 'objectivec', md: 'markdown', mdx: 'markdown',
  mjs: 'javascript', cjs: 'javascript', mk: 'makefile', mts: 'typescript', patch: 'diff', php: 'php', pl: 'perl',
  py: 'python', pyi: 'python', r: 'r', rb: 'ruby', rs: 'rust', scss: 'scss', sh: 'bash', sql: 'sql', svg: 'xml',
  swift: 'swift', toml: 'ini', ts: 'typescript', tsx: 'typescript', vb: 'vbnet', vue: 'xml', wat: 'wasm', xhtml: 'xml',
  xml: 'xml', yaml: 'yaml', yml: 'yaml', zsh: 'bash',
}; // biome-ignore format: one list

const BY_NAME: Readonly<Record<string, string>> = {
  makefile: 'makefile',
  gnumakefile: 'makefile',
  '.bashrc': 'bash',
  '.profile': 'bash',
  '.zshrc': 'bash',
  '.gitconfig': 'ini',
  '.editorconfig': 'ini',
  gemfile: 'ruby',
  rakefile: 'ruby',
};

const ALIASES: Readonly<Record<string, string>> = {
  'c++': 'cpp',
  'c#': 'csharp',
  console: 'shell',
  golang: 'go',
  html: 'xml',
  javascriptreact: 'javascript',
  jsonc: 'json',
  make: 'makefile',
  node: 'javascript',
  objc: 'objectivec',
  python3: 'python',
  shell: 'bash',
  'shell-session': 'shell',
  sh: 'bash',
  text: 'plaintext',
  toml: 'ini',
  typescriptreact: 'typescript',
};

/** null: none that we know. */
export function languageOfPath(path: string): string | null {
  const name = (path.split('/').at(-1) ?? '').toLowerCase();
  const known = own(BY_NAME, name);
  if (known !== null) return known;
  const dot = name.lastIndexOf('.');
  return dot === -1 ? null : own(BY_ENDING, name.slice(dot + 1));
}

/** Of the word behind the fence of a block of code. */
export function languageOfName(name: string): string | null {
  const word =
    name
      .trim()
      .toLowerCase()
      .split(/[\s,{]/)[0] ?? '';
  if (word === '') return null;
  return own(ALIASES, word) ?? own(BY_ENDING, word) ?? word;
}

function own(names: Readonly<Record<string, string>>, key: string): string | null {
  return Object.hasOwn(names, key) ? (names[key] ?? null) : null;
}
