/** The nonce of the page, where its policy has one; React Aria reads the same tag. */
export function pageNonce(from: Document = document): string | undefined {
  const tag = from.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]');
  return tag?.nonce || tag?.content || undefined;
}

/**
 * A document whose elements a strict `style-src` lets through: style sheets carry the nonce, and what xterm writes
 * into `style` attributes goes through the style object, which the policy leaves alone.
 */
export function documentWithNonce(real: Document, nonce: string | undefined): Document {
  const createElement = (name: string, options?: ElementCreationOptions): HTMLElement =>
    admitted(real.createElement(name, options), nonce);
  return new Proxy(real, {
    get(target, key) {
      if (key === 'createElement') return createElement;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
    set(target, key, value) {
      return Reflect.set(target, key, value, target);
    },
  });
}

/** Runs `open`, in which xterm asks the real document for style sheets that it does not ask its own one for. */
export function withNonceOnStyles(
  real: Document,
  nonce: string | undefined,
  open: () => void,
): void {
  if (nonce === undefined) {
    open();
    return;
  }
  const original = real.createElement;
  const admitting = (name: string, options?: ElementCreationOptions): HTMLElement =>
    admitted(original.call(real, name, options), nonce);
  Object.defineProperty(real, 'createElement', { value: admitting, configurable: true });
  try {
    open();
  } finally {
    Reflect.deleteProperty(real, 'createElement');
  }
}

function admitted(element: HTMLElement, nonce: string | undefined): HTMLElement {
  if (element.localName === 'style' && nonce !== undefined) element.setAttribute('nonce', nonce);
  if (element.localName === 'span') {
    const setAttribute = element.setAttribute.bind(element);
    element.setAttribute = (name: string, value: string) => {
      if (name === 'style') element.style.cssText = value;
      else setAttribute(name, value);
    };
  }
  return element;
}

/**
 * xterm makes its cells with the page's own document whatever it is told, and writes their colours into `style`
 * attributes. Its row factory is given ours; a version that has none there shows text without the colours that are no
 * class, which is all that a policy would leave of them.
 */
export function giveDocumentToRows(terminal: object, ours: Document): void {
  const factory = ['_core', '_renderService', '_renderer', 'value', '_rowFactory'].reduce<unknown>(
    (part, name) =>
      typeof part === 'object' && part !== null ? Reflect.get(part, name) : undefined,
    terminal,
  );
  if (typeof factory === 'object' && factory !== null && '_document' in factory)
    factory._document = ours;
}
